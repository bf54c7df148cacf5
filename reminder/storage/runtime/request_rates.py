"""Rates of requests, and tasks that only one process may do at a time, in rows that all processes share.

A rate is one instant: until then its requests are accounted for (the generic cell rate algorithm, GCRA). It lies in the
future while requests come faster than allowed, and at most as far as a burst is long.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from reminder.storage.db.statements import insert_or_ignore
from reminder.storage.db.tables import RequestRate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Allowance:
    """The answer to a request. `left`: of the burst after it; `wait`: until it would be allowed, zero if it is."""

    is_allowed: bool
    left: int
    wait: timedelta


def take(tx: Session, name: str, count: int, *, most: int, within: timedelta, now: datetime) -> Allowance:
    """Take `count` requests of a rate of `most` requests `within` a time, if there are so many left.

    All of `most` may come at once; then they are allowed again one by one. One statement decides, so that processes
    which ask at the same time never take more than there is. `count` is at most `most`.
    """
    at, window = _in_milliseconds(now), within // _MILLISECOND
    cost = max(1, window * count // most)
    insert_or_ignore(tx, RequestRate, name=name, used_until=at, asked_at=now)
    used = case((RequestRate.used_until > at, RequestRate.used_until), else_=at)
    taken = tx.execute(
        update(RequestRate)
        .where(RequestRate.name == name, RequestRate.used_until <= at + window - cost)
        .values(used_until=used + cost, asked_at=now)
        .returning(RequestRate.used_until)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if taken is not None:
        return Allowance(True, (at + window - taken) * most // window, timedelta(0))
    until = tx.execute(select(RequestRate.used_until).where(RequestRate.name == name)).scalar_one()
    return Allowance(
        False, max(0, (at + window - until) * most // window), (until - (at + window - cost)) * _MILLISECOND
    )


def claim(tx: Session, name: str, now: datetime, *, until: datetime) -> bool:
    """Claim a task until an instant; return False while somebody else has it. A claim that is not released ends."""
    at = _in_milliseconds(now)
    insert_or_ignore(tx, RequestRate, name=name, used_until=at, asked_at=now)
    claimed = tx.execute(
        update(RequestRate)
        .where(RequestRate.name == name, RequestRate.used_until <= at)
        .values(used_until=_in_milliseconds(until), asked_at=now)
        .returning(RequestRate.name)
        .execution_options(synchronize_session=False)
    )
    return claimed.first() is not None


def claimed_until(tx: Session, name: str) -> datetime | None:
    """Return the end of a claim, None where there never was one."""
    until = tx.execute(select(RequestRate.used_until).where(RequestRate.name == name)).scalar_one_or_none()
    return None if until is None else _EPOCH + until * _MILLISECOND


def release(tx: Session, name: str, now: datetime, *, until: datetime) -> None:
    """Release a claim; one that has ended and is somebody else's now stays. `until`: as it was claimed."""
    tx.execute(
        update(RequestRate)
        .where(RequestRate.name == name, RequestRate.used_until == _in_milliseconds(until))
        .values(used_until=_in_milliseconds(now))
    )


def _in_milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND
