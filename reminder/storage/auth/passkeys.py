"""Passkeys, and what they are asked to sign."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reminder.storage.db.tables import Challenge, Passkey


@dataclass(frozen=True)
class PasskeyView:
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
    *,
    account_id: int,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    device: str,
    now: datetime,
) -> None:
    tx.add(
        Passkey(
            account_id=account_id,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            device=device,
            created_at=now,
        )
    )
    tx.flush()


def find(tx: Session, credential_id: bytes) -> PasskeyView | None:
    row = tx.execute(select(Passkey).where(Passkey.credential_id == credential_id)).scalar_one_or_none()
    return None if row is None else _view(row)


def of_account(tx: Session, account_id: int) -> list[PasskeyView]:
    rows = tx.scalars(select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.id))
    return [_view(row) for row in rows]


def used(tx: Session, passkey_id: int, sign_count: int, now: datetime) -> None:
    tx.execute(update(Passkey).where(Passkey.id == passkey_id).values(sign_count=sign_count, used_at=now))


def remove(tx: Session, account_id: int, passkey_id: int) -> bool:
    """False for one of another account."""
    removed = tx.execute(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account_id).returning(Passkey.id)
    )
    return removed.first() is not None


def challenge(tx: Session, value: bytes, account_id: int | None, expires_at: datetime) -> None:
    tx.add(Challenge(challenge=value, account_id=account_id, expires_at=expires_at))
    tx.flush()


def take_challenge(tx: Session, value: bytes, account_id: int | None, now: datetime) -> bool:
    """Once only, in time, and for the same account (None: for whoever comes)."""
    same = Challenge.account_id.is_(None) if account_id is None else Challenge.account_id == account_id
    taken = tx.execute(
        delete(Challenge).where(Challenge.challenge == value, same).returning(Challenge.expires_at)
    ).scalar_one_or_none()
    # Nobody comes back for those that ran out.
    tx.execute(delete(Challenge).where(Challenge.expires_at <= now))
    return taken is not None and taken > now
