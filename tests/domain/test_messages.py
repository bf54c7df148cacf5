"""What becomes of a message: every outcome of a send and of a question has one verdict."""

from datetime import UTC, datetime, timedelta

import pytest

from reminder.domain.messages import (
    BEFORE_ASKING,
    CHANNEL_PAUSE,
    GAVE_UP,
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    MOVES,
    Accepted,
    Answer,
    MessageState,
    after_asking,
    after_sending,
    pause_after,
)
from reminder.domain.people import ContactState
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

NOW = datetime(2027, 3, 17, 0, 0, tzinfo=UTC)  # 09:00 in Japan
EVENING = NOW + timedelta(hours=9)
S = MessageState


@pytest.mark.parametrize(
    ("outcome", "attempts", "state", "wait", "why"),
    [
        (Accepted("SM1"), 1, S.ACCEPTED, None, "the provider has it"),
        (TemporaryChannelError("503"), 1, S.QUEUED, timedelta(minutes=1), "a short trouble costs a minute"),
        (TemporaryChannelError("503"), 3, S.QUEUED, timedelta(minutes=4), "a longer one is not pressed"),
        (TemporaryChannelError("503"), 12, S.QUEUED, LONGEST_PAUSE, "but never left alone for long"),
        (
            TemporaryChannelError("20429", retry_after=600),
            1,
            S.QUEUED,
            timedelta(minutes=10),
            "it said when to come back",
        ),
        (TemporaryChannelError("20429", retry_after=5), 1, S.QUEUED, timedelta(minutes=1), "never sooner than ours"),
        (TemporaryChannelError("503"), MOST_ATTEMPTS, S.FAILED, None, "tries are used up"),
        (
            TemporaryChannelError("20429", retry_after=36_000),
            1,
            S.STALE,
            None,
            "after closing time it would be another day",
        ),
        (UnknownOutcomeError("timeout"), 1, S.UNKNOWN, BEFORE_ASKING, "asked before anything is sent again"),
        (PermanentChannelError("21614"), 1, S.FAILED, None, "this phone never takes texts"),
        (SetupChannelError("20003"), 1, S.QUEUED, CHANNEL_PAUSE, "the operator's fault loses nothing"),
    ],
)
def test_every_outcome_of_a_send_has_its_verdict(
    outcome: Accepted | ChannelError, attempts: int, state: MessageState, wait: timedelta | None, why: str
) -> None:
    verdict = after_sending(outcome, attempts, EVENING, NOW)

    assert verdict.state is state, why
    assert verdict.wait_until == (None if wait is None else NOW + wait), why
    assert verdict.state in MOVES[S.SENDING]


def test_a_phone_that_refuses_for_good_is_unreachable_and_one_whose_owner_said_stop_has_opted_out() -> None:
    gone = after_sending(PermanentChannelError("21614"), 1, EVENING, NOW)
    stopped = after_sending(PermanentChannelError("21610", opted_out=True), 1, EVENING, NOW)

    assert gone.contact is ContactState.UNREACHABLE
    assert stopped.contact is ContactState.OPTED_OUT


def test_only_the_operators_fault_pauses_the_channel() -> None:
    assert after_sending(SetupChannelError("20003"), 1, EVENING, NOW).pause_channel_until == NOW + CHANNEL_PAUSE
    assert after_sending(TemporaryChannelError("503"), 1, EVENING, NOW).pause_channel_until is None


def test_a_whole_day_of_trying_fits_into_the_attempts_allowed() -> None:
    day = sum((pause_after(attempt) for attempt in range(1, MOST_ATTEMPTS)), timedelta())

    assert day > timedelta(hours=9), "a text is given up by the evening, not by the count"
    assert after_sending(TemporaryChannelError("503"), MOST_ATTEMPTS, EVENING, NOW).reason == GAVE_UP


@pytest.mark.parametrize(
    ("answer", "asked", "state", "double", "why"),
    [
        (Accepted("SM1"), 1, S.ACCEPTED, False, "it had arrived after all"),
        (Answer.NOT_SEEN, 1, S.UNKNOWN, False, "lists lag: one 'no' is not enough"),
        (Answer.NOT_SEEN, 2, S.QUEUED, True, "sent again, and marked"),
        (Answer.SAFE_TO_REPEAT, 1, S.QUEUED, True, "a mailbox recognises the copy, a person may not"),
        (TemporaryChannelError("503"), 1, S.UNKNOWN, False, "who cannot be asked is asked later"),
        (TemporaryChannelError("503"), 9, S.UNKNOWN, False, "and later again: never sent unasked"),
    ],
)
def test_every_answer_about_an_unknown_fate_has_its_verdict(
    answer: Accepted | Answer | ChannelError, asked: int, state: MessageState, double: bool, why: str
) -> None:
    verdict = after_asking(answer, asked, NOW)

    assert (verdict.state, verdict.possibly_double) == (state, double), why
    assert verdict.state in MOVES[S.UNKNOWN] | {S.UNKNOWN}
    if state is S.UNKNOWN:
        assert verdict.wait_until is not None
        assert verdict.wait_until - NOW >= BEFORE_ASKING


def test_every_end_is_an_end() -> None:
    ends = {S.DELIVERED, S.UNDELIVERED, S.FAILED, S.STALE, S.CANCELLED}

    assert {state for state, moves in MOVES.items() if not moves} == ends
