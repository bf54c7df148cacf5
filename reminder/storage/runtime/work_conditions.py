"""Conditions: what in the database makes a job of the worker due, all asked for in one statement."""

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

from sqlalchemy import BindParameter, ColumnElement, Executable, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from reminder.clock import japan_date
from reminder.domain.rules import evening_balance, hours
from reminder.domain.rules.digest_week import Week
from reminder.guard import outgoing
from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    IS_OPEN_PROMISE,
    IS_SILENT,
    IS_UNREPORTED_FAILURE,
    IS_UNSETTLED,
    Card,
    DailyBalance,
    GroupHold,
    Heartbeat,
    Message,
    Notice,
    Promise,
    Receipt,
    Reply,
    ServiceState,
    SetAsideRow,
    UnclearReply,
)
from reminder.storage.runtime import clock_repair, heartbeats, set_aside


@dataclass(frozen=True, eq=False)
class WorkCondition:
    """A condition that holds while a job has something to do.

    `clause` is a boolean expression that an index answers. It may use the parameters `now` (aware UTC), `today` (the
    date in Japan), `day` and `week` (the first instants of this day and of this week in Japan, aware UTC).
    """

    name: str
    clause: ColumnElement[bool]


_NOW: BindParameter[datetime] = bindparam("now")
_TODAY: BindParameter[date] = bindparam("today")
_DAY: BindParameter[datetime] = bindparam("day")
_WEEK: BindParameter[datetime] = bindparam("week")

RECEIPT_WAITS = WorkCondition("receipt_waits", exists().where(Receipt.applied_at.is_(None)))
LEASE_EXPIRED = WorkCondition("lease_expired", exists().where(AWAITS_OUTCOME, Message.lease_until <= _NOW))
REPLY_WAITS = WorkCondition("reply_waits", exists().where(Reply.handled_at.is_(None)))
UNCLEAR_REPLY_DUE = WorkCondition(
    "unclear_reply_due", exists().where(UnclearReply.settled_at.is_(None), UnclearReply.expires_at <= _NOW)
)
REMINDER_DUE = WorkCondition("reminder_due", exists().where(Card.retired_at.is_(None), Card.next_reminder_on <= _TODAY))
ESCALATION_DUE = WorkCondition("escalation_due", exists().where(IS_SILENT, Card.escalate_on <= _TODAY))
FAILURE_UNREPORTED = WorkCondition("failure_unreported", exists(select(Message.id).where(IS_UNREPORTED_FAILURE)))
PROMISE_DUE = WorkCondition("promise_due", exists(select(Promise.id).where(IS_OPEN_PROMISE, Promise.check_at <= _NOW)))
# Nothing was ever due before the first promise. What was counted by a clock that was ahead is counted again.
_EVENING: BindParameter[date] = bindparam("evening")
BALANCE_MISSING = WorkCondition(
    "balance_missing",
    and_(
        exists(select(Promise.id).where(Promise.day <= _EVENING)),
        ~exists().where(DailyBalance.day == _EVENING),
    ),
)
BALANCE_UNSETTLED = WorkCondition(
    "balance_unsettled",
    exists(select(DailyBalance.day)).where(
        IS_UNSETTLED,
        DailyBalance.day <= _EVENING,
        DailyBalance.day >= bindparam("evenings_from"),
        or_(DailyBalance.counted_at <= bindparam("counted"), DailyBalance.counted_at > bindparam("counted_ahead")),
    ),
)
GROUP_HOLD_UNTOLD = WorkCondition("group_hold_untold", exists().where(GroupHold.notified_at.is_(None)))
ROW_SET_ASIDE = WorkCondition("row_set_aside", exists().where(SetAsideRow.at <= bindparam("tried_again")))
NOTICE_WAITS = WorkCondition("notice_waits", exists().where(Notice.notified_at.is_(None)))


def _not_since(heartbeat: str, since: ColumnElement[datetime]) -> ColumnElement[bool]:
    return ~exists().where(Heartbeat.name == heartbeat, Heartbeat.at >= since)


# No pass can have begun then, unless a clock was set back since.
PASS_IN_FUTURE = WorkCondition(
    "pass_in_future", exists().where(Heartbeat.name == heartbeats.PASS, Heartbeat.at > bindparam("ahead"))
)
VERIFICATION_DUE = WorkCondition("verification_due", _not_since(heartbeats.VERIFICATION, _WEEK))
RETENTION_DUE = WorkCondition("retention_due", _not_since(heartbeats.RETENTION, _DAY))
# The ends of yesterday are not counted. What was counted by a clock that was ahead does not count.
EFFECT_DUE = WorkCondition(
    "effect_due",
    ~exists().where(Heartbeat.name == heartbeats.EFFECT, Heartbeat.at >= _DAY, Heartbeat.at <= bindparam("ahead")),
)
# Every stored word has been checked by the rules that are in force (upkeep/word_check.py): the value is their version.
WORDS_CHECKED = "words_checked"
WORDS_UNCHECKED = WorkCondition(
    "words_unchecked",
    ~exists().where(ServiceState.name == WORDS_CHECKED, ServiceState.value == outgoing.version()),
)
# A name that is ours and names nothing has come back from outside (storage/outbox/other_copies).
STRAY_REFERENCE_IN = "stray_reference"
STRAY_REFERENCE = WorkCondition("stray_reference", exists().where(ServiceState.name == STRAY_REFERENCE_IN))
# The operator has not been written to about the week before.
BALANCE_UNSENT = WorkCondition("balance_unsent", _not_since(heartbeats.BALANCE, _WEEK))
# This week's has not been made, whether or not its hour has come.
DIGEST_MISSING = WorkCondition("digest_missing", _not_since(heartbeats.DIGEST, _WEEK))


def work_due(tx: Session, conditions: tuple[WorkCondition, ...], now: datetime) -> frozenset[WorkCondition]:
    """Return those of the conditions that hold at `now` (aware UTC), by one statement that reads no table whole."""
    if not conditions:
        return frozenset()
    today = japan_date(now)
    moments = {"now": now, "today": today, "day": hours.instant(today, time(0)), "week": Week.of(today).begins}
    moments["tried_again"] = now - set_aside.TRIED_AGAIN_AFTER
    moments["ahead"] = now + clock_repair.APART
    moments["evening"] = evening_balance.last_day_to_count(now)
    moments["evenings_from"] = evening_balance.last_day_to_count(now) - evening_balance.COUNTED_FOR
    moments["counted"] = now - evening_balance.COUNTED_AGAIN
    moments["counted_ahead"] = now + evening_balance.COUNTED_AGAIN
    row = tx.execute(_statement(conditions), moments).one()
    return frozenset(condition for condition, holds in zip(conditions, row, strict=True) if holds)


@cache
def _statement(conditions: tuple[WorkCondition, ...]) -> Executable:
    """Return the statement, built once for each table of jobs: to build it takes longer than to run it."""
    return select(*(condition.clause for condition in conditions))
