"""A clock that was set: the operator sees it, and what lies too far in the future since is mended.

Leases, pauses and turns are instants. After a clock was set back they would hold everything up for as long as the step.
"""

from datetime import datetime, timedelta

from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.runtime import clock_repair, heartbeats, service_state

# In the service state: the instant at which a step was noticed, and its seconds.
STEPPED = "clock_stepped"
# A smaller step disturbs nobody: it is mended and not reported.
REPORTED_FROM = timedelta(minutes=1)
# How long the operator sees it.
SHOWN_FOR = timedelta(hours=1)


def note(units: UnitsOfWork, now: datetime, step: timedelta) -> None:
    """Record by how much the clock was set, and mend what a step back has left in the future."""
    with units.writing(now) as uow:
        if step < timedelta(0):
            clock_repair.mend(uow.tx, now)
        _record(uow.tx, now, step)


def mend_after_restart(units: UnitsOfWork, now: datetime) -> int:
    """Mend where the last pass lies in the future: nobody was there when the clock was set back. Return 1."""
    with units.writing(now) as uow:
        before = heartbeats.last(uow.tx, heartbeats.PASS) or now
        clock_repair.mend(uow.tx, now)
        _record(uow.tx, now, now - before)
    return 1


def _record(tx: Tx, now: datetime, step: timedelta) -> None:
    if abs(step) >= REPORTED_FROM:
        service_state.replace(tx, STEPPED, f"{now.isoformat()} {round(step.total_seconds())}")


def lately(tx: Tx, now: datetime) -> tuple[datetime, timedelta] | None:
    """Return when the clock was set and by how much, None where it was not set in the last hour."""
    at, _, seconds = (service_state.find(tx, STEPPED) or "").partition(" ")
    if not seconds:
        return None
    noticed = datetime.fromisoformat(at)
    return (noticed, timedelta(seconds=int(seconds))) if abs(now - noticed) <= SHOWN_FOR else None
