"""Registering: checked first, kept whole or not at all."""

from datetime import date

import pytest

from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment import consent, register
from reminder.errors import (
    AddressError,
    ConflictError,
    DateError,
    ForbiddenNumberError,
    KigenError,
    NeedsConfirmationError,
    NotFoundError,
    RefusedInputError,
    UnknownChoiceError,
)
from reminder.storage import cards, contacts, groups, people
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village

END = date(2027, 3, 31)
TWELVE = " ".join(["1234"] * 3)  # twelve invented digits, in the shape of a card's number


def everything(village: Village) -> list[object]:
    with village.app.database.reading() as tx:
        return [
            groups.everyone(tx),
            people.of_group(tx, None),
            contacts.of_group(tx, village.app.keys, None),
            cards.of_group(tx, None),
        ]


@pytest.fixture
def family(village: Village) -> Village:
    village.person("母", phone="090-0000-0001")
    return village


def add_card(village: Village, expires: str, kind: str = USER_CERTIFICATE, **more: bool) -> register.CardAdded:
    return register.add_card(
        village.app.database, village.app.rules, village.now, person_id=1, kind=kind, expires=expires, **more
    )


def add_contact(village: Village, **given: object) -> int:
    wanted = {"channel": ChannelName.SMS, "address": "090-0000-0009", "person_id": 1, **given}
    return register.add_contact(village.app.database, village.app.keys, village.now, **wanted)  # type: ignore[arg-type]


def add_person(village: Village, **given: object) -> int:
    wanted = {"group_id": 1, "label": "父", **given}
    return register.add_person(village.app.database, village.now, **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "refusal", "code", "why"),
    [
        ("8/3/31", DateError, "date_ambiguous", "2026 or 2031?"),
        ("令和9年2月29日", DateError, "date_impossible", "no such day"),
        ("令和9年2月", DateError, "date_incomplete", "which day of it?"),
        ("らいねん", DateError, "date_unreadable", "no date at all"),
        (TWELVE, ForbiddenNumberError, "forbidden_number", "a number in the date's place"),
        ("2026-11-30", NeedsConfirmationError, "date_past", "it is over already"),
        ("2037-12-02", NeedsConfirmationError, "date_far", "no card lasts that long"),
    ],
)
def test_an_end_date_that_cannot_be_taken_is_refused_and_nothing_is_kept(
    family: Village, typed: str, refusal: type[KigenError], code: str, why: str
) -> None:
    before = everything(family)

    with pytest.raises(refusal) as refused:
        add_card(family, typed)

    assert refused.value.code == code, why
    assert everything(family) == before


@pytest.mark.parametrize("typed", ["2026-11-30", "2037-12-02"])
def test_an_unusual_date_is_taken_when_it_is_confirmed(family: Village, typed: str) -> None:
    assert add_card(family, typed, confirmed=True).expires_on == date.fromisoformat(typed)


def test_a_card_knows_when_it_is_next_spoken_of(family: Village) -> None:
    assert add_card(family, "令和9年3月31日").next_reminder_on == date(2027, 1, 4)


def test_a_second_card_of_the_same_kind_is_refused_and_names_the_first(family: Village) -> None:
    first = add_card(family, "2027-03-31")

    with pytest.raises(ConflictError) as refused:
        add_card(family, "2027-05-31")

    assert refused.value.code == "card_known"
    assert refused.value.details["card"] == first.id


def test_certificates_are_carried_by_their_card_in_whichever_order_they_come(family: Village) -> None:
    user = add_card(family, "2027-03-31", USER_CERTIFICATE)
    card = add_card(family, "2032-03-31", CARD)
    signature = add_card(family, "2027-03-31", SIGNATURE_CERTIFICATE)

    with family.app.database.reading() as tx:
        carried = {card.id: card.carried_by for card in cards.of_group(tx, None)}
    assert carried == {user.id: card.id, card.id: None, signature.id: card.id}


def test_renewing_to_the_same_date_is_refused_as_a_slip(family: Village) -> None:
    card = add_card(family, "2027-03-31")

    with pytest.raises(ConflictError) as refused:
        family.renew(card.id, END)

    assert refused.value.code == "same_date"


def test_a_retired_card_cannot_be_renewed_and_makes_room_for_a_new_one(family: Village) -> None:
    card = add_card(family, "2027-03-31")
    register.retire_card(family.app.database, family.now, card_id=card.id)

    with pytest.raises(ConflictError):
        family.renew(card.id, date(2032, 3, 31))
    assert add_card(family, "2032-03-31").id != card.id


@pytest.mark.parametrize(
    ("given", "refusal", "code", "why"),
    [
        ({"label": ""}, RefusedInputError, "label_empty", "nobody's name"),
        ({"label": "あ" * 21}, RefusedInputError, "label_too_long", "a name, not a story"),
        ({"label": "母1234"}, RefusedInputError, "label_too_many_digits", "a room has three"),
        ({"label": f"母 {TWELVE}"}, ForbiddenNumberError, "forbidden_number", "a number beside the name"),
        ({"mark": "暗証番号 1234"}, ForbiddenNumberError, "forbidden_number", "a passcode as mark word"),
        ({"reference": TWELVE}, ForbiddenNumberError, "forbidden_number", "a number as room"),
        ({"group_id": 99}, NotFoundError, "not_found", "no such group"),
    ],
)
def test_a_person_that_cannot_be_taken_is_refused_and_nothing_is_kept(
    family: Village, given: dict[str, object], refusal: type[KigenError], code: str, why: str
) -> None:
    before = everything(family)

    with pytest.raises(refusal) as refused:
        add_person(family, **given)

    assert refused.value.code == code, why
    assert everything(family) == before


@pytest.mark.parametrize(
    ("given", "refusal", "code", "why"),
    [
        ({"address": "03-3500-0001"}, AddressError, "phone_landline", "a landline takes no texts"),
        ({"address": "0"}, AddressError, "phone_unreadable", "no phone at all"),
        ({"channel": ChannelName.EMAIL, "address": "kazoku"}, AddressError, "email_unreadable", "no address at all"),
        ({"channel": ChannelName.EMAIL, "address": "a@example.jp\nBcc: b@example.jp"}, AddressError, "email_unreadable", "two headers"),
        ({"person_id": None}, RefusedInputError, "one_owner_needed", "nobody's"),
        ({"member_id": 1}, RefusedInputError, "one_owner_needed", "two owners'"),
        ({"person_id": 99}, NotFoundError, "not_found", "no such person"),
        ({"person_id": None, "member_id": 99}, NotFoundError, "not_found", "no such member"),
        ({"consent_how": ConsentHow.SPOKEN}, RefusedInputError, "consent_by_needed", "who asked them?"),
        ({"address": "090-0000-0001"}, ConflictError, "contact_known", "it is there already"),
        ({"channel": ChannelName.LINE, "address": "x"}, RefusedInputError, "line_not_yet", "not built"),
    ],
)  # fmt: skip
def test_a_contact_that_cannot_be_taken_is_refused_and_nothing_is_kept(
    family: Village, given: dict[str, object], refusal: type[KigenError], code: str, why: str
) -> None:
    before = everything(family)

    with pytest.raises(refusal) as refused:
        add_contact(family, **given)

    assert refused.value.code == code, why
    assert everything(family) == before


def test_a_landline_is_kept_for_calls(family: Village) -> None:
    assert add_contact(family, channel=ChannelName.VOICE, address="03-3500-0001")


def test_an_unknown_kind_is_refused_with_the_kinds_there_are(family: Village) -> None:
    with pytest.raises(UnknownChoiceError) as refused:
        add_card(family, "2027-03-31", "library_card")

    assert USER_CERTIFICATE in refused.value.choices


def test_one_address_signs_in_to_a_group_once(family: Village) -> None:
    family.member("娘", "musume@example.jp")

    with pytest.raises(ConflictError) as refused:
        family.member("娘", "Musume@Example.JP".replace("Musume", "musume"))

    assert refused.value.code == "member_known"


def test_a_resident_of_a_home_is_spoken_to_as_one_unless_said_otherwise(village: Village) -> None:
    group = village.group(GroupKind.HOME, "さくら苑")
    add_person(village, group_id=group, label="キヨさん")
    add_person(village, group_id=group, label="職員", mode=Mode.STANDARD, language=Language.ENGLISH)

    with village.app.database.reading() as tx:
        modes = [person.mode for person in people.of_group(tx, group)]
    assert modes == [Mode.HOME, Mode.STANDARD]


def test_stopping_twice_changes_nothing_and_a_stranger_cannot_be_stopped(family: Village) -> None:
    consent.stop(family.app.database, family.now, contact_id=1)
    consent.stop(family.app.database, family.now, contact_id=1)

    with pytest.raises(NotFoundError):
        consent.stop(family.app.database, family.now, contact_id=99)


def test_a_new_carer_is_told_what_is_due_and_the_others_are_not_told_again(family: Village) -> None:
    family.member("娘", "musume@example.jp")
    add_card(family, "2027-03-31")
    family.run_until("2027-03-24 12:00")
    told = len(family.texts_to("母"))

    family.member("息子", "musuko@example.jp", role=Role.EDITOR)
    family.run_until("2027-03-24 23:00")

    assert family.texts_to("息子") == ["03-24 12:00"]
    assert len(family.texts_to("母")) == told
