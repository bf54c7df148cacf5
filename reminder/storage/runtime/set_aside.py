"""Rows of queues that could not be worked on: they left their queue, and the operator sees how many they are."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.statements import put
from reminder.storage.db.tables import SetAsideRow

log = logging.getLogger(__name__)

# The queues that a worker reads row by row.
REPLIES, UNCLEAR_REPLIES, RECEIPTS, NOTICES, FAILURES = "replies", "unclear_replies", "receipts", "notices", "failures"

Unit = TypeVar("Unit")


def add(tx: Session, queue: str, row_ids: Iterable[int], now: datetime) -> None:
    """Record rows of a queue that are out of it, with the instant (aware UTC)."""
    for row_id in row_ids:
        put(tx, SetAsideRow, {"queue": queue, "row_id": row_id}, {"at": now})


def lately(tx: Session, since: datetime) -> Mapping[str, int]:
    """Return how many rows were set aside since then (aware UTC), by queue."""
    query = select(SetAsideRow.queue, func.count()).where(SetAsideRow.at >= since).group_by(SetAsideRow.queue)
    return dict(list(tx.execute(query.order_by(SetAsideRow.queue))))


@dataclass(frozen=True)
class Queue(Generic[Unit]):
    """A queue of rows, of which one that nobody can work on must delay no other.

    `first` returns the id of the next row without reading the rest of it, None where none waits. `work` works on at
    most so many rows, the next first, and returns how much it did. `drop` takes a row out of the queue and sets it
    aside.
    """

    name: str
    first: Callable[[Unit], int | None]
    work: Callable[[Unit, int], int]
    drop: Callable[[Unit, int], None]


def work_off(queue: Queue[Unit], opened: Callable[[], AbstractContextManager[Unit]], at_once: int) -> int:
    """Work on the next rows of a queue together; where that fails, one by one. Return how much was done.

    `opened` opens a transaction that commits at the end of its block, or leaves nothing behind.
    """
    try:
        with opened() as unit:
            return queue.work(unit, at_once)
    except DatabaseNotReadyError:
        raise
    except Exception:
        log.exception("the queue %s is worked off one row at a time", queue.name)
    done = 0
    for _ in range(at_once):
        row_id: int | None = None
        try:
            with opened() as unit:
                row_id = queue.first(unit)
                if row_id is None:
                    break
                done += queue.work(unit, 1)
        except Exception:
            if row_id is None:
                raise
            log.exception("row %s of the queue %s is set aside", row_id, queue.name)
            with opened() as unit:
                queue.drop(unit, row_id)
    return done
