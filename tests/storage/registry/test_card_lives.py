"""What was done for each end date of a card: every move of the table, and the step back from it."""

from datetime import date

import pytest

from reminder.domain.model.card_states import (
    APPLY,
    CARD_STATES,
    END,
    FINISH,
    MAKE_READY,
    RENEW,
    REOPEN,
    STEP_BACK,
    CardState,
    EndReason,
)
from reminder.domain.model.state_machine import Move
from reminder.storage.db.tables import CardLife
from reminder.storage.registry import card_lives, cards
from tests.storage.conftest import DAY, NOW, TODAY, Rows
from tests.storage.conftest import END as ENDS_ON

ACTS = (APPLY, MAKE_READY, FINISH, REOPEN, RENEW, END)
BY = date(2027, 1, 20)


def act(rows: Rows, card: int, move: Move[CardState], **more: object) -> bool:
    return card_lives.move(rows.tx, card, ENDS_ON, move, on=TODAY, now=NOW, **more)  # type: ignore[arg-type]


def in_state(rows: Rows, state: CardState) -> int:
    card = rows.card(rows.person(rows.group()))
    if state is not CardState.OPEN:
        assert act(rows, card, next(move for move in ACTS if move.reaches == (state,)))
    return card


def test_where_nobody_has_acted_there_is_no_life(rows: Rows) -> None:
    card = in_state(rows, CardState.OPEN)

    assert card_lives.of_cards(rows.tx, [card]) == {}
    assert card_lives.last_of(rows.tx, card) is None


def test_what_was_done_is_found_by_card_and_by_group_with_its_days_and_only_for_the_present_end(rows: Rows) -> None:
    group = rows.group()
    card, other = rows.card(rows.person(group)), rows.card(rows.person(rows.group()))
    assert act(rows, card, APPLY, values={"expected_by": BY})
    assert card_lives.make_appointment(rows.tx, card, ENDS_ON, BY + DAY, on=TODAY, now=NOW + DAY)
    act(rows, other, APPLY)

    (found,) = card_lives.of_group(rows.tx, group).values()
    assert card_lives.of_cards(rows.tx, [card]) == {card: found}
    assert (found.state, found.days.expected_by, found.days.appointment_on) == (CardState.APPLIED, BY, BY + DAY)
    cards.renew(rows.tx, card, expires_on=ENDS_ON + DAY, is_computed=False, next_on=None, now=NOW)
    assert card_lives.of_group(rows.tx, group) == {}
    assert card_lives.last_of(rows.tx, card) == found


@pytest.mark.parametrize("state", list(CardState))
@pytest.mark.parametrize("move", ACTS, ids=lambda move: move.name)
def test_a_life_moves_as_the_table_says_and_a_step_back_undoes_it_once(
    rows: Rows, state: CardState, move: Move[CardState]
) -> None:
    card = in_state(rows, state)

    moved = act(rows, card, move, values={"collect_by": BY}, before={"is_computed": True})

    assert moved is (state in move.leaves)
    after = card_lives.last_of(rows.tx, card)
    assert after is not None
    if not moved:
        assert after.state is state
        return
    assert after.state in CARD_STATES.allowed[state] | {state}
    assert after.before is not None
    assert (after.before["state"], after.before["is_computed"]) == (state, True)
    if after.state in (*STEP_BACK.leaves, state) and state in (*STEP_BACK.reaches, after.state):
        card_lives.step_back(rows.tx, after)
        back = card_lives.last_of(rows.tx, card)
        assert back is not None
        assert (back.state, back.collect_by, back.before) == (state, None, None)


def test_an_appointment_is_made_and_given_up_and_not_for_what_is_done(rows: Rows) -> None:
    card = in_state(rows, CardState.OPEN)
    for day in (BY, None):
        assert card_lives.make_appointment(rows.tx, card, ENDS_ON, day, on=TODAY, now=NOW)
        life = card_lives.last_of(rows.tx, card)
        assert life is not None
        assert (life.state, life.appointment_on) == (CardState.OPEN, day)
    act(rows, card, FINISH)

    assert not card_lives.make_appointment(rows.tx, card, ENDS_ON, BY, on=TODAY, now=NOW)


def test_why_a_card_has_ended_is_kept_until_that_is_taken_back(rows: Rows) -> None:
    card = in_state(rows, CardState.APPLIED)
    act(rows, card, END, values={"reason": EndReason.LOST})
    life = card_lives.last_of(rows.tx, card)
    assert life is not None
    assert (life.state, life.reason) == (CardState.ENDED, EndReason.LOST)

    card_lives.step_back(rows.tx, life)

    assert rows.column(CardLife.reason) == [None]


def test_an_end_that_a_card_has_once_more_begins_anew(rows: Rows) -> None:
    card = in_state(rows, CardState.RENEWED)

    card_lives.forget(rows.tx, card, ENDS_ON)

    assert rows.column(CardLife.id) == []


def test_a_card_is_planned_again_and_nobody_is_waited_for(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()), next_reminder_on=TODAY + 9 * DAY)
    cards.set_escalation(rows.tx, {card: (2, TODAY)})

    cards.replan(rows.tx, card, TODAY)

    found = cards.find(rows.tx, card)
    assert found is not None
    assert (found.next_reminder_on, found.escalation_level) == (TODAY, 0)
    assert cards.next_silence_on(rows.tx) is None


def test_a_renewal_or_an_end_is_taken_back_in_the_card_itself(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    cards.renew(rows.tx, card, expires_on=ENDS_ON + 99 * DAY, is_computed=True, next_on=None, now=NOW)
    cards.retire(rows.tx, card, NOW)

    cards.take_back(rows.tx, card, expires_on=ENDS_ON, is_computed=False, next_on=TODAY, acknowledged_on=TODAY - DAY)

    found = cards.find(rows.tx, card)
    assert found is not None
    assert (found.expires_on, found.is_computed, found.retired_at) == (ENDS_ON, False, None)
    assert (found.next_reminder_on, found.acknowledged_on) == (TODAY, TODAY - DAY)
