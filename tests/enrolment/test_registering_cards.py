"""Registering the dates of cards: read, worked out or looked at twice; kept whole or not at all."""

from dataclasses import replace
from datetime import date

import pytest

from reminder.domain.model.people import Language, Mode
from reminder.domain.rules.linked_cards import Offered
from reminder.enrolment.cards import CardAdded, TypedDates, renew_card
from reminder.enrolment.cards import add_card as register_card
from reminder.errors import (
    ConflictError,
    DateError,
    ForbiddenNumberError,
    KigenError,
    NeedsConfirmationError,
    RefusedInputError,
    UnknownChoiceError,
)
from reminder.storage.registry import cards
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village

END = date(2027, 3, 31)
TWELVE = " ".join(["1234"] * 3)  # twelve invented digits, in the shape of a card's number


def everything(village: Village) -> list[object]:
    with village.app.database.reading() as tx:
        return list(cards.of_group(tx, None))


@pytest.fixture
def family(village: Village) -> Village:
    village.person("母", phone="090-0000-0001")
    return village


def add_card(
    village: Village, expires: str | None, kind: str = USER_CERTIFICATE, *, label: str | None = None,
    confirmed: bool = False, **typed: str,
) -> CardAdded:  # fmt: skip
    dates = TypedDates(expires, **typed)
    with village.app.writing() as uow:
        return register_card(uow, person_id=1, kind=kind, typed=dates, label=label, confirmed=confirmed)


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
    family.retire(card.id)

    with pytest.raises(ConflictError):
        family.renew(card.id, date(2032, 3, 31))
    assert add_card(family, "2032-03-31").id != card.id


def test_an_unknown_kind_is_refused_with_the_kinds_there_are(family: Village) -> None:
    with pytest.raises(UnknownChoiceError) as refused:
        add_card(family, "2027-03-31", "library_card")

    assert USER_CERTIFICATE in refused.value.choices


def test_an_end_that_stands_nowhere_is_worked_out_and_marked_as_such(family: Village) -> None:
    added = add_card(family, None, CARD, issued="2026-04-01", born="昭和20年3月10日")

    assert (added.expires_on, added.is_computed) == (date(2036, 3, 10), True)
    with family.app.database.reading() as tx:
        assert cards.of_group(tx, None)[0].is_computed


def test_the_date_on_the_card_wins_over_the_one_the_rules_give(family: Village) -> None:
    added = add_card(family, "2035-03-10", CARD, issued="2026-04-01", born="1945-03-10")

    assert (added.expires_on, added.is_computed) == (date(2035, 3, 10), False)


@pytest.mark.parametrize(
    ("expires", "kind", "typed", "code", "why"),
    [
        ("2033-03-10", CARD, {"born": "2007-03-10"}, "age_impossible", "no card ends at 26"),
        ("2033-03-11", CARD, {"born": "1945-03-10"}, "not_a_birthday", "the 11th is no birthday"),
        ("2030-05-18", "driving_licence", {"born": "1950-04-01"}, "not_a_birthday", "a month after another day"),
    ],
)
def test_a_date_that_can_hardly_be_right_is_asked_back_and_taken_with_a_yes(
    family: Village, expires: str, kind: str, typed: dict[str, str], code: str, why: str
) -> None:
    with pytest.raises(NeedsConfirmationError) as doubt:
        add_card(family, expires, kind, **typed)

    assert doubt.value.code == code, why
    assert everything(family) == []
    assert add_card(family, expires, kind, confirmed=True, **typed).expires_on == date.fromisoformat(expires)


@pytest.mark.parametrize(
    ("expires", "kind", "typed", "code", "field"),
    [
        (None, CARD, {}, "issue_date_needed", "issued"),
        (None, CARD, {"issued": "2026-04-01"}, "birth_date_needed", "born"),
        (None, "care_certification", {"issued": "2026-04-01"}, "only_the_card_says", "expires"),
        (None, CARD, {"issued": "2026-04-01", "born": "8/3/31"}, "date_ambiguous", "born"),
        (None, CARD, {"issued": TWELVE, "born": "1945-03-10"}, "forbidden_number", "issued"),
        (None, CARD, {"issued": "2026-12-24", "born": "1945-03-10"}, "dates_contradict", "issued"),
    ],
)
def test_what_cannot_be_worked_out_is_refused_and_nothing_is_kept(
    family: Village, expires: str | None, kind: str, typed: dict[str, str], code: str, field: str
) -> None:
    with pytest.raises(RefusedInputError) as refused:
        add_card(family, expires, kind, **typed)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert everything(family) == []


def test_a_birth_date_is_kept_nowhere(family: Village) -> None:
    add_card(family, None, CARD, issued="2026-04-01", born="昭和20年3月11日")
    family.run_until("2036-03-12 12:00")

    with family.app.database.engine.connect() as connection:
        whole = "".join(
            str(connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall())
            for table in ("cards", "people", "activity_log", "messages")
        )
    assert "1945" not in whole + "".join(family.words_to("母"))


def test_what_belongs_to_a_card_is_offered_with_its_date(family: Village) -> None:
    added = add_card(family, "2033-03-10", CARD)

    assert Offered(USER_CERTIFICATE, date(2028, 3, 10)) in added.offers
    assert USER_CERTIFICATE in {one.kind for one in added.offers}
    add_card(family, "2028-03-10", USER_CERTIFICATE)
    assert CARD not in {one.kind for one in add_card(family, "2028-03-10", SIGNATURE_CERTIFICATE).offers}


def test_renewing_a_card_asks_for_the_dates_of_what_lived_in_it(family: Village) -> None:
    card = add_card(family, "2027-03-10", CARD)
    user = add_card(family, "2027-03-10", USER_CERTIFICATE)
    licence = add_card(family, "2028-05-01", "mynumber_licence")
    add_card(family, "2028-05-01", "driving_licence")

    with family.app.writing() as uow:
        renewed = renew_card(uow, card_id=card.id, typed=TypedDates("2037-03-10"))

    assert {one.id for one in renewed.asks} == {user.id, licence.id}


def test_several_cards_of_no_known_kind_are_told_apart_by_their_labels(family: Village) -> None:
    add_card(family, "2027-03-31", "other", label="老人パス")
    add_card(family, "2027-05-31", "other", label="図書館の券")

    with pytest.raises(ConflictError) as refused:
        add_card(family, "2027-06-30", "other", label="老人パス")
    assert refused.value.code == "card_known"


@pytest.mark.parametrize(
    ("kind", "label", "code", "why"),
    [
        ("other", None, "card_label_needed", "what ends?"),
        ("other", "", "card_label_needed", "what ends?"),
        (CARD, "わたしのカード", "card_label_unwanted", "its kind says what it is"),
        ("other", TWELVE, "forbidden_number", "a number as label"),
        ("other", "あ" * 17, "label_too_long", "it has to fit into a text"),
    ],
)
def test_a_label_that_cannot_be_taken_is_refused_and_nothing_is_kept(
    family: Village, kind: str, label: str | None, code: str, why: str
) -> None:
    with pytest.raises(RefusedInputError) as refused:
        add_card(family, "2027-03-31", kind, label=label)

    assert refused.value.code == code, why
    assert everything(family) == []


def test_a_text_calls_such_a_card_by_its_label(family: Village) -> None:
    add_card(family, "2027-03-31", "other", label="老人パス")
    family.run_until("2027-03-24 12:00")

    assert "老人パスは3月31日（水）までです。" in family.words_to("母")[-1]


def test_a_card_that_ends_with_the_residence_is_told_otherwise_once_that_is_known(family: Village) -> None:
    add_card(family, "2027-03-31", CARD)
    family.run_until("2027-01-20 12:00")
    assert "新しいカードを申請" in family.words_to("母")[-1]

    add_card(family, "2027-03-31", "residence_card")
    family.run_until("2027-02-02 12:00")
    told_since = family.words_to("母")[-1]
    family.run_until("2027-03-24 12:00")

    assert "新しいカードを申請" not in told_since
    assert "在留カード" in family.words_to("母")[-1]


def test_a_renewed_residence_card_asks_for_the_my_number_card_s_new_date_and_does_not_extend_it(
    family: Village,
) -> None:
    card = add_card(family, "2027-03-31", CARD)
    stay = add_card(family, "2027-03-31", "residence_card")

    with family.app.writing() as uow:
        renewed = renew_card(uow, card_id=stay.id, typed=TypedDates("2030-03-31"))
    family.run_until("2027-03-24 12:00")

    assert [one.id for one in renewed.asks] == [card.id]
    assert "マイナンバーカードは3月31日（水）までです。" in family.words_to("母")[-1]
    assert "在留カードを持って窓口へ行ってください。" in family.words_to("母")[-1]


def test_a_kind_that_config_no_longer_has_does_not_keep_a_person_from_registering_others(family: Village) -> None:
    add_card(family, "2027-03-31", "silver_pass")
    fewer = {key: kind for key, kind in family.app.rules.kinds.items() if key != "silver_pass"}
    units = replace(family.app.units, rules=replace(family.app.rules, kinds=fewer))

    with units.writing(family.now) as uow:
        added = register_card(uow, person_id=1, kind=CARD, typed=TypedDates("2033-03-10"))

    assert added.next_reminder_on is not None


def test_rare_kanji_stay_as_they_were_typed(village: Village) -> None:
    village.person("𠮷野髙﨑さん", phone="090-0000-0002", mode=Mode.ELDERLY, language=Language.JAPANESE)
    village.card("𠮷野髙﨑さん", END)
    village.run_until("2027-01-05 12:00")

    assert "𠮷野髙﨑さん、" in village.words_to("𠮷野髙﨑さん")[0]
