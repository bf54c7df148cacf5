"""At what pace a sender sends, and how much left on each day: rows that all workers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import USUAL_DAYS, HoldReason
from reminder.storage.db.statements import add_to, put
from reminder.storage.db.tables import DayTotal, Pause, RateLimit


def free_at(tx: Session, channel: ChannelName) -> datetime | None:
    """When the next turn of its sender is to be had, as it looks now. None: at once."""
    return tx.execute(select(RateLimit.free_at).where(RateLimit.channel == channel)).scalar_one_or_none()


def reserve(tx: Session, channel: ChannelName, turns: int, *, between: timedelta, now: datetime) -> datetime:
    """When the first of them is. Others wait for their turns until this transaction ends: take them last in it."""
    free = tx.execute(
        select(RateLimit.free_at).where(RateLimit.channel == channel).with_for_update()
    ).scalar_one_or_none()
    first = now if free is None else max(free, now)
    put(tx, RateLimit, {"channel": channel}, {"free_at": first + turns * between})
    return first


@dataclass(frozen=True)
class Days:
    """How much left today, and on each of the last days on which anything did."""

    handed: int
    before: Sequence[int]
    is_lifted: bool


def days(tx: Session, channel: ChannelName, today: date) -> Days:
    query = select(DayTotal.day, DayTotal.handed, DayTotal.is_lifted).where(
        DayTotal.channel == channel, DayTotal.day >= today - timedelta(days=USUAL_DAYS), DayTotal.day <= today
    )
    rows = tx.execute(query).all()
    handed, is_lifted = next(((row.handed, row.is_lifted) for row in rows if row.day == today), (0, False))
    return Days(handed, [row.handed for row in rows if row.day != today and row.handed], is_lifted)


def count(tx: Session, channel: ChannelName, today: date, handed: int) -> None:
    """As `take_turns`: late in a transaction."""
    add_to(tx, DayTotal, {"channel": channel, "day": today}, {"handed": handed})


def lift_daily_bound(tx: Session, channel: ChannelName, today: date) -> bool:
    """The operator says that this day is right as it is. False where nothing was kept back."""
    released = tx.execute(
        delete(Pause).where(Pause.channel == channel, Pause.reason == HoldReason.UNUSUAL_DAY).returning(Pause.channel)
    ).first()
    count(tx, channel, today, 0)
    tx.execute(update(DayTotal).where(DayTotal.channel == channel, DayTotal.day == today).values(is_lifted=True))
    return released is not None
