"""Limits on sending: per address and day, per repeated text, and per channel and day.

These limits hold whatever a mistake elsewhere asks for. A message beyond one is held, and the operator is notified.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

# One message service repeated a text 2,016 times, because it had no limit.
MOST_ALIKE = 5
A_DAY = timedelta(days=1)

A_MINUTE = timedelta(minutes=1)
# A morning's messages are spread over hours that end this long before the day does: retries need time.
BEFORE_CLOSING = timedelta(hours=1)

# A day with ten times the usual number of messages is a mistake, or a plan that needs the operator's confirmation.
USUAL_DAYS = 28
TIMES_THE_USUAL = 10
# A new or small installation may well send ten times as much from one day to the next.
LEAST_KNOWN_DAYS, LEAST_BOUND = 7, 500


class HoldReason(StrEnum):
    """The reason for which a due message is held."""

    DAILY_CAP = "daily_cap"  # this address has had its most for a day
    REPEATED = "repeated"  # it has had the same text too often
    UNUSUAL_DAY = "unusual_day"  # far more messages than on other days leave by this channel


def bound_of_day(handed_before: Sequence[int]) -> int | None:
    """Return how many messages may leave by a channel in a day; None where too little is known.

    `handed_before`: how many left on each of the last days on which any did.
    """
    if len(handed_before) < LEAST_KNOWN_DAYS:
        return None
    usual = sum(handed_before) / len(handed_before)
    return max(LEAST_BOUND, int(TIMES_THE_USUAL * usual))


def may_still_leave(bound: int | None, handed: int, wanted: int) -> int:
    """Return how many of `wanted` more may leave, after `handed` of today."""
    return wanted if bound is None else max(0, min(wanted, bound - handed))


def spread(opens: datetime, closes: datetime, turn: int, between: timedelta | None) -> datetime:
    """Return when a group's text of this turn falls due, to the minute.

    It is no sooner than its sender can have sent those before it.
    """
    if between is None:
        return opens
    at = opens + turn * between // A_MINUTE * A_MINUTE
    return min(at, max(opens, closes - BEFORE_CLOSING))
