"""Messages whose fate is unknown: the provider is asked before anything is sent again."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from reminder.clock import Clock
from reminder.delivery import again
from reminder.delivery.send import record
from reminder.domain.messages import LEASE, RECORD_ANSWER, Accepted, Answer, Asked, Channel, Verdict, after_asking
from reminder.domain.people import ChannelName
from reminder.errors import ChannelError, TemporaryChannelError
from reminder.storage import claims
from reminder.storage.claims import InHand
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database

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
    run: Callable[[Coroutine[None, None, list[Verdict]]], list[Verdict]],
) -> int:
    """How many messages were asked about, or could not be."""
    now = clock.now()
    with database.writing() as tx:
        lost = claims.take_expired_leases(tx, now)
        if lost:
            log.warning("%s messages were in hand when their worker stopped; asking the provider", len(lost))
        unknown, forgotten = claims.claim_unknown(tx, keys, now=now, lease=LEASE, limit=AT_ONCE)
        again.on_the_next_day(tx, forgotten, now)
        others = claims.provider_ids_at_same_addresses(tx, [in_hand.contact_id for in_hand in unknown])
    if not unknown:
        return len(forgotten)
    asking = _Asking(channels, clock, set(others))
    for start in range(0, len(unknown), SIDE_BY_SIDE):
        some = unknown[start : start + SIDE_BY_SIDE]
        verdicts = run(asking.ask(some))
        with database.writing() as tx:
            record(tx, list(zip(some, verdicts, strict=True)), RECORD_ANSWER, clock)
    return len(unknown) + len(forgotten)


class _Asking:
    """`taken`: what providers call the messages that are found already, which no other may be found in."""

    def __init__(self, channels: Mapping[ChannelName, Channel], clock: Clock, taken: set[str]) -> None:
        self._channels, self._clock, self._taken = channels, clock, taken
        self._silence: dict[ChannelName, list[ChannelError]] = {}

    async def ask(self, unknown: Sequence[InHand]) -> list[Verdict]:
        """In the order of the messages. Those to one address one after another: two texts of the same words to one
        phone must not both be found in one entry of its list."""
        to_address: dict[str, list[InHand]] = {}
        for in_hand in unknown:
            to_address.setdefault(in_hand.outgoing.address, []).append(in_hand)
        answered = await asyncio.gather(*(self._in_turn(some) for some in to_address.values()))
        found = {message_id: verdict for some in answered for message_id, verdict in some}
        return [found[in_hand.outgoing.message_id] for in_hand in unknown]

    async def _in_turn(self, unknown: Sequence[InHand]) -> list[tuple[int, Verdict]]:
        return [(in_hand.outgoing.message_id, await self._verdict(in_hand)) for in_hand in unknown]

    async def _verdict(self, in_hand: InHand) -> Verdict:
        silence = self._silence.setdefault(in_hand.channel, [])
        answer = silence[-1] if len(silence) >= PATIENCE else await self._answer(in_hand)
        if isinstance(answer, ChannelError):
            silence.append(answer)
        else:
            silence.clear()
        if isinstance(answer, Accepted):
            self._taken.add(answer.provider_id)
        handed_at = in_hand.outgoing.handed_at
        asked = Asked(in_hand.attempts, in_hand.not_seen, in_hand.possibly_double, in_hand.stale_after, handed_at)
        return after_asking(answer, asked, self._clock.now())

    async def _answer(self, in_hand: InHand) -> Accepted | Answer | ChannelError:
        channel = self._channels.get(in_hand.channel)
        if channel is None:
            return TemporaryChannelError("switched_off")
        return await _ask(in_hand, self._taken, channel)


async def _ask(in_hand: InHand, taken: Collection[str], channel: Channel) -> Accepted | Answer | ChannelError:
    try:
        return await channel.ask(in_hand.outgoing, taken)
    except ChannelError as failed:
        return failed
    except Exception:
        log.exception("message %s: the %s channel cannot be asked", in_hand.outgoing.message_id, in_hand.channel)
        return TemporaryChannelError("unforeseen")
