"""Tokens for programs: made and revoked by members, and never able to do more than who made them."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.domain.access import ROLES, Actor, Scope, grantable
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage import journal, tokens
from reminder.storage.keys import new_token, token_hash
from reminder.storage.session import Database
from reminder.storage.tokens import Shown, TokenView

# So that it is known for what it is wherever it turns up, also by those who search for secrets in what was published.
PREFIX = "kigen_"
# Not at every request: one that only reads should not write.
USED_EVERY = timedelta(hours=1)


def make_token(database: Database, now: datetime, *, who: Actor, name: str, scopes: Collection[str]) -> str:
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
    with database.writing() as tx:
        tokens.add(
            tx,
            group_id=who.group_id,
            made_by=who.member_id,
            name=clean,
            token_hash=token_hash(token),
            scopes=grantable(ROLES[widest]),
            now=now,
        )
        journal.write(tx, "token_made", now, group_id=who.group_id, member_id=who.member_id)
    return token


def tokens_of(database: Database, who: Actor) -> list[TokenView]:
    """Those of the group that still work."""
    with database.reading() as tx:
        return tokens.of_group(tx, who.group_id)


def revoke_token(database: Database, now: datetime, *, who: Actor, token_id: int) -> None:
    """From this moment on it opens nothing."""
    with database.writing() as tx:
        if not tokens.revoke(tx, who.group_id, token_id, now):
            raise NotFoundError(field="token")
        journal.write(tx, "token_revoked", now, group_id=who.group_id, member_id=who.member_id)


def shown(database: Database, now: datetime, token: str) -> Shown | None:
    """As whom a program acts that shows this token; None for one that opens nothing."""
    if not token.startswith(PREFIX):
        return None
    with database.reading() as tx:
        found = tokens.find(tx, token_hash(token))
    if found is not None and (found.used_at is None or now - found.used_at >= USED_EVERY):
        with database.writing() as tx:
            tokens.used(tx, found.token_id, now)
    return found
