"""An update that changes a state is made from the table of moves, and touches no row that the move does not leave."""

from enum import StrEnum

import pytest

from reminder.domain.model.messages import CANCEL, MESSAGE_STATES, MessageState
from reminder.domain.model.state_machine import Move, StateMachine
from reminder.storage.db.tables import CardLife, Contact, Import, Message, PersonLife, Promise, Reminder
from reminder.storage.db.transitions import staying, transition
from tests.states import MACHINES
from tests.storage.conftest import NOW, Rows


@pytest.mark.parametrize(
    ("machine", "move", "to"),
    [
        pytest.param(machine, move, to, id=f"{machine.name}: {move.name}: {to}")
        for machine in MACHINES
        for move in machine.moves
        for to in move.reaches
    ],
)
def test_only_rows_in_a_state_that_the_move_leaves_are_moved(
    rows: Rows, machine: StateMachine[StrEnum], move: Move[StrEnum], to: StrEnum
) -> None:
    group = rows.group()
    person = rows.person(group)
    phone, card = rows.contact(person_id=person), rows.card(person)
    table, row = {
        "message": (Message, rows.message(phone)),
        "reminder": (Reminder, rows.reminder(card)),
        "contact": (Contact, phone),
        "card": (CardLife, rows.life(card)),
        "person": (PersonLife, rows.whereabouts(person)),
        "promise": (Promise, rows.promise(rows.reminder(card))),
        "import": (Import, rows.sheet_import(group)),
    }[machine.name]
    for state in machine.states:
        rows.change(table, row, state=state)

        rows.tx.execute(transition(machine, move, table.id == row, to=to))

        assert rows.one(table.state, row) is (to if state in move.leaves else state)


def test_what_stays_in_its_state_has_other_columns_changed_and_what_is_elsewhere_has_none(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    queued, sent = rows.message(phone), rows.handed(rows.message(phone))

    rows.tx.execute(
        staying(MESSAGE_STATES, Message.id.in_([queued, sent]), states=CANCEL.leaves).values(lease_until=NOW)
    )

    assert rows.column(Message.state) == [MessageState.QUEUED, MessageState.ACCEPTED]
    assert rows.column(Message.lease_until) == [NOW, None]


def test_a_statement_for_a_move_that_is_not_in_the_table_cannot_be_made() -> None:
    resurrect = Move("sent once more", (MessageState.CANCELLED,), (MessageState.QUEUED,))

    with pytest.raises(ValueError, match="not in the table"):
        transition(MESSAGE_STATES, resurrect)
