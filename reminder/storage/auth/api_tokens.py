"""API tokens, with which the programs of a group authenticate. Only a hash of each is stored."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reminder.domain.model.access import Actor, Scope, role_with
from reminder.domain.model.people import Language, Role
from reminder.storage.auth.proofs import API_TOKEN, MEMBER, is_proved, prove
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.tables import ApiToken, Group, Member


@dataclass(frozen=True)
class TokenView:
    """An API token. `made_by` is a member's id, `maker` that member's name in the group."""

    id: int
    name: str
    scopes: tuple[Scope, ...]
    made_by: int
    maker: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class TokenOwner:
    """A token that a program presents, and the actor it acts as.

    `suspended_why`: the operator's words where the group is suspended, else None.
    """

    token_id: int
    scopes: tuple[Scope, ...]
    who: Actor
    used_at: datetime | None
    suspended_why: str | None = None


def add(
    tx: Session,
    keys: KeyRing,
    *,
    group_id: int,
    made_by: int,
    name: str,
    token_hash: bytes,
    scopes: Collection[Scope],
    now: datetime,
) -> int:
    """Add a token, and return its id."""
    token = ApiToken(
        group_id=group_id,
        made_by=made_by,
        name=name,
        token_hash=token_hash,
        token_proof=prove(keys, API_TOKEN, token_hash, group_id, made_by, " ".join(scopes)),
        scopes=" ".join(scopes),
        created_at=now,
    )
    tx.add(token)
    tx.flush()
    return token.id


def find(tx: Session, keys: KeyRing, token_hash: bytes) -> TokenOwner | None:
    """Return the owner of a token; None for one that is unknown, revoked, or not proved by the key ring."""
    row_security.include_token(tx, token_hash)
    row = tx.execute(
        select(
            ApiToken.id,
            ApiToken.scopes,
            ApiToken.group_id,
            ApiToken.made_by,
            Member.role,
            Member.language,
            ApiToken.used_at,
            ApiToken.token_proof,
            Member.account_id,
            Member.group_id.label("of_member"),
            Member.proof,
            Group.suspended_at,
            Group.suspended_why,
        )
        .join(Member, Member.id == ApiToken.made_by)
        .join(Group, Group.id == ApiToken.group_id)
        .where(ApiToken.token_hash == token_hash, ApiToken.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    token_id, kept, group_id, member_id, role, language, used_at, proof, account_id, of_member, role_proof, at, why = (
        row
    )
    if not is_proved(keys, API_TOKEN, proof, token_hash, group_id, member_id, kept):
        return None
    if not is_proved(keys, MEMBER, role_proof, member_id, of_member, account_id, role):
        return None
    scopes = _scopes(kept)
    who = Actor(group_id, member_id, role_with(scopes, Role(role)), Language(language))
    return TokenOwner(token_id, scopes, who, used_at, None if at is None else why)


def used(tx: Session, token_id: int, now: datetime) -> None:
    """Record when a token was used last."""
    tx.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=now))


def of_group(tx: Session, group_id: int) -> list[TokenView]:
    """Return the valid tokens of a group."""
    rows = tx.execute(
        select(
            ApiToken.id,
            ApiToken.name,
            ApiToken.scopes,
            ApiToken.made_by,
            Member.name,
            ApiToken.created_at,
            ApiToken.used_at,
        )
        .join(Member, Member.id == ApiToken.made_by)
        .where(ApiToken.group_id == group_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id)
    )
    return [TokenView(row[0], row[1], _scopes(row[2]), *row[3:]) for row in rows]


def group_of(tx: Session, token_id: int) -> int | None:
    """Return the group of a token, None where there is no such token."""
    return tx.execute(select(ApiToken.group_id).where(ApiToken.id == token_id)).scalar_one_or_none()


def revoke(tx: Session, group_id: int, token_id: int, now: datetime) -> bool:
    """Revoke a token; return False where the group has no such valid token."""
    revoked = tx.execute(
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.group_id == group_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiToken.id)
    )
    return revoked.first() is not None


def _scopes(kept: str) -> tuple[Scope, ...]:
    return tuple(Scope(name) for name in kept.split())
