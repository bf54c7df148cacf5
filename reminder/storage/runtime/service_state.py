"""The facts that the service remembers from one start to the next."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from reminder.storage.db.statements import put
from reminder.storage.db.tables import ServiceState

_FIND = select(ServiceState.value).where(ServiceState.name == bindparam("name"))


def find(tx: Session, name: str) -> str | None:
    """Return a remembered fact, None where there is none."""
    return tx.execute(_FIND, {"name": name}).scalar_one_or_none()


def replace(tx: Session, name: str, value: str) -> str | None:
    """Store a fact, and return its former value."""
    before = find(tx, name)
    if before != value:
        put(tx, ServiceState, {"name": name}, {"value": value})
    return before
