"""After a restore: a message that may have gone out since the back-up is asked about before it is sent.

What happened between the back-up and the restore is known to the providers alone.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import RESTORED, MessageKind, MessageState
from reminder.storage.db.statements import among, put
from reminder.storage.db.tables import Challenge, LoginCode, Message, ServiceState
from reminder.storage.db.tables import Session as SignedIn
from reminder.storage.runtime import heartbeats

_NAME = "restored"
# What is planned so soon after the first pass may make up for what was told before the restore.
_MAKES_UP = timedelta(hours=1)


def begin(tx: Session, *, taken_at: datetime, now: datetime) -> None:
    """The rows of a back-up are there. Whoever was signed in then signs in again: an end since then is not known."""
    value = " ".join(at.astimezone(UTC).isoformat(timespec="seconds") for at in (taken_at, now))
    put(tx, ServiceState, {"name": _NAME}, {"value": value})
    heartbeats.clear_passes(tx)
    for table in (SignedIn, LoginCode, Challenge):
        tx.execute(delete(table))


def in_doubt(tx: Session, message_ids: Collection[int], now: datetime) -> set[int]:
    """Which of these queued messages may have gone out already: from now on they are of unknown fate, and not to be
    sent. What somebody has just asked for cannot be a message of before."""
    value = tx.execute(select(ServiceState.value).where(ServiceState.name == _NAME)).scalar_one_or_none()
    if value is None or not message_ids:
        return set()
    taken_at, restored_at = map(datetime.fromisoformat, value.split())
    first = heartbeats.last(tx, heartbeats.FIRST)
    until = (first or now) + _MAKES_UP
    was_due = and_(Message.created_at <= taken_at, Message.scheduled_at <= restored_at)
    asked_for = Message.kind.in_([kind for kind in MessageKind if kind.is_asked_for])
    makes_up = and_(Message.created_at > taken_at, Message.created_at <= until, ~asked_for)
    not_looked_at = or_(Message.handed_at.is_(None), Message.handed_at < taken_at)
    doubtful = tx.execute(
        update(Message)
        .where(
            among(Message.id, message_ids), Message.state == MessageState.QUEUED, not_looked_at, or_(was_due, makes_up)
        )
        .values(
            state=MessageState.UNKNOWN,
            reason=RESTORED,
            handed_at=taken_at,  # the earliest at which the provider can have seen it
            lease_until=now,
            not_found_count=0,
        )
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return set(doubtful.scalars())
