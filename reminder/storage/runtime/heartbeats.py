"""Heartbeats: the worker's last pass, the turns that workers take, and the channels that wait for the operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Executable, and_, bindparam, case, delete, exists, literal, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.channels import registered
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName
from reminder.storage.db.columns import Instant
from reminder.storage.db.statements import insert_or_ignore, put
from reminder.storage.db.tables import IS_QUEUED, IS_QUEUED_CODE, Heartbeat, Message, Pause

PASS, VERIFICATION, RETENTION, ERASED, REWRITTEN = "pass", "verification", "retention", "erased", "rewritten"
AUDIT, COUNTED, DIGEST, BALANCE, EFFECT = "audit", "counted", "digest", "balance", "effect"
# The web server is there, and its database.
WEB = "web"

# A pause that follows another within this time is the same outage: the channel was tried once in between.
SAME_TROUBLE = timedelta(minutes=10)
# The first pass over a created or restored database.
FIRST = "first"

# Each pass of a worker records the key that it seals with.
_SEALS_WITH = "key "


@dataclass(frozen=True)
class PauseView:
    """A paused channel."""

    channel: str
    reason: str
    since: datetime
    until: datetime


# One look-up per channel, with which the index begins.
@cache
def _messages_due(channels: Sequence[ChannelName], codes: bool) -> Executable:
    """Return the statement, built once for the channels of this process."""
    now = bindparam("now", type_=Instant())
    due = and_(Message.scheduled_at <= now, or_(Message.lease_until.is_(None), Message.lease_until <= now))
    which = (IS_QUEUED_CODE,) if codes else (IS_QUEUED, Message.kind != MessageKind.LOGIN_CODE)
    return select(*(exists().where(*which, Message.channel == name, due) for name in channels))


def messages_due(
    tx: Session, now: datetime, channels: Sequence[ChannelName] | None = None, *, codes: bool = False
) -> list[ChannelName]:
    """Return which of these channels (None: of all) have a due message that nobody has leased.

    `codes`: a login code, which has a way of its own; else any other message.
    """
    channels = registered() if channels is None else tuple(channels)
    row = tx.execute(_messages_due(channels, codes), {"now": now}).one()
    return [name for name, is_any in zip(channels, row, strict=True) if is_any]


def record(tx: Session, name: str, at: datetime) -> None:
    """Record a heartbeat."""
    put(tx, Heartbeat, {"name": name}, {"at": at})


def record_pass(tx: Session, key: str, at: datetime) -> None:
    """Record that a pass has succeeded, on a worker whose newest key has this name."""
    if last(tx, PASS) is None:
        record(tx, FIRST, at)
    record(tx, PASS, at)
    record(tx, f"{_SEALS_WITH}{key}", at)


def clear_passes(tx: Session) -> None:
    """Delete the heartbeats of all passes."""
    tx.execute(delete(Heartbeat).where(or_(Heartbeat.name.in_((PASS, FIRST)), Heartbeat.name.startswith(_SEALS_WITH))))


def is_at_work_with_another_key(tx: Session, key: str, since: datetime) -> bool:
    """Return whether a worker with another key has passed since then."""
    others = select(Heartbeat.name).where(
        Heartbeat.name.startswith(_SEALS_WITH), Heartbeat.name != f"{_SEALS_WITH}{key}", Heartbeat.at > since
    )
    return tx.execute(others.limit(1)).first() is not None


_LAST = select(Heartbeat.at).where(Heartbeat.name == bindparam("name"))


def last(tx: Session, name: str) -> datetime | None:
    """Return the last heartbeat of this name, None where there is none."""
    return tx.execute(_LAST, {"name": name}).scalar_one_or_none()


def take_turn(tx: Session, name: str, now: datetime, every: timedelta) -> bool:
    """Return True for only one of all workers, once in this interval. A turn in the future was of a wrong clock."""
    is_over = or_(Heartbeat.at <= now - every, Heartbeat.at > now + every)
    taken = tx.execute(
        update(Heartbeat)
        .where(Heartbeat.name == name, is_over)
        .values(at=now)
        .execution_options(synchronize_session=False)
        .returning(Heartbeat.name)
    )
    return taken.first() is not None or insert_or_ignore(tx, Heartbeat, name=name, at=now)


def pause(tx: Session, channel: str, reason: str, *, now: datetime, until: datetime) -> None:
    """Pause a channel; a repeated pause of the same outage keeps its beginning."""
    goes_on = case((Pause.until > now - SAME_TROUBLE, Pause.since), else_=literal(now, Instant()))
    values = {"reason": reason, "since": now, "until": until}
    put(tx, Pause, {"channel": channel}, values, changed={**values, "since": goes_on})


_PAUSE_OF = select(Pause.reason).where(Pause.channel == bindparam("channel"), Pause.until > bindparam("now"))


def pause_of(tx: Session, channel: str, now: datetime) -> str | None:
    """Return the reason for which a channel is paused, None where it is not."""
    return tx.execute(_PAUSE_OF, {"channel": channel, "now": now}).scalar_one_or_none()


def pauses(tx: Session, now: datetime) -> list[PauseView]:
    """Return the paused channels."""
    rows = tx.execute(
        select(Pause.channel, Pause.reason, Pause.since, Pause.until).where(Pause.until > now).order_by(Pause.channel)
    )
    return [PauseView(*row) for row in rows]
