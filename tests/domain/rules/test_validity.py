"""The law's arithmetic and the traps around it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.card_kinds import (
    CardBirthdays,
    CertificateBirthdays,
    DayOfYear,
    LastsMonths,
    LastsUntil,
    LastsYears,
    NoOpeningDay,
    OpensAroundBirthday,
    OpensDaysBefore,
    OpensMonthsBefore,
)
from reminder.domain.rules import validity

LASTS = CertificateBirthdays(birthdays=5, renewed_early=6)


def day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@pytest.mark.parametrize(
    ("end", "grace", "why"),
    [
        ("2026-04-30", "2026-07-31", "the month's end, not the same day"),
        ("2027-02-28", "2027-05-31", "the month's end, not the same day"),
        ("2027-11-01", "2028-02-29", "into a leap February"),
        ("2026-11-30", "2027-02-28", "into a common February"),
        ("2026-12-31", "2027-03-31", "over the new year"),
        ("2026-11-10", "2027-02-28", "a society says 02-10; the ministry's wording wins"),
    ],
)
def test_the_grace_ends_with_the_third_month(end, grace, why):
    assert validity.grace_ends_on(date.fromisoformat(end)) == date.fromisoformat(grace)


@pytest.mark.parametrize(
    ("end", "opens", "why"),
    [
        ("2023-11-20", "2023-08-21", "Ibaraki City's example"),
        ("2026-11-30", "2026-09-01", "31 August would be refused by a strict counter"),
        ("2027-02-28", "2026-12-01", "29 November would be refused"),
        ("2026-05-31", "2026-03-01", "three months before is no day"),
        ("2026-05-30", "2026-03-01", "28 February is one reading; the later wins"),
        ("2028-05-29", "2028-03-01", "a leap February"),
    ],
)
def test_renewal_opens_the_day_after_three_months_before(end, opens, why):
    assert validity.opens_on(date.fromisoformat(end)) == date.fromisoformat(opens)


@given(st.dates(date(2016, 1, 1), date(2100, 1, 1)), st.integers(1, 12))
def test_renewal_opens_when_strictly_less_is_left_and_never_sooner(end, months):
    opens = validity.opens_on(end, OpensMonthsBefore(months=months))

    assert validity.plus_months(end, -months) < opens <= end
    assert opens - timedelta(days=5) < validity.plus_months(end, -months) + timedelta(days=1)


@given(st.dates(date(2016, 1, 1), date(2090, 1, 1)), st.dates(date(1920, 1, 1), date(2015, 12, 31)), st.integers(1, 10))
def test_the_nth_birthday_is_a_birthday_and_counts_from_the_next_day(issued, born, n):
    nth = validity.nth_birthday_after(issued, born, n)

    assert nth == validity.birthday(born, nth.year)
    assert n - 1 <= (nth - issued).days / 365 <= n + 0.1
    assert nth > issued


@pytest.mark.parametrize(
    ("issued", "received", "years", "why"),
    [
        ("2026-07-01", None, 10, "on the 18th birthday"),
        ("2026-06-30", None, 5, "the day before it"),
        ("2026-07-10", "2026-06-20", 5, "applied at 17, made at 18"),
        ("2022-04-01", "2022-03-31", 5, "received under the old law"),
    ],
)
def test_who_was_a_minor_when_the_application_came_gets_five_years(issued, received, years, why):
    born = date(2008, 7, 1) if issued > "2023" else date(2003, 1, 1)

    adult_at = 20 if (received or issued) < "2022-04-01" else 18
    lasts = CardBirthdays(birthdays=10, of_minors=5, adult_at=adult_at)
    end = validity.card_ends_on(lasts, day(issued), born, day(received))

    assert end == validity.nth_birthday_after(day(issued), born, years)


@pytest.mark.parametrize(
    ("issued", "end", "why"),
    [
        ("2026-08-15", "2031-11-14", "the first day of the window"),
        ("2026-08-14", "2030-11-14", "a day too early: the 5th birthday"),
        ("2026-11-13", "2031-11-14", "the last day but one"),
        ("2026-11-14", "2031-11-14", "the last day: the birthday of that day is not counted, the 5th is enough"),
        ("2026-11-15", "2031-11-14", "after the end: the 5th birthday"),
    ],
)
def test_the_edges_of_early_renewal(issued, end, why):
    born, old_end = date(1985, 11, 14), date(2026, 11, 14)

    found = validity.certificate_ends_on(LASTS, day(issued), born, replaces=old_end)

    assert found == day(end)


@pytest.mark.parametrize(
    ("opening", "end", "opens", "why"),
    [
        (OpensMonthsBefore(months=2, to_the_day=True), "2026-12-10", "2026-10-10", "a permanent resident's card"),
        (OpensMonthsBefore(months=6, to_the_day=True), "2027-08-31", "2027-02-28", "clipped to the shorter month"),
        (OpensDaysBefore(days=60), "2028-02-29", "2027-12-31", "sixty days are not two months"),
        (DayOfYear(month=6, day=1), "2027-07-31", "2027-06-01", "that year's June"),
        (DayOfYear(month=6, day=1), "2027-06-01", "2026-06-01", "it has to lie before the end"),
        (OpensAroundBirthday(birthday=True), "2027-07-17", "2027-05-17", "a month before a birthday on 17 June"),
        (OpensAroundBirthday(birthday=True), "2027-09-30", "2027-07-31", "the birthday may be the 31st: the later day"),
        (OpensAroundBirthday(birthday=True), "2028-03-29", "2028-01-29", "a leap-day birthday in a leap year"),
        (OpensAroundBirthday(birthday=True), "2029-03-28", "2029-01-28", "and in a common one"),
        (NoOpeningDay(), "2027-07-31", None, "it comes by itself"),
    ],
)
def test_each_opening_rule_gives_its_day(opening, end, opens, why):
    assert validity.opens_on(day(end), opening) == day(opens)


def test_a_known_birth_date_says_which_birthday_a_month_s_last_day_comes_from():
    opening, end = OpensAroundBirthday(birthday=True), date(2027, 9, 30)

    assert validity.opens_on(end, opening, date(1955, 8, 30)) == date(2027, 7, 30)
    assert validity.opens_on(end, opening, date(1955, 8, 31)) == date(2027, 7, 31)


@pytest.mark.parametrize(
    ("issued", "born", "years", "end", "why"),
    [
        (
            "2022-06-01",
            "1980-06-17",
            None,
            "2027-07-17",
            "renewed in the month before the birthday: five years from it",
        ),
        ("2022-07-10", "1980-06-17", None, "2027-07-17", "renewed in the month after it"),
        ("2024-08-01", "1980-06-17", 3, "2027-07-17", "a first licence: the third birthday after the last"),
        ("2024-06-01", "1954-06-17", None, "2028-07-17", "70 on that birthday: four years"),
        ("2024-06-01", "1953-06-17", None, "2027-07-17", "71: three"),
        ("2024-06-01", "1953-06-17", 5, "2027-07-17", "71: never five"),
        ("2025-02-10", "1952-02-29", None, "2028-03-29", "a leap-day birthday, ending in a leap year"),
        ("2026-02-10", "1952-02-29", None, "2029-03-28", "and in a common one"),
    ],
)
def test_a_licence_ends_a_month_after_a_birthday(issued, born, years, end, why):
    assert validity.licence_ends_on(day(issued), day(born), years) == day(end)


@pytest.mark.parametrize(
    ("end", "moved", "why"),
    [
        ("2027-07-17", "2027-07-20", "a Saturday, a Sunday and Marine Day"),
        ("2027-05-01", "2027-05-06", "Golden Week"),
        ("2026-12-29", "2027-01-04", "the turn of the year"),
        ("2028-05-01", "2028-05-01", "a Monday"),
    ],
)
def test_a_licence_s_end_moves_past_closed_days(end, moved, why):
    assert validity.moved_past_holidays(day(end)) == day(moved)


@pytest.mark.parametrize(
    ("lasts", "issued", "end", "why"),
    [
        (LastsYears(years=7), "2019-12-10", "2026-12-10", "to the same day"),
        (LastsYears(years=10), "2024-02-29", "2034-02-28", "a day that is not there that year"),
        (LastsMonths(months=12), "2026-11-15", "2027-11-14", "to the day before"),
        (LastsMonths(months=24, to="month_end"), "2025-06-10", "2027-06-30", "to that month's end"),
        (LastsMonths(months=24, to="month_end"), "2025-06-01", "2027-05-31", "which the first of a month is not in"),
        (LastsMonths(months=12, to="month_end_before"), "2026-11-15", "2027-10-31", "to the last whole month's end"),
        (LastsMonths(months=12, to="month_end_before"), "2026-11-01", "2027-10-31", "a year of whole months"),
        (LastsUntil(until=DayOfYear(month=7, day=31)), "2026-08-01", "2027-07-31", "nearly a year"),
        (LastsUntil(until=DayOfYear(month=7, day=31)), "2027-03-01", "2027-07-31", "the rest of a year"),
        (LastsUntil(until=DayOfYear(month=7, day=31)), "2027-07-31", "2028-07-31", "issued on that very day"),
    ],
)
def test_what_lasts_a_fixed_time_ends_on_its_day(lasts, issued, end, why):
    assert validity.ends_after(lasts, day(issued)) == day(end)


def test_a_passport_of_the_shorter_term_ends_sooner():
    assert validity.ends_after(LastsYears(years=10), date(2017, 5, 5), 5) == date(2022, 5, 5)
