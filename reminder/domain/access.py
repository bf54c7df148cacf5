"""Who acts, and what their role lets them do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reminder.domain.people import Language, Role


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
