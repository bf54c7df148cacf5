"""Where people are: every move of the table, and the step back from it."""

import pytest

from reminder.domain.model.person_states import (
    DIE,
    HERE,
    MOVE_OUT,
    PAUSE,
    PERSON_STATES,
    RETURN,
    PersonState,
)
from reminder.domain.model.state_machine import Move
from reminder.storage.registry import contacts, person_lives
from tests.storage.conftest import DAY, NOW, TODAY, Rows

ACTS = (PAUSE, RETURN, MOVE_OUT, DIE)


def act(rows: Rows, person: int, move: Move[PersonState]) -> bool:
    return person_lives.move(rows.tx, person, move, on=TODAY, now=NOW, until=TODAY + DAY)


def in_state(rows: Rows, state: PersonState) -> int:
    person = rows.person(rows.group())
    if state is not PersonState.HERE:
        assert act(rows, person, next(move for move in ACTS if move.reaches == (state,)))
    return person


def test_of_whom_nothing_was_said_is_here(rows: Rows) -> None:
    person = rows.person(rows.group())

    assert person_lives.of_people(rows.tx, [person]) == {}
    assert not HERE.is_away(TODAY)


@pytest.mark.parametrize("state", list(PersonState))
@pytest.mark.parametrize("move", ACTS, ids=lambda move: move.name)
def test_people_move_as_the_table_says_and_a_step_back_undoes_it(
    rows: Rows, state: PersonState, move: Move[PersonState]
) -> None:
    person = in_state(rows, state)

    moved = act(rows, person, move)

    assert moved is (state in move.leaves)
    after = person_lives.of_people(rows.tx, [person]).get(person)
    if not moved:
        assert after is None or after.state is state
        return
    assert after is not None
    assert after.state in PERSON_STATES.allowed[state] | {state}
    person_lives.step_back(rows.tx, after)
    back = person_lives.of_people(rows.tx, [person])[person]
    assert (back.state, back.before) == (state, None)


def test_a_group_s_people_are_found_and_a_pause_ends_with_its_last_day(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(rows.group())
    act(rows, person, PAUSE)
    act(rows, other, DIE)

    (found,) = person_lives.of_group(rows.tx, group).values()

    assert [found.where.is_away(TODAY + days * DAY) for days in (0, 1, 2)] == [True, True, False]


def test_nobody_is_greeted_in_place_of_who_has_gone(rows: Rows) -> None:
    group = rows.group()
    gone, here = rows.person(group), rows.person(group)
    for person in (gone, here):
        rows.contact(person_id=person)
    before = NOW + 999 * DAY
    assert len(contacts.unverified_ids(rows.tx, before, 9)) == 2

    act(rows, gone, MOVE_OUT)

    (left,) = contacts.unverified_ids(rows.tx, before, 9)
    assert [one.person_id for one in contacts.unverified_contacts(rows.tx, before, [left])] == [here]
