"""reminder/channels/line_messaging.py over real sockets: what every answer of LINE's, and every missing one, becomes."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reminder.channels.line_messaging import LineMessaging, retry_key
from reminder.domain.messages import Accepted, Answer, Outgoing
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.fakes.line import TOKEN, Behaviour, FakeLine

NOW = datetime(2027, 3, 1, 1, 0, tzinfo=UTC)
TO = "U" + "4af4980629" * 3 + "ab"  # invented
TEXT = "【期限だより・つばめ】お母さん、マイナンバーカードの更新は3月31日（水）までです。"
OUTGOING = Outgoing(7, TO, TEXT, None, created_at=NOW, handed_at=NOW)


@pytest.fixture
def line() -> Iterator[FakeLine]:
    with FakeLine() as server:
        yield server


def push(url: str, outgoing: Outgoing = OUTGOING, *, timeout: float = 5, times: int = 1) -> list[Accepted]:
    async def run() -> list[Accepted]:
        channel = LineMessaging(TOKEN, base_url=url, timeout=timeout)
        try:
            return [await channel.send(outgoing) for _ in range(times)]
        finally:
            await channel.close()

    return asyncio.run(run())


def test_a_message_is_pushed_with_its_token_and_its_retry_key(line: FakeLine) -> None:
    assert push(line.url) == [Accepted("461230966842064897")]

    [pushed] = line.pushed
    assert (pushed.to, pushed.text, pushed.retry_key) == (TO, TEXT, retry_key(OUTGOING))
    assert line.tokens == {f"Bearer {TOKEN}"}


def test_one_message_has_one_retry_key_and_another_has_another() -> None:
    assert retry_key(OUTGOING) == retry_key(replace(OUTGOING, handed_at=NOW.replace(hour=5), text="別"))
    assert len({retry_key(replace(OUTGOING, message_id=number)) for number in range(100)}) == 100


def test_a_message_whose_answer_was_lost_arrives_once_however_often_it_is_repeated(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, then="reset"))
    with pytest.raises(UnknownOutcomeError):
        push(line.url)

    assert push(line.url, times=3) == [Accepted("request-1")] * 3
    assert len(line.pushed) == 1


@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        (Behaviour(accepts=False, status=400), PermanentChannelError, "400"),
        (Behaviour(accepts=False, status=401), SetupChannelError, "401"),
        (Behaviour(accepts=False, status=403), SetupChannelError, "403"),
        (Behaviour(accepts=False, status=404), SetupChannelError, "404"),
        (
            Behaviour(accepts=False, status=429, body='{"message": "You have reached your monthly limit."}'),
            SetupChannelError,
            "monthly_limit",
        ),
        (Behaviour(accepts=False, status=429, retry_after="7"), TemporaryChannelError, "429"),
        (Behaviour(accepts=False, status=500), UnknownOutcomeError, "500"),
        (Behaviour(accepts=True, status=503), UnknownOutcomeError, "503"),
        (Behaviour(accepts=True, body="not json"), UnknownOutcomeError, "no_id"),
        (Behaviour(accepts=True, body='{"sentMessages": []}'), UnknownOutcomeError, "no_id"),
        (Behaviour(accepts=True, then="reset"), UnknownOutcomeError, "reset"),
    ],
)
def test_every_refusal_has_its_meaning(
    line: FakeLine, behaviour: Behaviour, error: type[ChannelError], reason: str
) -> None:
    line.script(behaviour)

    with pytest.raises(error) as refused:
        push(line.url)

    assert refused.value.reason == reason
    assert not any(secret in str(refused.value) + repr(refused.value) for secret in (TOKEN, TO, TEXT))
    if isinstance(refused.value, TemporaryChannelError):
        assert refused.value.retry_after == 7


def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, then="hang"))

    with pytest.raises(UnknownOutcomeError) as refused:
        push(line.url, timeout=0.3)

    assert refused.value.reason == "timeout"


def test_where_nobody_listens_it_has_certainly_not_left() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(TemporaryChannelError) as refused:
            push(url)

    assert refused.value.reason == "connect"


def test_line_cannot_be_asked_and_a_second_copy_is_known_as_the_first() -> None:
    channel = LineMessaging(TOKEN, base_url="http://127.0.0.1:1")

    assert asyncio.run(channel.ask(OUTGOING, ())) is Answer.SAFE_TO_REPEAT


def test_it_can_be_used_again_after_it_was_closed(line: FakeLine) -> None:
    async def twice() -> None:
        channel = LineMessaging(TOKEN, base_url=line.url)
        await channel.send(OUTGOING)
        await channel.close()
        await channel.close()
        await channel.send(replace(OUTGOING, message_id=8))
        await channel.close()

    asyncio.run(twice())
    assert len(line.pushed) == 2
