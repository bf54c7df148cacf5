"""The setup code of an installation that has no owner yet. Only a keyed hash of it is stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from reminder.storage.db import row_security
from reminder.storage.db.tables import Account, Group, SetupCode


@dataclass(frozen=True)
class TriedCode:
    """A setup code that was just tried. `tries` include this one."""

    id: int
    code_hash: bytes
    tries: int


def is_claimed(tx: Session) -> bool:
    """Return whether the installation has an owner: any account, or any group."""
    if row_security.has_groups(tx):
        return True
    return bool(tx.execute(select(or_(exists(select(Account.id)), exists(select(Group.id))))).scalar_one())


def replace(tx: Session, *, now: datetime, expires_at: datetime) -> int:
    """Add a setup code in place of any earlier one, and return its id; `set_code` stores its hash."""
    tx.execute(delete(SetupCode))
    code = SetupCode(code_hash=b"", tries=0, created_at=now, expires_at=expires_at)
    tx.add(code)
    tx.flush()
    return code.id


def set_code(tx: Session, code_id: int, code_hash: bytes) -> None:
    """Store the keyed hash of a setup code."""
    tx.execute(update(SetupCode).where(SetupCode.id == code_id).values(code_hash=code_hash))


def try_code(tx: Session, most_tries: int, now: datetime) -> TriedCode | None:
    """Count a try; return None where there is no code that may still be tried."""
    tried = tx.execute(
        update(SetupCode)
        .where(SetupCode.used_at.is_(None), SetupCode.expires_at > now, SetupCode.tries < most_tries)
        .values(tries=SetupCode.tries + 1)
        .returning(SetupCode.id, SetupCode.code_hash, SetupCode.tries)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return None if tried is None else TriedCode(*tried)


def accept(tx: Session, code_id: int, now: datetime) -> None:
    """Record that the code was typed correctly, and give back the try."""
    values = {"accepted_at": now, "tries": SetupCode.tries - 1}
    tx.execute(
        update(SetupCode).where(SetupCode.id == code_id).values(values).execution_options(synchronize_session=False)
    )


def use(tx: Session, *, accepted_since: datetime, now: datetime) -> bool:
    """Use up the code; return False where it was not typed correctly since then, or is used already.

    Of two transactions that do this at once only one gets True.
    """
    used = tx.execute(
        update(SetupCode)
        .where(SetupCode.used_at.is_(None), SetupCode.accepted_at >= accepted_since)
        .values(used_at=now)
        .returning(SetupCode.id)
        .execution_options(synchronize_session=False)
    )
    return used.first() is not None
