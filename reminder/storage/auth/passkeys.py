"""Passkeys and their challenges."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reminder.storage.auth.proofs import PASSKEY, is_proved, prove
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import insert_or_ignore
from reminder.storage.db.tables import Challenge, Passkey


@dataclass(frozen=True)
class PasskeyView:
    """A passkey of an account."""

    id: int
    account_id: int
    credential_id: bytes
    public_key: bytes
    sign_count: int
    device: str
    created_at: datetime
    used_at: datetime | None


def _view(row: Passkey) -> PasskeyView:
    return PasskeyView(
        row.id,
        row.account_id,
        row.credential_id,
        row.public_key,
        row.sign_count,
        row.device,
        row.created_at,
        row.used_at,
    )


def add(
    tx: Session,
    keys: KeyRing,
    *,
    account_id: int,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    device: str,
    now: datetime,
) -> int:
    """Add a passkey, and return its id."""
    passkey = Passkey(
        account_id=account_id,
        credential_id=credential_id,
        public_key=public_key,
        proof=prove(keys, PASSKEY, credential_id, public_key, account_id),
        sign_count=sign_count,
        device=device,
        created_at=now,
    )
    tx.add(passkey)
    tx.flush()
    return passkey.id


def find(tx: Session, keys: KeyRing, credential_id: bytes) -> PasskeyView | None:
    """Return the passkey with this credential id, None where there is none, or none that the key ring proves."""
    row = tx.execute(select(Passkey).where(Passkey.credential_id == credential_id)).scalar_one_or_none()
    if row is None or not is_proved(keys, PASSKEY, row.proof, row.credential_id, row.public_key, row.account_id):
        return None
    return _view(row)


def is_registered(tx: Session, credential_id: bytes) -> bool:
    """Return whether any account has a passkey with this credential id."""
    return tx.execute(select(Passkey.id).where(Passkey.credential_id == credential_id)).first() is not None


def of_account(tx: Session, account_id: int) -> list[PasskeyView]:
    """Return the passkeys of an account, the oldest first."""
    rows = tx.scalars(select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.id))
    return [_view(row) for row in rows]


def used(tx: Session, passkey_id: int, sign_count: int, now: datetime) -> None:
    """Record the use of a passkey, with its new signature counter."""
    tx.execute(update(Passkey).where(Passkey.id == passkey_id).values(sign_count=sign_count, used_at=now))


def remove(tx: Session, account_id: int, passkey_id: int) -> bool:
    """Delete a passkey; return False for one of another account."""
    removed = tx.execute(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account_id).returning(Passkey.id)
    )
    return removed.first() is not None


def use_challenge(tx: Session, value: bytes, account_id: int | None, expires_at: datetime) -> bool:
    """Record that a challenge was signed; return False where it was signed before.

    `account_id`: None for a sign-in. It is kept until it has expired, and then deleted by `erasure`.
    """
    return insert_or_ignore(tx, Challenge, challenge=value, account_id=account_id, expires_at=expires_at)
