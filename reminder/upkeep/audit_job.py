"""The audit job: once a minute one of all workers audits the service and sends the heartbeat if all is well."""

from datetime import datetime, timedelta

from reminder.channels.heartbeat import HeartbeatClient
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import counters
from reminder.storage.runtime import heartbeats
from reminder.upkeep import operator_alerts, request_floods
from reminder.upkeep.health import Health, Trouble, assess, check_activity, record_due_cards
from reminder.upkeep.operator_alerts import OperatorContacts

# A little less than the scheduler's minute, which is never exact.
EVERY = timedelta(seconds=55)


def run_audit(
    units: UnitsOfWork,
    now: datetime,
    heartbeat: HeartbeatClient,
    *,
    keeps_time: bool = False,
    operator: OperatorContacts | None = None,
) -> Health | None:
    """Audit the service; return None if another worker has just done so.

    The heartbeat is sent only after an audit that has found nothing. A silent worker counts as a finding, so a
    heartbeat also means that a pass has ended well shortly before. `operator`: who is told of faults by message.
    """
    try:
        with units.writing(now) as uow:
            if not heartbeats.take_turn(uow.tx, heartbeats.AUDIT, now, EVERY):
                return None
        found = assess(units, now, keeps_time=keeps_time)
        with units.writing(now) as uow:
            record_due_cards(uow.tx, now)
            counters.rollup(uow.tx, now)
            check_activity(uow)
            request_floods.note(uow)
            if operator is not None:
                operator_alerts.tell(uow, operator, found)
    except DatabaseNotReadyError as not_ready:
        found = Health((Trouble(not_ready.code),))
    heartbeat.report(is_well=found.is_ready)
    return found
