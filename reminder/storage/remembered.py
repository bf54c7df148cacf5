"""What the service remembers of itself from one start to the next."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from reminder.storage.statements import put
from reminder.storage.tables import Remembered


def find(tx: Session, name: str) -> str | None:
    return tx.execute(select(Remembered.value).where(Remembered.name == name)).scalar_one_or_none()


def replace(tx: Session, name: str, value: str) -> str | None:
    """What it was before."""
    before = find(tx, name)
    if before != value:
        put(tx, Remembered, {"name": name}, {"value": value})
    return before
