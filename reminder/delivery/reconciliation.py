"""Messages whose fate is unknown: the provider is asked before anything is sent again."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from reminder.clock import Clock
from reminder.delivery import reschedule
from reminder.delivery.sender import record
from reminder.domain.model.messages import (
    LEASE,
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

log = logging.getLogger(__name__)

# Asking is rare and must not crowd out sending.
AT_ONCE = 200
# So many are asked about side by side, and kept before the next: a kill in the middle costs few questions.
SIDE_BY_SIDE = 20
# A provider that leaves so many questions in a row unanswered is not asked the others, for half an hour. After one
# alone they would all wait for minutes, and of many questions one always fails.
PATIENCE = 3


def settle_unknown(
    database: Database,
    keys: KeyRing,
    clock: Clock,
    channels: Mapping[ChannelName, Channel],
    run: Callable[[Coroutine[None, None, list[Outcome]]], list[Outcome]],
) -> int:
    """How many messages were asked about, or could not be."""
    now = clock.now()
    with database.writing() as tx:
        lost = leases.mark_expired_unknown(tx, now)
        if lost:
            log.warning("%s messages were in hand when their worker stopped; asking the provider", len(lost))
        unknown, forgotten = leases.lease_unknown(tx, keys, now=now, lease=LEASE, limit=AT_ONCE)
        reschedule.reschedule_next_day(tx, forgotten, now)
        others = leases.provider_ids_at_same_addresses(tx, [leased.contact_id for leased in unknown])
    if not unknown:
        return len(forgotten)
    asking = _Inquiries(channels, clock, set(others))
    for start in range(0, len(unknown), SIDE_BY_SIDE):
        some = unknown[start : start + SIDE_BY_SIDE]
        outcomes = run(asking.ask(some))
        with database.writing() as tx:
            record(tx, list(zip(some, outcomes, strict=True)), RECORD_ANSWER, clock)
    return len(unknown) + len(forgotten)


class _Inquiries:
    """`taken`: what providers call the messages that are found already, which no other may be found in."""

    def __init__(self, channels: Mapping[ChannelName, Channel], clock: Clock, taken: set[str]) -> None:
        self._channels, self._clock, self._taken = channels, clock, taken
        self._silence: dict[ChannelName, list[ChannelError]] = {}

    async def ask(self, unknown: Sequence[LeasedMessage]) -> list[Outcome]:
        """In the order of the messages. Those to one address one after another: two texts of the same words to one
        phone must not both be found in one entry of its list."""
        to_address: dict[str, list[LeasedMessage]] = {}
        for leased in unknown:
            to_address.setdefault(leased.outgoing.address, []).append(leased)
        answered = await asyncio.gather(*(self._in_turn(some) for some in to_address.values()))
        found = {message_id: outcome for some in answered for message_id, outcome in some}
        return [found[leased.outgoing.message_id] for leased in unknown]

    async def _in_turn(self, unknown: Sequence[LeasedMessage]) -> list[tuple[int, Outcome]]:
        return [(leased.outgoing.message_id, await self._verdict(leased)) for leased in unknown]

    async def _verdict(self, leased: LeasedMessage) -> Outcome:
        silence = self._silence.setdefault(leased.channel, [])
        answer = silence[-1] if len(silence) >= PATIENCE else await self._answer(leased)
        if isinstance(answer, ChannelError):
            silence.append(answer)
        else:
            silence.clear()
        if isinstance(answer, Accepted):
            self._taken.add(answer.provider_id)
        handed_at = leased.outgoing.handed_at
        asked = Inquiry(leased.attempts, leased.not_found_count, leased.possibly_double, leased.expires_at, handed_at)
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
