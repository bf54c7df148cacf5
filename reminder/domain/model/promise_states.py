"""A delivery promise: on a day on which a step is due, its addressee is told of it, or a human is told that not."""

from enum import StrEnum

from reminder.domain.model.state_machine import Move, StateMachine


class PromiseState(StrEnum):
    """Whether a promise is open, and if not, how it was closed. It is closed once, and stays so."""

    OPEN = "open"
    PROVEN = "proven"  # by the first way that was tried
    OTHER_WAY = "other_way"  # by another contact of the same human
    FAMILY = "family"  # a carer was told that the addressee was not, or was told the same step
    STAFF = "staff"  # a member of a home's staff was
    OPERATOR = "operator"  # nobody around could be told: the operator is
    NOT_NEEDED = "not_needed"  # the card was renewed, done or ended, or the addressee has gone


CLOSE = Move(
    "its addressee was told, or a human is told that they were not",
    (PromiseState.OPEN,),
    tuple(state for state in PromiseState if state is not PromiseState.OPEN),
)
PROMISE_STATES = StateMachine("promise", PromiseState, starts=(PromiseState.OPEN,), moves=(CLOSE,))

# Who was told themselves.
WAS_TOLD = (PromiseState.PROVEN, PromiseState.OTHER_WAY)
# Somebody else was told instead.
WAS_NOT_TOLD = (PromiseState.FAMILY, PromiseState.STAFF, PromiseState.OPERATOR)

_PERSON = "person"


def addressee_of(owner: tuple[str, int]) -> str:
    """Return the name of a human of one person: all contacts of a human have the same. `owner`: of a recipient."""
    kind, owner_id = owner
    return _PERSON if kind == _PERSON else f"{kind} {owner_id}"
