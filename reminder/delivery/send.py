"""Claim, send, record: a claim is committed before a provider is called, and every outcome is kept as it arrives."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from reminder.clock import Clock, pause
from reminder.delivery import again
from reminder.domain import hours
from reminder.domain.messages import (
    LEASE,
    Accepted,
    Channel,
    MessageState,
    Verdict,
    after_sending,
)
from reminder.domain.people import ChannelName, ContactState, Mode, StoppedBy
from reminder.domain.rhythm import Rhythm
from reminder.errors import ChannelError, DatabaseNotReadyError, UnknownOutcomeError
from reminder.storage import contacts, health, notices, outbox
from reminder.storage.keys import KeyRing
from reminder.storage.outbox import InHand
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

BATCH = 500
# How many messages each channel has in flight at once. More gains nothing at its pace and costs sockets; and slow mail
# must not hold up texts.
IN_FLIGHT = 64
# How long one pass sends before receipts, planning and the sign of life get their turn, or a stop is heard.
SECONDS_A_PASS = 30.0
# A claim that has less left than this is given back: what it would send might be taken for lost meanwhile.
LEAST_LEASE = timedelta(minutes=1)
# How often, and how far apart in seconds, an outcome is tried to be kept when the database is away for a moment.
RECORD_TRIES, BETWEEN_TRIES = 5, 1.0

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
        # A slow sender takes no more than it can send in one pass.
        self._batch = BATCH if per_second is None else max(1, min(BATCH, int(per_second * SECONDS_A_PASS)))

    def send_due(self, run: Callable[[Coroutine[None, None, int]], int]) -> int:
        """How many messages were handed over or tried. `run` drives the sending loop."""
        first = self._claim()
        return run(self._send_all(first)) if first else 0

    async def _send_all(self, batch: list[InHand]) -> int:
        tried = 0
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS_A_PASS
        while batch:
            # The next batch is claimed while this one is being sent: neither waits for the other.
            goes_on = len(batch) == self._batch and loop.time() < end
            following = asyncio.create_task(asyncio.to_thread(self._claim)) if goes_on else None
            await self._send_batch(batch)
            tried += len(batch)
            batch = await following if following else []
        return tried

    def _claim(self) -> list[InHand]:
        now = self._clock.now()
        with self._database.writing() as tx:
            claim = outbox.claim(tx, self._keys, now=now, lease=LEASE, limit=self._batch)
            if claim.unreadable:
                log.error("messages %s were sealed with a key that is gone; they cannot be sent", claim.unreadable)
            again.today(tx, claim.refused + claim.forgotten, now)
            again.on_the_next_day(tx, claim.stale, now)
            return claim.in_hand

    async def _send_batch(self, batch: Sequence[InHand]) -> None:
        answers: asyncio.Queue[tuple[InHand, Verdict] | None] = asyncio.Queue()
        flight = {channel: asyncio.Semaphore(IN_FLIGHT) for channel in self._channels}
        start = asyncio.get_running_loop().time()
        texts = 0

        async def send(in_hand: InHand, at: float) -> None:
            wait = at - asyncio.get_running_loop().time()
            if wait > 0:
                await pause(wait)
            async with flight[in_hand.channel]:
                answers.put_nowait((in_hand, await self._try(in_hand)))

        # When outcomes cannot be kept, nothing more is handed over: both groups end together.
        async with asyncio.TaskGroup() as batch_work:
            batch_work.create_task(self._record_as_they_arrive(answers))
            async with asyncio.TaskGroup() as sending:
                for in_hand in batch:
                    at = start
                    if self._per_second is not None and in_hand.channel is ChannelName.SMS:
                        at, texts = start + texts / self._per_second, texts + 1
                    sending.create_task(send(in_hand, at))
            answers.put_nowait(None)

    async def _try(self, in_hand: InHand) -> Verdict:
        outgoing, now = in_hand.outgoing, self._clock.now()
        allowed = self._allowed(now, in_hand)
        if allowed > now or now > in_hand.lease_until - LEAST_LEASE:
            return Verdict(MessageState.QUEUED, "waits", wait_until=allowed)
        if in_hand.channel is ChannelName.EMAIL and in_hand.contact_id is not None:
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
        verdict = after_sending(outcome, in_hand.attempts, in_hand.stale_after, self._clock.now())
        if verdict.state is MessageState.QUEUED and verdict.wait_until is not None:
            return replace(verdict, wait_until=self._allowed(verdict.wait_until, in_hand))
        return verdict

    @staticmethod
    def _allowed(now: datetime, in_hand: InHand) -> datetime:
        if in_hand.is_answer:
            return now
        days = Rhythm(on_holidays=in_hand.on_holidays)
        return hours.next_allowed(now, Mode.STANDARD, in_hand.audience, in_hand.channel, days)

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
                await self._record_patiently(verdicts)

    async def _record_patiently(self, verdicts: Sequence[tuple[InHand, Verdict]]) -> None:
        """A database that is away for a moment must not turn a whole batch into messages of unknown fate."""
        for tries_left in reversed(range(RECORD_TRIES)):
            try:
                await asyncio.to_thread(self._record, verdicts)
            except DatabaseNotReadyError:
                if not tries_left:
                    raise
                await pause(BETWEEN_TRIES)
            else:
                return

    def _record(self, verdicts: Sequence[tuple[InHand, Verdict]]) -> None:
        with self._database.writing() as tx:
            record(tx, verdicts, MessageState.SENDING, self._clock)


def record(tx: Tx, verdicts: Sequence[tuple[InHand, Verdict]], leaving: MessageState, clock: Clock) -> None:
    """Keeps the outcomes, and what follows: contacts that are gone, channels that pause, days that are over."""
    now = clock.now()
    outbox.record(tx, verdicts, leaving, now)
    gone = _contacts(verdicts, ContactState.UNREACHABLE)
    notices.tell_of_loss(tx, contacts.give_up(tx, gone), now)
    opted_out = _contacts(verdicts, ContactState.OPTED_OUT)
    notices.tell_of_stop(tx, contacts.stop(tx, opted_out, StoppedBy.PROVIDER), now)
    for in_hand, verdict in verdicts:
        if verdict.pause_channel_until is not None:
            log.error("channel %s pauses: the provider answers %s; see the docs", in_hand.channel, verdict.reason)
            health.pause(tx, in_hand.channel, verdict.reason or "", now=now, until=verdict.pause_channel_until)
    # What failed may reach the person another way, still today.
    failed = [in_hand.outgoing.message_id for in_hand, v in verdicts if v.state is MessageState.FAILED]
    again.today(tx, failed, now)
    stale = [in_hand.outgoing.message_id for in_hand, v in verdicts if v.state is MessageState.STALE]
    again.on_the_next_day(tx, stale, now)


def _contacts(verdicts: Sequence[tuple[InHand, Verdict]], state: ContactState) -> set[int]:
    """Those that an attempt has shown to be in this state."""
    found = {in_hand.contact_id for in_hand, verdict in verdicts if verdict.contact is state}
    return {contact_id for contact_id in found if contact_id is not None}
