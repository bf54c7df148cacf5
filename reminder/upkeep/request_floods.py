"""Floods of refused requests: the operator is told of an attack that the service withstands, once for each cause.

Web processes count what they refuse. The auditor compares the counts of ten minutes with what honest people cause.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.maintenance import counters
from reminder.storage.runtime import service_state

log = logging.getLogger(__name__)

# So many requests of one cause within the window are no mistake of honest people.
MANY, WINDOW = 300, timedelta(minutes=10)
# A flood that begins again sooner is the same one: it is not logged again.
SAME_WITHIN = timedelta(hours=1)
# An operator who looks once a day sees it.
SHOWN_FOR = timedelta(days=1)
# The fact that holds the beginning of the window.
_WINDOW = "flood_window"


@dataclass(frozen=True)
class Flood:
    """Many requests of one cause. `count`: the most within a window; `since`, `until`: aware UTC."""

    cause: str
    count: int
    since: datetime
    until: datetime


@dataclass(frozen=True)
class _State:
    """The counts at the beginning of the window, and the floods that are shown."""

    at: datetime
    totals: Mapping[str, int]
    floods: Sequence[Flood]


def fact_of(cause: str) -> str:
    """Return the name of the fact about a cause; names of facts have 20 characters at most."""
    return f"flood_{cause[:14]}"


def lately(tx: Tx, now: datetime) -> Sequence[Flood]:
    """Return the floods of the last day, the largest first. Nothing is changed."""
    known = _read(tx, now)
    return sorted(_floods(known, counters.requests(tx), now), key=lambda one: (-one.count, one.cause))


def note(uow: UnitOfWork) -> None:
    """Store the floods, and log those that have just begun."""
    known, totals = _read(uow.tx, uow.now), counters.requests(uow.tx)
    floods = _floods(known, totals, uow.now)
    before = {one.cause: one for one in known.floods}
    begun = [one for one in floods if one.cause not in before or one.since > before[one.cause].until]
    if begun:
        named = ", ".join(f"{one.cause} {one.count}" for one in begun)
        log.warning("many requests of strangers within ten minutes: %s; `reminder health` says more", named)
    is_over = uow.now - known.at >= WINDOW
    if totals:
        state = _State(uow.now, totals, floods) if is_over else _State(known.at, known.totals, floods)
        _write(uow.tx, state)


def _floods(known: _State, totals: Mapping[str, int], now: datetime) -> list[Flood]:
    found = {one.cause: one for one in known.floods if now - one.until < SHOWN_FOR}
    # Of a longer time, such as an outage of the worker, it is not known how many came within a window.
    counted = totals if now - known.at <= 2 * WINDOW else {}
    for cause, total in counted.items():
        count = total - known.totals.get(cause, 0)
        if count >= MANY:
            before = found.get(cause)
            if before is None or now - before.until > SAME_WITHIN:
                found[cause] = Flood(cause, count, now, now)
            else:
                found[cause] = Flood(cause, max(count, before.count), before.since, now)
    return list(found.values())


def _read(tx: Tx, now: datetime) -> _State:
    at = service_state.find(tx, _WINDOW)
    if at is None:
        return _State(now, {}, ())
    totals, floods = {}, []
    for cause in counters.requests(tx):
        written = service_state.find(tx, fact_of(cause))
        if written is not None:
            total, count, since, until = (int(part) for part in written.split())
            totals[cause] = total
            if count:
                floods.append(Flood(cause, count, _instant(since), _instant(until)))
    return _State(_instant(int(at)), totals, floods)


def _write(tx: Tx, state: _State) -> None:
    """Store whole seconds since 1970: a value of the service's state is short."""
    service_state.replace(tx, _WINDOW, str(int(state.at.timestamp())))
    floods = {one.cause: one for one in state.floods}
    for cause in {*state.totals, *floods}:
        found, total = floods.get(cause), state.totals.get(cause, 0)
        times = (0, 0, 0) if found is None else (found.count, found.since.timestamp(), found.until.timestamp())
        service_state.replace(tx, fact_of(cause), " ".join(str(int(one)) for one in (total, *times)))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
