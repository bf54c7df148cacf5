"""Who in a home gets a letter, and what it speaks of."""

from datetime import date

import pytest

from reminder.domain.model.people import GroupKind, Mode
from reminder.domain.parsing.dates import read_month
from reminder.domain.text.letters import ResidentLetter
from reminder.errors import NotFoundError, RefusedInputError
from reminder.planning.reports.resident_letters import Choice, letters_of
from reminder.storage.registry import groups
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village

CARE = "care_certification"


@pytest.fixture
def home(village: Village) -> Village:
    """1 December 2026: ハナ and トミ with something to do, イネ with nothing for years."""
    village.group(GroupKind.HOME, "見本の里")
    for label, room, unit in (("トミ", "305", "3階"), ("ハナ", "201", "2階"), ("イネ", "202", "2階")):
        village.person(label, mode=Mode.HOME, room=room, unit=unit)
    village.card("トミ", date(2027, 2, 28))
    village.card("トミ", date(2026, 11, 1), CARE, confirmed=True)
    village.card("ハナ", date(2027, 1, 15))
    village.card("イネ", date(2030, 5, 5), CARD)
    return village


EVERYBODY = Choice()


def letters(village: Village, choice: Choice = EVERYBODY) -> list[ResidentLetter]:
    with village.app.reading() as uow:
        group = groups.find(uow.tx, 1)
        assert group is not None
        return letters_of(uow, group, choice)


def told(village: Village, choice: Choice = EVERYBODY) -> dict[str, list[str]]:
    return {one.label: [matter.kind for matter in one.matters] for one in letters(village, choice)}


def test_everybody_with_something_to_do_gets_one_in_the_order_of_the_rooms_and_the_most_pressing_comes_first(
    home: Village,
) -> None:
    assert list(told(home).items()) == [("ハナ", [USER_CERTIFICATE]), ("トミ", [CARE, USER_CERTIFICATE])]


@pytest.mark.parametrize(
    ("choice", "who", "why"),
    [
        (Choice(month=date(2027, 1, 1)), ["ハナ", "トミ"], "who can renew something in January"),
        (Choice(month=date(2027, 2, 1)), ["トミ"], "or in February"),
        (Choice(unit="3階"), ["トミ"], "of one floor"),
        (Choice(kind=CARE), ["トミ"], "with that kind to do"),
        (Choice(people=frozenset({2})), ["ハナ"], "one person"),
        (Choice(people=frozenset({2, 3})), ["ハナ", "イネ"], "chosen by hand, also with nothing to do soon"),
    ],
)
def test_letters_can_be_asked_for_by_month_unit_kind_and_person(
    home: Village, choice: Choice, who: list[str], why: str
) -> None:
    assert list(told(home, choice)) == who, why


def test_the_kind_that_is_asked_for_is_told_first(home: Village) -> None:
    home.card("ハナ", date(2027, 1, 10), CARE)

    assert told(home, Choice(unit="2階"))["ハナ"] == [CARE, USER_CERTIFICATE]
    assert told(home, Choice(unit="2階", kind=USER_CERTIFICATE))["ハナ"] == [USER_CERTIFICATE, CARE]


def test_two_certificates_of_one_day_are_one_matter_and_of_two_days_are_two(home: Village) -> None:
    home.card("ハナ", date(2027, 1, 15), SIGNATURE_CERTIFICATE)
    home.card("トミ", date(2027, 1, 20), SIGNATURE_CERTIFICATE, confirmed=True)

    found = {one.label: one.matters for one in letters(home)}

    assert [matter.is_both for matter in found["ハナ"]] == [True]
    assert [matter.is_both for matter in found["トミ"]] == [False, False, False]


def test_what_is_said_to_be_done_is_not_told_again(home: Village) -> None:
    from reminder.enrolment import cards

    with home.app.writing() as uow:
        cards.acknowledge_card(uow, card_id=3, by=None)

    assert list(told(home)) == ["トミ"]


def test_where_there_is_nobody_or_somebody_of_another_group_it_is_refused(home: Village) -> None:
    with pytest.raises(RefusedInputError) as refused:
        letters(home, Choice(month=date(2027, 9, 1)))
    assert refused.value.code == "letters_none"

    home.group(name="他人家")
    home.person("父")
    with pytest.raises(NotFoundError):
        letters(home, Choice(people=frozenset({4})))


def test_only_a_home_s_letter_has_a_slip(home: Village) -> None:
    assert all(one.has_slip and one.from_ == "見本の里" for one in letters(home))


@pytest.mark.parametrize("typed", ["", "2027", "2027-13", "2027-02-01", "二月", "2027-2"])
def test_what_is_no_month_is_refused(typed: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        read_month(typed)
    assert refused.value.code == "month_unreadable"
