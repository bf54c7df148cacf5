"""Who acts, and what their role lets them do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reminder.domain.model.people import Language, Role


class Right(StrEnum):
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
    """A member who is signed in, or a program with a token that this member made; always within one group."""

    group_id: int
    member_id: int
    role: Role
    language: Language

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


class Scope(StrEnum):
    """What a program may do with a token. Each lets it do what those before it do."""

    READ = "read"
    WRITE = "write"
    ERASE = "erase"  # what only an owner may, and what cannot be taken back


ROLES: Mapping[Scope, Role] = {Scope.READ: Role.VIEWER, Scope.WRITE: Role.EDITOR, Scope.ERASE: Role.OWNER}


def grantable(role: Role) -> list[Scope]:
    """What a token may do that somebody with this role makes."""
    return [scope for scope in Scope if RIGHTS[ROLES[scope]] <= RIGHTS[role]]


def role_with(scopes: Collection[Scope], maker: Role) -> Role:
    """As what a token acts: never above the present role of who made it."""
    as_scoped = (ROLES[scope] for scope in scopes)
    return min(maker, max(as_scoped, key=_width, default=Role.VIEWER), key=_width)


def _width(role: Role) -> int:
    return len(RIGHTS[role])
