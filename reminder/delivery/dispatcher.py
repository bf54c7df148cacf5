"""The dispatcher: sends the leased messages of one channel.

It leases ahead, hands over as many messages at once as its concurrency allows, and records outcomes as they arrive. So
neither part waits for the others, and a crash leaves few messages of unknown outcome.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from reminder.clock import Clock, pause, pause_unless
from reminder.delivery.lease_manager import BATCH, LeaseBatch
from reminder.domain.model.messages import LEASE, RENEWED_EVERY, MessageState, Outcome
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.session import Database
from reminder.storage.outbox import leases
from reminder.storage.outbox.leases import LeasedMessage

# More gains nothing at a provider's pace and costs sockets.
CONCURRENCY = 64
# The next lease is taken when no more than these wait: leasing takes less time than sending them.
LOW = BATCH // 2
# A lease with less time left than this was not renewed. Another worker might take its message for lost meanwhile.
LEAST_LEASE = timedelta(minutes=1)
# How often, and how far apart in seconds, recording an outcome is tried while the database is away: it may restart, or
# another database may have to take its place.
RECORD_TRIES, BETWEEN_TRIES = 120, 1.0

# Outcomes are gathered for so many seconds, or until there are no more, and recorded together. A transaction for each
# would cost more than sending it. A crash loses only the outcomes of this time.
GATHERED_FOR = 0.1

Answered = tuple[LeasedMessage, Outcome]


class Dispatcher:
    """The dispatcher of one channel.

    `claim` leases the next messages. `hand_over` tries one message at this instant and never raises. `record` stores
    outcomes. `claim` and `record` are called in threads. `goes_on` says whether to lease and hand over more.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        claim: Callable[[], LeaseBatch],
        hand_over: Callable[[LeasedMessage, datetime], Awaitable[Outcome]],
        record: Callable[[Sequence[Answered]], None],
        goes_on: Callable[[], bool],
    ) -> None:
        self._database, self._clock = database, clock
        self._claim, self._hand_over, self._record, self._goes_on = claim, hand_over, record, goes_on
        self._ready: asyncio.Queue[tuple[LeasedMessage, float] | None] = asyncio.Queue()
        # By address, what waits for a message that is being handed over to it.
        self._next_to: dict[str, deque[tuple[LeasedMessage, float]]] = {}
        self._runs_low = asyncio.Event()
        self._answers: asyncio.Queue[Answered | None] = asyncio.Queue()
        self._all_answered = asyncio.Event()
        self._held: dict[int, LeasedMessage] = {}
        # While outcomes cannot be recorded, nothing more is handed over.
        self._can_keep = asyncio.Event()
        self._can_keep.set()

    async def run(self, first: LeaseBatch) -> int:
        """Send until nothing more is due; return how many messages were handed over or tried."""
        concurrency = min(CONCURRENCY, len(first.leased)) if first.is_all else CONCURRENCY
        recording = asyncio.create_task(self._record_as_they_arrive())
        renewing = asyncio.create_task(self._hold())
        try:
            # If outcomes cannot be recorded at all, everything here ends and reconciliation asks about the leased
            # messages.
            async with asyncio.TaskGroup() as work:
                work.create_task(self._feed(first, concurrency))
                done = [work.create_task(self._work_off()) for _ in range(concurrency)]
                work.create_task(self._end_with(recording, done))
        finally:
            renewing.cancel()
            recording.cancel()
        return sum(task.result() for task in done)

    async def _feed(self, claim: LeaseBatch, concurrency: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            came = loop.time()
            for leased in claim.leased:
                self._held[leased.outgoing.message_id] = leased
                self._ready.put_nowait((leased, came + leased.starts_in))
            if claim.is_all:
                break
            if self._ready.qsize() > LOW:
                self._runs_low.clear()
                await self._runs_low.wait()
            if not self._goes_on():
                break
            if claim.wait:
                await pause(claim.wait)
            claim = await asyncio.to_thread(self._claim)
        for _ in range(concurrency):
            await self._ready.put(None)

    async def _work_off(self) -> int:
        tried = 0
        while (taken := await self._ready.get()) is not None:
            if self._ready.qsize() <= LOW:
                self._runs_low.set()
            address = taken[0].outgoing.address
            if address in self._next_to:
                # Two texts to one telephone arrive in the order in which they were leased: the one who hands over the
                # first goes on with the second.
                self._next_to[address].append(taken)
                continue
            self._next_to[address] = deque((taken,))
            while self._next_to[address]:
                await self._send_in_turn(*self._next_to[address].popleft())
                tried += 1
            del self._next_to[address]
        return tried

    async def _send_in_turn(self, leased: LeasedMessage, at: float) -> None:
        if (wait := at - asyncio.get_running_loop().time()) > 0:
            await pause(wait)
        await self._can_keep.wait()
        self._answers.put_nowait((leased, await self._try(leased)))

    async def _try(self, leased: LeasedMessage) -> Outcome:
        now = self._clock.now()
        held = self._held[leased.outgoing.message_id]
        if not self._goes_on() or now > held.lease_until - LEAST_LEASE:
            return Outcome(MessageState.QUEUED, "waits", wait_until=now)
        return await self._hand_over(leased, now)

    async def _end_with(self, recording: "asyncio.Task[None]", concurrency: "Sequence[asyncio.Task[int]]") -> None:
        """Wait until the outcome of every message that was handed over is recorded."""
        working = set(concurrency)
        while working and not recording.done():
            ended, _ = await asyncio.wait({recording, *working}, return_when=asyncio.FIRST_COMPLETED)
            working -= ended
        self._answers.put_nowait(None)
        self._all_answered.set()
        await recording

    async def _record_as_they_arrive(self) -> None:
        more = True
        while more:
            group = [await self._answers.get()]
            if group[-1] is not None:
                await pause_unless(self._all_answered, GATHERED_FOR)
            while not self._answers.empty():
                group.append(self._answers.get_nowait())
            more = group[-1] is not None
            answered = [one for one in group if one is not None]
            if answered:
                await self._record_patiently(answered)

    async def _record_patiently(self, answered: Sequence[Answered]) -> None:
        """Record outcomes, and try again while the database is away.

        A short outage must not turn sent messages into messages of unknown outcome.
        """
        for tries_left in reversed(range(RECORD_TRIES)):
            try:
                await asyncio.to_thread(self._record, answered)
            except DatabaseNotReadyError:
                self._can_keep.clear()
                if not tries_left:
                    raise
                await pause(BETWEEN_TRIES)
            else:
                self._can_keep.set()
                for leased, _ in answered:
                    self._held.pop(leased.outgoing.message_id, None)
                return

    async def _hold(self) -> None:
        """Renew the leases of held messages; what another worker has taken meanwhile is not handed over."""
        while True:
            await pause(RENEWED_EVERY.total_seconds())
            held = {message_id: one.attempts for message_id, one in self._held.items()}
            until = self._clock.now() + LEASE
            try:
                still = await asyncio.to_thread(self._renew, held, until)
            except DatabaseNotReadyError:
                continue
            for message_id in still & self._held.keys():
                self._held[message_id] = replace(self._held[message_id], lease_until=until)

    def _renew(self, held: dict[int, int], until: datetime) -> set[int]:
        with self._database.writing() as tx:
            return leases.renew(tx, held, until=until)
