"""What was not told is planned again: today by another way, or on the day after its own."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.storage.db.session import Tx
from reminder.storage.outbox import queries
from reminder.storage.registry import cards


def reschedule_today(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """Somebody else, or another way, may still be told in place of these."""
    _reschedule(tx, message_ids, now, days_later=0)


def reschedule_next_day(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """The day after each message's own, which after an outage may be today; told if it is still the most urgent."""
    _reschedule(tx, message_ids, now, days_later=1)


def _reschedule(tx: Tx, message_ids: Collection[int], now: datetime, *, days_later: int) -> None:
    if not message_ids:
        return
    for day in queries.days_of(tx, message_ids):
        wanted = japan_date(day.expires_at) + timedelta(days=days_later)
        cards.schedule_replan_of_messages(tx, [day.message_id], max(japan_date(now), wanted))
