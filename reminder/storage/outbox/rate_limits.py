"""Rate limits and daily totals of senders, in rows that all workers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import USUAL_DAYS, HoldReason
from reminder.storage.db.statements import add_to, put
from reminder.storage.db.tables import DayTotal, Pause, RateLimit


def free_at(tx: Session, channel: ChannelName) -> datetime | None:
    """Return when the sender's next turn is free at present; None: at once."""
    return tx.execute(select(RateLimit.free_at).where(RateLimit.channel == channel)).scalar_one_or_none()


def reserve(tx: Session, channel: ChannelName, turns: int, *, between: timedelta, now: datetime) -> datetime:
    """Reserve turns, and return the instant of the first.

    Other workers wait for theirs until this transaction ends: call it last.
    """
    free = tx.execute(
        select(RateLimit.free_at).where(RateLimit.channel == channel).with_for_update()
    ).scalar_one_or_none()
    first = now if free is None else max(free, now)
    put(tx, RateLimit, {"channel": channel}, {"free_at": first + turns * between})
    return first


@dataclass(frozen=True)
class Days:
    """The number of messages today, and on each of the last days with any.

    `counted`, `before`: of each group no more than sending_limits.MOST_OF_A_GROUP a day, so that none decides alone.
    """

    handed: int
    before: Sequence[int]
    is_lifted: bool
    counted: int = 0


_COUNTED = func.coalesce(DayTotal.counted, DayTotal.handed).label("counted")
_DAYS = select(DayTotal.day, DayTotal.handed, _COUNTED, DayTotal.is_lifted).where(
    DayTotal.channel == bindparam("channel"), DayTotal.day.between(bindparam("first"), bindparam("today"))
)


def days(tx: Session, channel: ChannelName, today: date) -> Days:
    """Return the totals of a channel."""
    asked = {"channel": channel, "first": today - timedelta(days=USUAL_DAYS), "today": today}
    rows = tx.execute(_DAYS, asked).all()
    of_today = next((row for row in rows if row.day == today), None)
    before = [row.counted for row in rows if row.day != today and row.handed]
    if of_today is None:
        return Days(0, before, is_lifted=False)
    return Days(of_today.handed, before, of_today.is_lifted, of_today.counted)


def count(tx: Session, channel: ChannelName, today: date, handed: int, counted: int | None = None) -> None:
    """Add to the day's total of a channel. Like `reserve`: call it late in a transaction.

    `counted`: how many of them count towards the bound of the channel; None: all.
    """
    values = {"handed": handed, "counted": handed if counted is None else counted}
    add_to(tx, DayTotal, {"channel": channel, "day": today}, values)


def lift_daily_bound(tx: Session, channel: ChannelName, today: date) -> bool:
    """Record the operator's confirmation of the day's total; return False where nothing was held."""
    released = tx.execute(
        delete(Pause).where(Pause.channel == channel, Pause.reason == HoldReason.UNUSUAL_DAY).returning(Pause.channel)
    ).first()
    count(tx, channel, today, 0)
    tx.execute(update(DayTotal).where(DayTotal.channel == channel, DayTotal.day == today).values(is_lifted=True))
    return released is not None
