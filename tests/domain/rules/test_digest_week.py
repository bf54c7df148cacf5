"""The week of a digest: its hour in Japan, and its name."""

from datetime import date

import pytest

from reminder.domain.rules.digest_week import Week, digest_is_due, next_digest_at
from tests.village import japan

MONDAY = date(2027, 3, 1)


@pytest.mark.parametrize(
    ("day", "at", "why"),
    [
        ("2027-03-01", "2027-03-01 07:00", "a Monday"),
        ("2027-03-07", "2027-03-01 07:00", "Sunday ends the week"),
        ("2027-01-13", "2027-01-12 07:00", "the Monday is Coming of Age Day"),
        ("2026-05-04", "2026-05-07 07:00", "Golden Week: Thursday is the first day that is none"),
        ("2025-12-31", None, "from Monday 29 December to Saturday 3 January offices are closed"),
    ],
)
def test_a_digest_is_sent_at_the_first_hour_at_which_staff_may_be_written_to(
    day: str, at: str | None, why: str
) -> None:
    assert Week.of(date.fromisoformat(day)).sends_at == (None if at is None else japan(at)), why


@pytest.mark.parametrize(
    ("now", "is_made", "at"),
    [
        ("2027-03-01 06:59", False, "2027-03-01 07:00"),
        ("2027-03-03 12:00", False, "2027-03-01 07:00"),
        ("2027-03-03 12:00", True, "2027-03-08 07:00"),
        ("2025-12-30 12:00", False, "2026-01-05 07:00"),
    ],
)
def test_the_next_digest_is_this_week_s_until_it_is_made(now: str, is_made: bool, at: str) -> None:
    assert next_digest_at(japan(now), is_made=is_made) == japan(at)


@pytest.mark.parametrize(
    ("now", "is_due"),
    [("2027-03-01 06:59", False), ("2027-03-01 07:00", True), ("2027-03-07 23:00", True), ("2025-12-31 09:00", False)],
)
def test_a_digest_is_due_from_its_hour_until_the_week_is_over(now: str, is_due: bool) -> None:
    assert digest_is_due(japan(now)) is is_due


@pytest.mark.parametrize(
    ("said", "monday"), [("2027-W09", MONDAY), ("2027-03-03", MONDAY), ("2026-W53", date(2026, 12, 28))]
)
def test_a_week_is_named_as_calendars_name_it(said: str, monday: date) -> None:
    week = Week.read(said)

    assert week.monday == monday
    assert Week.read(week.name) == week
