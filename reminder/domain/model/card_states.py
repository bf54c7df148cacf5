"""The life of a card between two end dates: from the first act until its new date is known, or it is needed no more.

There is one life for each end date. A card for whose end nobody has acted is open.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from reminder.domain.model.state_machine import Move, StateMachine


class CardState(StrEnum):
    """What has been done for the present end date of a card."""

    OPEN = "open"
    APPLIED = "applied"  # a new one is being made, and expected by a day
    READY_TO_COLLECT = "ready_to_collect"
    DONE = "done"  # it is renewed; its new date is asked for
    RENEWED = "renewed"  # its new date is known: the next life has begun
    ENDED = "ended"  # it is reminded of no more

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has applied, and it is not done yet."""
        return self in (CardState.APPLIED, CardState.READY_TO_COLLECT)


class EndReason(StrEnum):
    """Why a card is reminded of no more."""

    NOT_NEEDED = "not_needed"
    RETURNED = "returned"
    LOST = "lost"
    DIED = "died"
    MOVED_AWAY = "moved_away"


_OPEN, _APPLIED, _READY, _DONE = CardState.OPEN, CardState.APPLIED, CardState.READY_TO_COLLECT, CardState.DONE
_UNDONE = (_OPEN, _APPLIED, _READY)

# A second call corrects the day by which something is expected.
APPLY = Move("somebody has applied", (_OPEN, _APPLIED), (_APPLIED,))
MAKE_READY = Move("the new one can be collected", _UNDONE, (_READY,))
FINISH = Move("it is renewed, and its new date is not known", _UNDONE, (_DONE,))
REOPEN = Move("it was not renewed after all", (_DONE,), (_OPEN,))
RENEW = Move("its new date is known", (*_UNDONE, _DONE), (CardState.RENEWED,))
END = Move("it is needed no more", (*_UNDONE, _DONE), (CardState.ENDED,))
STEP_BACK = Move(
    "the last act is taken back within a day",
    (_APPLIED, _READY, _DONE, CardState.RENEWED, CardState.ENDED),
    (*_UNDONE, _DONE),
)
CARD_STATES = StateMachine(
    "card",
    CardState,
    starts=(CardState.OPEN,),
    moves=(APPLY, MAKE_READY, FINISH, REOPEN, RENEW, END, STEP_BACK),
)

# For so long an act can be taken back.
TAKEN_BACK_WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class LifeDays:
    """How far a card is for its present end, with the days (in Japan) that somebody has named.

    `since`: when this state began. `expected_by`: by when a new one, or the word that it can be collected, is to come;
    `collect_by`: until when it is kept for its holder. None where nobody has named one.
    """

    state: CardState = CardState.OPEN
    since: date | None = None
    expected_by: date | None = None
    collect_by: date | None = None
    appointment_on: date | None = None


NOT_BEGUN = LifeDays()
