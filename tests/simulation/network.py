"""A simulated network: connections in memory, which are refused, slow, silent, cut or torn as its weather says."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tests.simulation.loop import OWNER

if TYPE_CHECKING:
    from tests.simulation.loop import SimLoop


class Service(Protocol):
    """The other end of one connection."""

    def heard(self, data: bytes) -> None:
        """Take what the client has written."""

    def gone(self) -> None:
        """Note that the client has closed."""


class Host(Protocol):
    """What listens at an address. `reachable` is asked at each connect."""

    def reachable(self) -> str:
        """Return "yes", "refused" or "silent"."""

    def answer(self, line: "Line") -> Service:
        """Serve a new connection."""


class Network:
    """The hosts by address, and the connections between them and our processes."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self.loop: SimLoop
        self.hosts: dict[tuple[str, int], Host] = {}
        self._lines: list[Line] = []

    async def reach(self, address: str, port: int) -> None:
        """Return once a connection is made; raises OSError."""
        host = self.hosts.get((address, port))
        how = "refused" if host is None else host.reachable()
        await asyncio.sleep(self._delay())
        if how == "silent":
            await asyncio.sleep(3600)
        if how != "yes":
            raise ConnectionRefusedError(111, "refused")

    def connect(self, protocol: asyncio.Protocol, address: str, port: int) -> "Line":
        """Return the transport of a connection that was made."""
        line = Line(self.loop, protocol, self._delay)
        self._lines.append(line)
        line.serve(self.hosts[address, port])
        return line

    def cut_lines_of(self, owner: object) -> None:
        """Close the connections of a process that was killed."""
        for line in self._lines:
            if line.owner is owner:
                line.close_by_death()
        self._lines = [line for line in self._lines if line.owner is not owner]


class Line(asyncio.Transport):
    """One connection, as our side's transport; the service writes with `say` and ends it with `hang_up` or `tear`."""

    def __init__(self, loop: "SimLoop", protocol: asyncio.Protocol, delay: Callable[[], float]) -> None:
        super().__init__()
        self.loop, self._protocol, self._delay = loop, protocol, delay
        self.owner = OWNER.get()
        self._is_closed = self._is_paused = self._is_lost = False
        self._unread: deque[bytes] = deque()
        self._next_out = self._next_in = 0.0
        self._service: Service
        protocol.connection_made(self)

    def serve(self, host: Host) -> None:
        """Let a host answer."""
        self._service = host.answer(self)

    # ── our side ──

    def write(self, data: Any) -> None:
        """Send to the service."""
        if not self._is_closed:
            self._next_out = max(self._next_out, self.loop.time()) + self._delay()
            # It is on its way: it arrives even if its sender dies.
            self.loop.call_at(self._next_out, self._arrive, bytes(data), context=_NOBODY)

    def _arrive(self, data: bytes) -> None:
        self._service.heard(data)

    def writelines(self, list_of_data: Any) -> None:
        """Send all of it."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """End the connection after what was written."""
        if not self._is_closed:
            self._is_closed = True
            self.loop.call_at(max(self._next_out, self.loop.time()) + 1e-6, self._service_gone, context=_NOBODY)
            self.loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """End the connection."""
        self.close()

    def close_by_death(self) -> None:
        """End the connection because its process is dead; the protocol hears nothing any more."""
        if not self._is_closed:
            self._is_closed = self._is_lost = True
            self.loop.call_at(max(self._next_out, self.loop.time()) + 1e-6, self._service_gone, context=_NOBODY)

    def _service_gone(self) -> None:
        self._service.gone()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._is_closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what a client may ask of its socket."""
        if name == "socket":
            return _Socket()
        return _Socket.address if name in ("peername", "sockname") else default

    def pause_reading(self) -> None:
        """Keep back what comes."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Hand on what came."""
        self._is_paused = False
        self.loop.call_soon(self._hand_on)

    def is_reading(self) -> bool:
        """Whether what comes is handed on."""
        return not self._is_paused

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        """Return 0."""
        return 0

    def can_write_eof(self) -> bool:
        """Return False."""
        return False

    def set_protocol(self, protocol: Any) -> None:
        """Replace the protocol."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self._protocol

    # ── the service's side ──

    def say(self, data: bytes, after: float = 0.0, then: Callable[[], None] | None = None) -> None:
        """Send to our side, after what was said before; `then` is called when it is there."""

        def hear() -> None:
            if then is not None and not self._is_closed:
                then()
            self._hear(data)

        self._later(after, hear)

    def hang_up(self, after: float = 0.0) -> None:
        """End the connection in order."""
        self._later(after, lambda: self._ended(None))

    def tear(self, after: float = 0.0) -> None:
        """Reset the connection."""
        self._later(after, lambda: self._ended(ConnectionResetError(104, "reset")))

    def _later(self, after: float, then: Callable[[], None]) -> None:
        self._next_in = max(self._next_in, self.loop.time()) + after + self._delay()
        context = _NOBODY.copy()
        context.run(OWNER.set, self.owner)
        self.loop.call_at(self._next_in, then, context=context)

    def _hear(self, data: bytes) -> None:
        self._unread.append(data)
        self._hand_on()

    def _hand_on(self) -> None:
        while self._unread and not self._is_paused and not self._is_closed:
            self._protocol.data_received(self._unread.popleft())

    def _ended(self, why: Exception | None) -> None:
        if self._is_closed:
            return
        self._is_paused = False
        self._hand_on()
        if why is None and self._protocol.eof_received():
            return  # the protocol closes when it likes
        self._is_closed = True
        self._lose(why)

    def _lose(self, why: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(why)


class _Socket:
    """What stands where a socket would: it has addresses, and nothing can be read from it."""

    address = ("192.0.2.200", 1)
    family = socket.AF_INET

    def setsockopt(self, *_: object) -> None:
        """Take any option."""

    def getpeername(self) -> tuple[str, int]:
        return self.address

    getsockname = getpeername

    def fileno(self) -> int:
        return -1


def _of_nobody() -> Any:
    import contextvars

    return contextvars.Context()


_NOBODY = _of_nobody()
