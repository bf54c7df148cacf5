"""Rows that could not be worked on: they are out of their queue, the operator sees them, and they are tried again.

Whatever a pass works on may hold one row that cannot be read, sealed or composed. It must delay no other row.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.statements import put
from reminder.storage.db.tables import SetAsideRow

log = logging.getLogger(__name__)

# The queues. Their rows are: replies, receipts, notices, failed messages,
REPLIES, UNCLEAR_REPLIES, RECEIPTS, NOTICES, FAILURES = "replies", "unclear_replies", "receipts", "notices", "failures"
# delivery promises;
PROMISES = "promises"
# cards that are planned and escalated, contacts that are verified,
PLANS, ESCALATIONS, VERIFICATIONS = "plans", "escalations", "verifications"
# homes that get a digest, groups that are told of a limit or of their words, imports, and messages whose outcome could
# not be recorded.
DIGESTS, LIMITS, WORDS, IMPORTS, OUTCOMES = "digests", "limits", "words", "imports", "outcomes"
QUEUES = frozenset(
    {REPLIES, UNCLEAR_REPLIES, RECEIPTS, NOTICES, FAILURES, PROMISES}
    | {PLANS, ESCALATIONS, VERIFICATIONS, DIGESTS, LIMITS, WORDS, IMPORTS, OUTCOMES}
)
# Somebody may have given a lost key back meanwhile.
TRIED_AGAIN_AFTER = timedelta(hours=1)

Unit = TypeVar("Unit")


def add(tx: Session, queue: str, row_ids: Iterable[int], now: datetime) -> None:
    """Record rows of a queue that are out of it, with the instant (aware UTC)."""
    for row_id in row_ids:
        put(tx, SetAsideRow, {"queue": queue, "row_id": row_id}, {"at": now})


def ids(tx: Session, queue: str) -> frozenset[int]:
    """Return the rows of a queue that are out of it."""
    return frozenset(tx.scalars(select(SetAsideRow.row_id).where(SetAsideRow.queue == queue)))


def take_back(tx: Session, queue: str, before: datetime) -> list[int]:
    """Forget the rows of a queue that were set aside until then (aware UTC), and return their ids."""
    these = delete(SetAsideRow).where(SetAsideRow.queue == queue, SetAsideRow.at <= before)
    return sorted(tx.execute(these.returning(SetAsideRow.row_id)).scalars())


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


def work_each(
    queue: str,
    row_ids: Sequence[int],
    opened: Callable[[], AbstractContextManager[Unit]],
    work: Callable[[Unit, Sequence[int]], int],
    drop: Callable[[Unit, int], None],
) -> int:
    """Work on rows together; where that fails, one by one. Return how much was done.

    `opened` and `drop`: as in `work_off`.
    """
    if not row_ids:
        return 0
    try:
        with opened() as unit:
            return work(unit, row_ids)
    except DatabaseNotReadyError:
        raise
    except Exception:
        log.exception("the queue %s is worked off one row at a time", queue)
    done = 0
    for row_id in row_ids:
        try:
            with opened() as unit:
                done += work(unit, [row_id])
        except DatabaseNotReadyError:
            raise
        except Exception:
            log.exception("row %s of the queue %s is set aside", row_id, queue)
            with opened() as unit:
                drop(unit, row_id)
    return done


class _TrialOverError(Exception):
    """The end of a trial, of which nothing is to be left: no error of anybody."""


def failing(
    queue: str,
    row_ids: Collection[int],
    opened: Callable[[], AbstractContextManager[Unit]],
    trial: Callable[[Unit, int], object],
) -> list[int]:
    """Return the rows whose trial fails. Nothing is left of any trial."""
    found = []
    for row_id in sorted(row_ids):
        try:
            with opened() as unit:
                trial(unit, row_id)
                raise _TrialOverError
        except _TrialOverError:
            pass
        except DatabaseNotReadyError:
            raise
        except Exception:
            log.exception("row %s of the queue %s is set aside", row_id, queue)
            found.append(row_id)
    return found
