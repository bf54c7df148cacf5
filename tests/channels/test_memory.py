"""reminder/channels/memory.py: the channel of simulations and of other tests keeps its word."""

import asyncio
from datetime import UTC, datetime

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import ChannelError, PermanentChannelError, TemporaryChannelError, UnknownOutcomeError

AT = datetime(2031, 3, 3, 1, 0, tzinfo=UTC)


def text(message_id: int) -> Outgoing:
    return Outgoing(message_id, f"+8190000000{message_id:02}", "期限だより", None, AT, AT)


def test_what_was_sent_is_kept_in_order() -> None:
    channel = MemoryChannel()

    accepted = [asyncio.run(channel.send(text(n))) for n in (1, 2)]

    assert channel.sent == [text(1), text(2)]
    assert len(set(accepted)) == 2


def test_an_ordered_failure_hits_the_next_message_only() -> None:
    channel = MemoryChannel()
    channel.fail_next(TemporaryChannelError("503"))

    with pytest.raises(TemporaryChannelError):
        asyncio.run(channel.send(text(1)))
    asyncio.run(channel.send(text(1)))

    assert channel.sent == [text(1)]


def test_a_lost_answer_leaves_the_message_with_the_provider() -> None:
    channel = MemoryChannel()
    channel.lose_answer_next()

    with pytest.raises(UnknownOutcomeError):
        asyncio.run(channel.send(text(1)))

    assert channel.sent == [text(1)]
    assert asyncio.run(channel.ask(text(1), ())) == Accepted("memory-1")
    assert asyncio.run(channel.ask(text(2), ())) is ProviderAnswer.NOT_FOUND


def test_ordered_failures_come_in_the_order_of_the_orders() -> None:
    channel = MemoryChannel()
    channel.lose_answer_next()
    channel.fail_next(PermanentChannelError("21614"))

    with pytest.raises(UnknownOutcomeError):
        asyncio.run(channel.send(text(1)))
    with pytest.raises(PermanentChannelError):
        asyncio.run(channel.send(text(2)))


def test_a_rule_refuses_what_it_names_until_it_is_taken_away() -> None:
    channel = MemoryChannel()

    def refuses_the_first(outgoing: Outgoing) -> ChannelError | None:
        return PermanentChannelError("21614") if outgoing.message_id == 1 else None

    channel.fail_when(refuses_the_first)

    with pytest.raises(PermanentChannelError):
        asyncio.run(channel.send(text(1)))
    asyncio.run(channel.send(text(2)))
    channel.fail_when(None)
    asyncio.run(channel.send(text(1)))

    assert channel.sent == [text(2), text(1)]
