"""reminder/channels/sms/client.py over real sockets: what every answer of Twilio's, and every missing one, becomes."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest

from reminder.channels.sms.client import PAGE_SIZE, PAGES, TwilioSms
from reminder.channels.twilio.transport import failure_of
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.domain.rules.same_words import Claimant, identify
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.fakes import twilio as fake
from tests.fakes.twilio import FakeTwilio
from tests.patience import PATIENCE, out_of_time

T = TypeVar("T")

MOTHER = "+81900000001"
EVER = datetime(2000, 1, 1, tzinfo=UTC)
HANDED_AT = datetime(2031, 3, 3, 1, 0, tzinfo=UTC)
TEXT = Outgoing(
    message_id=17,
    address=MOTHER,
    text="期限だより：カードの期限は3月31日です。",
    subject=None,
    created_at=HANDED_AT - timedelta(hours=1),
    handed_at=HANDED_AT,
)


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: HANDED_AT + timedelta(seconds=2)) as started:
        yield started


def channel_to(
    url: str, *, token: str = fake.AUTH_TOKEN, service: str | None = None, timeout: float = PATIENCE
) -> TwilioSms:
    return TwilioSms(
        fake.ACCOUNT_SID,
        token,
        sender=None if service else fake.SENDER,
        messaging_service_sid=service,
        base_url=url,
        public_url="https://kigen.example.jp/",
        timeout=timeout,
    )


def using(
    channel: TwilioSms,
    work: Callable[[TwilioSms], Awaitable[T]],
    run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run,
) -> T:
    async def go() -> T:
        try:
            return await work(channel)
        finally:
            await channel.close()

    return run(go())


def answerless(twilio: FakeTwilio) -> Accepted:
    """Sends to one who takes the request and does not answer in time."""
    run = out_of_time(lambda: twilio.wait_for_posts(1))
    return using(channel_to(twilio.url), lambda channel: channel.send(TEXT), run)


def send(twilio: FakeTwilio, message: Outgoing = TEXT, **how: object) -> Accepted:
    return using(channel_to(twilio.url, **how), lambda channel: channel.send(message))  # type: ignore[arg-type]


def ask(
    twilio: FakeTwilio, message: Outgoing = TEXT, others: Collection[str] = (), **how: object
) -> Accepted | ProviderAnswer:
    """The one text that is listed as this one, if any is."""
    listed = using(channel_to(twilio.url, **how), lambda channel: channel.ask(message, others))  # type: ignore[arg-type]
    return identify(message.message_id, [Claimant(message.message_id, EVER)], listed.entries)


def test_an_accepted_text_is_named_by_its_sid(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)

    accepted = send(twilio)

    assert accepted == Accepted(twilio.texts[0].sid)


def test_a_text_carries_sender_validity_and_the_address_for_its_receipts(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)

    send(twilio)

    assert twilio.texts[0].form == {
        "To": MOTHER,
        "From": fake.SENDER,
        "Body": TEXT.text,
        "ValidityPeriod": "14400",
        "StatusCallback": "https://kigen.example.jp/webhooks/twilio/status?m=17",
    }


def test_a_messaging_service_is_the_sender_where_one_is_set(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    service = "MG" + "fa" * 16

    send(twilio, service=service)

    assert twilio.texts[0].form["MessagingServiceSid"] == service
    assert "From" not in twilio.texts[0].form


@pytest.mark.parametrize(
    ("behaviour", "expected", "reason"),
    [
        (fake.refuse(400, 21211), PermanentChannelError, "21211"),
        (fake.refuse(400, 21614), PermanentChannelError, "21614"),
        (fake.refuse(400, 21610), PermanentChannelError, "21610"),
        (fake.refuse(400, 21606), SetupChannelError, "21606"),
        (fake.refuse(400, 21408), SetupChannelError, "21408"),
        (
            fake.refuse(400, 29999),
            TemporaryChannelError,
            "29999",
        ),  # a code made tomorrow: perhaps about this text alone
        (fake.refuse(401, 20003), SetupChannelError, "20003"),
        (fake.refuse(403), SetupChannelError, "403"),
        (fake.refuse(404, 20404), SetupChannelError, "20404"),
        (fake.refuse(307), SetupChannelError, "307"),  # not Twilio's API: a wrong base address
        (fake.refuse(400, 21614, problem=True), PermanentChannelError, "21614"),  # TwilioServiceException
        (fake.refuse(401, 20003, problem=True), SetupChannelError, "20003"),
        (fake.refuse(429, 20429), TemporaryChannelError, "20429"),
        (fake.refuse(429, 20429, problem=True), TemporaryChannelError, "20429"),
        (fake.refuse(400, 21611), TemporaryChannelError, "21611"),
        (replace(fake.refuse(429), body="<html>busy</html>"), TemporaryChannelError, "429"),
        (replace(fake.refuse(400), body="<html>no</html>"), SetupChannelError, "400"),
        (replace(fake.refuse(400, 21614), then=fake.Then.TRUNCATE), SetupChannelError, "400"),  # refused all the same
    ],
)
def test_a_refused_text_is_refused_for_the_right_reason(
    twilio: FakeTwilio, behaviour: fake.Behaviour, expected: type[ChannelError], reason: str
) -> None:
    twilio.script(behaviour)

    with pytest.raises(expected) as refused:
        send(twilio)

    assert type(refused.value) is expected
    assert refused.value.reason == reason
    assert twilio.posts == 1
    assert twilio.texts == []


@pytest.mark.parametrize(
    ("behaviour", "reason", "was_taken"),
    [
        (fake.ACCEPT_THEN_RESET, "reset", True),
        (fake.RESET, "reset", False),
        (fake.ACCEPT_THEN_TRUNCATE, "truncated", True),
        (fake.accept_then_answer(500), "500", True),
        (fake.accept_then_answer(503, code=20503), "20503", True),
        (
            replace(fake.accept_then_answer(500, code=21614), problem=True),
            "21614",
            True,
        ),  # the status counts, not the code
        (fake.accept_then_answer(502, "<html>bad gateway</html>"), "502", True),
        (fake.accept_then_answer(201, ""), "no_sid", True),
        (fake.accept_then_answer(201, "{}"), "no_sid", True),
        (fake.accept_then_answer(201, '{"sid": 7}'), "no_sid", True),
        (fake.accept_then_answer(201, "null"), "unreadable", True),
        (fake.accept_then_answer(201, '{"sid": "SM'), "unreadable", True),
        (fake.accept_then_answer(200, "<html>welcome to our network</html>"), "unreadable", True),
    ],
)
def test_an_answer_that_says_nothing_certain_is_an_unknown_outcome_and_is_never_tried_again_here(
    twilio: FakeTwilio, behaviour: fake.Behaviour, reason: str, was_taken: bool
) -> None:
    twilio.phone(MOTHER).allow_all()
    twilio.script(behaviour)

    with pytest.raises(UnknownOutcomeError) as unknown:
        send(twilio)

    assert unknown.value.reason == reason
    assert twilio.posts == 1
    assert len(twilio.texts) == was_taken


def test_an_answer_that_does_not_come_in_time_is_an_unknown_outcome(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    twilio.script(fake.ACCEPT_THEN_HANG)

    with pytest.raises(UnknownOutcomeError) as unknown:
        answerless(twilio)

    assert unknown.value.reason == "timeout"
    assert twilio.posts == 1


def test_an_answer_that_trickles_for_ever_ends_too() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            writer.close()
            hung_up.set()

    asked, hung_up = threading.Event(), asyncio.Event()

    async def go() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        channel = channel_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(UnknownOutcomeError) as unknown:
            await channel.send(TEXT)
        assert unknown.value.reason == "timeout"
        await channel.close()
        await hung_up.wait()
        server.close()

    out_of_time(lambda: asked.wait(PATIENCE))(go())


def test_a_provider_that_cannot_be_reached_has_certainly_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(TemporaryChannelError) as failed:
            using(channel_to(url), lambda channel: channel.send(TEXT))

    assert failed.value.reason == "connect"


def test_a_provider_that_never_takes_the_connection_has_certainly_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Never accepted: the first connection fills the backlog, the next ones wait in the kernel.
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        with pytest.raises(TemporaryChannelError) as failed:
            using(
                channel_to(f"http://127.0.0.1:{full.getsockname()[1]}"),
                lambda channel: channel.send(TEXT),
                out_of_time(),
            )

        for one in filling:
            one.close()
    assert failed.value.reason == "connect"


def test_a_name_that_does_not_exist_has_certainly_not_sent() -> None:
    with pytest.raises(TemporaryChannelError) as failed:
        using(channel_to("http://nowhere.invalid"), lambda channel: channel.send(TEXT))

    assert failed.value.reason == "connect"


def test_a_number_that_opted_out_is_told_apart_from_one_that_does_not_exist(twilio: FakeTwilio) -> None:
    twilio.script(fake.refuse(400, 21610), fake.refuse(400, 21614))

    with pytest.raises(PermanentChannelError) as first:
        send(twilio)
    with pytest.raises(PermanentChannelError) as second:
        send(twilio)

    assert first.value.opted_out
    assert not second.value.opted_out


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("Wed, 03 Mar 2031 01:00:00 GMT", None),
        ("99999999", 86_400.0),  # nobody may silence us for years
        ("9" * 11, None),
    ],
)
def test_retry_after_is_kept_when_it_can_be_believed(
    twilio: FakeTwilio, header: str | None, seconds: float | None
) -> None:
    twilio.script(fake.refuse(429, 20429, retry_after=header))

    with pytest.raises(TemporaryChannelError) as busy:
        send(twilio)

    assert busy.value.retry_after == seconds


def test_retry_after_of_many_answers_at_once_stays_with_its_own_message(twilio: FakeTwilio) -> None:
    messages = [TEXT._replace(message_id=n, address=f"+8190000000{n:02}") for n in range(12)]
    for n, message in enumerate(messages):
        retry_after = str(n) if n % 3 else None
        twilio.script(fake.refuse(429, 20429, retry_after=retry_after), to=message.address)
    twilio.hold_answers()

    async def all_at_once(channel: TwilioSms) -> list[float | None]:
        sending = asyncio.gather(*(channel.send(message) for message in messages), return_exceptions=True)
        await asyncio.to_thread(twilio.wait_for_posts, len(messages))
        await asyncio.to_thread(twilio.release_answers)
        failures = await sending
        return [failure.retry_after for failure in failures if isinstance(failure, TemporaryChannelError)]

    seconds = using(channel_to(twilio.url), all_at_once)

    assert seconds == [float(n) if n % 3 else None for n in range(12)]


def test_an_earlier_retry_after_does_not_stick_to_a_later_failure(twilio: FakeTwilio) -> None:
    twilio.script(fake.refuse(429, 20429, retry_after="30"), fake.refuse(429, 20429))

    async def twice(channel: TwilioSms) -> list[float | None]:
        found = []
        for _ in range(2):
            with pytest.raises(TemporaryChannelError) as busy:
                await channel.send(TEXT)
            found.append(busy.value.retry_after)
        return found

    assert using(channel_to(twilio.url), twice) == [30.0, None]


def test_a_failure_shows_neither_number_nor_text_nor_where_it_came_from(twilio: FakeTwilio) -> None:
    twilio.script(fake.refuse(400, 21614))

    with pytest.raises(PermanentChannelError) as refused:
        send(twilio)

    assert MOTHER not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_nothing_about_a_text_reaches_the_log(twilio: FakeTwilio, caplog: pytest.LogCaptureFixture) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)

    with caplog.at_level("DEBUG"):
        send(twilio)
        ask(twilio)

    assert MOTHER not in caplog.text
    assert TEXT.text not in caplog.text
    assert fake.AUTH_TOKEN not in caplog.text


def test_the_edge_of_the_machine_s_environment_does_not_lead_elsewhere(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "tokyo")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    twilio.phone(MOTHER).expect(TEXT.text)

    send(twilio)

    assert twilio.posts == 1


def test_a_channel_can_be_used_again_after_it_was_closed(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text, times=2)
    channel = channel_to(twilio.url)

    using(channel, lambda open_channel: open_channel.send(TEXT))
    using(channel, lambda open_channel: open_channel.send(TEXT))

    assert twilio.posts == 2


def test_a_connection_that_died_while_the_loop_stood_still_is_not_used_again(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio.phone(MOTHER).expect(TEXT.text, times=2)
    channel = channel_to(twilio.url)
    with asyncio.Runner() as runner:
        runner.run(channel.send(TEXT))

        # The next pass, five seconds later; in between the server has hung up.
        twilio.cut_idle_lines()
        monkeypatch.setattr("aiohttp.connector.monotonic", lambda: time.monotonic() + 5)
        try:
            runner.run(channel.send(TEXT))
        finally:
            runner.run(channel.close())

    assert twilio.posts == 2


def test_asking_finds_a_text_whose_answer_was_lost(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    twilio.script(fake.ACCEPT_THEN_RESET)
    with pytest.raises(UnknownOutcomeError):
        send(twilio)

    assert ask(twilio) == Accepted(twilio.texts[0].sid)


def test_two_people_on_one_phone_do_not_answer_for_each_other(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    twilio.phone(MOTHER).expect(TEXT.text)
    first = send(twilio)

    assert ask(twilio, others=[first.provider_id]) is ProviderAnswer.NOT_FOUND

    second = send(twilio)
    assert ask(twilio, others=[first.provider_id]) == second


def test_asking_does_not_see_what_the_list_does_not_show_yet(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    twilio.hide_new_texts()
    send(twilio)

    assert ask(twilio) is ProviderAnswer.NOT_FOUND
    twilio.show_all_texts()
    assert ask(twilio) == Accepted(twilio.texts[0].sid)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (TEXT._replace(text=TEXT.text + " "), "one space more is another text"),
        (TEXT._replace(address="+81900000002"), "the same words to somebody else"),
    ],
)
def test_asking_does_not_take_another_text_for_ours(twilio: FakeTwilio, other: Outgoing, why: str) -> None:
    twilio.allow_all()
    send(twilio, other)

    assert ask(twilio) is ProviderAnswer.NOT_FOUND


@pytest.mark.parametrize(
    ("made", "found", "why"),
    [
        (timedelta(seconds=0), True, "at once"),
        (timedelta(seconds=-119), True, "Twilio's clock is two minutes behind"),
        (timedelta(seconds=-121), False, "the same words of an earlier day or try"),
        (timedelta(days=-365), False, "last year's text"),
        (timedelta(hours=3), True, "the answer was lost in a long outage"),
    ],
)
def test_asking_looks_only_at_texts_made_since_ours_was_handed_over(made: timedelta, found: bool, why: str) -> None:
    with FakeTwilio(now=lambda: HANDED_AT + made) as twilio:
        twilio.phone(MOTHER).expect(TEXT.text)
        send(twilio)

        assert isinstance(ask(twilio), Accepted) is found


def test_an_instant_given_in_japanese_time_means_the_same_instant(twilio: FakeTwilio) -> None:
    twilio.phone(MOTHER).expect(TEXT.text)
    send(twilio)
    in_japan = TEXT._replace(handed_at=HANDED_AT.astimezone(timezone(timedelta(hours=9))))

    assert isinstance(ask(twilio, in_japan), Accepted)


def test_asking_turns_pages(twilio: FakeTwilio) -> None:
    twilio.allow_all()
    send(twilio)
    for n in range(PAGE_SIZE + 5):
        twilio._take({"To": MOTHER, "From": fake.SENDER, "Body": f"another {n}"})

    assert ask(twilio) == Accepted(twilio.texts[0].sid)
    assert twilio.lists == 2


def test_a_list_that_does_not_reach_back_far_enough_is_not_a_no(twilio: FakeTwilio) -> None:
    twilio.allow_all()
    for n in range(PAGES * PAGE_SIZE + 1):
        twilio._take({"To": MOTHER, "From": fake.SENDER, "Body": f"another {n}"})

    with pytest.raises(TemporaryChannelError) as failed:
        ask(twilio)

    assert failed.value.reason == "list_too_long"


@pytest.mark.parametrize(
    ("behaviour", "reason", "retry_after"),
    [
        (fake.refuse(429, 20429, retry_after="9"), "429", 9.0),
        (fake.refuse(500), "500", None),
        (fake.refuse(401, 20003), "401", None),
        (fake.RESET, "reset", None),
        (replace(fake.refuse(200), body="{}"), "unreadable", None),
        (replace(fake.refuse(200), body="<html>"), "unreadable", None),
    ],
)
def test_a_provider_that_cannot_be_asked_is_asked_again_later(
    twilio: FakeTwilio, behaviour: fake.Behaviour, reason: str, retry_after: float | None
) -> None:
    twilio.script_list(*[behaviour] * 2)  # aiohttp may repeat a GET once, which does no harm

    with pytest.raises(TemporaryChannelError) as failed:
        ask(twilio)

    assert (failed.value.reason, failed.value.retry_after) == (reason, retry_after)


def test_asking_with_a_wrong_token_is_also_only_a_later(twilio: FakeTwilio) -> None:
    with pytest.raises(TemporaryChannelError):
        ask(twilio, token="another")


def test_a_receipt_s_code_can_be_read_without_an_http_status() -> None:
    assert isinstance(failure_of(30006, None), PermanentChannelError)
    assert isinstance(failure_of(30003, None), TemporaryChannelError)
