"""Forgetting what has had its time: the words of messages, codes, invitations and sessions that are over."""

from collections.abc import Callable
from datetime import datetime, timedelta

from reminder.storage import forgetting, health, uploads
from reminder.storage.session import Database, Tx

# A family may ask what its mother was told; after a quarter of a year nobody does.
WORDS = timedelta(days=90)
# Those who counted how often a code was asked for look back a day.
CODES = timedelta(days=1)
INVITATIONS = SESSIONS = timedelta(days=30)
TO_STRANGERS = SHEETS = timedelta(days=7)

# No transaction holds up other writers for long; what is left, the next pass forgets.
AT_ONCE = 1000

_KINDS: tuple[tuple[Callable[[Tx, datetime, int], int], timedelta], ...] = (
    (forgetting.old_words, WORDS),
    (forgetting.old_answers, WORDS),
    (forgetting.old_messages_to_strangers, TO_STRANGERS),
    (uploads.forget_older, SHEETS),
    (forgetting.old_codes, CODES),
    (forgetting.old_challenges, CODES),
    (forgetting.old_kept_answers, CODES),
    (forgetting.old_invitations, INVITATIONS),
    (forgetting.old_sessions, SESSIONS),
)


def forget_old(database: Database, now: datetime, keep_messages_days: int | None = None) -> int:
    """How much was forgotten. The bell for this rings once a day, and on until nothing is left."""
    counts = []
    kept = [] if keep_messages_days is None else [(forgetting.old_messages, timedelta(days=keep_messages_days))]
    for forget, after in (*_KINDS, *kept):
        with database.writing() as tx:
            counts.append(forget(tx, now - after, AT_ONCE))
    if max(counts) < AT_ONCE:
        with database.writing() as tx:
            health.beat(tx, health.FORGET, now)
        _rewrite_what_was_erased(database, now)
    return sum(counts)


def _rewrite_what_was_erased(database: Database, now: datetime) -> None:
    """A pass that is stopped meanwhile, or kept from it by somebody who reads, leaves it to the next day's."""
    with database.reading() as tx:
        erased, rewritten = health.last_beat(tx, health.ERASED), health.last_beat(tx, health.REWRITTEN)
    if erased is None or (rewritten is not None and erased < rewritten):
        return
    if database.rewrite():
        with database.writing() as tx:
            health.beat(tx, health.REWRITTEN, now)
