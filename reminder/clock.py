"""The only source of time and randomness in the program.

Instants are aware UTC; a date is a date in Japan, for everyone. Japan has had one zone without summer time since 1952,
so a fixed offset is exact for every date a card can carry.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Lock
from typing import Protocol

JAPAN = timezone(timedelta(hours=9), "Asia/Tokyo")


class Clock(Protocol):
    """A source of the present instant."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""
        return datetime.now(UTC)


class RehearsalClock:
    """A clock at normal speed that began at `began` when it was created: a rehearsal of another day."""

    def __init__(self, began: datetime) -> None:
        self._ahead = began - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the rehearsed instant, aware UTC."""
        return datetime.now(UTC) + self._ahead


class SteppedClock:
    """A clock that stands still until it is moved: five years pass in seconds."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant it was last moved to, aware UTC."""
        return self._now

    def move_to(self, now: datetime) -> None:
        """Move the clock; raises ValueError for an earlier instant, which would hide a doubled text."""
        if now < self._now:
            raise ValueError(f"time cannot run back from {self._now} to {now}")
        self._now = now.astimezone(UTC)


def monotonic() -> float:
    """Return seconds that only ever grow, whatever the machine's clock is set to; they are for intervals."""
    return time.monotonic()


class ClockWatch:
    """Notices that a clock was set, by comparing it with seconds that only grow. Several threads may use it."""

    def __init__(self, clock: Clock, seconds: Callable[[], float] = monotonic) -> None:
        self._clock, self._seconds = clock, seconds
        self._lock = Lock()
        self._seen = self._now()

    def step(self) -> timedelta:
        """Return by how much the clock was set since the last call, forward or (negative) back.

        The suspension of a machine counts as forward, because its seconds stand still meanwhile.
        """
        with self._lock:
            (before, seconds_before), (now, seconds) = self._seen, self._now()
            self._seen = now, seconds
        return now - before - timedelta(seconds=seconds - seconds_before)

    def _now(self) -> tuple[datetime, float]:
        return self._clock.now(), self._seconds()


def japan_date(instant: datetime) -> date:
    """Return the date in Japan of an instant."""
    return instant.astimezone(JAPAN).date()


async def pause(seconds: float) -> None:
    """Wait for a provider's rate limit or answer. Rules never wait; only the sending loop does."""
    await asyncio.sleep(seconds)


async def pause_unless(over: asyncio.Event, seconds: float) -> None:
    """Wait as pause does, but end as soon as the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()


def random_bytes(count: int) -> bytes:
    """Return unguessable bytes for keys, nonces and tokens."""
    return os.urandom(count)


def random_code() -> str:
    """Return six random digits; the remainder of 64 bits is even enough."""
    return f"{int.from_bytes(os.urandom(8)) % 1_000_000:06}"
