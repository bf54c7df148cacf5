"""Messages whose fate is unknown: the provider is asked before anything is sent again."""

import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from reminder.clock import Clock
from reminder.delivery import again
from reminder.delivery.send import record
from reminder.domain.messages import LEASE, Accepted, Answer, Asked, Channel, MessageState, Verdict, after_asking
from reminder.domain.people import ChannelName
from reminder.errors import ChannelError, TemporaryChannelError
from reminder.storage import claims
from reminder.storage.claims import InHand
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database

log = logging.getLogger(__name__)

# Asking is rare and must not crowd out sending.
AT_ONCE = 50
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
    verdicts = run(_ask_all(unknown, others, channels, clock))
    with database.writing() as tx:
        record(tx, list(zip(unknown, verdicts, strict=True)), MessageState.UNKNOWN, clock)
    return len(unknown) + len(forgotten)


async def _ask_all(
    unknown: Sequence[InHand], others: Collection[str], channels: Mapping[ChannelName, Channel], clock: Clock
) -> list[Verdict]:
    """One after another: two texts of the same words to one phone must not both be found in one entry of its list."""
    taken, unanswered, verdicts = set(others), dict[ChannelName, list[ChannelError]](), []
    for in_hand in unknown:
        silence = unanswered.setdefault(in_hand.channel, [])
        is_silent = len(silence) >= PATIENCE
        answer = silence[-1] if is_silent else await _ask(in_hand, taken, channels[in_hand.channel])
        if isinstance(answer, ChannelError):
            silence.append(answer)
        else:
            silence.clear()
        if isinstance(answer, Accepted):
            taken.add(answer.provider_id)
        handed_at = in_hand.outgoing.handed_at
        asked = Asked(in_hand.attempts, in_hand.not_seen, in_hand.possibly_double, in_hand.stale_after, handed_at)
        verdicts.append(after_asking(answer, asked, clock.now()))
    return verdicts


async def _ask(in_hand: InHand, taken: Collection[str], channel: Channel) -> Accepted | Answer | ChannelError:
    try:
        return await channel.ask(in_hand.outgoing, taken)
    except ChannelError as failed:
        return failed
    except Exception:
        log.exception("message %s: the %s channel cannot be asked", in_hand.outgoing.message_id, in_hand.channel)
        return TemporaryChannelError("unforeseen")
