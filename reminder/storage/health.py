"""Signs of life: when the worker last passed, and which channels wait for the operator."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from reminder.domain.people import ChannelName
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
)


# One look at each channel: the index begins with it.
_MESSAGES_DUE = select(
    or_(
        *(
            exists().where(IS_QUEUED, Message.channel == name, Message.send_after <= bindparam("now"))
            for name in ChannelName
        )
    )
)


def messages_due(tx: Session, now: datetime) -> bool:
    return bool(tx.execute(_MESSAGES_DUE, {"now": now}).scalar_one())


def work_waiting(tx: Session, now: datetime, today: date, *, day: datetime, week: datetime) -> Work:
    """`day`, `week`: the first instants of this day and of this week."""
    row = tx.execute(_WORK, {"now": now, "today": today, "day": day, "week": week}).one()
    return Work(*tuple(row))


def beat(tx: Session, name: str, at: datetime) -> None:
    put(tx, Beat, {"name": name}, {"at": at})


def last_beat(tx: Session, name: str) -> datetime | None:
    return tx.execute(select(Beat.at).where(Beat.name == name)).scalar_one_or_none()


def pause(tx: Session, channel: str, reason: str, *, now: datetime, until: datetime) -> None:
    put(tx, Pause, {"channel": channel}, {"reason": reason, "since": now, "until": until})


def pause_of(tx: Session, channel: str, now: datetime) -> str | None:
    """Why it waits."""
    return tx.execute(select(Pause.reason).where(Pause.channel == channel, Pause.until > now)).scalar_one_or_none()


def pauses(tx: Session, now: datetime) -> list[PauseView]:
    rows = tx.execute(select(Pause.channel, Pause.reason, Pause.since, Pause.until).where(Pause.until > now))
    return [PauseView(*row) for row in rows]


def overdue_cards(tx: Session, before: date) -> int:
    """Cards that planning should have looked at by `before` and has not."""
    query = select(func.count()).select_from(Card).where(Card.retired_at.is_(None), Card.next_reminder_on < before)
    return tx.execute(query).scalar_one()
