"""Retention: deletes what has had its time: the words of messages, codes, invitations and sessions that are over."""

from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.storage.db.session import Database
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import told_before
from reminder.storage.reminders import inbound_text_ids
from reminder.storage.runtime import heartbeats

# A family may ask what was sent to its mother; after three months nobody does.
WORDS = timedelta(days=90)
# The rate limit of codes counts those of one day.
CODES = timedelta(days=1)
INVITATIONS = SESSIONS = timedelta(days=30)
TO_STRANGERS = SHEETS = UNCLEAR_REPLIES = timedelta(days=7)
# The same words are not said twice in a day.
TRACES = timedelta(days=1)
# Longer than a provider's list is read back.
HEARD = timedelta(days=14)
# The usual day of a group is that of its last 28.
DAY_TOTALS = timedelta(days=60)

# The operator sees what a group used this month and the month before.
USAGE = timedelta(days=62)

# No transaction delays other writers for long; the next pass deletes the rest.
AT_ONCE = 1000

# By the names that `erasure.retention_rules` uses.
AFTER = {
    "words": WORDS,
    "answers": WORDS,
    "to_strangers": TO_STRANGERS,
    "unclear_replies": UNCLEAR_REPLIES,
    "sheets": SHEETS,
    "codes": CODES,
    "challenges": CODES,
    "address_usage": CODES,
    "group_usage": USAGE,
    "idempotency_keys": CODES,
    "request_rates": CODES,
    "held_forms": CODES,
    "invitations": INVITATIONS,
    "sessions": SESSIONS,
}


def apply_retention(database: Database, now: datetime, keep_messages_days: int | None = None) -> int:
    """Delete what has had its time and return how much; it runs once a day, and on until nothing is left."""
    before = {kind: now - after for kind, after in AFTER.items()}
    with database.reading() as tx:
        kinds = erasure.retention_rules(tx, before)
    counts = []
    for kind in kinds:
        with database.writing() as tx:
            counts.append(erasure.delete_old(tx, kind, before[kind], AT_ONCE))
    if keep_messages_days is not None:
        with database.writing() as tx:
            counts.append(erasure.old_messages(tx, now - timedelta(days=keep_messages_days), AT_ONCE))
    with database.writing() as tx:
        erasure.old_day_totals(tx, japan_date(now - DAY_TOTALS))
        told_before.delete_traces(tx, now - TRACES)
        inbound_text_ids.delete_old(tx, now - HEARD)
    if max(counts, default=0) < AT_ONCE:
        with database.writing() as tx:
            heartbeats.record(tx, heartbeats.RETENTION, now)
        _rewrite_what_was_erased(database, now)
    return sum(counts)


def _rewrite_what_was_erased(database: Database, now: datetime) -> None:
    """Rewrite a SQLite file in which something was erased, so that no page of it remains.

    A pass that is stopped meanwhile, or kept from it by a reader, leaves it to the next day's.
    """
    with database.reading() as tx:
        erased, rewritten = heartbeats.last(tx, heartbeats.ERASED), heartbeats.last(tx, heartbeats.REWRITTEN)
    if erased is None or (rewritten is not None and erased < rewritten):
        return
    if database.rewrite():
        with database.writing() as tx:
            heartbeats.record(tx, heartbeats.REWRITTEN, now)
