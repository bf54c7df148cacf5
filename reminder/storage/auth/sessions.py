"""Sessions: browsers in which somebody is signed in. Only a hash of the browser's token is stored.

Each row carries a proof that only the key ring can make: whoever can write into the database, and has no key, can sign
nobody in, nor hand a session over to another account.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select, true, update
from sqlalchemy.orm import Session

from reminder.domain.model.access import Actor
from reminder.domain.model.people import GroupKind, Language, Role
from reminder.storage.auth.proofs import MEMBER, SESSION, prove
from reminder.storage.auth.proofs import is_proved as row_is_proved
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.tables import Account, Group, Member
from reminder.storage.db.tables import Session as Row


@dataclass(frozen=True)
class SignedIn:
    """A session. `who` is None for an account that is in no group yet.

    `proved_at`: when its owner last entered a code or used a passkey in it. `kind`: of the group in which it acts.
    `suspended_why`: the operator's words where that group is suspended, else None. `device`: what the owner calls it.
    """

    session_id: int
    account_id: int
    language: Language
    who: Actor | None
    seen_at: datetime
    created_at: datetime
    proved_at: datetime | None = None
    kind: GroupKind | None = None
    is_on_trial: bool = False
    suspended_why: str | None = None
    device: str = ""


@dataclass(frozen=True)
class Device:
    """A browser in which this account is signed in."""

    session_id: int
    device: str
    created_at: datetime
    seen_at: datetime


def add(
    tx: Session,
    keys: KeyRing,
    *,
    account_id: int,
    member_id: int | None,
    token_hash: bytes,
    device: str,
    now: datetime,
    expires_at: datetime,
    browser_hash: bytes | None = None,
) -> int:
    """Add a session of somebody who has just proved who they are, and return its id."""
    session = Row(
        account_id=account_id,
        member_id=member_id,
        token_hash=token_hash,
        token_proof=prove(keys, SESSION, token_hash, account_id),
        browser_hash=browser_hash,
        device=device,
        created_at=now,
        proved_at=now,
        seen_at=now,
        expires_at=expires_at,
    )
    tx.add(session)
    tx.flush()
    return session.id


_FIND = (
    select(
        Row.id,
        Row.account_id,
        Row.token_proof,
        Account.language,
        Row.seen_at,
        Row.created_at,
        Row.proved_at,
        Row.device,
        Member.id.label("member_id"),
        Member.group_id,
        Member.role,
        Member.account_id.label("owner"),
        Member.proof.label("member_proof"),
        Group.kind,
        Group.trial_since,
        Group.suspended_at,
        Group.suspended_why,
    )
    .join(Account, Account.id == Row.account_id)
    .outerjoin(Member, Member.id == Row.member_id)
    .outerjoin(Group, Group.id == Member.group_id)
    .where(
        Row.token_hash == bindparam("token"),
        Row.revoked_at.is_(None),
        Row.expires_at > bindparam("now"),
        Row.seen_at >= bindparam("seen_since"),
    )
)


def find(tx: Session, keys: KeyRing, token_hash: bytes, *, now: datetime, seen_since: datetime) -> SignedIn | None:
    """Return a session; None for one that is unknown, expired, revoked, or not used since `seen_since`.

    A row without a proof by the key ring is unknown, and a member without one has no role.
    """
    row_security.include_session(tx, token_hash)
    row = tx.execute(_FIND, {"token": token_hash, "now": now, "seen_since": seen_since}).one_or_none()
    if row is None or not row_is_proved(keys, SESSION, row.token_proof, token_hash, row.account_id):
        return None
    language = Language(row.language)
    signed_in = SignedIn(
        row.id, row.account_id, language, None, row.seen_at, row.created_at, row.proved_at, device=row.device
    )
    if row.member_id is None or row.owner != row.account_id:
        return signed_in
    if not row_is_proved(keys, MEMBER, row.member_proof, row.member_id, row.group_id, row.owner, row.role):
        return signed_in
    return replace(
        signed_in,
        who=Actor(row.group_id, row.member_id, Role(row.role), language, row.device),
        kind=GroupKind(row.kind),
        is_on_trial=row.trial_since is not None,
        suspended_why=None if row.suspended_at is None else row.suspended_why,
    )


def record_proof(tx: Session, session_id: int, now: datetime) -> None:
    """Record that the owner of a session has just entered a code or used a passkey."""
    tx.execute(update(Row).where(Row.id == session_id).values(proved_at=now, seen_at=now))


HELD = "sessions.held"


def hold(tx: Session, keys: KeyRing, session_id: int, text: str, now: datetime) -> None:
    """Store, sealed, what the owner of a session was about to do; it replaces what was there."""
    held = {"held_sealed": keys.seal(text, HELD), "held_at": now}
    tx.execute(update(Row).where(Row.id == session_id).values(held))


def held(tx: Session, keys: KeyRing, session_id: int, since: datetime) -> str | None:
    """Return what was held in a session since then, None where nothing is."""
    sealed = tx.execute(select(Row.held_sealed).where(Row.id == session_id, Row.held_at >= since)).scalar_one_or_none()
    return None if sealed is None else keys.open(sealed, HELD)


def release(tx: Session, session_id: int) -> bool:
    """Delete what is held in a session; return False where nothing is."""
    released = tx.execute(
        update(Row)
        .where(Row.id == session_id, Row.held_sealed.is_not(None))
        .values(held_sealed=None, held_at=None)
        .returning(Row.id)
    )
    return released.first() is not None


def knows(tx: Session, account_id: int, browser_hash: bytes) -> bool:
    """Return whether this account has been signed in to in this browser, and nobody has ended that from another."""
    found = select(Row.id).where(Row.account_id == account_id, Row.browser_hash == browser_hash).limit(1)
    return tx.execute(found).first() is not None


def is_seen_before(tx: Session, browser_hash: bytes) -> bool:
    """Return whether any account has been signed in to in this browser."""
    return tx.execute(select(Row.id).where(Row.browser_hash == browser_hash).limit(1)).first() is not None


def seen(tx: Session, session_id: int, now: datetime) -> None:
    """Record when a session was used last."""
    tx.execute(update(Row).where(Row.id == session_id).values(seen_at=now))


def act_as(tx: Session, session_id: int, member_id: int) -> None:
    """Set the member that a session acts as."""
    tx.execute(update(Row).where(Row.id == session_id).values(member_id=member_id))


# Nobody goes on with what an ended session held.
_ENDED: dict[str, object] = {"held_sealed": None, "held_at": None}


def devices(tx: Session, account_id: int, *, now: datetime, seen_since: datetime) -> list[Device]:
    """Return the account's valid sessions, the most recently used first."""
    rows = tx.execute(
        select(Row.id, Row.device, Row.created_at, Row.seen_at)
        .where(Row.account_id == account_id, Row.revoked_at.is_(None), Row.expires_at > now, Row.seen_at >= seen_since)
        .order_by(Row.seen_at.desc(), Row.id.desc())
    )
    return [Device(*row) for row in rows]


def revoke(tx: Session, account_id: int, session_id: int, now: datetime, *, forgets: bool = False) -> bool:
    """Revoke a session; return False for one of another account, or one that is revoked already.

    `forgets`: its browser is from now on as one that was never signed in.
    """
    revoked = tx.execute(
        update(Row)
        .where(Row.id == session_id, Row.account_id == account_id, Row.revoked_at.is_(None))
        .values(_ENDED | {"revoked_at": now})
        .returning(Row.browser_hash)
        .execution_options(synchronize_session=False)
    ).first()
    if revoked is not None and forgets and revoked.browser_hash is not None:
        _forget(tx, account_id, Row.browser_hash == revoked.browser_hash)
    return revoked is not None


def revoke_others(tx: Session, account_id: int, but: int | None, now: datetime) -> int:
    """Revoke all sessions of an account except one, or all where `but` is None; return how many.

    Their browsers are from now on as ones that were never signed in.
    """
    others = (Row.account_id == account_id, *(() if but is None else (Row.id != but,)))
    revoked = tx.execute(
        update(Row)
        .where(*others, Row.revoked_at.is_(None))
        .values(_ENDED | {"revoked_at": now})
        .returning(Row.id)
        .execution_options(synchronize_session=False)
    )
    count = len(list(revoked))
    mine = None if but is None else tx.execute(select(Row.browser_hash).where(Row.id == but)).scalar_one_or_none()
    _forget(tx, account_id, true() if mine is None else Row.browser_hash != mine)
    return count


def revoke_all(tx: Session, now: datetime) -> int:
    """Revoke every session there is, and return how many; every browser is as one that was never signed in."""
    revoked = tx.execute(
        update(Row)
        .where(Row.revoked_at.is_(None))
        .values(_ENDED | {"revoked_at": now})
        .returning(Row.id)
        .execution_options(synchronize_session=False)
    )
    count = len(list(revoked))
    tx.execute(update(Row).values(browser_hash=None).execution_options(synchronize_session=False))
    return count


def _forget(tx: Session, account_id: int, which: ColumnElement[bool]) -> None:
    forgotten = update(Row).where(Row.account_id == account_id, which).values(browser_hash=None)
    tx.execute(forgotten.execution_options(synchronize_session=False))
