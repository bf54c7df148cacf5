"""reminder/channels/console.py: what is sent is shown."""

import asyncio
from datetime import UTC, datetime

from reminder.channels.console import ConsoleChannel
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer

AT = datetime(2031, 3, 3, 1, 0, tzinfo=UTC)


def test_a_message_is_shown_with_channel_address_and_words() -> None:
    shown: list[str] = []
    channel = ConsoleChannel("sms", shown.append)

    accepted = asyncio.run(channel.send(Outgoing(5, "+81900000001", "期限だより", None, AT, AT)))

    assert accepted == Accepted("console-5")
    assert shown == ["sms → +81900000001: 期限だより"]


def test_an_e_mail_shows_its_subject_too() -> None:
    shown: list[str] = []
    channel = ConsoleChannel("email", shown.append)

    asyncio.run(channel.send(Outgoing(6, "haha@example.jp", "本文", "お知らせ", AT, AT)))

    assert shown == ["email → haha@example.jp 「お知らせ」: 本文"]


def test_after_a_crash_a_line_may_be_shown_again() -> None:
    channel = ConsoleChannel("sms", print)

    assert (
        asyncio.run(channel.ask(Outgoing(5, "+81900000001", "期限だより", None, AT, AT), ()))
        is ProviderAnswer.SAFE_TO_REPEAT
    )
