"""A card's own days: they take the place of its group's for this card alone, whichever way they were set."""

from datetime import date

import pytest

from reminder.domain.model.people import GroupKind, Mode
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.enrolment import preferences as preference_settings
from reminder.enrolment.card_days import set_card_days
from reminder.enrolment.cards import TypedDates, add_card, renew_card
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from tests.homes import checked, rows_of, saved
from tests.village import CARD, USER_CERTIFICATE, Village

END = date(2027, 6, 30)  # a Wednesday; opens on 1 April


def choose(village: Village, card: int, *days: int) -> None:
    with village.app.writing() as uow:
        set_card_days(uow, card_id=card, own_days=days)


def of_group(village: Village, preferences: Preferences) -> None:
    with village.app.writing() as uow:
        preference_settings.set_preferences(uow, group_id=1, preferences=preferences)


@pytest.fixture
def father(village: Village) -> Village:
    village.group()
    village.person("父", phone="090-0000-0002")
    return village


@pytest.mark.parametrize("chosen", [DEFAULT_PREFERENCES, Preferences("few"), Preferences(own_days=(45, 20))])
def test_a_card_with_days_of_its_own_is_told_on_them_whatever_its_group_has_chosen(
    father: Village, chosen: Preferences
) -> None:
    of_group(father, chosen)
    choose(father, father.card("父", END), 60, 35, 15)

    father.run_until("2027-06-16 23:00")

    assert father.texts_to("父") == ["04-01 09:00", "05-01 09:00", "05-26 09:00", "06-15 09:00"]


def test_other_cards_of_the_same_person_keep_the_days_of_the_group(father: Village) -> None:
    card, other = father.card("父", END), father.card("父", END, "care_certification")
    before = father.card_of(other).next_reminder_on

    choose(father, card, 5)

    assert father.card_of(card).next_reminder_on == date(2027, 4, 1), "when it opens everybody is told"
    assert father.card_of(other).next_reminder_on == before
    assert father.card_of(other).own_days == ""


@pytest.mark.parametrize(
    ("before", "after", "next_on", "why"),
    [
        ((), (80, 20), date(2027, 4, 10), "sooner: eighty days before, a Sunday is next"),
        ((), (20,), date(2027, 6, 10), "later"),
        ((20,), (), date(2027, 5, 1), "as its group again"),
    ],
)
def test_the_next_text_is_that_of_the_new_plan(
    father: Village, before: tuple[int, ...], after: tuple[int, ...], next_on: date, why: str
) -> None:
    card = father.card("父", END)
    choose(father, card, *before)
    father.run_until("2027-04-05 12:00")

    choose(father, card, *after)
    father.run_until("2027-04-05 23:00")  # what was told already is looked at once more, and not told twice

    assert father.card_of(card).next_reminder_on == next_on, why
    assert father.texts_to("父") == ["04-01 09:00"]


def test_what_waits_for_a_day_that_is_no_longer_one_is_not_sent_and_the_other_card_in_it_is_told(
    father: Village,
) -> None:
    card, other = father.card("父", END), father.card("父", END, "mynumber_signature_certificate")
    father.run_until("2027-05-31 08:00")
    assert father.states().count("queued") == 1, "one text about both"

    choose(father, card, 20)
    father.run_until("2027-05-31 23:00")

    assert father.texts_to("父")[-1] == "05-31 09:00"
    assert "e-Tax" in father.words_to("父")[-1]
    assert father.card_of(other).own_days == ""


def test_the_days_outlive_a_renewal_and_are_those_of_the_new_end(father: Village) -> None:
    card = father.card("父", END)
    choose(father, card, 20)

    with father.app.writing() as uow:
        renew_card(uow, card_id=card, typed=TypedDates("2032-06-30"))

    assert father.card_of(card).own_days == "20"
    father.run_until("2032-06-11 23:00")
    assert father.texts_to("父")[-1] == "06-10 09:00"


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ((366,), "own_days_out_of_range"),
        ((-1,), "own_days_out_of_range"),
        ((7, 7), "own_days_twice"),
        ((60, 50), "own_days_gaps_grow"),
        (tuple(range(90, 0, -10)), "own_days_too_many"),
    ],
)
def test_days_that_a_group_may_not_choose_no_card_may_have(father: Village, days: tuple[int, ...], code: str) -> None:
    card = father.card("父", END)

    with pytest.raises(RefusedInputError) as refused:
        choose(father, card, *days)
    with pytest.raises(RefusedInputError) as at_once, father.app.writing() as uow:
        add_card(uow, person_id=1, kind="passport", typed=TypedDates("2031-03-31"), own_days=days)

    assert (refused.value.code, at_once.value.code) == (code, code)
    assert father.card_of(card).own_days == ""


def test_a_card_that_is_not_there_or_retired_gets_no_days(father: Village) -> None:
    card = father.card("父", END)
    father.retire(card)

    with pytest.raises(NotFoundError):
        choose(father, 99, 20)
    with pytest.raises(ConflictError):
        choose(father, card, 20)


def test_a_new_card_is_planned_on_its_own_days_from_the_first(father: Village) -> None:
    with father.app.writing() as uow:
        added = add_card(uow, person_id=1, kind="other", label="会員証", typed=TypedDates("2027-06-30"), own_days=(20,))

    assert added.next_reminder_on == date(2027, 6, 10)


HEAD = "居室,氏名,カード期限,電子証明書期限,お知らせの日"


def test_a_sheet_gives_its_days_to_the_cards_of_the_row_and_says_so_before(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    saved(village, checked(village, f"{HEAD}\n201,ハナ,2033-03-31,,60 30 7\n".encode()))
    assert village.card_of(1).own_days == "60 30 7"

    saved(village, checked(village, f"{HEAD}\n201,ハナ,2033-03-31,2028-03-31,\n".encode()))
    assert [village.card_of(card).own_days for card in (1, 2)] == ["60 30 7", ""], "an empty cell changes nothing"

    row = "201,ハナ,2033-03-31,2028-03-31,９０、４５日前"
    saved(village, checked(village, f"{HEAD}\n{row}\n".encode()))
    assert [village.card_of(card).own_days for card in (1, 2)] == ["90 45", "90 45"]


@pytest.mark.parametrize(
    ("cell", "code"),
    [("そのうち", "own_days_unreadable"), ("60 50", "own_days_gaps_grow"), ("400", "own_days_out_of_range")],
)
def test_days_that_cannot_be_kept_cost_the_cell_and_say_why(village: Village, cell: str, code: str) -> None:
    village.group(GroupKind.HOME, "見本の里")

    sheet = checked(village, f"{HEAD}\n201,ハナ,2033-03-31,,{cell}\n".encode())

    assert (sheet.counts.warned, sheet.counts.refused) == (1, 0)
    (row,) = rows_of(village, sheet).values()
    assert [one.code for one in row.findings] == [code]
    saved(village, sheet)
    assert (village.card_of(1).expires_on, village.card_of(1).own_days) == (date(2033, 3, 31), "")


@pytest.mark.parametrize("mode", list(Mode))
def test_for_everybody_the_steps_after_the_end_stay(village: Village, mode: Mode) -> None:
    village.group()
    village.person("母", phone="090-0000-0003", mode=mode)
    card = village.card("母", END, CARD if mode is Mode.STANDARD else USER_CERTIFICATE)
    choose(village, card, 3)

    village.run_until("2027-07-10 23:00")

    assert any(on >= "07-05" for on in village.texts_to("母"))
