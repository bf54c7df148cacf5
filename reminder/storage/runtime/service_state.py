"""What the service remembers of itself from one start to the next."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from reminder.storage.db.statements import put
from reminder.storage.db.tables import ServiceState


def find(tx: Session, name: str) -> str | None:
    return tx.execute(select(ServiceState.value).where(ServiceState.name == name)).scalar_one_or_none()


def replace(tx: Session, name: str, value: str) -> str | None:
    """What it was before."""
    before = find(tx, name)
    if before != value:
        put(tx, ServiceState, {"name": name}, {"value": value})
    return before
