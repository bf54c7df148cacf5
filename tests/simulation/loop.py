"""A deterministic event loop: time is virtual, and threads are greenlets that go on when the loop says so.

Nothing here waits for a clock, a socket or a thread of the machine. What is ready runs in the order in which it became
ready; when that is, the delays say that the simulation draws from its seed. What belongs to a process that was killed
never runs again: no `finally`, no `except`, as after SIGKILL.
"""

import asyncio
import contextvars
import socket
from asyncio import events
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Protocol, TypeVar

import greenlet

T = TypeVar("T")


class Process(Protocol):
    """What callbacks, tasks and threads belong to."""

    is_alive: bool


OWNER: contextvars.ContextVar[Process | None] = contextvars.ContextVar("owner", default=None)


class StalledError(Exception):
    """Nothing is ready and nothing ever will be."""


class _Handle(events.Handle):
    __slots__ = ("_owner",)

    def __init__(self, callback: Any, args: Any, loop: Any, context: contextvars.Context | None) -> None:
        super().__init__(callback, args, loop, context)
        self._owner = OWNER.get() if context is None else context.get(OWNER)

    def _run(self) -> None:
        if self._owner is None or self._owner.is_alive:
            super()._run()


class _TimerHandle(events.TimerHandle):
    __slots__ = ("_owner",)

    def __init__(self, when: float, callback: Any, args: Any, loop: Any, context: contextvars.Context | None) -> None:
        super().__init__(when, callback, args, loop, context)
        self._owner = OWNER.get() if context is None else context.get(OWNER)

    def _run(self) -> None:
        if self._owner is None or self._owner.is_alive:
            super()._run()


class _Task(asyncio.Task[Any]):
    """A task with a hash that does not depend on where it lies in memory: sets of tasks have one order."""

    _numbers = count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hash = next(self._numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._hash


class _Selector:
    """Waiting is moving the virtual time to the next timer."""

    def __init__(self, loop: "SimLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StalledError
        if timeout > 0:
            self._loop.elapsed += timeout
        return []

    def close(self) -> None:
        """Nothing was opened."""


class SimLoop(asyncio.BaseEventLoop):
    """The loop. `delay` draws how long a thread waits before it begins; `network` connects."""

    def __init__(self, delay: Callable[[], float], network: "Any") -> None:
        super().__init__()
        self.elapsed = 0.0
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9
        self._delay, self._network = delay, network
        self._hub: greenlet.greenlet | None = None
        self._reaching: dict[int, tuple[str, int]] = {}
        self.set_task_factory(lambda loop, work, **more: _Task(work, loop=loop, **more))

    def time(self) -> float:
        """Virtual seconds since the simulation began."""
        return self.elapsed

    def run_until_complete(self, future: Any) -> Any:
        """Run as asyncio's loop does; the caller is the one that threads give way to."""
        self._hub = greenlet.getcurrent()
        return super().run_until_complete(future)

    # ── what BaseEventLoop leaves to its children ──

    def _process_events(self, event_list: Any) -> None:
        """There are no events but timers."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""

    def _call_soon(self, callback: Any, args: Any, context: Any) -> events.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> events.TimerHandle:
        """Call back at this virtual time."""
        import heapq

        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    # ── threads ──

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Run a function in a thread of its own, which begins after a while."""
        del executor
        done: asyncio.Future[T] = self.create_future()

        def body() -> None:
            try:
                result = func(*args)
            except greenlet.GreenletExit:
                raise
            except BaseException as failed:  # noqa: BLE001  # it is raised where somebody waits for it
                if not done.done():
                    done.set_exception(failed)
            else:
                if not done.done():
                    done.set_result(result)

        thread = greenlet.greenlet(body, parent=self._hub)
        thread.gr_context = contextvars.copy_context()
        self.call_later(self._delay(), self._go_on, thread)
        return done

    @property
    def is_in_thread(self) -> bool:
        """Whether the caller is a thread, which may wait."""
        return self._hub is not None and greenlet.getcurrent() is not self._hub

    def wait(self, seconds: float) -> None:
        """Let a thread wait; others run meanwhile."""
        assert self.is_in_thread, "only a thread waits"
        self.call_later(seconds, self._go_on, greenlet.getcurrent())
        assert self._hub is not None
        self._hub.switch()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Let a thread wait for the result of a coroutine."""
        assert self.is_in_thread, "only a thread waits"
        thread = greenlet.getcurrent()
        task = self.create_task(work)
        task.add_done_callback(lambda _: self._go_on(thread))
        assert self._hub is not None
        self._hub.switch()
        return task.result()

    def stay_for_ever(self) -> None:
        """Let the thread of a process that was killed go on never."""
        assert self._hub is not None
        self._hub.switch()

    def _go_on(self, thread: greenlet.greenlet) -> None:
        events._set_running_loop(None)
        try:
            thread.switch()
        finally:
            events._set_running_loop(self)

    # ── sockets ──

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:  # type: ignore[override]
        """Return the host itself: names are not looked up here."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Reach a host of the simulated network; the socket itself is never used."""
        await self._network.reach(address[0], address[1])
        self._reaching[sock.fileno()] = (address[0], address[1])

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any
    ) -> tuple[asyncio.Transport, Any]:
        """Return a connection within the simulated network."""
        if sock is not None:
            host, port = self._reaching.pop(sock.fileno())
            sock.close()
        else:
            await self._network.reach(host, port)
        protocol = protocol_factory()
        return self._network.connect(protocol, host, port), protocol
