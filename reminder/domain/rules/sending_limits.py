"""Limits on sending: per address and day, per repeated text, and per channel and day.

These limits hold whatever a mistake elsewhere asks for. A message beyond one is held. Each limit is a group's own
first: the group that reaches it waits and is told, and no other group does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from reminder.domain.model.people import GroupKind

# One message service repeated a text 2,016 times, because it had no limit.
MOST_ALIKE = 5
A_DAY = timedelta(days=1)

A_MINUTE = timedelta(minutes=1)
# From one call to a number to the next, whoever is called there: a couple has one landline, and a second call would
# find it engaged. It rings for 40 seconds and waits 8 for each key (voice/client.py). About four cards, and with every
# repetition, a call lasts less than four minutes; the rest is for sitting down and getting up again.
BETWEEN_CALLS = timedelta(minutes=6)
# A morning's messages are spread over hours that end this long before the day does: retries need time.
BEFORE_CLOSING = timedelta(hours=1)

# A day with ten times the usual number of messages is a mistake, or a plan that needs the operator's confirmation.
USUAL_DAYS = 28
TIMES_THE_USUAL = 10
# A new or small installation may well send ten times as much from one day to the next.
LEAST_KNOWN_DAYS, LEAST_BOUND = 7, 500

# A group's messages of a day by one channel that are always allowed, and those of one that is not known yet. A family
# of ten persons, each with four recipients, begins with forty; a home of five hundred residents with two thousand.
LEAST_BOUND_OF = {GroupKind.HOUSEHOLD: 100, GroupKind.HOME: 500}
FIRST_BOUND_OF = {GroupKind.HOUSEHOLD: 100, GroupKind.HOME: 2000}
# What presses may go twice as far: another day may be too late.
PRESSING_TIMES = 2
# So many messages of one group count towards the bound of the whole service: no group reaches that one alone, and not
# twenty together. A fault of ours that repeats messages shows in all groups.
MOST_OF_A_GROUP = 20
# Of what one address may get in a day each group that writes to it has at least so many: a couple shares a telephone.
LEAST_SHARE = 2


class HoldReason(StrEnum):
    """The reason for which a due message is held."""

    DAILY_CAP = "daily_cap"  # this address has had its most for a day
    REPEATED = "repeated"  # it has had the same text too often
    UNUSUAL_DAY = "unusual_day"  # far more messages than on other days leave by this channel, or of this group


def bound_of_group(kind: GroupKind, handed_before: Sequence[int]) -> int:
    """Return how many messages a group may send by a channel in a day.

    `handed_before`: how many it sent on each of the last days on which it sent any.
    """
    if len(handed_before) < LEAST_KNOWN_DAYS:
        return FIRST_BOUND_OF[kind]
    return max(LEAST_BOUND_OF[kind], int(TIMES_THE_USUAL * sum(handed_before) / len(handed_before)))


def is_within_share(most: int, of_all: int, of_group: int, groups: int) -> bool:
    """Return whether an address may get one more message of a group today.

    `most`: the most for the address; `of_all`, `of_group`: what it got from everybody and from this group; `groups`:
    how many write to it, this one included. What others have sent takes nothing from a group's own share.
    """
    return of_all < most or of_group < min(most, max(LEAST_SHARE, most // groups))


def counts_for_service(before: int, handed: int) -> int:
    """Return how many of a group's next messages count towards the bound of the service; `before`: its own today."""
    return min(before + handed, MOST_OF_A_GROUP) - min(before, MOST_OF_A_GROUP)


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
