"""Forgetting what has had its time: the words of messages, codes, invitations and sessions that are over."""

from datetime import datetime, timedelta

from reminder.storage.db.session import Database
from reminder.storage.maintenance import erasure
from reminder.storage.runtime import heartbeats

# A family may ask what its mother was told; after a quarter of a year nobody does.
WORDS = timedelta(days=90)
# Those who counted how often a code was asked for look back a day.
CODES = timedelta(days=1)
INVITATIONS = SESSIONS = timedelta(days=30)
TO_STRANGERS = SHEETS = timedelta(days=7)

# No transaction holds up other writers for long; what is left, the next pass forgets.
AT_ONCE = 1000

# By the names of forgetting.OLD.
_AFTER = {
    "words": WORDS,
    "answers": WORDS,
    "to_strangers": TO_STRANGERS,
    "sheets": SHEETS,
    "codes": CODES,
    "challenges": CODES,
    "idempotency_keys": CODES,
    "invitations": INVITATIONS,
    "sessions": SESSIONS,
}


def apply_retention(database: Database, now: datetime, keep_messages_days: int | None = None) -> int:
    """How much was forgotten. The bell for this rings once a day, and on until nothing is left."""
    before = {kind: now - after for kind, after in _AFTER.items()}
    with database.reading() as tx:
        kinds = erasure.retention_rules(tx, before)
    counts = []
    for kind in kinds:
        with database.writing() as tx:
            counts.append(erasure.delete_old(tx, kind, before[kind], AT_ONCE))
    if keep_messages_days is not None:
        with database.writing() as tx:
            counts.append(erasure.old_messages(tx, now - timedelta(days=keep_messages_days), AT_ONCE))
    if max(counts, default=0) < AT_ONCE:
        with database.writing() as tx:
            heartbeats.record(tx, heartbeats.RETENTION, now)
        _rewrite_what_was_erased(database, now)
    return sum(counts)


def _rewrite_what_was_erased(database: Database, now: datetime) -> None:
    """A pass that is stopped meanwhile, or kept from it by somebody who reads, leaves it to the next day's."""
    with database.reading() as tx:
        erased, rewritten = heartbeats.last(tx, heartbeats.ERASED), heartbeats.last(tx, heartbeats.REWRITTEN)
    if erased is None or (rewritten is not None and erased < rewritten):
        return
    if database.rewrite():
        with database.writing() as tx:
            heartbeats.record(tx, heartbeats.REWRITTEN, now)
