"""Sessions: browsers in which somebody is signed in. Only a hash of the browser's token is stored."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.access import Actor
from reminder.domain.model.people import Language, Role
from reminder.storage.db.tables import Account, Group, Member
from reminder.storage.db.tables import Session as Row


@dataclass(frozen=True)
class SignedIn:
    """A session. `who` is None for an account that is in no group yet.

    `suspended_why`: the operator's words where the group of `who` is suspended, else None.
    """

    session_id: int
    account_id: int
    language: Language
    who: Actor | None
    seen_at: datetime
    created_at: datetime
    is_on_trial: bool = False
    suspended_why: str | None = None


@dataclass(frozen=True)
class Device:
    """A browser in which this account is signed in."""

    session_id: int
    device: str
    created_at: datetime
    seen_at: datetime


def add(
    tx: Session,
    *,
    account_id: int,
    member_id: int | None,
    token_hash: bytes,
    device: str,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Add a session, and return its id."""
    session = Row(
        account_id=account_id,
        member_id=member_id,
        token_hash=token_hash,
        device=device,
        created_at=now,
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
        Account.language,
        Row.seen_at,
        Row.created_at,
        Member.id,
        Member.group_id,
        Member.role,
        Member.account_id,
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


def find(tx: Session, token_hash: bytes, *, now: datetime, seen_since: datetime) -> SignedIn | None:
    """Return a session; None for one that is unknown, expired, revoked, or not used since `seen_since`."""
    asked = {"token": token_hash, "now": now, "seen_since": seen_since}
    row = tx.execute(_FIND, asked).one_or_none()
    if row is None:
        return None
    session_id, account_id, language, seen_at, created_at, member_id, group_id, role, owner, *standing = row
    signed_in = SignedIn(session_id, account_id, Language(language), None, seen_at, created_at)
    if member_id is None or owner != account_id:
        return signed_in
    trial_since, suspended_at, why = standing
    return replace(
        signed_in,
        who=Actor(group_id, member_id, Role(role), Language(language)),
        is_on_trial=trial_since is not None,
        suspended_why=None if suspended_at is None else why,
    )


def seen(tx: Session, session_id: int, now: datetime) -> None:
    """Record when a session was used last."""
    tx.execute(update(Row).where(Row.id == session_id).values(seen_at=now))


def act_as(tx: Session, session_id: int, member_id: int) -> None:
    """Set the member that a session acts as."""
    tx.execute(update(Row).where(Row.id == session_id).values(member_id=member_id))


def devices(tx: Session, account_id: int, *, now: datetime, seen_since: datetime) -> list[Device]:
    """Return the account's valid sessions, the most recently used first."""
    rows = tx.execute(
        select(Row.id, Row.device, Row.created_at, Row.seen_at)
        .where(Row.account_id == account_id, Row.revoked_at.is_(None), Row.expires_at > now, Row.seen_at >= seen_since)
        .order_by(Row.seen_at.desc(), Row.id.desc())
    )
    return [Device(*row) for row in rows]


def revoke(tx: Session, account_id: int, session_id: int, now: datetime) -> bool:
    """Revoke a session; return False for one of another account, or one that is revoked already."""
    revoked = tx.execute(
        update(Row)
        .where(Row.id == session_id, Row.account_id == account_id, Row.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Row.id)
        .execution_options(synchronize_session=False)
    )
    return revoked.first() is not None


def revoke_others(tx: Session, account_id: int, but: int, now: datetime) -> None:
    """Revoke all sessions of an account except one."""
    tx.execute(
        update(Row)
        .where(Row.account_id == account_id, Row.id != but, Row.revoked_at.is_(None))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
