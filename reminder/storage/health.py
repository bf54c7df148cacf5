"""Signs of life: when the worker last passed, and which channels wait for the operator."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import bindparam, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from reminder.storage.statements import put
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
    messages: bool
    replies: bool
    notices: bool
    silences: bool
    reach: bool
    forget: bool


_WORK = select(
    exists().where(Receipt.applied_at.is_(None)),
    exists().where(IS_IN_HAND, Message.lease_until <= bindparam("now")),
    exists().where(Card.retired_at.is_(None), Card.next_reminder_on <= bindparam("today")),
    exists(select(Message.id).where(IS_UNHEARD_FAILURE)),
    exists().where(IS_QUEUED, Message.send_after <= bindparam("now")),
    exists().where(Reply.handled_at.is_(None)),
    exists().where(Notice.told_at.is_(None)),
    exists().where(IS_SILENT, Card.escalate_on <= bindparam("today")),
    ~exists().where(Beat.name == REACH, Beat.at >= bindparam("week")),
    ~exists().where(Beat.name == FORGET, Beat.at >= bindparam("day")),
)


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


def last_beat(tx: Session, name: str) -> datetime | None:
    return tx.execute(select(Beat.at).where(Beat.name == name)).scalar_one_or_none()


def pause(tx: Session, channel: str, reason: str, *, now: datetime, until: datetime) -> None:
    put(tx, Pause, {"channel": channel}, {"reason": reason, "since": now, "until": until})


def pauses(tx: Session, now: datetime) -> list[PauseView]:
    rows = tx.execute(select(Pause.channel, Pause.reason, Pause.since, Pause.until).where(Pause.until > now))
    return [PauseView(*row) for row in rows]


def overdue_cards(tx: Session, before: date) -> int:
    """Cards that planning should have looked at by `before` and has not."""
    query = select(func.count()).select_from(Card).where(Card.retired_at.is_(None), Card.next_reminder_on < before)
    return tx.execute(query).scalar_one()
