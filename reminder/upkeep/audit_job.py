"""The auditor's round: once a minute one of all workers looks, counts, and lets those outside know that all is well."""

from datetime import datetime, timedelta

from reminder.channels.heartbeat import Heartbeat
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import counters
from reminder.storage.runtime import heartbeats
from reminder.upkeep.health import Health, Trouble, assess, record_due_counts

# A little less than the bell's minute, which is never quite even.
EVERY = timedelta(seconds=55)


def run_audit(units: UnitsOfWork, now: datetime, heartbeat: Heartbeat, *, keeps_time: bool = False) -> Health | None:
    """None where another worker has just looked. The heartbeat is sent only after an audit that has found nothing, and
    a silent worker is something: so a pass has ended well shortly before."""
    try:
        with units.writing(now) as uow:
            if not heartbeats.take_turn(uow.tx, heartbeats.AUDIT, now, EVERY):
                return None
        found = assess(units, now, keeps_time=keeps_time)
        with units.writing(now) as uow:
            record_due_counts(uow.tx, now)
            counters.rollup(uow.tx, now)
    except DatabaseNotReadyError as not_ready:
        found = Health((Trouble(not_ready.code),))
    heartbeat.tell(is_well=found.is_ready)
    return found
