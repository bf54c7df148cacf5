"""What every status of an HTTP answer says: only what is given before a request is worked on proves that nothing left."""

import pytest

from reminder.channels.http_answers import is_certain_refusal
from reminder.channels.line.client import _refusal
from reminder.channels.twilio.transport import failure_of
from reminder.errors import SetupChannelError, TemporaryChannelError, UnknownOutcomeError

BEFORE_WORK = {
    *(301, 302, 307, 308),
    *(400, 401, 402, 403, 404, 405, 407, 410, 411, 412, 413, 414, 415, 417),
    *(418, 421, 422, 425, 426, 428, 429, 431, 451),
}
NEVER_SURE = {408, 424, 499}
OWN_CODE = 21211  # not a phone number


@pytest.mark.parametrize("status", range(100, 600))
def test_without_a_reason_of_the_providers_own_only_an_early_refusal_is_certain(status: int) -> None:
    failure = failure_of(status, status)

    assert isinstance(failure, UnknownOutcomeError) is (status not in BEFORE_WORK)
    assert is_certain_refusal(status) is (status in BEFORE_WORK)


@pytest.mark.parametrize("status", range(100, 600))
def test_a_reason_of_the_providers_own_makes_each_4xx_certain_but_those_of_time(status: int) -> None:
    failure = failure_of(OWN_CODE, status)

    is_refusal = (400 <= status < 500 and status not in NEVER_SURE) or status in BEFORE_WORK
    assert isinstance(failure, UnknownOutcomeError) is not is_refusal


@pytest.mark.parametrize("status", [status for status in range(100, 600) if status not in (200, 409)])
def test_line_is_read_by_the_same_table(status: int) -> None:
    failure = _refusal(status, {}, None)  # type: ignore[arg-type]

    assert isinstance(failure, UnknownOutcomeError) is (status not in BEFORE_WORK)


def test_an_answer_that_the_time_was_up_holds_back_one_message_and_not_the_channel() -> None:
    assert isinstance(failure_of(408, 408), UnknownOutcomeError)
    assert isinstance(failure_of(429, 429), TemporaryChannelError)
    assert isinstance(failure_of(404, 404), SetupChannelError)
