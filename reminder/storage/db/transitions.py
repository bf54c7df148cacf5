"""Updates that change a state, made from the state machines of the domain."""

from typing import Any

from sqlalchemy import ColumnElement, Update, update

from reminder.domain.model.card_states import CARD_STATES
from reminder.domain.model.imports import IMPORT_STATES
from reminder.domain.model.messages import MESSAGE_STATES, REMINDER_STATES
from reminder.domain.model.people import CONTACT_STATES
from reminder.domain.model.person_states import PERSON_STATES
from reminder.domain.model.promise_states import PROMISE_STATES
from reminder.domain.model.state_machine import Move, State, StateMachine
from reminder.storage.db.tables import CardLife, Contact, Import, Message, PersonLife, Promise, Reminder

_TABLES: dict[str, type[CardLife | Contact | Import | Message | PersonLife | Promise | Reminder]] = {
    MESSAGE_STATES.name: Message,
    REMINDER_STATES.name: Reminder,
    PROMISE_STATES.name: Promise,
    CONTACT_STATES.name: Contact,
    CARD_STATES.name: CardLife,
    PERSON_STATES.name: PersonLife,
    IMPORT_STATES.name: Import,
}


def transition(
    machine: StateMachine[State], move: Move[State], *which: ColumnElement[bool], to: State | None = None
) -> Update:
    """Return the update that moves rows which are in a state that the move leaves; other rows stay as they are.

    `to` names the state where the move reaches several. Raises ValueError for a move that is not in the table, so
    that a statement made at import time is refused there.
    """
    machine.require(move)
    return staying(machine, *which, states=move.leaves).values(state=move.target(to))


def staying(machine: StateMachine[State], *which: ColumnElement[bool], states: tuple[State, ...]) -> Update:
    """Return an update of other columns for rows that are, and remain, in one of these states."""
    table = _TABLES[machine.name]
    state: Any = table.state
    is_there = state == states[0] if len(states) == 1 else state.in_(states)
    return update(table).where(*which, is_there).execution_options(synchronize_session=False)
