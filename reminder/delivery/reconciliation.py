"""Reconciliation: asks the provider about messages of unknown outcome before anything is sent again."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from reminder.clock import Clock
from reminder.delivery import reschedule
from reminder.delivery.dispatcher import LOOKS_EVERY
from reminder.delivery.sender import record, record_each
from reminder.domain.model.messages import (
    OUTCOME_WITHIN,
    RECORD_ANSWER,
    Accepted,
    Channel,
    Inquiry,
    Outcome,
    ProviderAnswer,
    after_asking,
)
from reminder.domain.model.people import ChannelName
from reminder.errors import ChannelError, TemporaryChannelError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database
from reminder.storage.outbox import leases
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.runtime import breakers

log = logging.getLogger(__name__)

# Reconciliation is rare and must not delay sending.
AT_ONCE = 200
# So many are asked about at once, and recorded before the next: a killed process loses few answers.
SIDE_BY_SIDE = 20
# After so many unanswered questions in a row the provider is not asked for half an hour. After a single one, all others
# would wait for minutes, and of many questions one always fails.
PATIENCE = 3


def settle_unknown(
    database: Database,
    keys: KeyRing,
    clock: Clock,
    channels: Mapping[ChannelName, Channel],
    run: Callable[[Coroutine[None, None, list[Outcome] | None]], list[Outcome] | None],
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Ask about messages of unknown outcome, record what is found, and return their number.

    Once `goes_on` returns False, no provider is waited for any more; the rest is asked about soon.
    """
    now = clock.now()
    with database.writing() as tx:
        lost = leases.mark_lost_unknown(tx, now)
        if lost:
            log.warning("%s messages were being handed over when their worker stopped; asking the provider", len(lost))
        unknown, forgotten = leases.lease_unknown(tx, keys, now=now, lease=OUTCOME_WITHIN, limit=AT_ONCE)
        reschedule.reschedule_next_day(tx, forgotten, now)
        others = leases.provider_ids_at_same_addresses(tx, [leased.contact_id for leased in unknown])
        open_now = breakers.open_channels(tx)
    if not unknown:
        return len(forgotten)
    asking = _Inquiries(channels, clock, set(others), open_now)
    for start in range(0, len(unknown), SIDE_BY_SIDE):
        some = unknown[start : start + SIDE_BY_SIDE]
        outcomes = run(_unless_stopped(asking.ask(some), goes_on)) if goes_on() else None
        if outcomes is None:
            with database.writing() as tx:
                leases.ask_soon(tx, unknown[start:], clock.now())
            return start + len(forgotten)
        record_each(
            database.writing,
            list(zip(some, outcomes, strict=True)),
            lambda tx, found: record(tx, found, RECORD_ANSWER, clock),
            clock,
        )
    return len(unknown) + len(forgotten)


async def _unless_stopped(
    asking: Coroutine[None, None, list[Outcome]], goes_on: Callable[[], bool]
) -> list[Outcome] | None:
    """Return the outcomes, None where this is to end before all questions are answered."""
    task = asyncio.get_running_loop().create_task(asking)
    while not (await asyncio.wait([task], timeout=LOOKS_EVERY))[0]:
        if not goes_on():
            task.cancel()
            await asyncio.wait([task])
            return None
    return task.result()


class _Inquiries:
    """Questions to providers.

    `taken`: the provider's ids of messages that are already found; no other message may be matched with them.
    `open_now`: the channels whose breaker is open.
    """

    def __init__(
        self, channels: Mapping[ChannelName, Channel], clock: Clock, taken: set[str], open_now: Collection[str]
    ) -> None:
        self._channels, self._clock, self._taken, self._open = channels, clock, taken, open_now
        self._silence: dict[ChannelName, list[ChannelError]] = {}

    async def ask(self, unknown: Sequence[LeasedMessage]) -> list[Outcome]:
        """Return the outcomes in the order of the messages.

        Messages to one address are asked about one after another: two texts of the same words to one telephone must not
        both be matched with one entry of the provider's list.
        """
        to_address: dict[str, list[LeasedMessage]] = {}
        for leased in unknown:
            to_address.setdefault(leased.outgoing.address, []).append(leased)
        answered = await asyncio.gather(*(self._in_turn(some) for some in to_address.values()))
        found = {message_id: outcome for some in answered for message_id, outcome in some}
        return [found[leased.outgoing.message_id] for leased in unknown]

    async def _in_turn(self, unknown: Sequence[LeasedMessage]) -> list[tuple[int, Outcome]]:
        return [(leased.outgoing.message_id, await self._outcome(leased)) for leased in unknown]

    async def _outcome(self, leased: LeasedMessage) -> Outcome:
        silence = self._silence.setdefault(leased.channel, [])
        answer = silence[-1] if len(silence) >= PATIENCE else await self._answer(leased)
        if isinstance(answer, ChannelError):
            silence.append(answer)
        else:
            silence.clear()
        if isinstance(answer, Accepted):
            self._taken.add(answer.provider_id)
        handed_at = leased.outgoing.handed_at
        asked = Inquiry(
            leased.attempts,
            leased.not_found_count,
            leased.possibly_double,
            leased.expires_at,
            handed_at,
            is_open=leased.channel in self._open,
        )
        return after_asking(answer, asked, self._clock.now())

    async def _answer(self, leased: LeasedMessage) -> Accepted | ProviderAnswer | ChannelError:
        channel = self._channels.get(leased.channel)
        if channel is None:
            return TemporaryChannelError("switched_off")
        return await _ask(leased, self._taken, channel)


async def _ask(
    leased: LeasedMessage, taken: Collection[str], channel: Channel
) -> Accepted | ProviderAnswer | ChannelError:
    try:
        return await channel.ask(leased.outgoing, taken)
    except ChannelError as failed:
        return failed
    except Exception:
        log.exception("message %s: the %s channel cannot be asked", leased.outgoing.message_id, leased.channel)
        return TemporaryChannelError("unforeseen")
