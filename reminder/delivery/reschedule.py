"""Rescheduling: plans again what was not sent, today by another channel or on the next day."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.storage.db.session import Tx
from reminder.storage.outbox import queries
from reminder.storage.registry import cards


def reschedule_today(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """Plan again today, so that another recipient or channel can replace these messages."""
    _reschedule(tx, message_ids, now, days_later=0)


def reschedule_next_day(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """Plan again on the day after each message's own, which after an outage may be today.

    The step is sent then if it is still the most urgent one.
    """
    _reschedule(tx, message_ids, now, days_later=1)


def _reschedule(tx: Tx, message_ids: Collection[int], now: datetime, *, days_later: int) -> None:
    if not message_ids:
        return
    for day in queries.days_of(tx, message_ids):
        wanted = japan_date(day.expires_at) + timedelta(days=days_later)
        cards.schedule_replan_of_messages(tx, [day.message_id], max(japan_date(now), wanted))
