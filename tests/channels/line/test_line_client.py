"""reminder/channels/line/client.py over real sockets: what every answer of LINE's, and every missing one, becomes."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from reminder.channels.line.client import LineMessaging, retry_key
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.fakes.line import TOKEN, Behaviour, FakeLine
from tests.patience import PATIENCE, out_of_time, until

NOW = datetime(2027, 3, 1, 1, 0, tzinfo=UTC)
TO = "U" + "4af4980629" * 3 + "ab"  # invented
TEXT = "【期限だより・つばめ】お母さん、マイナンバーカードの更新は3月31日（水）までです。"
OUTGOING = Outgoing(7, TO, TEXT, None, created_at=NOW, handed_at=NOW)


@pytest.fixture
def line() -> Iterator[FakeLine]:
    with FakeLine() as server:
        yield server


def push(
    url: str,
    outgoing: Outgoing = OUTGOING,
    *,
    token: str = TOKEN,
    times: int = 1,
    using: Callable[[Coroutine[Any, Any, list[Accepted]]], list[Accepted]] = asyncio.run,
) -> list[Accepted]:
    async def run() -> list[Accepted]:
        channel = LineMessaging(token, base_url=url, timeout=PATIENCE)
        try:
            return [await channel.send(outgoing) for _ in range(times)]
        finally:
            await channel.close()

    return using(run())


def after_a_push(line: FakeLine) -> Callable[[Coroutine[Any, Any, list[Accepted]]], list[Accepted]]:
    """No answer comes in time to what has been pushed."""
    return out_of_time(lambda: until(lambda: bool(line.pushed), "it was pushed"))


def test_a_message_is_pushed_with_its_token_and_its_retry_key(line: FakeLine) -> None:
    assert push(line.url) == [Accepted("461230966842064897")]

    [pushed] = line.pushed
    assert (pushed.to, pushed.text, pushed.retry_key) == (TO, TEXT, retry_key(OUTGOING))
    assert line.tokens == {f"Bearer {TOKEN}"}


def test_one_message_has_one_retry_key_and_another_has_another() -> None:
    assert retry_key(OUTGOING) == retry_key(OUTGOING._replace(handed_at=NOW.replace(hour=5), text="別"))
    assert retry_key(OUTGOING) == retry_key(OUTGOING._replace(created_at=NOW.astimezone(timezone(timedelta(hours=9)))))
    assert len({retry_key(OUTGOING._replace(message_id=number)) for number in range(100)}) == 100
    assert retry_key(OUTGOING) != retry_key(OUTGOING._replace(created_at=NOW + timedelta(days=1)))


@pytest.mark.parametrize("then", ["reset", "truncate"])
def test_what_was_pushed_but_not_confirmed_is_confirmed_by_the_next_try(line: FakeLine, then: str) -> None:
    line.script(Behaviour(accepts=True, then=then))
    with pytest.raises(UnknownOutcomeError):
        push(line.url)

    assert push(line.url) == [Accepted("request-1")]
    assert len(line.pushed) == 1


def test_a_message_without_an_id_of_its_own_is_named_by_its_request(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, body="{}", request_id="request-9"))

    assert push(line.url) == [Accepted("request-9")]


def test_an_id_that_would_break_a_line_of_our_logs_is_not_taken(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, body='{"sentMessages": [{"id": "4\\n6"}]}', request_id="request-9"))

    assert push(line.url) == [Accepted("request-9")]


@pytest.mark.parametrize("then", ["answer", "truncate"])
def test_accepted_before_is_accepted_even_where_line_does_not_say_as_what(line: FakeLine, then: str) -> None:
    line.script(Behaviour(accepts=False, status=409, then=then))

    assert push(line.url) == [Accepted(f"line-{retry_key(OUTGOING)}")]


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
        (Behaviour(accepts=False, status=400, then="truncate"), PermanentChannelError, "400"),  # refused all the same
        # Who is no friend of the account, or not any more.
        (
            Behaviour(accepts=False, status=400, body='{"message": "Failed to send messages"}'),
            PermanentChannelError,
            "400",
        ),
        (Behaviour(accepts=False, status=307), SetupChannelError, "307"),  # not LINE's API: a wrong base address
        (Behaviour(accepts=False, status=418), SetupChannelError, "418"),
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
        # Where the body is not LINE's, neither is what the headers say.
        (
            Behaviour(accepts=False, body="<html>welcome</html>", request_id="request-9"),
            UnknownOutcomeError,
            "unreadable",
        ),
        (Behaviour(accepts=True, body="[" * 100_000), UnknownOutcomeError, "unreadable"),
        (Behaviour(accepts=True, encoding="gzip"), UnknownOutcomeError, "reset"),
        (Behaviour(accepts=True, then="truncate"), UnknownOutcomeError, "reset"),
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
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    if isinstance(refused.value, PermanentChannelError):
        assert refused.value.address_is_gone


@pytest.mark.parametrize("status", [400, 413])
def test_a_message_that_line_finds_fault_with_does_not_give_up_its_reader(line: FakeLine, status: int) -> None:
    body = '{"message": "The request body has 1 error(s)", "details": [{"property": "messages[0].text"}]}'
    line.script(Behaviour(accepts=False, status=status, body=body))

    with pytest.raises(PermanentChannelError) as refused:
        push(line.url)

    assert not refused.value.address_is_gone


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (None, None),
        ("soon", None),
        ("-1", None),
        ("9999999", 24 * 60 * 60),  # a day at most
        ("9" * 30, None),
    ],
)
def test_when_to_come_again_is_believed_within_reason(
    line: FakeLine, header: str | None, seconds: float | None
) -> None:
    line.script(Behaviour(accepts=False, status=429, retry_after=header))

    with pytest.raises(TemporaryChannelError) as refused:
        push(line.url)

    assert refused.value.retry_after == seconds


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}鍵", ""])
def test_a_token_that_cannot_be_sent_is_the_operators_to_mend_and_is_written_nowhere(
    line: FakeLine, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), pytest.raises(SetupChannelError) as refused:
        push(line.url, token=token)

    assert refused.value.reason == "token"
    assert TOKEN not in str(refused.value) + repr(refused.value) + caplog.text


def test_nothing_of_a_message_is_logged(line: FakeLine, caplog: pytest.LogCaptureFixture) -> None:
    line.script(Behaviour(accepts=True, then="reset"))

    with caplog.at_level("DEBUG"):
        with pytest.raises(UnknownOutcomeError):
            push(line.url)
        push(line.url)

    assert caplog.text
    assert not any(secret in caplog.text for secret in (TOKEN, TO, TEXT))


def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, then="hang"))

    with pytest.raises(UnknownOutcomeError) as refused:
        push(line.url, using=after_a_push(line))

    assert refused.value.reason == "timeout"


def test_an_answer_that_trickles_for_ever_ends_too(line: FakeLine) -> None:
    line.script(Behaviour(accepts=True, then="trickle"))

    with pytest.raises(UnknownOutcomeError) as refused:
        push(line.url, using=after_a_push(line))

    assert refused.value.reason == "timeout"


def test_where_nobody_listens_it_has_certainly_not_left() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(TemporaryChannelError) as refused:
            push(url)

    assert refused.value.reason == "connect"


def test_where_nobody_takes_the_connection_it_has_certainly_not_left() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Never accepted: the first connection fills the backlog, the next ones wait in the kernel.
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        with pytest.raises(TemporaryChannelError) as refused:
            push(f"http://127.0.0.1:{full.getsockname()[1]}", using=out_of_time())

        for one in filling:
            one.close()

    assert refused.value.reason == "connect"


def test_line_cannot_be_asked_and_a_second_copy_is_known_as_the_first() -> None:
    channel = LineMessaging(TOKEN, base_url="http://127.0.0.1:1")

    assert asyncio.run(channel.ask(OUTGOING, ())) is ProviderAnswer.SAFE_TO_REPEAT_SOON


def test_it_can_be_used_again_after_it_was_closed(line: FakeLine) -> None:
    async def twice() -> None:
        channel = LineMessaging(TOKEN, base_url=line.url)
        await channel.send(OUTGOING)
        await channel.close()
        await channel.close()
        await channel.send(OUTGOING._replace(message_id=8))
        await channel.close()

    asyncio.run(twice())
    assert len(line.pushed) == 2
