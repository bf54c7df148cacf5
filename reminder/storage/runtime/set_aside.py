"""Rows of queues that could not be worked on: they left their queue, and the operator sees how many they are."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reminder.storage.db.statements import put
from reminder.storage.db.tables import SetAsideRow

# The queues that a worker reads row by row.
REPLIES, UNCLEAR_REPLIES, RECEIPTS, NOTICES, FAILURES = "replies", "unclear_replies", "receipts", "notices", "failures"
SILENCES, VERIFICATIONS = "silences", "verifications"


def add(tx: Session, queue: str, row_ids: Iterable[int], now: datetime) -> None:
    """Record rows of a queue that are out of it, with the instant (aware UTC)."""
    for row_id in row_ids:
        put(tx, SetAsideRow, {"queue": queue, "row_id": row_id}, {"at": now})


def lately(tx: Session, since: datetime) -> Mapping[str, int]:
    """Return how many rows were set aside since then (aware UTC), by queue."""
    query = select(SetAsideRow.queue, func.count()).where(SetAsideRow.at >= since).group_by(SetAsideRow.queue)
    return dict(list(tx.execute(query.order_by(SetAsideRow.queue))))
