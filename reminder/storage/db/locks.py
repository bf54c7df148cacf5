"""Locks by name, for a limit that is counted and then used up in the same transaction."""

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock(tx: Session, name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it to the end of this one.

    Whoever counts rows before adding one takes it first: two transactions would otherwise both count what the other is
    about to add. On SQLite a writing transaction is alone anyway. Several locks are taken in the order in which all
    callers take them.
    """
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(_number(name))))


def lock_shared(tx: Session, name: str) -> None:
    """Wait until no other transaction holds the lock of this name alone; several may hold it in this way."""
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock_shared(_number(name))))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
