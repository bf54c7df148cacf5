"""Whether another copy of this installation was noticed, and is not known to be gone."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reminder.storage.db.tables import ServiceState
from reminder.storage.runtime import service_state

NAME = "other_copy"


@dataclass(frozen=True)
class OtherCopy:
    """When another copy was noticed for the first and the last time (aware UTC, whole seconds)."""

    since: datetime
    last: datetime


def notice(tx: Session, now: datetime) -> None:
    """Record that another copy is at work."""
    known = noticed(tx)
    instants = (now if known is None else known.since, now)
    service_state.replace(tx, NAME, " ".join(at.astimezone(UTC).isoformat(timespec="seconds") for at in instants))


def noticed(tx: Session) -> OtherCopy | None:
    """Return the other copy that was noticed, None where there is none or it is gone."""
    value = service_state.find(tx, NAME)
    return None if value is None else OtherCopy(*map(datetime.fromisoformat, value.split()))


def forget(tx: Session) -> None:
    """Forget the other copy: it is gone."""
    tx.execute(delete(ServiceState).where(ServiceState.name == NAME))
