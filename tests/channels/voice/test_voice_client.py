"""reminder/channels/voice/client.py over real sockets, and what it says in Twilio's language."""

import asyncio
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from reminder.channels.voice.client import TwilioVoice, render_turn
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.domain.rules.same_words import Claimant, identify
from reminder.domain.text.call_scripts import Turn
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.fakes import twilio as fake
from tests.fakes.twilio import ACCEPT_THEN_RESET, ACCEPT_THEN_TRUNCATE, RESET, Behaviour, FakeTwilio, refuse
from tests.patience import PATIENCE

EVER = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 3, 1, 1, 0, tzinfo=UTC)
TO = "+81335000001"
OUTGOING = Outgoing(7, TO, "何も", None, created_at=NOW, handed_at=NOW)


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: NOW) as server:
        yield server


def voice(twilio: FakeTwilio) -> TwilioVoice:
    return TwilioVoice(
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender="+815000000001",
        base_url=twilio.url,
        public_url="https://kigen.example.jp/",
        timeout=PATIENCE,
    )


def call(twilio: FakeTwilio) -> Accepted:
    async def run() -> Accepted:
        channel = voice(twilio)
        try:
            return await channel.send(OUTGOING)
        finally:
            await channel.close()

    return asyncio.run(run())


def ask(twilio: FakeTwilio, others: Collection[str] = (), outgoing: Outgoing = OUTGOING) -> Accepted | ProviderAnswer:
    async def run() -> Accepted | ProviderAnswer:
        channel = voice(twilio)
        try:
            listed = await channel.ask(outgoing, others)
            return identify(outgoing.message_id, [Claimant(outgoing.message_id, EVER)], listed.entries)
        finally:
            await channel.close()

    return asyncio.run(run())


def test_a_call_comes_from_the_one_number_and_asks_our_webhook_what_to_say(twilio: FakeTwilio) -> None:
    accepted = call(twilio)

    [ring] = twilio.rings
    assert accepted == Accepted(ring.sid)
    assert ring.form == {
        "To": TO,
        "From": "+815000000001",
        "Url": "https://kigen.example.jp/webhooks/twilio/voice?m=7",
        "Method": "POST",
        "StatusCallback": "https://kigen.example.jp/webhooks/twilio/status?m=7",
        "StatusCallbackEvent": "completed",
        "MachineDetection": "DetectMessageEnd",
        "Timeout": "40",
    }


@pytest.mark.parametrize(
    ("behaviour", "error", "rings"),
    [
        (refuse(400, 21211), PermanentChannelError, 0),
        (refuse(401, 20003), SetupChannelError, 0),
        (refuse(429, 20429), TemporaryChannelError, 0),
        (refuse(500), UnknownOutcomeError, 0),
        (RESET, UnknownOutcomeError, 0),
        (ACCEPT_THEN_RESET, UnknownOutcomeError, 1),
        (ACCEPT_THEN_TRUNCATE, UnknownOutcomeError, 1),
    ],
)
def test_what_is_refused_or_lost_has_its_meaning_and_rings_no_second_time(
    twilio: FakeTwilio, behaviour: Behaviour, error: type[ChannelError], rings: int
) -> None:
    twilio.script(behaviour)

    with pytest.raises(error) as refused:
        call(twilio)

    assert len(twilio.rings) == rings
    assert TO not in str(refused.value)


def test_a_call_whose_answer_was_lost_is_found_by_its_number(twilio: FakeTwilio) -> None:
    twilio.script(ACCEPT_THEN_RESET)
    with pytest.raises(UnknownOutcomeError):
        call(twilio)

    sid = twilio.rings[0].sid
    assert ask(twilio) == Accepted(sid)
    assert ask(twilio, others=[sid]) is ProviderAnswer.NOT_FOUND, "that one is another message's"
    later = Outgoing(8, TO, "", None, created_at=NOW, handed_at=NOW + timedelta(days=1))
    assert ask(twilio, outgoing=later) is ProviderAnswer.NOT_FOUND, "yesterday's call"


def test_who_cannot_be_asked_is_asked_again_later(twilio: FakeTwilio) -> None:
    twilio.script_list(refuse(503))

    with pytest.raises(TemporaryChannelError):
        ask(twilio)


def test_a_turn_is_said_slowly_with_a_pause_after_each_sentence() -> None:
    said = ElementTree.fromstring(
        render_turn(
            Turn(("一つ目 & <二つ目>", "終わりです。")),
            language="ja-JP",
            voice="Polly.Kazuha-Neural",
            rate="80%",
            action="",
        )
    )

    say = said.find("Say")
    assert say is not None
    assert say.attrib == {"voice": "Polly.Kazuha-Neural", "language": "ja-JP"}
    assert [part.tag for part in say] == ["prosody", "break", "prosody", "break"]
    assert say[0].text == "一つ目 & <二つ目>"
    assert say[0].attrib == {"rate": "80%"}
    assert said.find("Hangup") is not None


def test_a_turn_that_waits_for_a_key_waits_for_one_and_asks_again_by_the_same_way() -> None:
    action = "https://kigen.example.jp/webhooks/twilio/voice?m=7&turn=1"

    said = ElementTree.fromstring(
        render_turn(
            Turn(("1を。",), waits_for_key=True, number=1), language="ja-JP", voice="x", rate="85%", action=action
        )
    )

    gather = said.find("Gather")
    assert gather is not None
    assert (gather.attrib["numDigits"], gather.attrib["action"], gather.attrib["actionOnEmptyResult"]) == (
        "1",
        action,
        "true",
    )
    assert said.find("Hangup") is None
