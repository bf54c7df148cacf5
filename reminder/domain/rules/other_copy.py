"""Another copy of the same installation that is at work: what proves it, and what a restore or an erasure explains.

A machine that was cloned, or restored while the old one runs on, has the same keys and the same secret of references.
So both open each other's references, and each finds among what comes back things that it never did itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reminder.domain.rules.restore import LEAST_IDS, QueuedMessage

# Ids and instants are given by several processes; their order may differ by a long transaction.
OUT_OF_ORDER = timedelta(hours=1)
# An id that lies so far below the next one is among those that a restore has left out; nobody erases so many rows.
LEFT_OUT = LEAST_IDS // 2
# The trace of an erased message, which says that a listed text was ours, is there for a day.
COMPARED_FOR = timedelta(hours=20)
# How far the dates of two copies' texts of the same words may be apart.
SAME_DAY = timedelta(days=1)
# Another copy may have made and sent the same message so long before it was made here, but its words are asked about
# for so long only: a provider's list, and the time for which LINE knows a message again, are limited.
BEFORE_OURS, ASKED_BACK = timedelta(hours=1), timedelta(hours=12)
_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class NamedRow:
    """What a reference of ours names: the id of a row, and when the row was made (aware UTC, whole seconds)."""

    id: int
    made_at: datetime


@dataclass(frozen=True)
class Neighbours:
    """What is known around an id: its row and the nearest rows on both sides, None where none is there.

    `last_id`: the highest id that was ever given in the table.
    """

    last_id: int
    itself: NamedRow | None = None
    before: NamedRow | None = None
    after: NamedRow | None = None


@dataclass(frozen=True)
class HandOvers:
    """What is known here of the hand-overs of one message."""

    made_at: datetime
    handed_at: datetime | None
    attempts: int
    provider_id: str | None
    is_matched: bool
    possibly_double: bool


def explained_until(restored_at: datetime | None, first_pass_at: datetime | None) -> datetime:
    """Return until when the service of before may have been at work, which is no other copy (aware UTC).

    That is the first pass since a restore. Before any pass everything is explained.
    """
    if first_pass_at is None:
        return _EVER
    return first_pass_at if restored_at is None else max(first_pass_at, restored_at)


def is_of_another(named: NamedRow, around: Neighbours, *, explained: datetime, now: datetime) -> bool:
    """Return whether only another copy can have made the row that a reference names.

    Its id was never given here, its row here was made at another second, the rows around it were made at quite another
    time, or it is one of those that a restore has left out and was made since. That the row is gone proves nothing: it
    may be erased, or lost by the restore.
    """
    if named.made_at <= explained or named.made_at > now + OUT_OF_ORDER:
        return False
    if named.id > around.last_id:
        return True
    if around.itself is not None:
        return int(around.itself.made_at.timestamp()) != int(named.made_at.timestamp())
    if around.before is not None and named.made_at < around.before.made_at - OUT_OF_ORDER:
        return True
    if around.after is None:
        return around.last_id - named.id >= LEFT_OUT
    if named.made_at > around.after.made_at + OUT_OF_ORDER:
        return True
    return around.after.id - named.id >= LEFT_OUT and named.made_at >= around.after.made_at - OUT_OF_ORDER


def was_handed_over_elsewhere(message: HandOvers, provider_id: str, *, explained: datetime) -> bool:
    """Return whether a receipt with our reference to this message is of a hand-over that was none of ours.

    The message was never handed over here, or once, and is known by another id of the provider.
    """
    if message.made_at <= explained or message.provider_id == provider_id:
        return False
    if message.handed_at is None:
        return True
    is_certain = message.attempts == 1 and not message.is_matched and not message.possibly_double
    return is_certain and message.provider_id is not None


def is_told_twice(alike: Sequence[HandOvers]) -> bool:
    """Return whether a listed text that is none of ours was sent by another copy.

    `alike`: our messages of the same words to the same address around then. Each of them left once and is known by an
    id of its own, so the listed text is none of them.
    """
    return bool(alike) and all(
        one.attempts == 1 and one.provider_id is not None and not one.is_matched and not one.possibly_double
        for one in alike
    )


def may_be_another_s(message: QueuedMessage) -> bool:
    """Return whether another copy that is at work may have sent the message, so that the provider is asked first.

    What somebody has just asked for is asked of one copy alone. What was tried or asked about here has been looked at.
    """
    return message.handed_at is None and not message.kind.is_asked_for


def left_at_earliest(message: QueuedMessage, now: datetime) -> datetime:
    """Return the earliest instant at which another copy can have sent the message."""
    return max(message.created_at - BEFORE_OURS, now - ASKED_BACK)
