"""The evening balance: every promise that was needed has exactly one fate, and a day is counted when its evening came."""

from datetime import date, timedelta

import pytest

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ChannelName
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules.evening_balance import (
    COUNTS,
    DayBalance,
    Fate,
    fate_of,
    in_order,
    is_final,
    last_day_to_count,
    total,
)
from reminder.domain.rules.promise_checks import PromisedMessage
from tests.village import japan

DAY = date(2027, 3, 17)


def told_by(state: MessageState, *, needs_arrival: bool = True) -> PromisedMessage:
    return PromisedMessage(
        1, 1, ChannelName.SMS, state, None, 1, japan("2027-03-17 10:00"), is_doubted=False, needs_arrival=needs_arrival
    )


def test_every_state_of_a_promise_but_not_needed_has_a_fate() -> None:
    fates = {state: fate_of(state) for state in PromiseState}

    assert [state for state, fate in fates.items() if fate is None] == [PromiseState.NOT_NEEDED]
    assert {fates[state] for state in (PromiseState.FAMILY, PromiseState.STAFF, PromiseState.OPERATOR)} == {
        Fate.TO_HUMAN
    }


@pytest.mark.parametrize("state", MessageState)
def test_what_is_open_is_known_by_its_messages(state: MessageState) -> None:
    left = (MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED)
    expected = Fate.ARRIVED if state is MessageState.DELIVERED else Fate.NOT_KNOWN if state in left else Fate.OPEN

    assert fate_of(PromiseState.OPEN, [told_by(state)]) is expected
    assert fate_of(PromiseState.OPEN) is Fate.OPEN


def test_a_mail_that_was_accepted_is_proof_before_its_promise_is_looked_at() -> None:
    assert fate_of(PromiseState.OPEN, [told_by(MessageState.ACCEPTED, needs_arrival=False)]) is Fate.ARRIVED
    both = [told_by(MessageState.ACCEPTED), told_by(MessageState.DELIVERED)]
    assert fate_of(PromiseState.OPEN, both) is Fate.ARRIVED


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2027-03-17 00:00", DAY - timedelta(days=1)),
        ("2027-03-17 18:59", DAY - timedelta(days=1)),
        ("2027-03-17 19:00", DAY),
        ("2027-03-17 23:59", DAY),
    ],
)
def test_a_day_is_counted_from_seven_in_its_evening_in_japan(at: str, expected: date) -> None:
    assert last_day_to_count(japan(at)) == expected


def test_a_count_is_the_last_one_once_the_day_is_over_and_nothing_of_it_is_open() -> None:
    settled, still_open = DayBalance(DAY, "sms", due=1, arrived=1), DayBalance(DAY, "email", due=1, not_known=1)

    assert not is_final(DAY, japan("2027-03-17 23:59"), [settled])
    assert is_final(DAY, japan("2027-03-18 00:00"), [settled])
    assert not is_final(DAY, japan("2027-03-18 00:00"), [settled, still_open])


def test_balances_are_added_up_and_stand_in_the_order_of_the_channels() -> None:
    mail, text = DayBalance(DAY, "email", due=3, arrived=2, open=1, people=2), DayBalance(DAY, "sms", due=1, to_human=1)
    other, later = DayBalance(DAY, ""), DayBalance(DAY + timedelta(days=1), "sms")

    whole = total([mail, text], DAY)

    assert (whole.due, whole.arrived, whole.open, whole.to_human, whole.people) == (4, 2, 1, 1, 2)
    assert whole.due == sum(getattr(whole, fate) for fate in Fate)
    assert set(Fate) < set(COUNTS)
    assert in_order([later, other, mail, text], [ChannelName.SMS, ChannelName.EMAIL]) == [text, mail, other, later]
