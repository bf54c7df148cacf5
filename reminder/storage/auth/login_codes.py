"""Login codes: requests are counted by mailbox, network and browser; a code is tried a few times and used once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.parsing.addresses import mailbox_of
from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db.tables import LOGIN_ADDRESS, LoginCode

ADDRESS = LOGIN_ADDRESS


@dataclass(frozen=True)
class CodeAttempt:
    """A request for a login code that is being answered; `tries` counts the attempts, this one included.

    `is_mailed`: it has a code of its own. `is_known`: its browser had been signed in to the account before.
    """

    id: int
    address: str
    code_hash: bytes
    tries: int
    is_mailed: bool = True
    is_known: bool = False


@dataclass(frozen=True)
class MailedCode:
    """The two codes in one e-mail, as hashes."""

    id: int
    code_hash: bytes
    long_code_hash: bytes | None


def add(
    tx: Session,
    keys: KeyRing,
    *,
    address: str,
    network: str,
    browser_hash: bytes,
    now: datetime,
    expires_at: datetime,
    is_mailed: bool = True,
    is_known: bool = False,
    session_id: int | None = None,
) -> int:
    """Add a request without the hashes of its codes, and return its id: the hashes are bound to the row's id."""
    row_token = new_row_token()
    asked = insert(LoginCode).values(
        row_token=row_token,
        address_sealed=keys.seal(address, ADDRESS, row_token),
        address_index=address_index_of(keys, address),
        mailbox_index=keys.blind_index(_mailbox(address)),
        network_index=keys.blind_index(network),
        browser_hash=browser_hash,
        code_hash=b"",
        tries=0,
        is_mailed=is_mailed,
        is_known=is_known,
        session_id=session_id,
        created_at=now,
        expires_at=expires_at,
    )
    return tx.execute(asked.returning(LoginCode.id)).scalar_one()


def _mailbox(address: str) -> str:
    return f"mailbox {mailbox_of(address)}"


def set_code(tx: Session, sign_in_id: int, code_hash: bytes, long_code_hash: bytes | None = None) -> None:
    """Set the hashes of the codes of a request."""
    values = {"code_hash": code_hash, "long_code_hash": long_code_hash}
    tx.execute(update(LoginCode).where(LoginCode.id == sign_in_id).values(values))


_OF_STRANGERS = (LoginCode.is_mailed.is_(True), LoginCode.is_known.is_(False), LoginCode.session_id.is_(None))


def mailed_by_strangers(tx: Session, keys: KeyRing, address: str, since: datetime) -> int:
    """Return how many codes browsers that are not known have had mailed to this mailbox since then."""
    at_it = LoginCode.mailbox_index.in_(keys.blind_indexes(_mailbox(address)))
    return _count(tx, at_it, LoginCode.created_at >= since, *_OF_STRANGERS)


def mailed_by_known(tx: Session, keys: KeyRing, address: str, since: datetime) -> int:
    """Return how many codes known browsers have had mailed to this address since then."""
    at_it = LoginCode.address_index.in_(address_indexes(keys, address))
    return _count(tx, at_it, LoginCode.created_at >= since, LoginCode.is_mailed.is_(True), LoginCode.is_known.is_(True))


def asked_by_network(tx: Session, keys: KeyRing, network: str, since: datetime) -> int:
    """Return how many requests came from a network since then, with or without an e-mail."""
    return _count(tx, LoginCode.network_index.in_(keys.blind_indexes(network)), LoginCode.created_at >= since)


def asked_by_browser(tx: Session, keys: KeyRing, browser_hash: bytes, address: str, since: datetime) -> int:
    """Return how many requests for this address came from a browser since then."""
    at_it = LoginCode.address_index.in_(address_indexes(keys, address))
    return _count(tx, LoginCode.browser_hash == browser_hash, at_it, LoginCode.created_at >= since)


def asked_by_session(tx: Session, session_id: int, since: datetime) -> int:
    """Return how many codes a session has asked for since then, to confirm who uses it."""
    return _count(tx, LoginCode.session_id == session_id, LoginCode.created_at >= since)


def _count(tx: Session, *which: ColumnElement[bool]) -> int:
    return tx.execute(select(func.count()).select_from(LoginCode).where(*which)).scalar_one()


def tries_by_strangers(tx: Session, keys: KeyRing, address: str, since: datetime) -> int:
    """Return how many six-digit codes were tried for an address, in requests since then of browsers not known."""
    tried = select(func.coalesce(func.sum(LoginCode.tries), 0)).where(
        LoginCode.address_index.in_(address_indexes(keys, address)),
        LoginCode.created_at >= since,
        LoginCode.is_known.is_(False),
        LoginCode.session_id.is_(None),
    )
    return int(tx.execute(tried).scalar_one())


def mailed_codes(tx: Session, keys: KeyRing, address: str, since: datetime) -> list[MailedCode]:
    """Return the unused codes that were mailed to an address since then for a sign-in, the latest first."""
    rows = tx.execute(
        select(LoginCode.id, LoginCode.code_hash, LoginCode.long_code_hash)
        .where(
            LoginCode.address_index.in_(address_indexes(keys, address)),
            LoginCode.created_at >= since,
            LoginCode.is_mailed.is_(True),
            LoginCode.session_id.is_(None),
            LoginCode.used_at.is_(None),
        )
        .order_by(LoginCode.id.desc())
    )
    return [MailedCode(*row) for row in rows]


_ATTEMPT = (
    LoginCode.id,
    LoginCode.address_sealed,
    LoginCode.code_hash,
    LoginCode.tries,
    LoginCode.is_mailed,
    LoginCode.is_known,
)


def latest(tx: Session, keys: KeyRing, browser_hash: bytes, now: datetime) -> CodeAttempt | None:
    """Return the latest request of this browser, without counting an attempt; None where it is used or over."""
    row = tx.execute(
        select(*_ATTEMPT, LoginCode.used_at, LoginCode.expires_at)
        .where(LoginCode.browser_hash == browser_hash)
        .order_by(LoginCode.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None or row.used_at is not None or row.expires_at <= now:
        return None
    return CodeAttempt(row.id, keys.open(row.address_sealed), *row[2:6])


def try_code(tx: Session, keys: KeyRing, browser_hash: bytes, most_tries: int, now: datetime) -> CodeAttempt | None:
    """Count an attempt at the latest request of this browser, and return it; None where no attempt is left."""
    last = (
        select(LoginCode.id)
        .where(LoginCode.browser_hash == browser_hash)
        .order_by(LoginCode.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    tried = tx.execute(
        update(LoginCode)
        .where(
            LoginCode.id == last,
            LoginCode.used_at.is_(None),
            LoginCode.expires_at > now,
            LoginCode.tries < most_tries,
        )
        .values(tries=LoginCode.tries + 1)
        .returning(*_ATTEMPT)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if tried is None:
        return None
    return CodeAttempt(tried[0], keys.open(tried[1]), *tried[2:])


def use(tx: Session, sign_in_id: int, now: datetime) -> None:
    """Record that a login code was used."""
    tx.execute(update(LoginCode).where(LoginCode.id == sign_in_id).values(used_at=now))


def end_other_codes(tx: Session, keys: KeyRing, address: str, now: datetime) -> Sequence[int]:
    """End the older codes to an address after a sign-in, and return their ids."""
    ended = tx.execute(
        update(LoginCode)
        .where(
            LoginCode.address_index.in_(address_indexes(keys, address)),
            LoginCode.session_id.is_(None),
            LoginCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(LoginCode.id)
        .execution_options(synchronize_session=False)
    )
    return list(ended.scalars())
