"""Registering: checked first, kept whole or not at all."""

from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment import register
from reminder.errors import (
    AddressError,
    ConflictError,
    ForbiddenNumberError,
    KigenError,
    NotFoundError,
    RefusedInputError,
)
from reminder.storage.registry import cards, contacts, groups, people
from tests.village import Village

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


def add_contact(village: Village, **given: object) -> int:
    wanted = {"channel": ChannelName.SMS, "address": "090-0000-0009", "person_id": 1, **given}
    with village.app.writing() as uow:
        return register.add_contact(uow, **wanted)  # type: ignore[arg-type]


def add_person(village: Village, **given: object) -> int:
    wanted = {"group_id": 1, "label": "父", **given}
    with village.app.writing() as uow:
        return register.add_person(uow, **wanted)  # type: ignore[arg-type]


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
        ({"channel": ChannelName("line"), "address": "x"}, AddressError, "line_unreadable", "no id of LINE's"),
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
    family.stop(1)
    family.stop(1)

    with pytest.raises(NotFoundError):
        family.stop(99)


def test_a_new_carer_is_told_what_is_due_and_the_others_are_not_told_again(family: Village) -> None:
    family.member("娘", "musume@example.jp")
    family.card("母", END)
    family.run_until("2027-03-24 12:00")
    told = len(family.texts_to("母"))

    family.member("息子", "musuko@example.jp", role=Role.EDITOR)
    family.run_until("2027-03-24 23:00")

    assert family.texts_to("息子") == ["03-24 12:00"]
    assert len(family.texts_to("母")) == told
