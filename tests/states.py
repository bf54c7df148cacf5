"""Draws docs/states.md from the state machines of the domain: `python -m tests.states > docs/states.md`."""

from collections.abc import Sequence
from enum import StrEnum

from reminder.domain.model.card_states import CARD_STATES
from reminder.domain.model.imports import IMPORT_STATES
from reminder.domain.model.messages import MESSAGE_STATES, REMINDER_STATES
from reminder.domain.model.people import CONTACT_STATES
from reminder.domain.model.person_states import PERSON_STATES
from reminder.domain.model.promise_states import PROMISE_STATES
from reminder.domain.model.state_machine import StateMachine

MACHINES: Sequence[StateMachine[StrEnum]] = (
    MESSAGE_STATES,
    REMINDER_STATES,
    PROMISE_STATES,
    CONTACT_STATES,
    CARD_STATES,
    PERSON_STATES,
    IMPORT_STATES,
)
HEAD = """# States

Every state that a message, a reminder, a promise, a contact, a card, a person and an import can have, and every move
between them. The tables stand in `reminder/domain/model/`; the updates of the database are made from them, and a test
refuses any other move. This page is generated: `python -m tests.states > docs/states.md`.
"""


def drawing(machine: StateMachine[StrEnum]) -> str:
    """Return a Mermaid state diagram; its arrows are the moves of the table, in their order."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in machine.starts]
    for move in machine.moves:
        lines += [f"    {leaving} --> {to}: {move.name}" for leaving in move.leaves for to in move.reaches]
    lines += [f"    {state} --> [*]" for state in machine.ends]
    return "\n".join([*lines, "```"])


def page() -> str:
    """Return docs/states.md."""
    parts = [f"## {machine.name.capitalize()}\n\n{drawing(machine)}\n" for machine in MACHINES]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    print(page(), end="")
