"""Daily balances: the promises of a day, counted by what became of them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, case, delete, func, insert, literal_column, or_, select
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules import hours
from reminder.domain.rules.evening_balance import COUNTED_AGAIN, COUNTED_FOR, FARTHEST_BACK, DayBalance, fate_of
from reminder.storage.db.locks import lock
from reminder.storage.db.statements import each, in_batches
from reminder.storage.db.tables import (
    IS_UNSETTLED,
    WAS_HANDED_OVER,
    Card,
    DailyBalance,
    Message,
    Promise,
    Reminder,
)
from reminder.storage.reminders import promises

# Where it is not known by which channel a promise was to be kept.
NO_CHANNEL = ""
_AT_ONCE = 1000

# Of what is open one row each, of everything else one row for many: one statement, so that a promise that is closed
# meanwhile is counted once.
_IS_OPEN = Promise.state == PromiseState.OPEN
_OPEN_ID = case((_IS_OPEN, Promise.id))
_CHANNEL = func.coalesce(Promise.channel, literal_column("''"))
_STATES = (
    select(_CHANNEL, Promise.state, func.count(), func.min(Promise.reminder_id), func.min(Promise.addressee))
    .where(Promise.day == bindparam("day"))
    .group_by(_CHANNEL, Promise.state, _OPEN_ID)
)
_PEOPLE = (
    select(_CHANNEL, func.count(func.distinct(Card.person_id)))
    .select_from(Promise)
    .join(Reminder, Reminder.id == Promise.reminder_id)
    .join(Card, Card.id == Reminder.card_id)
    .where(Promise.day == bindparam("day"), Promise.state != PromiseState.NOT_NEEDED)
    .group_by(_CHANNEL)
)
_MESSAGES = (
    select(Message.channel, func.count())
    .where(
        WAS_HANDED_OVER,
        Message.handed_at >= bindparam("begins"),
        Message.handed_at < bindparam("ends"),
        Message.kind.in_((MessageKind.REMINDER, MessageKind.COPY)),
        Message.state != MessageState.QUEUED,
    )
    .group_by(Message.channel)
)


class _OpenPromise(NamedTuple):
    channel: str
    reminder_id: int
    addressee: str


def count(tx: Session, day: date, channels: Collection[str], proving: Collection[ChannelName]) -> list[DayBalance]:
    """Count what was promised for a day in Japan, for each of these channels and for others that were promised.

    `proving`: the channels that can say whether a message arrived. Until the transaction ends nobody else counts the
    day.
    """
    lock(tx, f"balance of {day}")
    fates, still_open = Counter[tuple[str, str]](), list[_OpenPromise]()
    for channel, state, number, reminder_id, addressee in each(tx, _STATES, {"day": day}):
        if state == PromiseState.OPEN:
            still_open.append(_OpenPromise(channel, reminder_id, addressee))
        elif (fate := fate_of(PromiseState(state))) is not None:
            fates[channel, fate] += number
    for channel, open_fate in _of_open(tx, still_open, proving):
        fates[channel, open_fate] += 1
    people: dict[str, int] = dict(list(tx.execute(_PEOPLE, {"day": day})))
    begins, ends = hours.instant(day, time(0)), hours.instant(day + timedelta(days=1), time(0))
    messages: dict[str, int] = dict(list(tx.execute(_MESSAGES, {"begins": begins, "ends": ends})))
    due = Counter[str]()
    for (channel, _), number in fates.items():
        due[channel] += number
    return [
        DayBalance(
            day,
            channel,
            people=people.get(channel, 0),
            messages=messages.get(channel, 0),
            due=due[channel],
            **{fate: number for (of, fate), number in fates.items() if of == channel},
        )
        for channel in sorted({*map(str, channels), *due, *messages})
    ]


def _of_open(
    tx: Session, still_open: Sequence[_OpenPromise], proving: Collection[ChannelName]
) -> Iterator[tuple[str, str]]:
    """Yield the channel and the fate of each open promise, by the messages that tell it."""
    for some in in_batches(still_open, _AT_ONCE):
        told = promises.messages_of(tx, {one.reminder_id for one in some}, proving)
        for one in some:
            fate = fate_of(PromiseState.OPEN, told.get((one.reminder_id, one.addressee), ()))
            assert fate is not None
            yield one.channel, fate


def replace(tx: Session, day: date, balances: Collection[DayBalance], *, is_final: bool, now: datetime) -> None:
    """Store the balances of a day in place of those that were counted before."""
    tx.execute(delete(DailyBalance).where(DailyBalance.day == day).execution_options(synchronize_session=False))
    rows = [{**asdict(one), "is_final": is_final, "counted_at": now} for one in balances]
    if rows:
        tx.execute(insert(DailyBalance), rows)


_COUNTED = select(DailyBalance.day).where(DailyBalance.day.between(bindparam("first"), bindparam("last"))).distinct()


def missing_days(tx: Session, last: date) -> list[date]:
    """Return the days up to this one that were not counted, since the first day on which anything was promised."""
    first = tx.execute(select(func.min(Promise.day))).scalar_one()
    if first is None or first > last:
        return []
    first = max(first, last - FARTHEST_BACK)
    counted = set(tx.scalars(_COUNTED, {"first": first, "last": last}))
    every = (first + timedelta(days=days) for days in range((last - first).days + 1))
    return [day for day in every if day not in counted]


def unsettled_days(tx: Session, last: date, now: datetime) -> list[date]:
    """Return the days up to this one that are to be counted again: something of them was open an hour ago."""
    found = tx.scalars(
        select(DailyBalance.day)
        .where(
            IS_UNSETTLED,
            DailyBalance.day <= last,
            DailyBalance.day >= last - COUNTED_FOR,
            or_(DailyBalance.counted_at <= now - COUNTED_AGAIN, DailyBalance.counted_at > now + COUNTED_AGAIN),
        )
        .distinct()
        .order_by(DailyBalance.day)
    )
    return list(found)


_ROWS = select(
    *(getattr(DailyBalance, name) for name in DayBalance.__dataclass_fields__),
).order_by(DailyBalance.day, DailyBalance.channel)


def between(tx: Session, first: date, last: date) -> list[DayBalance]:
    """Return the balances of these days in Japan, the first and the last among them."""
    return [DayBalance(*row) for row in tx.execute(_ROWS.where(DailyBalance.day.between(first, last)))]


def latest(tx: Session) -> list[DayBalance]:
    """Return the balances of the latest day that was counted."""
    last = select(func.max(DailyBalance.day)).scalar_subquery()
    return [DayBalance(*row) for row in tx.execute(_ROWS.where(DailyBalance.day == last))]
