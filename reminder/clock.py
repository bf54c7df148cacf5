"""Where time and chance come from: the only file that asks the machine for either.

Instants are aware UTC; a date is a date in Japan, for everyone. Japan has had one zone without summer time since 1952,
so a fixed offset is exact for every date a card can carry.
"""

import asyncio
import os
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

JAPAN = timezone(timedelta(hours=9), "Asia/Tokyo")


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RehearsalClock:
    """Runs as fast as the machine's, but as if it had been `began` when it was made: a rehearsal of another day."""

    def __init__(self, began: datetime) -> None:
        self._ahead = began - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


class SteppedClock:
    """A clock that stands still until it is moved: five years pass in seconds."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def move_to(self, now: datetime) -> None:
        """Raises ValueError when asked to go back: time that runs backwards would hide a doubled text."""
        if now < self._now:
            raise ValueError(f"time cannot run back from {self._now} to {now}")
        self._now = now.astimezone(UTC)


def japan_date(instant: datetime) -> date:
    return instant.astimezone(JAPAN).date()


async def pause(seconds: float) -> None:
    """Waits for the provider's pace or answer. Rules never wait; only the sending loop does."""
    await asyncio.sleep(seconds)


async def pause_unless(over: asyncio.Event, seconds: float) -> None:
    """As pause, but not once this has happened."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()


def random_bytes(count: int) -> bytes:
    """Unguessable bytes for keys, nonces and tokens."""
    return os.urandom(count)


def random_code() -> str:
    """Six digits; of 64 bits the remainder is even enough."""
    return f"{int.from_bytes(os.urandom(8)) % 1_000_000:06}"
