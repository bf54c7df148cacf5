"""Counters: messages handed over, their results soon after, and how long they had been due.

They are computed from the messages themselves, one interval after the other, and never twice: whatever the number of
workers, and even if some of them were killed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageState
from reminder.storage.db import tables
from reminder.storage.db.statements import add_to
from reminder.storage.db.tables import WAS_HANDED_OVER, Message
from reminder.storage.runtime import heartbeats, service_state

# By then most answers have come, and the writes of a worker with a slow clock are committed.
LATER = timedelta(minutes=2)
# The interval of one run, so that a long outage does not end in one long read.
LONGEST = timedelta(minutes=10)
# The buckets of the time a due message waited, in seconds; the last one holds all longer times.
BUCKETS = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400)
HANDED, WAITED, SECONDS = "handed", "waited", "seconds"
# By name of the counter: bounces that prove no mail of ours. Of the present day there is also a count for the audit.
BOUNCES, REFUSED = "bounces", "refused"
_REFUSED_TODAY = "bounces_refused"
# Before the cause, in the name of the counter of requests of strangers.
REQUESTS = "requests"
_TAKEN = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)


def rollup(tx: Session, now: datetime) -> None:
    """Count the messages handed over since the last run. A message that is retried is counted again."""
    until, since = now - LATER, heartbeats.last(tx, heartbeats.COUNTED)
    if since is None:
        heartbeats.record(tx, heartbeats.COUNTED, until)
        return
    until = min(until, since + LONGEST)
    if until <= since:
        return
    rows = tx.execute(
        select(Message.channel, Message.state, Message.scheduled_at, Message.handed_at).where(
            WAS_HANDED_OVER, Message.handed_at > since, Message.handed_at <= until
        )
    )
    counted: Counter[str] = Counter()
    for channel, state, scheduled_at, handed_at in rows:
        assert handed_at is not None
        counted[f"{HANDED}.{channel}.{state}"] += 1
        if state in _TAKEN:
            waited = max(0.0, (handed_at - scheduled_at).total_seconds())
            bucket = bisect_left(BUCKETS, waited)
            counted[f"{WAITED}.{channel}.{bucket}"] += 1
            counted[f"{WAITED}.{channel}.{SECONDS}"] += round(waited)
    for name, count in sorted(counted.items()):
        add_to(tx, tables.Counter, {"name": name}, {"value": count})
    heartbeats.record(tx, heartbeats.COUNTED, until)


def count_refused_bounce(tx: Session, now: datetime) -> None:
    """Count a bounce that was refused, since the beginning and on this day in Japan."""
    add_to(tx, tables.Counter, {"name": f"{BOUNCES}.email.{REFUSED}"}, {"value": 1})
    service_state.replace(tx, _REFUSED_TODAY, f"{japan_date(now)} {bounces_refused_on(tx, japan_date(now)) + 1}")


def bounces_refused_on(tx: Session, day: date) -> int:
    """Return how many bounces were refused on a day in Japan, which is today; of other days nothing is known."""
    counted_on, _, count = (service_state.find(tx, _REFUSED_TODAY) or "").partition(" ")
    return int(count) if counted_on == day.isoformat() else 0


def count_requests(tx: Session, counts: Mapping[str, int]) -> None:
    """Count requests of strangers since the beginning, by cause."""
    for cause, count in sorted(counts.items()):
        add_to(tx, tables.Counter, {"name": f"{REQUESTS}.{cause}.{REFUSED}"}, {"value": count})


def requests(tx: Session) -> Mapping[str, int]:
    """Return how many requests were counted since the beginning, by cause."""
    found = ((name.split("."), count) for name, count in all_of(tx).items())
    return {cause: count for (what, cause, _), count in found if what == REQUESTS}


def all_of(tx: Session) -> Mapping[str, int]:
    """Return all counters, by name."""
    return dict(list(tx.execute(select(tables.Counter.name, tables.Counter.value).order_by(tables.Counter.name))))
