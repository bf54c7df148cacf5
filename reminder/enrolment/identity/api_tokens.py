"""API tokens: made and revoked by members, and never with more rights than their maker."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.domain.model.access import ROLES, Actor, Scope, grantable
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.rules.quotas import Quota
from reminder.enrolment.identity import owner_mails
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage.auth import api_tokens
from reminder.storage.auth.api_tokens import TokenOwner, TokenView
from reminder.storage.crypto.keyring import new_token, token_hash
from reminder.storage.db.row_security import Access
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.registry import quotas
from reminder.storage.runtime import activity_log

# The prefix identifies the token wherever it turns up, also for secret scanners.
PREFIX = "kigen_"
# Not at every request: a request that only reads should not write.
USED_EVERY = timedelta(hours=1)


def make_token(uow: UnitOfWork, *, who: Actor, name: str, scopes: Collection[str]) -> str:
    """Make a token and return it. It is shown this once; only its hash is stored.

    `scopes`: the widest counts. Raises UnknownChoiceError, and RefusedInputError for one wider than the role of its
    maker.
    """
    clean = clean_label(name, field="token_name", longest=30, most_digits=8)
    if not scopes or not {*scopes} <= {*Scope}:
        raise UnknownChoiceError(field="scope", choices=list(Scope))
    widest = max(map(Scope, scopes), key=list(Scope).index)
    if widest not in grantable(who.role):
        raise RefusedInputError("scope_above_role", field="scope")
    quotas.require_room(uow.tx, uow.rules.quotas, who.group_id, {Quota.TOKENS: 1}, uow.now)
    token = PREFIX + new_token()
    token_id = api_tokens.add(
        uow.tx,
        uow.keys,
        group_id=who.group_id,
        made_by=who.member_id,
        name=clean,
        token_hash=token_hash(token),
        scopes=grantable(ROLES[widest]),
        now=uow.now,
    )
    activity_log.write(uow.tx, "token_made", uow.now, group_id=who.group_id, member_id=who.member_id)
    _tell(uow, who, AccountAct.TOKEN_MADE, token_id)
    return token


def tokens_of(uow: UnitOfWork, who: Actor) -> list[TokenView]:
    """Return the tokens of the group that still work."""
    return api_tokens.of_group(uow.tx, who.group_id)


def revoke_token(uow: UnitOfWork, *, who: Actor, token_id: int) -> None:
    """Revoke a token at once."""
    if not api_tokens.revoke(uow.tx, who.group_id, token_id, uow.now):
        raise NotFoundError(field="token")
    activity_log.write(uow.tx, "token_revoked", uow.now, group_id=who.group_id, member_id=who.member_id)
    _tell(uow, who, AccountAct.TOKEN_REVOKED, token_id)


def _tell(uow: UnitOfWork, who: Actor, act: AccountAct, token_id: int) -> None:
    owner_mails.tell_group(uow, act, who.group_id, device=who.device, by=who.member_id, about=token_id)


def shown(units: UnitsOfWork, now: datetime, token: str) -> TokenOwner | None:
    """Return as whom a program with this token acts, or None if the token is not valid.

    Most requests only read; once an hour the use is stored.
    """
    if not token.startswith(PREFIX):
        return None
    with units.reading(now) as uow:
        found = api_tokens.find(uow.tx, uow.keys, token_hash(token))
    if found is not None and (found.used_at is None or now - found.used_at >= USED_EVERY):
        with units.acting_for(Access((found.who.group_id,))).writing(now) as uow:
            api_tokens.used(uow.tx, found.token_id, now)
    return found
