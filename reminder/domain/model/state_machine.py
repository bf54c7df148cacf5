"""State machines: the states of a thing and the moves between them, each written once.

SQL updates (storage/db/transitions.py), docs/states.md and the tests are made from these tables.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True)
class Move(Generic[State]):
    """One reason for which a thing changes its state: out of any of `leaves` into one of `reaches`."""

    name: str
    leaves: tuple[State, ...]
    reaches: tuple[State, ...]

    def target(self, to: State | None = None) -> State:
        """Return the state that the move reaches: `to`, or the only one there is.

        Raises ValueError where the move does not reach `to`, or where several could be meant.
        """
        if to is None and len(self.reaches) == 1:
            return self.reaches[0]
        if to is None or to not in self.reaches:
            raise ValueError(f"the move {self.name!r} reaches {', '.join(self.reaches)}, not {to}")
        return to


@dataclass(frozen=True)
class StateMachine(Generic[State]):
    """The states that a thing is made in (`starts`) and every move that it can make afterwards."""

    name: str
    states: type[State]
    starts: tuple[State, ...]
    moves: tuple[Move[State], ...]

    def __post_init__(self) -> None:
        """Raise ValueError where two moves have one name, or a state can never be reached."""
        names = [move.name for move in self.moves]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.name}: two moves have one name")
        reached = {*self.starts, *(state for move in self.moves for state in move.reaches)}
        if unreached := [state for state in self.states if state not in reached]:
            raise ValueError(f"{self.name}: nothing reaches {', '.join(unreached)}")

    @property
    def allowed(self) -> Mapping[State, frozenset[State]]:
        """Return by state the other states that it can change to."""
        return {
            state: frozenset(
                to for move in self.moves if state in move.leaves for to in move.reaches if to is not state
            )
            for state in self.states
        }

    @property
    def ends(self) -> Collection[State]:
        """Return the states that nothing leaves."""
        return [state for state, others in self.allowed.items() if not others]

    def require(self, move: Move[State]) -> None:
        """Raise ValueError where the table has no such move."""
        if move not in self.moves:
            raise ValueError(f"{self.name}: the move {move.name!r} is not in the table")
