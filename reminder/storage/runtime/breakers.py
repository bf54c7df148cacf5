"""The circuit breakers of the channels, which all workers share: a channel has a row only while it fails."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.rules.circuit_breaker import LONGEST_PROBE, Breaker, Certainty
from reminder.storage.db.statements import put
from reminder.storage.db.tables import ChannelBreaker

_COLUMNS = (
    ChannelBreaker.channel,
    ChannelBreaker.reason,
    ChannelBreaker.failing_since,
    ChannelBreaker.last_failed_at,
    ChannelBreaker.failures,
    ChannelBreaker.certainty,
    ChannelBreaker.first_address_index,
    ChannelBreaker.opened_at,
    ChannelBreaker.probe_at,
    ChannelBreaker.failed_probes,
)
_ALL = select(*_COLUMNS).order_by(ChannelBreaker.channel)
_FIND = select(*_COLUMNS).where(ChannelBreaker.channel == bindparam("channel"))


def _breaker(row: Row[*tuple[Any, ...]]) -> Breaker:
    return Breaker(**{**row._mapping, "certainty": Certainty(row.certainty)})


def failing(tx: Session) -> list[Breaker]:
    """Return the state of each channel by which nothing has succeeded since its first failure, open or not."""
    return [_breaker(row) for row in tx.execute(_ALL)]


def open_channels(tx: Session) -> Mapping[str, Breaker]:
    """Return the channels whose breaker is open, by name: nothing leaves by them but probes.

    Each says since when (`opened_at`, `failing_since`) and why (`reason`).
    """
    return {one.channel: one for one in failing(tx) if one.is_open}


def find(tx: Session, channel: str, *, lock: bool = False) -> Breaker | None:
    """Return the state of a failing channel, None for one that works. `lock`: until the transaction ends."""
    row = tx.execute(_FIND.with_for_update() if lock else _FIND, {"channel": channel}).one_or_none()
    return None if row is None else _breaker(row)


def replace(tx: Session, breaker: Breaker) -> None:
    """Store the state of a failing channel."""
    values = {**vars(breaker), "certainty": int(breaker.certainty)}
    put(tx, ChannelBreaker, {"channel": values.pop("channel")}, values)


def clear(tx: Session, channel: str) -> Breaker | None:
    """Record that a channel works; return its state until now, None where it has not failed."""
    before = find(tx, channel, lock=True)
    if before is not None:
        tx.execute(delete(ChannelBreaker).where(ChannelBreaker.channel == channel))
    return before


def take_probe(tx: Session, channel: str, now: datetime) -> bool:
    """Return True for only one of all workers, once the next probe of an open breaker is due."""
    at = ChannelBreaker.probe_at
    is_due = or_(at.is_(None), at <= now, at > now + 2 * LONGEST_PROBE)
    taken = tx.execute(
        update(ChannelBreaker)
        .where(ChannelBreaker.channel == channel, ChannelBreaker.opened_at.is_not(None), is_due)
        .values(probe_at=now + LONGEST_PROBE)
        .execution_options(synchronize_session=False)
        .returning(ChannelBreaker.channel)
    )
    return taken.first() is not None
