"""Where a person is: here, away for a time, moved out, or dead. Nobody is written to about who has gone."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reminder.domain.model.state_machine import Move, StateMachine


class PersonState(StrEnum):
    """Where a person is."""

    HERE = "here"
    PAUSED = "paused"  # in hospital, for example: only those around them are told
    MOVED_OUT = "moved_out"
    DIED = "died"

    @property
    def has_gone(self) -> bool:
        """Whether nothing is told about them any more."""
        return self in (PersonState.MOVED_OUT, PersonState.DIED)


_HERE, _PAUSED, _MOVED, _DIED = PersonState

# A second call changes the day on which they are expected back.
PAUSE = Move("they are away for a time", (_HERE, _PAUSED), (_PAUSED,))
RETURN = Move("they are back", (_PAUSED, _MOVED), (_HERE,))
MOVE_OUT = Move("they have moved out", (_HERE, _PAUSED), (_MOVED,))
DIE = Move("they have died", (_HERE, _PAUSED, _MOVED), (_DIED,))
STEP_BACK = Move("the last act is taken back within a day", tuple(PersonState), (_HERE, _PAUSED, _MOVED))
PERSON_STATES = StateMachine("person", PersonState, starts=(_HERE,), moves=(PAUSE, RETURN, MOVE_OUT, DIE, STEP_BACK))


# Nothing is told about them any more.
GONE = tuple(state for state in PersonState if state.has_gone)


@dataclass(frozen=True)
class Whereabouts:
    """Where a person is, since a day in Japan; `until`: the last day of a pause, None where nobody knows it."""

    state: PersonState = PersonState.HERE
    since: date | None = None
    until: date | None = None

    def is_away(self, today: date) -> bool:
        """Return whether they themselves are not to be written to today."""
        return self.state.has_gone or (self.state is PersonState.PAUSED and (self.until is None or today <= self.until))


HERE = Whereabouts()
