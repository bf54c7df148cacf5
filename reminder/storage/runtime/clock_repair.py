"""The repair after a clock was set back: instants that no worker can have set by the present clock.

None of it can double a message: a hand-over begins only under the lease by which it was leased, and an outcome counts
only for its own attempt.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import (
    BEFORE_ASKING_AGAIN,
    CHANNEL_PAUSE,
    HAND_OVER,
    LEASE,
    MESSAGE_STATES,
    OUTCOME_WITHIN,
    RECORD_ANSWER,
    RECORD_OUTCOME,
)
from reminder.domain.rules.sending_limits import HoldReason
from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    IS_LEASED,
    IS_QUEUED,
    Heartbeat,
    Message,
    Pause,
    RateLimit,
    RequestRate,
)
from reminder.storage.db.transitions import staying
from reminder.storage.runtime import heartbeats

# How far the clocks of two machines may differ.
APART = timedelta(minutes=2)


def mend(tx: Session, now: datetime) -> None:
    """Bring back what lies further in the future than the program would put it now.

    What was to be sent at an hour of a day keeps it; what failed and was to be tried again is tried at once.
    """
    queued, awaiting = HAND_OVER.leaves, ((RECORD_OUTCOME, OUTCOME_WITHIN), (RECORD_ANSWER, BEFORE_ASKING_AGAIN))
    late_lease, was_tried = and_(IS_LEASED, Message.lease_until > now + LEASE), Message.handed_at > now
    tx.execute(staying(MESSAGE_STATES, late_lease, states=queued).values(lease_until=now))
    tx.execute(
        staying(MESSAGE_STATES, and_(IS_QUEUED, was_tried, Message.scheduled_at > now), states=queued).values(
            scheduled_at=now
        )
    )
    for move, within in awaiting:
        is_late = and_(AWAITS_OUTCOME, Message.lease_until > now + within + APART)
        tx.execute(staying(MESSAGE_STATES, is_late, states=move.leaves).values(lease_until=now + within))
    waits = (Pause.reason != HoldReason.UNUSUAL_DAY, Pause.until > now + CHANNEL_PAUSE + APART)
    for statement in (
        update(RateLimit).where(RateLimit.free_at > now + LEASE).values(free_at=now),
        update(Pause).where(*waits).values(since=now, until=now + CHANNEL_PAUSE),
        update(RequestRate).where(RequestRate.asked_at > now + APART).values(used_until=0, asked_at=now),
        update(Heartbeat).where(Heartbeat.name == heartbeats.AUDIT, Heartbeat.at > now).values(at=now),
    ):
        tx.execute(statement.execution_options(synchronize_session=False))
