"""Claim, send, record: a claim is committed before a provider is called, and every outcome is kept as it arrives."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from reminder.clock import Clock, japan_date, pause
from reminder.domain.messages import (
    LEASE,
    Accepted,
    Channel,
    MessageState,
    Verdict,
    after_sending,
)
from reminder.domain.people import ChannelName, ContactState
from reminder.errors import ChannelError, UnknownOutcomeError
from reminder.storage import cards, contacts, health, outbox
from reminder.storage.keys import KeyRing
from reminder.storage.outbox import InHand
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

BATCH = 500
# How many messages are with a provider at once. More gains nothing at its pace and costs sockets.
IN_FLIGHT = 64
# How many batches one pass sends before the other steps get their turn.
BATCHES_A_PASS = 20

StopUrl = Callable[[int], str | None]


class Sender:
    """Sends what is due. `per_second` is the pace of SMS (None: as fast as it goes), `stop_url` gives an e-mail's
    one-click address for a contact id."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        clock: Clock,
        channels: Mapping[ChannelName, Channel],
        *,
        per_second: float | None,
        stop_url: StopUrl,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._channels = channels
        self._per_second = per_second
        self._stop_url = stop_url
        # A lease must outlast its batch, so a slow sender takes small ones.
        self._batch = BATCH if per_second is None else max(1, min(BATCH, int(per_second * LEASE.total_seconds() / 4)))

    def send_due(self, run: Callable[[Coroutine[None, None, int]], int]) -> int:
        """How many messages were handed over or tried. `run` drives the sending loop."""
        first = self._claim()
        return run(self._send_all(first)) if first else 0

    async def _send_all(self, batch: list[InHand]) -> int:
        tried = 0
        for _ in range(BATCHES_A_PASS):
            # The next batch is claimed while this one is being sent: neither waits for the other.
            is_last = len(batch) < self._batch
            following = None if is_last else asyncio.create_task(asyncio.to_thread(self._claim))
            await self._send_batch(batch)
            tried += len(batch)
            batch = await following if following else []
            if not batch:
                break
        else:
            await self._send_batch(batch)
        return tried

    def _claim(self) -> list[InHand]:
        now = self._clock.now()
        with self._database.writing() as tx:
            claim = outbox.claim(tx, self._keys, now=now, lease=LEASE, limit=self._batch)
            # Whoever else may be told in their place is told today.
            cards.look_again_at_told(tx, claim.refused, japan_date(now))
            tell_tomorrow(tx, claim.stale, self._clock)
            return claim.in_hand

    async def _send_batch(self, batch: Sequence[InHand]) -> None:
        answers: asyncio.Queue[tuple[InHand, Verdict] | None] = asyncio.Queue()
        recording = asyncio.create_task(self._record_as_they_arrive(answers))
        flight = asyncio.Semaphore(IN_FLIGHT)
        start = asyncio.get_running_loop().time()
        texts = 0

        async def send(in_hand: InHand, at: float) -> None:
            wait = at - asyncio.get_running_loop().time()
            if wait > 0:
                await pause(wait)
            async with flight:
                answers.put_nowait((in_hand, await self._try(in_hand)))

        async with asyncio.TaskGroup() as sending:
            for in_hand in batch:
                at = start
                if self._per_second is not None and in_hand.channel is ChannelName.SMS:
                    at, texts = start + texts / self._per_second, texts + 1
                sending.create_task(send(in_hand, at))
        answers.put_nowait(None)
        await recording

    async def _try(self, in_hand: InHand) -> Verdict:
        outgoing = in_hand.outgoing
        if in_hand.channel is ChannelName.EMAIL:
            outgoing = replace(outgoing, stop_url=self._stop_url(in_hand.contact_id))
        outcome: Accepted | ChannelError
        try:
            outcome = await self._channels[in_hand.channel].send(outgoing)
        except ChannelError as failed:
            outcome = failed
        except Exception:
            # A channel that breaks its word: nobody knows what it did, so it is asked before anything is sent again.
            log.exception(
                "message %s: the %s channel failed in an unforeseen way", outgoing.message_id, in_hand.channel
            )
            outcome = UnknownOutcomeError("unforeseen")
        return after_sending(outcome, in_hand.attempts, in_hand.stale_after, self._clock.now())

    async def _record_as_they_arrive(self, answers: "asyncio.Queue[tuple[InHand, Verdict] | None]") -> None:
        """Outcomes are recorded in the groups in which they arrive, so that a crash leaves few messages in hand."""
        more = True
        while more:
            group = [await answers.get()]
            while not answers.empty():
                group.append(answers.get_nowait())
            more = group[-1] is not None
            verdicts = [answer for answer in group if answer is not None]
            if verdicts:
                await asyncio.to_thread(self._record, verdicts)

    def _record(self, verdicts: Sequence[tuple[InHand, Verdict]]) -> None:
        with self._database.writing() as tx:
            record(tx, verdicts, MessageState.SENDING, self._clock)


def record(tx: Tx, verdicts: Sequence[tuple[InHand, Verdict]], leaving: MessageState, clock: Clock) -> None:
    """Keeps the outcomes, and what follows: contacts that are gone, channels that pause, days that are over."""
    now = clock.now()
    outbox.record(tx, verdicts, leaving, now)
    for state in (ContactState.UNREACHABLE, ContactState.OPTED_OUT):
        contacts.set_state(tx, {in_hand.contact_id for in_hand, verdict in verdicts if verdict.contact is state}, state)
    for in_hand, verdict in verdicts:
        if verdict.pause_channel_until is not None:
            log.error("channel %s pauses: the provider answers %s; see the docs", in_hand.channel, verdict.reason)
            health.pause(tx, in_hand.channel, verdict.reason or "", now=now, until=verdict.pause_channel_until)
    # What an unreachable phone was to be told may reach the person another way, still today.
    gone = [in_hand.outgoing.message_id for in_hand, verdict in verdicts if verdict.contact is not None]
    cards.look_again_at_told(tx, gone, japan_date(now))
    not_told = (MessageState.STALE, MessageState.FAILED)
    ended = [in_hand.outgoing.message_id for in_hand, v in verdicts if v.state in not_told and v.contact is None]
    tell_tomorrow(tx, ended, clock)


def tell_tomorrow(tx: Tx, message_ids: Sequence[int], clock: Clock) -> None:
    """What was not told today is looked at again tomorrow, and told if it is still the most urgent."""
    cards.look_again_at_told(tx, message_ids, japan_date(clock.now()) + timedelta(days=1))
