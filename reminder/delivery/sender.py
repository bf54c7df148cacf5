"""The sender: leases, hands over and records. That a hand-over begins is committed before a provider is called."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from reminder.clock import Clock
from reminder.delivery import reschedule
from reminder.delivery.channel_breakers import ChannelBreakers
from reminder.delivery.dispatcher import TAKES_TOO_LONG, Answered, Dispatcher
from reminder.delivery.lease_manager import LeaseBatch, LeaseManager
from reminder.domain.model.messages import (
    BEFORE_ASKING,
    ID_TAKEN,
    LONGEST_HAND_OVER,
    RECORD_OUTCOME,
    Accepted,
    Channel,
    MessageKind,
    MessageState,
    Outcome,
    Outgoing,
    after_sending,
)
from reminder.domain.model.people import ChannelName, ContactState, Mode, StoppedBy
from reminder.domain.model.state_machine import Move
from reminder.domain.rules import hours
from reminder.domain.rules.circuit_breaker import evidence_of
from reminder.domain.rules.preferences import Preferences
from reminder.errors import ChannelError, DatabaseNotReadyError, UnknownOutcomeError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import leases, recording, unknown_outcomes
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices, open_questions
from reminder.storage.runtime import heartbeats, set_aside

log = logging.getLogger(__name__)

# How long one pass sends before the scheduler checks again that this program is still the right one.
SECONDS_A_PASS = 30.0

# The address for the id of a contact and the instant at which the contact was added.
StopUrl = Callable[[int, datetime], str | None]


# Whether a way is that of login codes.
_BOTH = (True, False)
# Small mail providers allow few connections, and the other mails have most of them.
CODES_AT_ONCE = 2


class _Way(NamedTuple):
    """A channel, by which login codes leave apart from all other messages."""

    channel: ChannelName
    codes: bool

    @property
    def concurrency(self) -> int:
        """How many messages are handed over at the same time."""
        return min(CODES_AT_ONCE, self.channel.can.concurrency) if self.codes else self.channel.can.concurrency


class Sender:
    """Sends what is due.

    `per_second`: the rate of SMS (None: no limit). `stop_url` returns the one-click address of an e-mail for a contact
    id. When `goes_on` returns False, messages that have not left are released. `code_channels`: by which login codes
    leave, with connections of their own (None: by `channels`). `accepted`: how many messages were taken by a provider.
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
        code_channels: Mapping[ChannelName, Channel] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._code_channels = channels if code_channels is None else code_channels
        self._stop_url = stop_url
        self._goes_on = goes_on
        self.accepted = 0
        self._breakers = ChannelBreakers(keys)
        self._lease_manager = LeaseManager(database, keys, clock, per_second=per_second, breakers=self._breakers)

    def send_due(
        self,
        run: Callable[[Coroutine[None, None, int]], int],
        channels: Sequence[ChannelName] | None = None,
        *,
        codes: bool | None = None,
    ) -> int:
        """Send what is due and return how many messages were handed over or tried; `run` drives the event loop.

        `channels`: only what leaves by these; None: by any, each by a dispatcher of its own. `codes`: only login codes,
        or (False) all but those; None: all, the codes by a dispatcher of their own.
        """
        ways = [
            _Way(channel, is_code)
            for is_code in _BOTH
            if codes in (None, is_code)
            for channel in self._due(channels, is_code)
        ]
        first = {way: self._claim(way, way.concurrency) for way in ways}
        wanted = {way: claim for way, claim in first.items() if claim.leased or not claim.is_all}
        return run(self._send_all(wanted)) if wanted else 0

    def _due(self, channels: Sequence[ChannelName] | None, codes: bool) -> list[ChannelName]:
        with self._database.reading() as tx:
            return heartbeats.messages_due(tx, self._clock.now(), channels, codes=codes)

    async def _send_all(self, first: Mapping[_Way, LeaseBatch]) -> int:
        """Run a dispatcher for each way, so that slow mail delays neither texts nor codes."""
        end = asyncio.get_running_loop().time() + SECONDS_A_PASS
        async with asyncio.TaskGroup() as dispatchers:
            tried = [dispatchers.create_task(self._send_by(way, claim, end)) for way, claim in first.items()]
        return sum(task.result() for task in tried)

    async def _send_by(self, way: _Way, first: LeaseBatch, end: float) -> int:
        dispatcher = self._dispatcher(way, end)
        try:
            return await dispatcher.run(first)
        finally:
            self.accepted += dispatcher.accepted

    def _dispatcher(self, way: _Way, end: float) -> Dispatcher:
        loop = asyncio.get_running_loop()
        return Dispatcher(
            concurrency=way.concurrency,
            lease=lambda most: self._claim(way, most) if loop.time() < end else LeaseBatch(),
            turn=self._turn,
            release=self._release,
            hand_over=self._hand_over,
            goes_on=self._goes_on,
        )

    def _claim(self, way: _Way, most: int) -> LeaseBatch:
        can_send = way.channel in (self._code_channels if way.codes else self._channels)
        return self._lease_manager.claim(way.channel, can_send=can_send, most=most, codes=way.codes)

    def _turn(self, answered: Sequence[Answered], begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        """Record outcomes and begin hand-overs in one transaction; return the messages whose hand-over has begun.

        Where that fails, the outcomes are recorded one by one: one that cannot be recorded is set aside.
        """
        try:
            with self._database.writing() as tx:
                if answered:
                    self._record(tx, answered)
                return self._begin(tx, begins) if begins else ()
        except DatabaseNotReadyError:
            raise
        except Exception:
            if not answered:
                raise
        record_each(self._database, answered, self._clock, self._record)
        with self._database.writing() as tx:
            return self._begin(tx, begins) if begins else ()

    def _record(self, tx: Tx, answered: Sequence[Answered]) -> None:
        record(tx, answered, RECORD_OUTCOME, self._clock)
        self._breakers.note(tx, answered, self._clock.now())

    def _begin(self, tx: Tx, begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        now, at_once, waiting = self._clock.now(), list[LeasedMessage](), dict[datetime, list[int]]()
        kept = [leased for leased in begins if self._must_wait(leased)]
        if kept:
            leases.release(tx, kept, now)
        for leased in (leased for leased in begins if not self._must_wait(leased)):
            allowed = self._allowed(now, leased)
            if allowed > now:
                waiting.setdefault(allowed, []).append(leased.outgoing.message_id)
            else:
                at_once.append(leased)
        for until, ids in waiting.items():
            leases.defer(tx, ids, until=until, reason="waits")
        return leases.begin_hand_over(tx, at_once, now)

    def _must_wait(self, leased: LeasedMessage) -> bool:
        """Return whether the breaker of its channel has opened since the message was leased."""
        is_free = leased.is_probe or leased.kind is MessageKind.LOGIN_CODE
        return not is_free and self._breakers.is_open(leased.channel)

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
        channels = self._code_channels if leased.kind is MessageKind.LOGIN_CODE else self._channels
        answer = await self._answer(channels[leased.channel], leased.channel, outgoing)
        outcome = after_sending(
            answer,
            outgoing.message_id,
            leased.attempts,
            leased.expires_at,
            self._clock.now(),
            is_open=self._breakers.is_open(leased.channel),
        )
        if isinstance(answer, Accepted):
            return outcome
        outcome = outcome._replace(evidence=evidence_of(answer, leased.channel.can.read_error))
        if outcome.state is MessageState.QUEUED and outcome.wait_until is not None:
            return outcome._replace(wait_until=self._allowed(outcome.wait_until, leased))
        return outcome

    @staticmethod
    async def _answer(by: Channel, channel: ChannelName, outgoing: Outgoing) -> Accepted | ChannelError:
        """Return the provider's answer; where there is none, the outcome is unknown, and the provider is asked."""
        try:
            return await by.send(outgoing)
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
    recording.record(tx, outcomes, move, now)
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


def record_each(
    database: Database,
    outcomes: Sequence[Answered],
    clock: Clock,
    record_some: Callable[[Tx, Sequence[Answered]], None],
) -> None:
    """Record the outcomes one by one.

    A message that the provider names by another one's id is of unknown outcome. One whose outcome cannot be recorded is
    set aside: it is of unknown outcome too, and asked about when it is tried again.
    """
    for one in outcomes:
        message_id = one[0].outgoing.message_id
        try:
            with database.writing() as tx:
                record_some(tx, [one])
        except DatabaseNotReadyError:
            raise
        except recording.ProviderIdTakenError:
            log.error("message %s: its provider names it by the id of another message", message_id)
            unknown = Outcome(MessageState.UNKNOWN, ID_TAKEN, wait_until=clock.now() + BEFORE_ASKING)
            with database.writing() as tx:
                record_some(tx, [(one[0], unknown)])
        except Exception:
            log.exception("row %s of the queue %s is set aside", message_id, set_aside.OUTCOMES)
            with database.writing() as tx:
                unknown_outcomes.set_aside(tx, message_id, clock.now() + set_aside.TRIED_AGAIN_AFTER)
                set_aside.add(tx, set_aside.OUTCOMES, [message_id], clock.now())


def _contacts(outcomes: Sequence[tuple[LeasedMessage, Outcome]], state: ContactState) -> set[int]:
    """Return the ids of the contacts that an attempt has shown to be in this state."""
    found = {leased.contact_id for leased, outcome in outcomes if outcome.contact is state}
    return {contact_id for contact_id in found if contact_id is not None}
