"""A table of states: it says what can be reached, and refuses what makes no sense."""

from enum import StrEnum
from pathlib import Path

import pytest

from reminder.domain.model.messages import CANCEL, END_BY_RECEIPT, MESSAGE_STATES, MessageState
from reminder.domain.model.state_machine import Move, StateMachine
from tests import states


class Light(StrEnum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


SWITCH_ON = Move("switched on", (Light.OFF,), (Light.ON, Light.BROKEN))
LIGHT = StateMachine("light", Light, starts=(Light.OFF,), moves=(SWITCH_ON, Move("cut", (Light.ON,), (Light.OFF,))))


def test_what_a_state_may_change_to_follows_from_the_moves() -> None:
    assert LIGHT.allowed == {
        Light.OFF: frozenset({Light.ON, Light.BROKEN}),
        Light.ON: frozenset({Light.OFF}),
        Light.BROKEN: frozenset(),
    }
    assert LIGHT.ends == [Light.BROKEN]


def test_a_move_that_reaches_one_state_needs_no_target_and_one_that_reaches_several_does() -> None:
    assert CANCEL.target() is MessageState.CANCELLED
    assert END_BY_RECEIPT.target(MessageState.DELIVERED) is MessageState.DELIVERED
    with pytest.raises(ValueError, match="reaches"):
        END_BY_RECEIPT.target()
    with pytest.raises(ValueError, match="reaches"):
        CANCEL.target(MessageState.FAILED)


def test_a_move_that_is_not_in_the_table_is_refused() -> None:
    MESSAGE_STATES.require(CANCEL)
    with pytest.raises(ValueError, match="not in the table"):
        LIGHT.require(Move("thrown away", (Light.BROKEN,), (Light.OFF,)))


def test_a_table_with_two_moves_of_one_name_or_a_state_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        StateMachine("light", Light, starts=tuple(Light), moves=(SWITCH_ON, SWITCH_ON))
    with pytest.raises(ValueError, match="nothing reaches on, broken"):
        StateMachine("light", Light, starts=(Light.OFF,), moves=())


def test_the_page_of_states_shows_the_tables_of_today() -> None:
    written = (Path(__file__).parents[3] / "docs" / "states.md").read_text(encoding="utf-8")

    assert written == states.page(), "write it again: python -m tests.states > docs/states.md"
