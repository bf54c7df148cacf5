"""What becomes of a message: every outcome of a send and of a question has one verdict."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from reminder.domain.model.messages import (
    BEFORE_ASKING,
    CHANNEL_PAUSE,
    GAVE_UP,
    LONGEST_PAUSE,
    MESSAGE_STATES,
    MOST_ATTEMPTS,
    RECORD_ANSWER,
    RECORD_OUTCOME,
    SPREAD,
    Accepted,
    Inquiry,
    MessageState,
    ProviderAnswer,
    after_asking,
    after_sending,
    pause_after,
)
from reminder.domain.model.people import ContactState
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

NOW = datetime(2027, 3, 17, 0, 0, tzinfo=UTC)  # 09:00 in Japan
ID = 1  # of the message
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
    outcome = after_sending(outcome, ID, attempts, EVENING, NOW)

    assert outcome.state is state, why
    assert (outcome.wait_until is None) == (wait is None), why
    assert wait is None or NOW + wait <= (outcome.wait_until or NOW) <= NOW + wait * (1 + SPREAD), why
    assert outcome.state in RECORD_OUTCOME.reaches


def test_a_phone_that_refuses_for_good_is_unreachable_and_one_whose_owner_said_stop_has_opted_out() -> None:
    gone = after_sending(PermanentChannelError("21614"), ID, 1, EVENING, NOW)
    stopped = after_sending(PermanentChannelError("21610", opted_out=True), ID, 1, EVENING, NOW)

    assert gone.contact is ContactState.UNREACHABLE
    assert stopped.contact is ContactState.OPTED_OUT


def test_only_the_operators_fault_pauses_the_channel() -> None:
    assert after_sending(SetupChannelError("20003"), ID, 1, EVENING, NOW).pause_channel_until == NOW + CHANNEL_PAUSE
    assert after_sending(TemporaryChannelError("503"), ID, 1, EVENING, NOW).pause_channel_until is None


def test_what_was_refused_together_does_not_come_back_together() -> None:
    first, second = (pause_after(3, message_id) for message_id in (1, 2))

    assert first != second
    assert pause_after(3, 1) == first, "and the same message comes back at the same moment whoever counts"


def test_a_whole_day_of_trying_fits_into_the_attempts_allowed() -> None:
    day = sum((pause_after(attempt, ID) for attempt in range(1, MOST_ATTEMPTS)), timedelta())

    assert day > timedelta(hours=9), "a text is given up by the evening, not by the count"
    assert after_sending(TemporaryChannelError("503"), ID, MOST_ATTEMPTS, EVENING, NOW).reason == GAVE_UP


FRESH = Inquiry(attempts=1, not_found_count=0, possibly_double=False, expires_at=EVENING, handed_at=NOW)
ONCE_NOT_SEEN = replace(FRESH, not_found_count=1)


@pytest.mark.parametrize(
    ("answer", "asked", "state", "double", "why"),
    [
        (Accepted("SM1"), FRESH, S.ACCEPTED, False, "it had arrived after all"),
        (ProviderAnswer.NOT_FOUND, FRESH, S.UNKNOWN, False, "lists lag: one 'no' is not enough"),
        (ProviderAnswer.NOT_FOUND, ONCE_NOT_SEEN, S.QUEUED, True, "sent again, and marked"),
        (
            ProviderAnswer.NOT_FOUND,
            replace(ONCE_NOT_SEEN, possibly_double=True),
            S.FAILED,
            False,
            "once, and never a third time",
        ),
        (ProviderAnswer.NOT_FOUND, replace(ONCE_NOT_SEEN, expires_at=NOW), S.FAILED, False, "not after its day"),
        (ProviderAnswer.SAFE_TO_REPEAT, FRESH, S.QUEUED, True, "a mailbox recognises the copy, a person may not"),
        (ProviderAnswer.SAFE_TO_REPEAT, replace(FRESH, attempts=5), S.FAILED, False, "but not for ever"),
        (ProviderAnswer.SAFE_TO_REPEAT, replace(FRESH, expires_at=NOW), S.FAILED, False, "nor after its day"),
        (ProviderAnswer.SAFE_TO_REPEAT_SOON, FRESH, S.QUEUED, True, "a copy of today is known"),
        (
            ProviderAnswer.SAFE_TO_REPEAT_SOON,
            replace(FRESH, handed_at=NOW - timedelta(hours=21)),
            S.FAILED,
            False,
            "one of yesterday is forgotten",
        ),
        (TemporaryChannelError("503"), FRESH, S.UNKNOWN, False, "who cannot be asked is asked later"),
        (TemporaryChannelError("503"), ONCE_NOT_SEEN, S.UNKNOWN, False, "and no answer is not a second 'not seen'"),
    ],
)
def test_every_answer_about_an_unknown_fate_has_its_verdict(
    answer: Accepted | ProviderAnswer | ChannelError, asked: Inquiry, state: MessageState, double: bool, why: str
) -> None:
    outcome = after_asking(answer, asked, NOW)

    assert outcome.state is state, why
    assert outcome.possibly_double is double, why
    assert outcome.state in RECORD_ANSWER.reaches


def test_only_answers_count_towards_sending_again() -> None:
    unanswered = after_asking(TemporaryChannelError("503"), FRESH, NOW)
    answered = after_asking(ProviderAnswer.NOT_FOUND, FRESH, NOW)

    assert (unanswered.not_found_count, answered.not_found_count) == (0, 1)


@pytest.mark.parametrize("answer", [ProviderAnswer.NOT_TOLD_APART, TemporaryChannelError("503")])
def test_what_nobody_can_settle_is_asked_about_often_on_its_day_and_ever_less_often_after_it(
    answer: ProviderAnswer | ChannelError,
) -> None:
    asked, now, questions = replace(FRESH, handed_at=NOW, expires_at=NOW + timedelta(hours=9)), NOW, list[datetime]()
    while now < NOW + timedelta(days=30):
        outcome = after_asking(answer, asked, now)
        assert outcome.wait_until is not None
        now = outcome.wait_until
        questions.append(now)

    waits = [later - earlier for earlier, later in pairwise(questions)]
    on_its_day = [wait for at, wait in zip(questions, waits, strict=False) if at < asked.expires_at]
    afterwards = [wait for at, wait in zip(questions, waits, strict=False) if at >= asked.expires_at]
    assert {*on_its_day} == {timedelta(minutes=5)}
    assert afterwards == sorted(afterwards)
    assert len(afterwards) < 40
    assert max(afterwards) == timedelta(days=1)


def test_every_end_is_an_end() -> None:
    ends = {S.DELIVERED, S.UNDELIVERED, S.FAILED, S.STALE, S.CANCELLED}

    assert set(MESSAGE_STATES.ends) == ends


@pytest.mark.parametrize("attempts", [1, MOST_ATTEMPTS])
@pytest.mark.parametrize("maybe_taken", [True, False])
def test_a_mail_that_was_refused_when_the_server_had_it_is_marked(attempts: int, maybe_taken: bool) -> None:
    refused = TemporaryChannelError("4.3.0", maybe_taken=maybe_taken)

    outcome = after_sending(refused, ID, attempts, EVENING, NOW)

    assert outcome.possibly_double is maybe_taken
    assert outcome.state is (MessageState.FAILED if attempts == MOST_ATTEMPTS else MessageState.QUEUED)
