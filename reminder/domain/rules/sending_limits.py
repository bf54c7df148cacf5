"""How much may leave: what one address is sent in a day, how often the same words, and what a day may come to.

These bounds hold whatever a mistake elsewhere asks for. What passes one is kept, and the operator is told.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

# One message service repeated a text 2,016 times: nobody had told it when to stop.
MOST_ALIKE = 5
A_DAY = timedelta(days=1)

A_MINUTE = timedelta(minutes=1)
# What a morning's wave is spread over ends this long before the day does: something may have to be tried again.
BEFORE_CLOSING = timedelta(hours=1)

# A day on which ten times as much leaves as on a usual one is a mistake, or somebody who should say so.
USUAL_DAYS = 28
TIMES_THE_USUAL = 10
# Who is new, or small, may well write ten times as much from one day to the next.
LEAST_KNOWN_DAYS, LEAST_BOUND = 7, 500


class HoldReason(StrEnum):
    """Why something that is due is kept back."""

    DAILY_CAP = "daily_cap"  # this address has had enough for a day
    REPEATED = "repeated"  # it has had these very words too often
    UNUSUAL_DAY = "unusual_day"  # far more than on other days leaves by this channel


def bound_of_day(handed_before: Sequence[int]) -> int | None:
    """How many may leave by a channel in a day. `handed_before`: how many left on each of the last days on which any
    did. None: too little is known to say."""
    if len(handed_before) < LEAST_KNOWN_DAYS:
        return None
    usual = sum(handed_before) / len(handed_before)
    return max(LEAST_BOUND, int(TIMES_THE_USUAL * usual))


def may_still_leave(bound: int | None, handed: int, wanted: int) -> int:
    """Of `wanted` more, after `handed` of today."""
    return wanted if bound is None else max(0, min(wanted, bound - handed))


def spread(opens: datetime, closes: datetime, turn: int, between: timedelta | None) -> datetime:
    """When a group's text of this turn falls due: no sooner than its sender can have sent those before it, minute by
    minute."""
    if between is None:
        return opens
    at = opens + turn * between // A_MINUTE * A_MINUTE
    return min(at, max(opens, closes - BEFORE_CLOSING))
