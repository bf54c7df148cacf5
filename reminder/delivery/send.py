"""Claim, send, record: a claim is committed before a provider is called, and every outcome is kept as it arrives."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reminder.clock import Clock
from reminder.delivery import again
from reminder.delivery.claim import BATCH, FIRST, Claim, Claimer
from reminder.delivery.lane import Lane
from reminder.domain import hours
from reminder.domain.messages import RECORD_OUTCOME, Accepted, Channel, MessageState, Verdict, after_sending
from reminder.domain.model.state_machine import Move
from reminder.domain.people import ChannelName, ContactState, Mode, StoppedBy
from reminder.domain.rules.preferences import Rhythm
from reminder.errors import ChannelError, UnknownOutcomeError
from reminder.storage import claims, contacts, health, notices
from reminder.storage.claims import InHand
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

# How long one pass sends before somebody looks whether this program is still the right one.
SECONDS_A_PASS = 30.0

StopUrl = Callable[[int], str | None]


class Sender:
    """Sends what is due. `per_second` is the pace of SMS (None: as fast as it goes), `stop_url` gives an e-mail's
    one-click address for a contact id; when `goes_on` says no, what has not left is given back."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        clock: Clock,
        channels: Mapping[ChannelName, Channel],
        *,
        per_second: float | None,
        stop_url: StopUrl,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._stop_url = stop_url
        self._goes_on = goes_on
        self._claimer = Claimer(database, keys, clock, per_second=per_second)

    def send_due(self, run: Callable[[Coroutine[None, None, int]], int]) -> int:
        """How many messages were handed over or tried. `run` drives the sending loop."""
        with self._database.reading() as tx:
            due = health.messages_due(tx, self._clock.now())
        first = {channel: self._claim(channel, FIRST) for channel in due}
        wanted = {channel: claim for channel, claim in first.items() if claim.in_hand or not claim.is_all}
        return run(self._send_all(wanted)) if wanted else 0

    async def _send_all(self, first: Mapping[ChannelName, Claim]) -> int:
        """Each channel has its own lane: slow mail does not hold up texts."""
        end = asyncio.get_running_loop().time() + SECONDS_A_PASS
        async with asyncio.TaskGroup() as lanes:
            tried = [lanes.create_task(self._lane(channel, end).run(claim)) for channel, claim in first.items()]
        return sum(task.result() for task in tried)

    def _lane(self, channel: ChannelName, end: float) -> Lane:
        loop = asyncio.get_running_loop()
        return Lane(
            self._database,
            self._clock,
            claim=lambda: self._claim(channel) if loop.time() < end else Claim(),
            hand_over=self._hand_over,
            record=self._record,
            goes_on=self._goes_on,
        )

    def _claim(self, channel: ChannelName, most: int = BATCH) -> Claim:
        return self._claimer.claim(channel, can_send=channel in self._channels, most=most)

    async def _hand_over(self, in_hand: InHand, now: datetime) -> Verdict:
        outgoing = in_hand.outgoing
        allowed = self._allowed(now, in_hand)
        if allowed > now:
            return Verdict(MessageState.QUEUED, "waits", wait_until=allowed)
        if in_hand.channel.can.has_stop_link and in_hand.contact_id is not None:
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
        verdict = after_sending(outcome, outgoing.message_id, in_hand.attempts, in_hand.stale_after, self._clock.now())
        if verdict.state is MessageState.QUEUED and verdict.wait_until is not None:
            return replace(verdict, wait_until=self._allowed(verdict.wait_until, in_hand))
        return verdict

    @staticmethod
    def _allowed(now: datetime, in_hand: InHand) -> datetime:
        if in_hand.kind.is_immediate:
            return now
        days = Rhythm(on_holidays=in_hand.on_holidays)
        return hours.next_allowed(now, Mode.STANDARD, in_hand.audience, in_hand.channel, days)

    def _record(self, verdicts: Sequence[tuple[InHand, Verdict]]) -> None:
        with self._database.writing() as tx:
            record(tx, verdicts, RECORD_OUTCOME, self._clock)


def record(tx: Tx, verdicts: Sequence[tuple[InHand, Verdict]], move: Move[MessageState], clock: Clock) -> None:
    """Keeps the outcomes, and what follows: contacts that are gone, channels that pause, days that are over."""
    now = clock.now()
    claims.record(tx, verdicts, move, now)
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
