"""Tokens for programs: made and revoked by members, and never able to do more than who made them."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.domain.model.access import ROLES, Actor, Scope, grantable
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage.auth import api_tokens
from reminder.storage.auth.api_tokens import TokenOwner, TokenView
from reminder.storage.crypto.keyring import new_token, token_hash
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.runtime import activity_log

# So that it is known for what it is wherever it turns up, also by those who search for secrets in what was published.
PREFIX = "kigen_"
# Not at every request: one that only reads should not write.
USED_EVERY = timedelta(hours=1)


def make_token(uow: UnitOfWork, *, who: Actor, name: str, scopes: Collection[str]) -> str:
    """The token. It is shown this once; only its hash is kept.

    `scopes`: the widest counts. Raises UnknownChoiceError, and RefusedInputError for one wider than the role of who
    makes it.
    """
    clean = clean_label(name, field="token_name", longest=30, most_digits=8)
    if not scopes or not {*scopes} <= {*Scope}:
        raise UnknownChoiceError(field="scope", choices=list(Scope))
    widest = max(map(Scope, scopes), key=list(Scope).index)
    if widest not in grantable(who.role):
        raise RefusedInputError("scope_above_role", field="scope")
    token = PREFIX + new_token()
    api_tokens.add(
        uow.tx,
        group_id=who.group_id,
        made_by=who.member_id,
        name=clean,
        token_hash=token_hash(token),
        scopes=grantable(ROLES[widest]),
        now=uow.now,
    )
    activity_log.write(uow.tx, "token_made", uow.now, group_id=who.group_id, member_id=who.member_id)
    return token


def tokens_of(uow: UnitOfWork, who: Actor) -> list[TokenView]:
    """Those of the group that still work."""
    return api_tokens.of_group(uow.tx, who.group_id)


def revoke_token(uow: UnitOfWork, *, who: Actor, token_id: int) -> None:
    """From this moment on it opens nothing."""
    if not api_tokens.revoke(uow.tx, who.group_id, token_id, uow.now):
        raise NotFoundError(field="token")
    activity_log.write(uow.tx, "token_revoked", uow.now, group_id=who.group_id, member_id=who.member_id)


def shown(units: UnitsOfWork, now: datetime, token: str) -> TokenOwner | None:
    """Return as whom a program acts that shows this token, or None for one that opens nothing. Most requests only
    read; once an hour the use is kept."""
    if not token.startswith(PREFIX):
        return None
    with units.reading(now) as uow:
        found = api_tokens.find(uow.tx, token_hash(token))
    if found is not None and (found.used_at is None or now - found.used_at >= USED_EVERY):
        with units.writing(now) as uow:
            api_tokens.used(uow.tx, found.token_id, now)
    return found
