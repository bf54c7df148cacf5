"""A clock that every process of a run shares, whose minutes are seconds; and an event loop that lives as fast."""

import asyncio
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized


@dataclass(frozen=True)
class FastClock:
    """`factor` times as fast as the machine's since `since` (the machine's seconds), when it was `began`. `ahead`: by
    how many seconds the run was moved on, seen by every process at once. `skew`: how far this process's own clock is
    out, in seconds: machines never agree. `stepped`: by how many seconds the clock of its machine has been set, forward
    or back; None on a machine whose clock is never set."""

    began: datetime
    since: float
    factor: float
    ahead: "Synchronized[float]"
    skew: float = 0.0
    stepped: "Synchronized[float] | None" = None

    def now(self) -> datetime:
        out = self.skew + (self.stepped.value if self.stepped is not None else 0.0)
        passed = (time.time() - self.since) * self.factor + self.ahead.value + out
        return (self.began + timedelta(seconds=passed)).astimezone(UTC)

    def move_to(self, instant: datetime) -> None:
        with self.ahead.get_lock():
            self.ahead.value += max(0.0, (instant - self.now()).total_seconds())

    def real_seconds(self, seconds: float) -> float:
        """How long so many seconds of the run take."""
        return seconds / self.factor


class _FastSelector(selectors.DefaultSelector):
    """Waits as much shorter as its loop's time runs faster."""

    factor = 1.0

    def select(self, timeout: float | None = None) -> Sequence[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self.factor if timeout and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """Time-outs, pauses and the pace of what runs in it are as much shorter as the clock is faster: a lease of ten minutes
    and a time-out of ten seconds keep their proportion, on which what is promised of them rests."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        selector = _FastSelector()
        selector.factor = factor
        super().__init__(selector)

    def time(self) -> float:
        return super().time() * self._factor
