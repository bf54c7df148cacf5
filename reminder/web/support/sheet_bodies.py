"""The memory for sheets that are being received, of all groups together.

A group sends one sheet at a time, but there are many groups. A body is received only when there is room for all of it.
A body that trickles does not keep the room from others: it is ended when another one needs it.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.types import Message, Receive

from reminder.enrolment.imports.reader import LARGEST
from reminder.errors import TooBusyError
from reminder.wiring import App

# Bytes of bodies at a time; a form keeps its file three times until it is read. Most sheets have a hundredth of it.
MOST_BYTES = 48 * 1024 * 1024
# A body may take its time; after this much it must have come this fast where others wait (bytes a second).
UNHURRIED, PACE = timedelta(seconds=30), 64 * 1024
_TRY_AGAIN = 15
# In the state of a request.
SHEET_BODY = "sheet_body"


class SheetBody:
    """One body that is being received. `size`: the bytes that it may have; `since`: aware UTC."""

    def __init__(self, size: int, since: datetime) -> None:
        self.size, self.since = size, since
        self.received = 0
        self.is_whole = False
        self._ended = threading.Event()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]] | None = None

    def is_slow(self, now: datetime) -> bool:
        """Return whether it has had its time and trickles."""
        passed = now - self.since
        return not self.is_whole and passed >= UNHURRIED and self.received < passed.total_seconds() * PACE

    def end(self) -> None:
        """Make the request that receives it fail, also one that waits for more."""
        self._ended.set()
        if self._waiting is not None:
            loop, waiting = self._waiting
            loop.call_soon_threadsafe(waiting.cancel)

    async def next_of(self, receive: Receive) -> Message:
        """Return the next message of the body. Raises TooBusyError once it was ended."""
        loop = asyncio.get_running_loop()
        if self._waiting is None:
            self._waiting = loop, loop.create_future()
        coming: asyncio.Future[Any] = asyncio.ensure_future(receive())
        try:
            if not self._ended.is_set():
                await asyncio.wait({coming, self._waiting[1]}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                raise TooBusyError(field="file", retry_after=_TRY_AGAIN)
            message: Message = await coming
        finally:
            coming.cancel()
        self.received += len(message.get("body", b""))
        self.is_whole = not message.get("more_body", False)
        return message


class SheetBodies:
    """The bodies that this process receives or reads."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._now: list[SheetBody] = []
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._now)

    def __iter__(self) -> Iterator[SheetBody]:
        return iter(list(self._now))

    def admit(self, size: int, now: datetime) -> SheetBody:
        """Take the room for a body, if need be that of bodies that trickle. Raises TooBusyError."""
        with self._changing:
            needed = size - (self._most - sum(one.size for one in self._now))
            slow = sorted((one for one in self._now if one.is_slow(now)), key=lambda one: one.received)
            if needed > sum(one.size for one in slow):
                raise TooBusyError(field="file", retry_after=_TRY_AGAIN)
            for one in slow:
                if needed <= 0:
                    break
                needed -= one.size
                self._now.remove(one)
                one.end()
            body = SheetBody(size, now)
            self._now.append(body)
            return body

    def release(self, body: SheetBody) -> None:
        """Give the room back; it may have been taken already."""
        with self._changing:
            if body in self._now:
                self._now.remove(body)


@contextmanager
def receiving(request: Request) -> Iterator[None]:
    """Hold room for the body of this request, until what it holds was read. Raises TooBusyError."""
    app: App = request.app.state.app
    sheet_bodies: SheetBodies = request.app.state.sheet_bodies
    length = request.headers.get("content-length")
    # The request guard has refused what is longer, and ends a body without a length at this.
    body = sheet_bodies.admit(LARGEST if length is None else int(length), app.clock.now())
    setattr(request.state, SHEET_BODY, body)
    try:
        yield
    finally:
        sheet_bodies.release(body)
