"""The guard after a restore: a message that may have been sent since the back-up is asked about before it is sent.

Only the providers know what happened between the back-up and the restore. The same is true of each message while
another copy of the installation is known to be at work.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reminder.domain.model.messages import DOUBT, MESSAGE_STATES, RESTORED
from reminder.domain.rules.other_copy import left_at_earliest, may_be_another_s
from reminder.domain.rules.restore import QueuedMessage, Restore, is_in_doubt
from reminder.storage.db.statements import among, put
from reminder.storage.db.tables import IS_QUEUED, Challenge, LoginCode, Message, ServiceState
from reminder.storage.db.tables import Session as SignedIn
from reminder.storage.db.transitions import transition
from reminder.storage.runtime import copy_notice, heartbeats, service_state

_NAME = "restored"


def begin(tx: Session, *, taken_at: datetime, now: datetime) -> None:
    """Begin to guard restored rows, and end all sessions: a sign-out since the back-up is not known."""
    doubt(tx, taken_at=taken_at, now=now)
    for table in (SignedIn, LoginCode, Challenge):
        tx.execute(delete(table))


def doubt(tx: Session, *, taken_at: datetime, now: datetime) -> None:
    """Begin to guard messages that may have been handed over between these instants without a trace here."""
    value = " ".join(at.astimezone(UTC).isoformat(timespec="seconds") for at in (taken_at, now))
    put(tx, ServiceState, {"name": _NAME}, {"value": value})
    heartbeats.clear_passes(tx)


def mark_doubtful_unknown(tx: Session, message_ids: Collection[int], now: datetime) -> set[int]:
    """Mark those of these queued messages that may have been sent already as unknown, and return their ids.

    They are not sent.
    """
    restore = _restore(tx) if message_ids else None
    other = copy_notice.noticed(tx) if message_ids else None
    if restore is None and other is None:
        return set()
    queued = tx.execute(
        select(Message.id, Message.kind, Message.created_at, Message.scheduled_at, Message.handed_at).where(
            among(Message.id, message_ids), IS_QUEUED
        )
    )
    earliest: dict[datetime, list[int]] = {}
    for message_id, kind, created_at, scheduled_at, handed_at in queued:
        message = QueuedMessage(kind, created_at, scheduled_at, handed_at)
        if restore is not None and is_in_doubt(message, restore, now):
            earliest.setdefault(restore.taken_at, []).append(message_id)
        elif other is not None and may_be_another_s(message):
            earliest.setdefault(left_at_earliest(message, now), []).append(message_id)
    for at, ids in earliest.items():
        tx.execute(
            transition(MESSAGE_STATES, DOUBT, among(Message.id, ids)).values(
                reason=RESTORED,
                handed_at=at,  # the earliest at which the provider can have seen it
                lease_until=now,
                not_found_count=0,
            )
        )
    return {message_id for ids in earliest.values() for message_id in ids}


def restored_at(tx: Session) -> datetime | None:
    """Return when this database was restored from a back-up, None where it was not."""
    restore = _restore(tx)
    return None if restore is None else restore.restored_at


def _restore(tx: Session) -> Restore | None:
    value = service_state.find(tx, _NAME)
    if value is None:
        return None
    taken, restored = map(datetime.fromisoformat, value.split())
    return Restore(taken, restored, first_pass_at=heartbeats.last(tx, heartbeats.FIRST))
