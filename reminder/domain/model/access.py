"""Roles, rights and token scopes: who acts, and what they may do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reminder.domain.model.people import Language, Role


class Right(StrEnum):
    """A right that a role grants within one group."""

    SEE = "see"
    CHANGE = "change"  # persons, contacts, cards
    OWN = "own"  # members, tokens, and what cannot be taken back


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.EDITOR: frozenset({Right.SEE, Right.CHANGE}),
    Role.OWNER: frozenset(Right),
}


@dataclass(frozen=True)
class Actor:
    """A signed-in member, or a program with a token that this member made; always within one group.

    `device`: what its owner calls the browser they sit at; "" for a program, or where it is not known.
    """

    group_id: int
    member_id: int
    role: Role
    language: Language
    device: str = ""

    def may(self, right: Right) -> bool:
        """Return whether the actor's role grants the right."""
        return right in RIGHTS[self.role]


class Scope(StrEnum):
    """A token's scope. Each scope includes the scopes before it."""

    READ = "read"
    WRITE = "write"
    ERASE = "erase"  # what only an owner may, and what cannot be taken back


ROLES: Mapping[Scope, Role] = {Scope.READ: Role.VIEWER, Scope.WRITE: Role.EDITOR, Scope.ERASE: Role.OWNER}


def grantable(role: Role) -> list[Scope]:
    """Return the scopes that somebody with this role may give to a token."""
    return [scope for scope in Scope if RIGHTS[ROLES[scope]] <= RIGHTS[role]]


def role_with(scopes: Collection[Scope], maker: Role) -> Role:
    """Return the role that a token acts with: never above the present role of its maker."""
    as_scoped = (ROLES[scope] for scope in scopes)
    return min(maker, max(as_scoped, key=_width, default=Role.VIEWER), key=_width)


def _width(role: Role) -> int:
    return len(RIGHTS[role])
