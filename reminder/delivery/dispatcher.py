"""The dispatcher: hands over the leased messages of one channel.

It works in turns: one transaction records the outcomes that have come in and begins the next hand-overs. There are
never more of them than the channel takes at the same time, so a crash leaves few messages of unknown outcome, and none
of those that were only leased.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from reminder.clock import pause, pause_unless
from reminder.delivery.lease_manager import MOST, LeaseBatch
from reminder.domain.model.messages import LONGEST_HAND_OVER, MessageState, Outcome
from reminder.errors import DatabaseNotReadyError
from reminder.storage.outbox.leases import LeasedMessage

# So many seconds' worth of messages are leased at once, by the pace at which the last ones were handed over. It is less
# than a lease lasts.
LEASED_AHEAD = 4.0
# The pace of less time than this says nothing.
SHORTEST = 0.002
# How often, and how far apart in seconds, a turn is tried while the database is away: it may restart, or another
# database may have to take its place.
TRIES, BETWEEN_TRIES = 120, 1.0
# How often it looks whether it is to stop, and how long it then waits for the outcomes of what it is handing over.
LOOKS_EVERY, STOPS_WITHIN = 0.5, 12.0
# What a hand-over is told that is cancelled because it takes longer than LONGEST_HAND_OVER.
TAKES_TOO_LONG = "timeout"

Answered = tuple[LeasedMessage, Outcome]


class _Ready(NamedTuple):
    """A leased message: when its turn at its sender is (the loop's time), and how many seconds after the one before."""

    leased: LeasedMessage
    at: float
    gap: float


class Dispatcher:
    """The dispatcher of one channel.

    `lease` leases up to so many of the next messages. `turn` records outcomes and begins hand-overs, and returns the
    messages whose hand-over has begun. `release` ends leases. These three are called in threads. `hand_over` tries one
    message and never raises; if it is cancelled, which says TAKES_TOO_LONG where that is why, it returns an unknown
    outcome. `goes_on` says whether to lease more and to begin more hand-overs. `accepted`: how many messages their
    provider has taken.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        lease: Callable[[int], LeaseBatch],
        turn: Callable[[Sequence[Answered], Sequence[LeasedMessage]], Sequence[LeasedMessage]],
        release: Callable[[Sequence[LeasedMessage]], None],
        hand_over: Callable[[LeasedMessage], Awaitable[Outcome]],
        goes_on: Callable[[], bool],
    ) -> None:
        self._concurrency = concurrency
        self._lease, self._turn, self._release = lease, turn, release
        self._hand_over, self._goes_on = hand_over, goes_on
        self._ready: deque[_Ready] = deque()
        # With the time (the loop's) at which each began; the oldest are first.
        self._in_flight: dict[asyncio.Task[None], float] = {}
        # By address, what waits for a message that is being handed over to it: two texts to one telephone arrive in the
        # order in which they were leased.
        self._behind: dict[str, deque[_Ready]] = {}
        self._answers: list[Answered] = []
        self._tried = self.accepted = 0
        self._is_all = False
        self._leasing: asyncio.Task[None] | None = None
        self._lease_at = self._started_last = 0.0
        self._failure: Exception | None = None
        self._stop_by: float | None = None
        # An outcome or a lease has come.
        self._news = asyncio.Event()

    async def run(self, first: LeaseBatch) -> int:
        """Hand over until nothing more is due; return how many messages were handed over or tried."""
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._add(first)
        try:
            await self._work()
        finally:
            if self._leasing is not None:
                await asyncio.wait([self._leasing])
            if self._in_flight:
                # Turns have failed for good: nobody records these outcomes, so that the provider will be asked.
                await asyncio.wait(self._in_flight)
            if self._ready:
                await asyncio.to_thread(self._release, [ready.leased for ready in self._ready])
        if self._failure is not None:
            raise self._failure
        return self._tried

    async def _work(self) -> None:
        while True:
            self._cut_off_the_longest()
            goes_on = self._goes_on() and self._failure is None
            if goes_on:
                self._lease_more()
            if self._answers or (goes_on and self._has_next()):
                await self._take_turn(goes_on)
            elif self._in_flight:
                if not goes_on and self._is_out_of_time():
                    self._cut_off()
                await self._wait_for_news()
            elif goes_on and (self._ready or not self._is_all):
                await self._wait_for_news()
            else:
                return

    # ── what is leased ──

    def _add(self, batch: LeaseBatch) -> None:
        came = self._loop.time()
        before = 0.0
        for leased in batch.leased:
            self._ready.append(_Ready(leased, came + leased.starts_in, leased.starts_in - before))
            before = leased.starts_in
        self._is_all = batch.is_all
        self._lease_at = came + batch.wait

    def _lease_more(self) -> None:
        """Begin to lease the next messages, where few are left and more may be due."""
        most = self._most()
        is_early = self._loop.time() < self._lease_at or 2 * len(self._ready) > most
        if self._leasing is None and not self._is_all and not is_early:
            self._leasing = self._loop.create_task(self._lease_batch(most))

    def _most(self) -> int:
        """Return how many messages to lease at once."""
        pace = self._tried / max(self._loop.time() - self._began, SHORTEST)
        return min(MOST, max(self._concurrency, int(LEASED_AHEAD * pace)))

    async def _lease_batch(self, most: int) -> None:
        try:
            self._add(await asyncio.to_thread(self._lease, most))
        except DatabaseNotReadyError as not_ready:
            # What is leased and what is in flight go on; the next batch waits for the database.
            self._lease_at = self._loop.time() + BETWEEN_TRIES
            self._failure = not_ready if not_ready.is_final else None
        except Exception as failure:  # noqa: BLE001  # it is raised when what is in flight has been recorded
            self._failure = failure
        finally:
            self._leasing = None
            self._news.set()

    # ── turns ──

    def _has_next(self) -> bool:
        """Return whether there is room for a message whose time has come."""
        has_room = len(self._in_flight) < self._concurrency
        return has_room and bool(self._ready) and self._ready[0].at <= self._loop.time()

    async def _take_turn(self, goes_on: bool) -> None:
        """Record the outcomes that have come in, and begin as many hand-overs as there is room for.

        What comes during a turn is recorded by the next one: the more there is to do, the more each turn does.
        """
        answered, self._answers = self._answers, []
        begins: list[_Ready] = []
        while goes_on and len(begins) + len(self._in_flight) < self._concurrency and self._has_next():
            ready = self._ready.popleft()
            address = ready.leased.outgoing.address
            if address in self._behind:
                self._behind[address].append(ready)
                continue
            self._behind[address] = deque()
            begins.append(ready)
        if not answered and not begins:
            return
        begun = await self._patiently(answered, [ready.leased for ready in begins])
        going = {leased.outgoing.message_id: leased for leased in begun}
        for ready in begins:
            leased = going.get(ready.leased.outgoing.message_id)
            if leased is None:
                self._next_to(ready.leased.outgoing.address)
                continue
            # One that is late keeps its distance to the one before: that is the pace of its sender.
            starts_at = max(ready.at, self._started_last + ready.gap, self._loop.time())
            self._started_last = starts_at
            task = self._loop.create_task(self._try(leased, starts_at))
            self._in_flight[task] = starts_at
            task.add_done_callback(self._has_ended)

    async def _patiently(
        self, answered: Sequence[Answered], begins: Sequence[LeasedMessage]
    ) -> Sequence[LeasedMessage]:
        """Take a turn, and try again while the database is away.

        A short outage must not turn messages that have left into messages of unknown outcome. What could not begin
        meanwhile has lost its lease, and is due again.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                return await asyncio.to_thread(self._turn, answered, begins)
            except DatabaseNotReadyError as not_ready:
                if not tries_left or not_ready.is_final or self._is_out_of_time():
                    raise
                await pause(BETWEEN_TRIES)
        raise AssertionError("a turn was neither taken nor refused")

    def _is_out_of_time(self) -> bool:
        """Return whether it was to stop so long ago that a database which is away is not waited for."""
        if self._goes_on() and self._failure is None:
            self._stop_by = None
        elif self._stop_by is None:
            self._stop_by = self._loop.time() + STOPS_WITHIN
        return self._stop_by is not None and self._loop.time() >= self._stop_by

    async def _try(self, leased: LeasedMessage, starts_at: float) -> None:
        if (wait := starts_at - self._loop.time()) > 0:
            await pause(wait)
        try:
            outcome = await self._hand_over(leased)
            # Not before: the next turn may have begun another list meanwhile.
            self._answers.append((leased, outcome))
            self._tried += 1
            self.accepted += outcome.state is MessageState.ACCEPTED
        finally:
            self._next_to(leased.outgoing.address)

    def _next_to(self, address: str) -> None:
        """Let what waits for this address go on; the first of it is begun next."""
        waiting = self._behind.pop(address)
        self._ready.extendleft(reversed(waiting))

    def _has_ended(self, task: "asyncio.Task[None]") -> None:
        del self._in_flight[task]
        self._news.set()

    def _cut_off(self) -> None:
        """End the hand-overs that take too long to be waited for; each has an unknown outcome then."""
        for task in self._in_flight:
            task.cancel()

    def _cut_off_the_longest(self) -> None:
        """End the hand-overs that nobody waits for any longer, at least every LOOKS_EVERY."""
        began_by = self._loop.time() - LONGEST_HAND_OVER.total_seconds()
        for task, began in self._in_flight.items():
            if began > began_by:
                return
            task.cancel(TAKES_TOO_LONG)

    async def _wait_for_news(self) -> None:
        """Wait until an outcome or a lease has come, the time of the next message, or to look whether to stop."""
        now, times = self._loop.time(), [self._ready[0].at] if self._ready else []
        if not self._is_all:
            times.append(self._lease_at)
        self._news.clear()
        await pause_unless(self._news, min([LOOKS_EVERY, *(at - now for at in times if at > now)]))
