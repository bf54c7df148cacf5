"""What was not told is planned again: today by another way, or on the day after its own."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.storage import cards, messages
from reminder.storage.session import Tx


def today(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """Somebody else, or another way, may still be told in place of these."""
    _look_again(tx, message_ids, now, days_later=0)


def on_the_next_day(tx: Tx, message_ids: Collection[int], now: datetime) -> None:
    """The day after each message's own, which after an outage may be today; told if it is still the most urgent."""
    _look_again(tx, message_ids, now, days_later=1)


def _look_again(tx: Tx, message_ids: Collection[int], now: datetime, *, days_later: int) -> None:
    if not message_ids:
        return
    for day in messages.days_of(tx, message_ids):
        wanted = japan_date(day.stale_after) + timedelta(days=days_later)
        cards.look_again_at_told(tx, [day.message_id], max(japan_date(now), wanted))
