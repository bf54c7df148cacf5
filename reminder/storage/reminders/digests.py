"""The progress of the weekly digest: each pass handles a few more homes, on any worker."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageKind
from reminder.storage.db.statements import among, put
from reminder.storage.db.tables import Heartbeat, Message, ServiceState
from reminder.storage.registry import groups
from reminder.storage.runtime import heartbeats, service_state

_REACHED = "digest"


def next_homes(tx: Session, week: str, *, founded_before: datetime, limit: int) -> list[int]:
    """Return the ids of the next homes of that week, without reading them.

    Two workers may get the same homes: the keys of the messages show which digests exist.
    """
    reached = service_state.find(tx, _REACHED) or ""
    of_week, _, after = reached.partition(":")
    return groups.home_ids_after(tx, int(after) if of_week == week else 0, founded_before=founded_before, limit=limit)


def record_progress(tx: Session, week: str, group_id: int) -> None:
    """Record the last home of that week."""
    put(tx, ServiceState, {"name": _REACHED}, {"value": f"{week}:{group_id}"})


def finish(tx: Session, now: datetime) -> None:
    """Record that every home has its digest of this week."""
    heartbeats.record(tx, heartbeats.DIGEST, now)


def restart_if_lost(tx: Session, message_ids: Collection[int]) -> None:
    """Restart the week's digests where one of these erased messages was one that had not been sent.

    Homes that have their digest are skipped.
    """
    lost = select(Message.id).where(among(Message.id, message_ids), Message.kind == MessageKind.DIGEST)
    if message_ids and tx.execute(lost.limit(1)).first() is not None:
        tx.execute(delete(ServiceState).where(ServiceState.name == _REACHED))
        tx.execute(delete(Heartbeat).where(Heartbeat.name == heartbeats.DIGEST))
