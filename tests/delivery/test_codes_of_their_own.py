"""Login codes have a way of their own: other mails, their connections and their breaker hold up nobody who signs in."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from reminder.delivery.sender import Sender
from reminder.domain.model.messages import Accepted, MessageKind, Outgoing, Urgency
from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.rules.circuit_breaker import Breaker, Certainty
from reminder.errors import TemporaryChannelError
from reminder.storage.outbox import monitoring, queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.runtime import breakers
from tests.village import Village

CODE = "code"


def mails(village: Village, bulk: int, codes: int) -> None:
    """Mails that are due; the codes are the last that were queued."""
    drafts = [
        MessageDraft(
            key=f"{kind}:{place}",
            kind=kind,
            group_id=None,
            contact_id=None,
            address=f"{CODE if kind is MessageKind.LOGIN_CODE else 'bulk'}{place}@example.jp",
            audience=Audience.CARER,
            channel=ChannelName.EMAIL,
            subject="お知らせ",
            text=f"本文 {place}",
            segments=0,
            scheduled_at=village.now,
            expires_at=village.now + timedelta(hours=1),
            urgency=Urgency.ANSWER,
        )
        for kind, count in ((MessageKind.NOTICE, bulk), (MessageKind.LOGIN_CODE, codes))
        for place in range(count)
    ]
    with village.app.database.writing() as tx:
        queue.add(tx, village.app.keys, drafts, village.now)


class Held:
    """A mail server that answers for nothing else before each code has reached it by its own connections."""

    def __init__(self, codes: int) -> None:
        self._missing, self._all_in = codes, asyncio.Event()
        self.before_the_code = 0

    @property
    def all_in(self) -> bool:
        return self._all_in.is_set()

    async def send(self, outgoing: Outgoing) -> Accepted:
        if outgoing.address.startswith(CODE):
            self._missing -= 1
            if not self._missing:
                self._all_in.set()
        else:
            self.before_the_code += not self.all_in
            await self._all_in.wait()
        return Accepted(f"held-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:
        raise AssertionError("nothing is unknown here")

    async def close(self) -> None:
        """Nothing was opened."""


def sender(village: Village, mail: object, codes: object, goes_on: Callable[[], bool] = lambda: True) -> Sender:
    return Sender(
        village.app.database,
        village.app.keys,
        village.clock,
        {ChannelName.EMAIL: mail},  # type: ignore[dict-item]
        per_second=None,
        stop_url=lambda *_: None,
        goes_on=goes_on,
        code_channels={ChannelName.EMAIL: codes},  # type: ignore[dict-item]
    )


def test_codes_leave_while_every_connection_of_the_other_mails_is_held(village: Village) -> None:
    village.sleep_until("2026-12-01 10:00")
    mails(village, bulk=30, codes=3)
    held = Held(codes=3)
    sending = sender(village, held, held)

    assert sending.send_due(village.app.loop.run) == 33
    assert sending.accepted == 33


def test_a_code_is_tried_and_sent_while_the_breaker_of_mails_is_open_and_its_success_closes_it(
    village: Village,
) -> None:
    village.sleep_until("2026-12-01 10:00")
    now = village.now
    state = Breaker("email", "connect", now, now, 20, Certainty.CHANNEL, b"x", now, now + timedelta(minutes=1))
    with village.app.database.writing() as tx:
        breakers.replace(tx, state)
    mails(village, bulk=3, codes=1)

    sender(village, village.email, village.email).send_due(village.app.loop.run, codes=False)
    assert village.email.sent == []
    sender(village, village.email, village.email).send_due(village.app.loop.run, codes=True)
    assert [one.address for one in village.email.sent] == [f"{CODE}0@example.jp"]

    with village.app.database.reading() as tx:
        assert breakers.open_channels(tx) == {}
    sender(village, village.email, village.email).send_due(village.app.loop.run)
    assert len(village.email.sent) == 4


def test_what_was_leased_before_the_breaker_opened_is_given_back_and_uses_no_attempt(village: Village) -> None:
    village.sleep_until("2026-12-01 10:00")
    mails(village, bulk=60, codes=0)
    village.email.fail_when(lambda _: TemporaryChannelError("connect"))

    tried = sender(village, village.email, village.email).send_due(village.app.loop.run)

    assert tried < 60
    attempts = [one.attempts for one in village.messages()]
    assert sum(attempts) == tried
    assert {one.state for one in village.messages()} == {"queued"}


def test_a_code_leaves_at_once_beside_ten_thousand_mails_that_were_due_before_it(village: Village) -> None:
    village.sleep_until("2026-12-01 10:00")
    mails(village, bulk=10_000, codes=1)
    held = Held(codes=1)

    # Once the code has left, the rest of them are released.
    sender(village, held, held, goes_on=lambda: not held.all_in).send_due(village.app.loop.run)

    assert held.all_in
    assert held.before_the_code <= ChannelName.EMAIL.can.concurrency, "no other mail had been answered"
    with village.app.database.reading() as tx:
        assert monitoring.counts(tx)["queued"] > 9_000
