"""Signs of life: when the worker last passed, whose turn it is to look, and which channels wait for the operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import Executable, bindparam, case, delete, exists, literal, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.channels import registered
from reminder.domain.people import ChannelName
from reminder.storage.columns import Instant
from reminder.storage.statements import insert_or_ignore, put
from reminder.storage.tables import (
    IS_IN_HAND,
    IS_QUEUED,
    IS_SILENT,
    IS_UNHEARD_FAILURE,
    Beat,
    Card,
    Message,
    Notice,
    Pause,
    Receipt,
    Reply,
)

TICK, REACH, FORGET, ERASED, REWRITTEN = "tick", "reach", "forget", "erased", "rewritten"
AUDIT, TALLIED, DIGEST = "audit", "tallied", "digest"

# A pause that follows another within this is the same trouble: the channel was tried once, and in vain.
SAME_TROUBLE = timedelta(minutes=10)
# The first pass over a database that was made or restored.
FIRST = "first"

# A worker says with each pass which key it seals with.
_SEALS_WITH = "key "


@dataclass(frozen=True)
class PauseView:
    channel: str
    reason: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Work:
    """Which steps of a pass have anything to do: one look, so that a pass with nothing due costs next to nothing."""

    receipts: bool
    unknown: bool
    cards: bool
    failures: bool
    replies: bool
    notices: bool
    silences: bool
    reach: bool
    forget: bool
    digest: bool  # this week's has not been made, whether or not its hour has come


_WORK = select(
    exists().where(Receipt.applied_at.is_(None)),
    exists().where(IS_IN_HAND, Message.lease_until <= bindparam("now")),
    exists().where(Card.retired_at.is_(None), Card.next_reminder_on <= bindparam("today")),
    exists(select(Message.id).where(IS_UNHEARD_FAILURE)),
    exists().where(Reply.handled_at.is_(None)),
    exists().where(Notice.told_at.is_(None)),
    exists().where(IS_SILENT, Card.escalate_on <= bindparam("today")),
    ~exists().where(Beat.name == REACH, Beat.at >= bindparam("week")),
    ~exists().where(Beat.name == FORGET, Beat.at >= bindparam("day")),
    ~exists().where(Beat.name == DIGEST, Beat.at >= bindparam("week")),
)


# One look at each channel: the index begins with it.
@cache
def _messages_due(channels: Sequence[ChannelName]) -> Executable:
    """Return the statement, built once for the channels of this process."""
    due = Message.send_after <= bindparam("now")
    return select(*(exists().where(IS_QUEUED, Message.channel == name, due) for name in channels))


def messages_due(tx: Session, now: datetime) -> list[ChannelName]:
    """On which channels any is."""
    channels = registered()
    row = tx.execute(_messages_due(channels), {"now": now}).one()
    return [name for name, is_any in zip(channels, row, strict=True) if is_any]


def work_waiting(tx: Session, now: datetime, today: date, *, day: datetime, week: datetime) -> Work:
    """`day`, `week`: the first instants of this day and of this week."""
    row = tx.execute(_WORK, {"now": now, "today": today, "day": day, "week": week}).one()
    return Work(*tuple(row))


def beat(tx: Session, name: str, at: datetime) -> None:
    put(tx, Beat, {"name": name}, {"at": at})


def passed(tx: Session, key: str, at: datetime) -> None:
    """A pass has ended well, by a worker whose newest key has this name."""
    if last_beat(tx, TICK) is None:
        beat(tx, FIRST, at)
    beat(tx, TICK, at)
    beat(tx, f"{_SEALS_WITH}{key}", at)


def forget_passes(tx: Session) -> None:
    tx.execute(delete(Beat).where(or_(Beat.name.in_((TICK, FIRST)), Beat.name.startswith(_SEALS_WITH))))


def is_at_work_with_another_key(tx: Session, key: str, since: datetime) -> bool:
    others = select(Beat.name).where(
        Beat.name.startswith(_SEALS_WITH), Beat.name != f"{_SEALS_WITH}{key}", Beat.at > since
    )
    return tx.execute(others.limit(1)).first() is not None


_LAST_BEAT = select(Beat.at).where(Beat.name == bindparam("name"))


def last_beat(tx: Session, name: str) -> datetime | None:
    return tx.execute(_LAST_BEAT, {"name": name}).scalar_one_or_none()


def take_turn(tx: Session, name: str, now: datetime, every: timedelta) -> bool:
    """True for one of all workers, once in this while."""
    taken = tx.execute(
        update(Beat)
        .where(Beat.name == name, Beat.at <= now - every)
        .values(at=now)
        .execution_options(synchronize_session=False)
        .returning(Beat.name)
    )
    return taken.first() is not None or insert_or_ignore(tx, Beat, name=name, at=now)


def pause(tx: Session, channel: str, reason: str, *, now: datetime, until: datetime) -> None:
    """A channel that was tried in vain goes on waiting since when it first did."""
    goes_on = case((Pause.until > now - SAME_TROUBLE, Pause.since), else_=literal(now, Instant()))
    values = {"reason": reason, "since": now, "until": until}
    put(tx, Pause, {"channel": channel}, values, changed={**values, "since": goes_on})


def pause_of(tx: Session, channel: str, now: datetime) -> str | None:
    """Why it waits."""
    return tx.execute(select(Pause.reason).where(Pause.channel == channel, Pause.until > now)).scalar_one_or_none()


def pauses(tx: Session, now: datetime) -> list[PauseView]:
    rows = tx.execute(
        select(Pause.channel, Pause.reason, Pause.since, Pause.until).where(Pause.until > now).order_by(Pause.channel)
    )
    return [PauseView(*row) for row in rows]
