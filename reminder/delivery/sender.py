"""The sender: leases, hands over and records. That a hand-over begins is committed before a provider is called."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime

from reminder.clock import Clock
from reminder.delivery import reschedule
from reminder.delivery.dispatcher import TAKES_TOO_LONG, Answered, Dispatcher
from reminder.delivery.lease_manager import LeaseBatch, LeaseManager
from reminder.domain.model.messages import (
    BEFORE_ASKING,
    ID_TAKEN,
    LONGEST_HAND_OVER,
    RECORD_OUTCOME,
    Accepted,
    Channel,
    MessageState,
    Outcome,
    Outgoing,
    after_sending,
)
from reminder.domain.model.people import ChannelName, ContactState, Mode, StoppedBy
from reminder.domain.model.state_machine import Move
from reminder.domain.rules import hours
from reminder.domain.rules.preferences import Preferences
from reminder.errors import ChannelError, UnknownOutcomeError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import leases
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices, open_questions
from reminder.storage.runtime import heartbeats

log = logging.getLogger(__name__)

# How long one pass sends before the scheduler checks again that this program is still the right one.
SECONDS_A_PASS = 30.0

# The address for the id of a contact and the instant at which the contact was added.
StopUrl = Callable[[int, datetime], str | None]


class Sender:
    """Sends what is due.

    `per_second`: the rate of SMS (None: no limit). `stop_url` returns the one-click address of an e-mail for a contact
    id. When `goes_on` returns False, messages that have not left are released.
    """

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
        self._lease_manager = LeaseManager(database, keys, clock, per_second=per_second)

    def send_due(
        self, run: Callable[[Coroutine[None, None, int]], int], channels: Sequence[ChannelName] | None = None
    ) -> int:
        """Send what is due and return how many messages were handed over or tried; `run` drives the event loop.

        `channels`: only what leaves by these; None: by any, each by a dispatcher of its own.
        """
        with self._database.reading() as tx:
            due = heartbeats.messages_due(tx, self._clock.now(), channels)
        first = {channel: self._claim(channel, channel.can.concurrency) for channel in due}
        wanted = {channel: claim for channel, claim in first.items() if claim.leased or not claim.is_all}
        return run(self._send_all(wanted)) if wanted else 0

    async def _send_all(self, first: Mapping[ChannelName, LeaseBatch]) -> int:
        """Run a dispatcher for each channel, so that slow mail does not delay texts."""
        end = asyncio.get_running_loop().time() + SECONDS_A_PASS
        async with asyncio.TaskGroup() as dispatchers:
            tried = [
                dispatchers.create_task(self._dispatcher(channel, end).run(claim)) for channel, claim in first.items()
            ]
        return sum(task.result() for task in tried)

    def _dispatcher(self, channel: ChannelName, end: float) -> Dispatcher:
        loop = asyncio.get_running_loop()
        return Dispatcher(
            concurrency=channel.can.concurrency,
            lease=lambda most: self._claim(channel, most) if loop.time() < end else LeaseBatch(),
            turn=self._turn,
            release=self._release,
            hand_over=self._hand_over,
            goes_on=self._goes_on,
        )

    def _claim(self, channel: ChannelName, most: int) -> LeaseBatch:
        return self._lease_manager.claim(channel, can_send=channel in self._channels, most=most)

    def _turn(self, answered: Sequence[Answered], begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        """Record outcomes and begin hand-overs in one transaction; return the messages whose hand-over has begun."""
        try:
            with self._database.writing() as tx:
                if answered:
                    record(tx, answered, RECORD_OUTCOME, self._clock)
                return self._begin(tx, begins) if begins else ()
        except leases.ProviderIdTakenError:
            record_each(self._database, answered, RECORD_OUTCOME, self._clock)
            with self._database.writing() as tx:
                return self._begin(tx, begins) if begins else ()

    def _begin(self, tx: Tx, begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        now, at_once, waiting = self._clock.now(), list[LeasedMessage](), dict[datetime, list[int]]()
        for leased in begins:
            allowed = self._allowed(now, leased)
            if allowed > now:
                waiting.setdefault(allowed, []).append(leased.outgoing.message_id)
            else:
                at_once.append(leased)
        for until, ids in waiting.items():
            leases.defer(tx, ids, until=until, reason="waits")
        return leases.begin_hand_over(tx, at_once, now)

    def _release(self, leased: Sequence[LeasedMessage]) -> None:
        with self._database.writing() as tx:
            leases.release(tx, leased, self._clock.now())

    async def _hand_over(self, leased: LeasedMessage) -> Outcome:
        outgoing, now = leased.outgoing, self._clock.now()
        if now > leased.lease_until - LONGEST_HAND_OVER:
            # This process has slept: another may soon ask about the message.
            return Outcome(MessageState.QUEUED, "waits", wait_until=now)
        if leased.channel.can.has_stop_link and leased.contact_id is not None and leased.contact_added_at is not None:
            outgoing = outgoing._replace(stop_url=self._stop_url(leased.contact_id, leased.contact_added_at))
        answer = await self._answer(leased.channel, outgoing)
        outcome = after_sending(answer, outgoing.message_id, leased.attempts, leased.expires_at, self._clock.now())
        if outcome.state is MessageState.QUEUED and outcome.wait_until is not None:
            return outcome._replace(wait_until=self._allowed(outcome.wait_until, leased))
        return outcome

    async def _answer(self, channel: ChannelName, outgoing: Outgoing) -> Accepted | ChannelError:
        """Return the provider's answer; where there is none, the outcome is unknown, and the provider is asked."""
        try:
            return await self._channels[channel].send(outgoing)
        except ChannelError as failed:
            return failed
        except asyncio.CancelledError as cut_off:
            return UnknownOutcomeError(TAKES_TOO_LONG if TAKES_TOO_LONG in cut_off.args else "stopped")
        except Exception:
            log.exception("message %s: the %s channel failed in an unforeseen way", outgoing.message_id, channel)
            return UnknownOutcomeError("unforeseen")

    @staticmethod
    def _allowed(now: datetime, leased: LeasedMessage) -> datetime:
        if leased.kind.is_immediate:
            return now
        days = Preferences(on_holidays=leased.on_holidays)
        return hours.next_allowed(now, Mode.STANDARD, leased.audience, leased.channel, days)


def record(tx: Tx, outcomes: Sequence[tuple[LeasedMessage, Outcome]], move: Move[MessageState], clock: Clock) -> None:
    """Record the outcomes and their consequences: contacts that are gone, channels that pause, days that are over."""
    now = clock.now()
    leases.record(tx, outcomes, move, now)
    gone = _contacts(outcomes, ContactState.UNREACHABLE)
    notices.add_unreachable(tx, contacts.mark_unreachable(tx, gone), now)
    if opted_out := _contacts(outcomes, ContactState.OPTED_OUT):
        # The owner of a number has stopped all that we send there, whichever group's text has shown it.
        at_number = {one for found in open_questions.sharing(tx, opted_out).values() for one in found}
        notices.add_stopped(tx, contacts.stop(tx, at_number, StoppedBy.PROVIDER, now), now)
    for leased, outcome in outcomes:
        if outcome.pause_channel_until is not None:
            log.error("channel %s pauses: the provider answers %s; see the docs", leased.channel, outcome.reason)
            heartbeats.pause(tx, leased.channel, outcome.reason or "", now=now, until=outcome.pause_channel_until)
    # A failed message may reach the person by another channel today.
    failed = [leased.outgoing.message_id for leased, v in outcomes if v.state is MessageState.FAILED]
    reschedule.reschedule_today(tx, failed, now)
    stale = [leased.outgoing.message_id for leased, v in outcomes if v.state is MessageState.STALE]
    reschedule.reschedule_next_day(tx, stale, now)


def record_each(database: Database, outcomes: Sequence[Answered], move: Move[MessageState], clock: Clock) -> None:
    """Record the outcomes one by one. A message that the provider names by another one's id is of unknown outcome."""
    for one in outcomes:
        try:
            with database.writing() as tx:
                record(tx, [one], move, clock)
        except leases.ProviderIdTakenError:
            log.error("message %s: its provider names it by the id of another message", one[0].outgoing.message_id)
            unknown = Outcome(MessageState.UNKNOWN, ID_TAKEN, wait_until=clock.now() + BEFORE_ASKING)
            with database.writing() as tx:
                record(tx, [(one[0], unknown)], move, clock)


def _contacts(outcomes: Sequence[tuple[LeasedMessage, Outcome]], state: ContactState) -> set[int]:
    """Return the ids of the contacts that an attempt has shown to be in this state."""
    found = {leased.contact_id for leased, outcome in outcomes if outcome.contact is state}
    return {contact_id for contact_id in found if contact_id is not None}
