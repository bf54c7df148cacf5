"""Reconciliation: asks the provider about messages of unknown outcome before anything is sent again.

Providers are asked with no transaction open. What their answers mean is decided afterwards, in the transaction that
records it, from what all workers know by then.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import timedelta

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
    ListedEntries,
    Outcome,
    ProviderAnswer,
    after_asking,
)
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.same_words import Claimant, identify, some_are_doubled
from reminder.errors import ChannelError, DatabaseNotReadyError, TemporaryChannelError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import queue, unknown_outcomes
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
# How far a provider's clock may be from ours.
CLOCK_SLACK = timedelta(seconds=120)

Answer = Accepted | ListedEntries | ProviderAnswer | ChannelError


def settle_unknown(
    database: Database,
    keys: KeyRing,
    clock: Clock,
    channels: Mapping[ChannelName, Channel],
    run: Callable[[Coroutine[None, None, list[Answer] | None]], list[Answer] | None],
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Ask about messages of unknown outcome, record what is found, and return their number.

    Once `goes_on` returns False, no provider is waited for any more; the rest is asked about soon.
    """
    now = clock.now()
    with database.writing() as tx:
        lost = unknown_outcomes.mark_lost_unknown(tx, now)
        if lost:
            log.warning("%s messages were being handed over when their worker stopped; asking the provider", len(lost))
        unknown, forgotten = unknown_outcomes.lease_unknown(tx, keys, now=now, lease=OUTCOME_WITHIN, limit=AT_ONCE)
        reschedule.reschedule_next_day(tx, forgotten, now)
        others = unknown_outcomes.provider_ids_at_same_addresses(tx, [leased.contact_id for leased in unknown])
        open_now = breakers.open_channels(tx)
    if not unknown:
        return len(forgotten)
    asking = _Inquiries(channels, set(others))
    for start in range(0, len(unknown), SIDE_BY_SIDE):
        some = unknown[start : start + SIDE_BY_SIDE]
        answers = run(_unless_stopped(asking.ask(some), goes_on)) if goes_on() else None
        if answers is None:
            with database.writing() as tx:
                unknown_outcomes.ask_soon(tx, unknown[start:], clock.now())
            return start + len(forgotten)
        outcomes, doubled = list[tuple[LeasedMessage, Outcome]](), set[int]()
        try:
            with database.writing() as tx:
                outcomes, doubled = _outcomes(tx, list(zip(some, answers, strict=True)), clock, open_now)
                record(tx, outcomes, RECORD_ANSWER, clock)
                queue.mark_doubled(tx, doubled)
        except DatabaseNotReadyError:
            raise
        except Exception:
            if not outcomes:
                raise
            record_each(database, outcomes, clock, lambda tx, found: record(tx, found, RECORD_ANSWER, clock))
            with database.writing() as tx:
                queue.mark_doubled(tx, doubled)
    return len(unknown) + len(forgotten)


async def _unless_stopped(
    asking: Coroutine[None, None, list[Answer]], goes_on: Callable[[], bool]
) -> list[Answer] | None:
    """Return the answers, None where this is to end before all of them have come."""
    task = asyncio.get_running_loop().create_task(asking)
    while not (await asyncio.wait([task], timeout=LOOKS_EVERY))[0]:
        if not goes_on():
            task.cancel()
            await asyncio.wait([task])
            return None
    return task.result()


def _outcomes(
    tx: Tx, answered: Sequence[tuple[LeasedMessage, Answer]], clock: Clock, open_now: Collection[str]
) -> tuple[list[tuple[LeasedMessage, Outcome]], set[int]]:
    """Return what the answers mean, by what every worker has recorded so far, and the ids of what was taken twice.

    Another worker may have asked about a message of the same words to the same telephone at the same moment, and have
    got the same list. The lock on the address lets one of them decide after the other. `open_now`: the channels whose
    breaker is open.
    """
    now = clock.now()
    listed = {leased.outgoing.message_id: answer for leased, answer in answered if isinstance(answer, ListedEntries)}
    unknown_outcomes.lock_addresses(tx, [leased for leased, _ in answered if leased.outgoing.message_id in listed])
    claimants = unknown_outcomes.claimants(tx, listed, slack=CLOCK_SLACK, now=now) if listed else {}
    taken: dict[ChannelName, set[str]] = {}
    for leased, answer in answered:
        if isinstance(answer, ListedEntries):
            ids = {entry.provider_id for entry in answer.entries}
            taken.setdefault(leased.channel, set()).update(unknown_outcomes.known_provider_ids(tx, leased.channel, ids))
    found, settled, doubled = list[tuple[LeasedMessage, Outcome]](), set[int](), set[int]()
    for leased, answer in answered:
        meant = answer
        if isinstance(answer, ListedEntries):
            message_id, known = leased.outgoing.message_id, taken[leased.channel]
            earliest = leased.outgoing.handed_at - CLOCK_SLACK
            claims = claimants.get(message_id) or [Claimant(message_id, earliest)]
            still = [one for one in claims if one.message_id not in settled]
            entries = [entry for entry in answer.entries if entry.provider_id not in known]
            meant = identify(message_id, still, entries)
            if isinstance(meant, Accepted):
                doubled |= {message_id} if some_are_doubled(still, entries) else set()
                known.add(meant.provider_id)
                settled.add(message_id)
        assert not isinstance(meant, ListedEntries)
        asked = Inquiry(
            leased.attempts,
            leased.not_found_count,
            leased.possibly_double,
            leased.expires_at,
            leased.outgoing.handed_at,
            is_open=leased.channel in open_now,
        )
        found.append((leased, after_asking(meant, asked, now)))
    return found, doubled


class _Inquiries:
    """Questions to providers. `taken`: the provider's ids of messages that are already found."""

    def __init__(self, channels: Mapping[ChannelName, Channel], taken: Collection[str]) -> None:
        self._channels, self._taken = channels, taken
        self._silence: dict[ChannelName, list[ChannelError]] = {}

    async def ask(self, unknown: Sequence[LeasedMessage]) -> list[Answer]:
        """Return the answers in the order of the messages."""
        return list(await asyncio.gather(*(self._patiently(leased) for leased in unknown)))

    async def _patiently(self, leased: LeasedMessage) -> Answer:
        silence = self._silence.setdefault(leased.channel, [])
        answer = silence[-1] if len(silence) >= PATIENCE else await self._answer(leased)
        if isinstance(answer, ChannelError):
            silence.append(answer)
        else:
            silence.clear()
        return answer

    async def _answer(self, leased: LeasedMessage) -> Answer:
        channel = self._channels.get(leased.channel)
        if channel is None:
            return TemporaryChannelError("switched_off")
        try:
            return await channel.ask(leased.outgoing, self._taken)
        except ChannelError as failed:
            return failed
        except Exception:
            log.exception("message %s: the %s channel cannot be asked", leased.outgoing.message_id, leased.channel)
            return TemporaryChannelError("unforeseen")
