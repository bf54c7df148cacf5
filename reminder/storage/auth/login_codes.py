"""Login codes: counted for each address and network, tried a few times, used once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.tables import LoginCode

# Bound into what is sealed: another word would open nothing that is kept.
ADDRESS = "sign_ins.address"


@dataclass(frozen=True)
class CodeAttempt:
    """One attempt at a login code; `tries` counts this attempt."""

    id: int
    address: str
    code_hash: bytes
    tries: int


def add(
    tx: Session,
    keys: KeyRing,
    *,
    address: str,
    network: str,
    browser_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Add a login code without its hash, and return its id: the hash is bound to the row's id."""
    asked = LoginCode(
        address_sealed=keys.seal(address, ADDRESS),
        address_index=keys.blind_index(address),
        network_index=keys.blind_index(network),
        browser_hash=browser_hash,
        code_hash=b"",
        tries=0,
        created_at=now,
        expires_at=expires_at,
    )
    tx.add(asked)
    tx.flush()
    return asked.id


def set_code(tx: Session, sign_in_id: int, code_hash: bytes) -> None:
    """Set the hash of a login code."""
    tx.execute(update(LoginCode).where(LoginCode.id == sign_in_id).values(code_hash=code_hash))


def asked_by_address(tx: Session, keys: KeyRing, address: str, since: datetime) -> int:
    """Return how many codes were requested for an address since then."""
    return _asked(tx, LoginCode.address_index.in_(keys.blind_indexes(address)), LoginCode.created_at >= since)


def asked_by_network(tx: Session, keys: KeyRing, network: str, since: datetime) -> int:
    """Return how many codes were requested from a network since then."""
    return _asked(tx, LoginCode.network_index.in_(keys.blind_indexes(network)), LoginCode.created_at >= since)


def _asked(tx: Session, *which: ColumnElement[bool]) -> int:
    return tx.execute(select(func.count()).select_from(LoginCode).where(*which)).scalar_one()


def try_code(tx: Session, keys: KeyRing, browser_hash: bytes, most_tries: int, now: datetime) -> CodeAttempt | None:
    """Count an attempt at the latest code of this browser, and return it; None where no attempt is left."""
    latest = (
        select(LoginCode.id)
        .where(LoginCode.browser_hash == browser_hash)
        .order_by(LoginCode.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    tried = tx.execute(
        update(LoginCode)
        .where(
            LoginCode.id == latest,
            LoginCode.used_at.is_(None),
            LoginCode.expires_at > now,
            LoginCode.tries < most_tries,
        )
        .values(tries=LoginCode.tries + 1)
        .returning(LoginCode.id, LoginCode.address_sealed, LoginCode.code_hash, LoginCode.tries)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if tried is None:
        return None
    return CodeAttempt(tried.id, keys.open(tried.address_sealed, ADDRESS), tried.code_hash, tried.tries)


def use(tx: Session, sign_in_id: int, now: datetime) -> None:
    """Record that a login code was used."""
    tx.execute(update(LoginCode).where(LoginCode.id == sign_in_id).values(used_at=now))


def end_other_codes(tx: Session, keys: KeyRing, address: str, now: datetime) -> Sequence[int]:
    """End the older codes to an address after a sign-in, and return their ids."""
    ended = tx.execute(
        update(LoginCode)
        .where(LoginCode.address_index.in_(keys.blind_indexes(address)), LoginCode.used_at.is_(None))
        .values(used_at=now)
        .returning(LoginCode.id)
        .execution_options(synchronize_session=False)
    )
    return list(ended.scalars())
