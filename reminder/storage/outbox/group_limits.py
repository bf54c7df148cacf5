"""What each group sends on a day by a channel, and the groups that have reached a limit of their own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, bindparam, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import HAND_OVER, MESSAGE_STATES
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import USUAL_DAYS, HoldReason
from reminder.storage.db.statements import add_each, among, put
from reminder.storage.db.tables import GroupDayTotal, GroupHold, Message
from reminder.storage.db.transitions import staying

# Messages of no group (a login code) are counted as one group's: nobody's codes may stop everybody's reminders.
NO_GROUP = 0


def count(tx: Session, channel: ChannelName, today: date, handed: Mapping[int, int]) -> Mapping[int, int]:
    """Add to the day's totals of groups; return the new totals, by group id.

    Every worker changes the rows in the order of the ids. Like `rate_limits.count`: call it late in a transaction.
    """
    rows = [
        {"group_id": group_id, "channel": channel, "day": today, "handed": handed[group_id]}
        for group_id in sorted(handed)
    ]
    return add_each(tx, GroupDayTotal, ("group_id", "channel", "day"), "handed", rows)


_DAYS = select(GroupDayTotal.day, GroupDayTotal.handed, GroupDayTotal.is_lifted).where(
    GroupDayTotal.group_id == bindparam("group"),
    GroupDayTotal.channel == bindparam("channel"),
    GroupDayTotal.day.between(bindparam("first"), bindparam("today")),
)


@dataclass(frozen=True)
class GroupDays:
    """The numbers of a group's messages on each of the last days with any. `is_lifted`: today has no bound."""

    before: Sequence[int]
    is_lifted: bool


def days(tx: Session, channel: ChannelName, group_id: int, today: date) -> GroupDays:
    """Return the totals of a group."""
    asked = {"group": group_id, "channel": channel, "first": today - timedelta(days=USUAL_DAYS), "today": today}
    rows = tx.execute(_DAYS, asked).all()
    is_lifted = any(row.is_lifted for row in rows if row.day == today)
    return GroupDays([row.handed for row in rows if row.day != today and row.handed > 0], is_lifted)


def lift_daily_bound(tx: Session, channel: ChannelName, group_id: int, today: date) -> None:
    """Record the operator's confirmation of a group's day."""
    count(tx, channel, today, {group_id: 0})
    of_today = update(GroupDayTotal).where(
        GroupDayTotal.group_id == group_id, GroupDayTotal.channel == channel, GroupDayTotal.day == today
    )
    tx.execute(of_today.values(is_lifted=True))


def hold(
    tx: Session, channel: ChannelName, group_id: int, reason: HoldReason, *, now: datetime, until: datetime
) -> None:
    """Record that some of a group's messages wait for its own limit; its members are told once for each hold."""
    goes_on = GroupHold.until > now
    values = {"since": now, "until": until, "notified_at": None}
    changed = {
        "since": case((goes_on, GroupHold.since), else_=literal(now, GroupHold.since.type)),
        "until": until,
        "notified_at": case((goes_on, GroupHold.notified_at), else_=None),
    }
    put(tx, GroupHold, {"group_id": group_id, "channel": channel, "reason": reason}, values, changed=changed)


@dataclass(frozen=True)
class GroupHoldView:
    """A group that has reached a limit."""

    group_id: int
    channel: ChannelName
    reason: HoldReason
    since: datetime


_COLUMNS = (GroupHold.group_id, GroupHold.channel, GroupHold.reason, GroupHold.since)


def holds(tx: Session, now: datetime, limit: int) -> list[GroupHoldView]:
    """Return the groups some of whose messages wait, the first ones."""
    query = select(*_COLUMNS).where(GroupHold.until > now).order_by(GroupHold.group_id, GroupHold.channel)
    return [_view(*row) for row in tx.execute(query.order_by(GroupHold.reason).limit(limit))]


def untold_groups(tx: Session, limit: int, *, aside: Collection[int] = ()) -> list[int]:
    """Return the ids of groups that were not told of a hold, the longest first; `aside`: these are left out."""
    query = select(GroupHold.group_id).where(GroupHold.notified_at.is_(None), ~among(GroupHold.group_id, aside))
    query = query.group_by(GroupHold.group_id).order_by(func.min(GroupHold.since), GroupHold.group_id)
    return list(tx.scalars(query.limit(limit)))


def untold(tx: Session, group_ids: Collection[int]) -> list[GroupHoldView]:
    """Return the holds that these groups were not told of, locked until the transaction ends."""
    query = select(*_COLUMNS).where(GroupHold.notified_at.is_(None), among(GroupHold.group_id, group_ids))
    query = query.order_by(GroupHold.since, GroupHold.group_id).with_for_update(skip_locked=True)
    return [_view(*row) for row in tx.execute(query)]


def _view(group_id: int, channel: str, reason: str, since: datetime) -> GroupHoldView:
    return GroupHoldView(group_id, ChannelName(channel), HoldReason(reason), since)


def mark_told(tx: Session, told: Sequence[GroupHoldView], now: datetime) -> None:
    """Record that the members of these groups were told."""
    for one in told:
        this = update(GroupHold).where(
            GroupHold.group_id == one.group_id, GroupHold.channel == one.channel, GroupHold.reason == one.reason
        )
        tx.execute(this.values(notified_at=now))


def release(tx: Session, channel: ChannelName, group_id: int, now: datetime) -> int:
    """Let a group's held messages leave now, those that have not ended; return how many."""
    these = and_(Message.group_id == group_id, Message.channel == channel, Message.reason == HoldReason.UNUSUAL_DAY)
    again = staying(MESSAGE_STATES, these, states=HAND_OVER.leaves).values(scheduled_at=now, reason=None)
    released = tx.execute(again.returning(Message.id)).all()
    of_group = delete(GroupHold).where(
        GroupHold.group_id == group_id, GroupHold.channel == channel, GroupHold.reason == HoldReason.UNUSUAL_DAY
    )
    tx.execute(of_group)
    return len(released)
