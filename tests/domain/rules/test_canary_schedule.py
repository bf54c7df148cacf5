"""Canaries: when one is due, and when one is missing."""

from datetime import datetime, timedelta

import pytest

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.canary_schedule import (
    CanaryEvery,
    CanaryProof,
    CanaryView,
    back_within,
    is_missing,
    last_due,
    may_leave,
)
from tests.village import japan

SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL
HOUR, DAY = CanaryEvery.HOUR, CanaryEvery.DAY


@pytest.mark.parametrize(
    ("at", "channel", "every", "expected"),
    [
        ("2027-03-17 08:59", SMS, DAY, "2027-03-16 09:00"),
        ("2027-03-17 09:00", SMS, DAY, "2027-03-17 09:00"),
        ("2027-03-17 23:59", SMS, DAY, "2027-03-17 09:00"),
        ("2027-03-17 07:00", EMAIL, DAY, "2027-03-17 07:00"),
        ("2027-03-17 12:59", SMS, HOUR, "2027-03-17 12:00"),
        ("2027-03-17 18:00", SMS, HOUR, "2027-03-17 17:00"),
        ("2027-03-17 20:30", EMAIL, HOUR, "2027-03-17 20:00"),
        ("2027-03-17 23:00", EMAIL, HOUR, "2027-03-17 20:00"),
        ("2027-03-22 12:00", SMS, DAY, "2027-03-20 09:00"),  # a holiday after a Sunday
        ("2027-01-03 12:00", SMS, HOUR, "2026-12-28 17:00"),
    ],
)
def test_a_canary_is_due_within_the_hours_of_messages(
    at: str, channel: ChannelName, every: CanaryEvery, expected: str
) -> None:
    assert last_due(japan(at), channel, every) == japan(expected)


def test_none_leaves_outside_the_hours_of_messages() -> None:
    assert [may_leave(japan(f"2027-03-17 {at}"), SMS) for at in ("08:59", "09:00", "17:59", "18:00")] == [
        False,
        True,
        True,
        False,
    ]
    assert not may_leave(japan("2027-03-21 12:00"), EMAIL)


def canary(due: str, back: str | None = None) -> CanaryView:
    at = japan(due)
    how = None if back is None else CanaryProof.DELIVERED
    return CanaryView("sms", at, at, at + back_within(SMS), None if back is None else japan(back), how)


@pytest.mark.parametrize(
    ("latest", "at", "expected"),
    [
        ([], "2027-03-17 12:00", None),
        ([canary("2027-03-17 09:00")], "2027-03-17 09:14", None),
        ([canary("2027-03-17 09:00")], "2027-03-17 09:15", "2027-03-17 09:00"),
        ([canary("2027-03-17 09:00", "2027-03-17 09:01")], "2027-03-17 17:00", None),
        ([canary("2027-03-17 09:00", "2027-03-17 09:40")], "2027-03-17 17:00", None),
        # Until its time is over the one before counts.
        ([canary("2027-03-17 09:00"), canary("2027-03-16 09:00")], "2027-03-17 09:05", "2027-03-16 09:00"),
        ([canary("2027-03-17 09:00"), canary("2027-03-16 09:00", "2027-03-16 09:01")], "2027-03-17 09:05", None),
        ([canary("2027-03-17 09:00", "2027-03-17 09:01"), canary("2027-03-16 09:00")], "2027-03-17 09:05", None),
        # It was not even sent, although it could have been.
        ([canary("2027-03-16 09:00", "2027-03-16 09:01")], "2027-03-17 09:59", None),
        ([canary("2027-03-16 09:00", "2027-03-16 09:01")], "2027-03-17 10:00", "2027-03-17 09:00"),
        ([canary("2027-03-16 09:00", "2027-03-16 09:01")], "2027-03-17 20:00", None),
    ],
)
def test_one_is_missing_when_its_proof_has_not_come_in_time(
    latest: list[CanaryView], at: str, expected: str | None
) -> None:
    since: datetime | None = None if expected is None else japan(expected)

    assert is_missing(latest, japan(at), SMS, DAY) == since


def test_a_mail_may_take_longer_than_a_text() -> None:
    assert timedelta(0) < back_within(SMS) < back_within(EMAIL)
