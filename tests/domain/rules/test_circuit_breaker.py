"""The circuit breaker: what says that a provider fails, when it opens, and when one message tries again."""

from datetime import timedelta

import pytest

from reminder.channels.registry import channel_named
from reminder.domain.model.messages import Accepted, Evidence
from reminder.domain.rules.circuit_breaker import (
    AT_ONCE,
    FIRST_PROBE,
    LONGEST_PROBE,
    TOLD_AFTER,
    UNTRIED_AFTER,
    Breaker,
    FailedAttempt,
    after_failures,
    evidence_of,
)
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.storage.conftest import DAY, HOUR, NOW

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("channel", "answer", "said"),
    [
        ("sms", Accepted("SM1"), Evidence.WORKS),
        ("sms", PermanentChannelError("21211"), Evidence.WORKS),
        ("sms", PermanentChannelError("30007", address_is_gone=False), Evidence.WORKS),
        ("sms", TemporaryChannelError("connect"), Evidence.FAILS),
        ("sms", TemporaryChannelError("20429"), Evidence.FAILS),
        ("sms", TemporaryChannelError("20503"), Evidence.FAILS),
        ("sms", UnknownOutcomeError("500"), Evidence.FAILS),
        ("sms", UnknownOutcomeError("503"), Evidence.FAILS),
        ("sms", SetupChannelError("20003"), Evidence.FAILS),
        ("sms", SetupChannelError("401"), Evidence.FAILS),
        ("sms", UnknownOutcomeError("timeout"), Evidence.SILENT),
        ("sms", UnknownOutcomeError("reset"), Evidence.SILENT),
        ("sms", TemporaryChannelError("21635"), Evidence.DOUBTFUL),
        ("sms", TemporaryChannelError("30003"), Evidence.DOUBTFUL),
        ("sms", UnknownOutcomeError("stopped"), None),
        ("email", TemporaryChannelError("connect"), Evidence.FAILS),
        ("email", TemporaryChannelError("421"), Evidence.FAILS),
        ("email", TemporaryChannelError("4.3.2"), Evidence.FAILS),
        ("email", SetupChannelError("certificate"), Evidence.FAILS),
        ("email", TemporaryChannelError("lost"), Evidence.SILENT),
        ("email", TemporaryChannelError("452"), Evidence.DOUBTFUL),
        ("email", TemporaryChannelError("4.2.2"), Evidence.DOUBTFUL),
        ("email", PermanentChannelError("address"), None),
        ("email", PermanentChannelError("5.1.1"), Evidence.WORKS),
        ("line", TemporaryChannelError("429"), Evidence.FAILS),
        ("line", UnknownOutcomeError("502"), Evidence.FAILS),
        ("line", SetupChannelError("monthly_limit"), Evidence.FAILS),
        ("voice", TemporaryChannelError("connect"), Evidence.FAILS),
    ],
)
def test_each_answer_says_something_of_the_provider_or_only_of_the_message(
    channel: str, answer: Accepted | ChannelError, said: Evidence | None
) -> None:
    assert evidence_of(answer, channel_named(channel).can.read_error) is said


def failing(*evidence: Evidence, to: bytes = b"a", before: Breaker | None = None, after: timedelta = MINUTE) -> Breaker:
    """After these failures, a minute apart, each by a message to this address."""
    at = before.last_failed_at + after if before else NOW
    for place, one in enumerate(evidence):
        before = after_failures(before, "sms", [FailedAttempt(one, f"r{place}", to)], at)
        at += after
    assert before is not None
    return before


def test_one_failure_is_no_outage_and_a_minute_of_them_is() -> None:
    assert not failing(Evidence.FAILS).is_open

    opened = failing(Evidence.FAILS, Evidence.FAILS)

    assert (opened.failing_since, opened.opened_at, opened.reason) == (NOW, NOW + MINUTE, "r1")
    assert (opened.may_probe(NOW + MINUTE), opened.may_probe(NOW + MINUTE + FIRST_PROBE)) == (False, True)


def test_many_failures_in_one_moment_are_an_outage() -> None:
    many = [FailedAttempt(Evidence.FAILS, "500", b"a")] * AT_ONCE

    assert not after_failures(None, "sms", many[1:], NOW).is_open
    assert after_failures(None, "sms", many, NOW).is_open


@pytest.mark.parametrize("evidence", [Evidence.DOUBTFUL, Evidence.SILENT])
def test_one_bad_address_opens_nothing_however_often_it_fails_and_a_second_one_does(evidence: Evidence) -> None:
    one = failing(*[evidence] * 99)
    assert not one.is_open

    assert failing(evidence, to=b"b", before=one).is_open


@pytest.mark.parametrize(
    ("evidence", "to", "is_told"),
    [
        (Evidence.FAILS, b"a", True),
        (Evidence.SILENT, b"a", True),
        (Evidence.DOUBTFUL, b"a", False),
        (Evidence.DOUBTFUL, b"b", True),
    ],
)
def test_the_operator_is_told_after_minutes_unless_it_may_be_one_bad_address(
    evidence: Evidence, to: bytes, is_told: bool
) -> None:
    state = failing(evidence, to=to, before=failing(evidence), after=TOLD_AFTER)

    assert not state.is_trouble(NOW + TOLD_AFTER - MINUTE)
    assert state.is_trouble(NOW + TOLD_AFTER) is is_told
    assert not state.is_trouble(state.last_failed_at + UNTRIED_AFTER + MINUTE), "nothing waits for it"


def test_a_failure_before_which_the_clock_was_set_back_began_no_later_than_now() -> None:
    before = failing(Evidence.FAILS)

    state = after_failures(before, "sms", [FailedAttempt(Evidence.FAILS, "500", b"a")], NOW - HOUR)

    assert state.failing_since == NOW - HOUR
    assert state.is_trouble(NOW - HOUR + TOLD_AFTER)


def test_failed_probes_come_more_seldom_and_late_failures_of_others_put_none_off() -> None:
    state, waits = failing(Evidence.FAILS, Evidence.FAILS), []
    for _ in range(4):
        at = state.probe_at
        assert at is not None
        state = after_failures(state, "sms", [FailedAttempt(Evidence.FAILS, "500", b"a")], at, of_probe=True)
        same = after_failures(state, "sms", [FailedAttempt(Evidence.FAILS, "500", b"b")] * 60, at)
        assert (same.probe_at, same.failed_probes) == (state.probe_at, state.failed_probes)
        assert state.probe_at is not None
        waits.append(state.probe_at - at)

    assert waits == [MINUTE, 2 * MINUTE, 2 * MINUTE, 2 * MINUTE]
    assert waits[-1] == LONGEST_PROBE


def test_a_probe_that_lies_days_ahead_was_put_there_by_a_wrong_clock() -> None:
    opened = failing(Evidence.FAILS, Evidence.FAILS)

    assert opened.may_probe(NOW - DAY)
