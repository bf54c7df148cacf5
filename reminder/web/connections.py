"""Connections of the web server: how many there may be, and how long a client may take to send or to read.

uvicorn bounds idle connections and the size of an incomplete head. This adds what it lacks: time limits for heads,
bodies and answers that trickle, and the number of connections of each client and of all. Where there are too many, the
one that has waited longest for its client is closed, so that a new request is still answered.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from reminder.web.support.network import TrustedProxies, network_named
from reminder.web.support.refused_requests import Cause

# Seconds until the head of a request has come, and until its body has, if that is short.
HEAD_SECONDS, BODY_SECONDS = 10.0, 20.0
# A longer body, or answer, may take one second more for so many bytes: half of what a throttled telephone still gets.
BYTES_A_SECOND = 4096
# The queue of the operating system: so many may be accepted before the first of them can be closed.
BACKLOG = 100
# Files that the rest of the process needs: the database, providers, logs, what is served.
OTHER_FILES = 64
# So often slow connections are looked for, in seconds.
SWEPT_EVERY = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """The most connections of all clients, and of one client (an IPv4 address, or the /64 of an IPv6 address).

    Connections of a trusted proxy are only counted among all: behind it are many clients.
    """

    total: int
    of_client: int
    trusted: TrustedProxies


def most_connections(wanted: int, most_files: int) -> int:
    """Return how many connections fit into the files that the process may open, at least one."""
    return max(1, min(wanted, most_files - BACKLOG - OTHER_FILES))


class Connections:
    """The open connections of a server. `count` is told why one was ended."""

    def __init__(
        self, limits: ConnectionLimits, answers: Mapping[int, bytes], count: Callable[[Cause], None] = lambda _: None
    ) -> None:
        self.answers = answers
        self.count = count
        self._limits = limits
        self._of_client: dict[str, set[BoundedConnection]] = defaultdict(set)
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator["BoundedConnection"]:
        return iter([one for some in self._of_client.values() for one in some])

    def admit(self, one: "BoundedConnection") -> bool:
        """Add a connection, closing another one if there are too many; return False if none can be closed."""
        ours = self._of_client.get(one.client_network, set())
        among: set[BoundedConnection]
        if not one.is_of_proxy and len(ours) >= self._limits.of_client:
            among = ours
        elif self._count >= self._limits.total:
            # The clients with the most connections lose one, before others lose theirs.
            waiting_ones = [some for some in self._of_client.values() if any(other.waits for other in some)]
            most = max(map(len, waiting_ones), default=0)
            among = {other for some in waiting_ones if len(some) == most for other in some}
        else:
            self._add(one)
            return True
        waiting = [(other.waits_since, other) for other in among if other.waits_since is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        self.count(Cause.TOO_MANY_CONNECTIONS)
        longest.cut_off()
        self.remove(longest)
        self._add(one)
        return True

    def _add(self, one: "BoundedConnection") -> None:
        self._of_client[one.client_network].add(one)
        self._count += 1
        if self._timer is None:
            self._timer = one.loop.call_later(SWEPT_EVERY, self._sweep_again, one.loop)

    def remove(self, one: "BoundedConnection") -> None:
        """Forget a connection; one that is not there changes nothing."""
        ours = self._of_client.get(one.client_network)
        if ours is not None and one in ours:
            ours.remove(one)
            self._count -= 1
            if not ours:
                del self._of_client[one.client_network]

    def is_of_proxy(self, host: str) -> bool:
        """Return whether the address is that of a trusted proxy."""
        return host in self._limits.trusted

    def sweep(self, now: float) -> None:
        """Close every connection whose client is too slow. `now`: in seconds of the event loop's clock."""
        for one in self:
            one.close_if_slow(now)

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self.sweep(loop.time())
        if self._count:
            self._timer = loop.call_later(SWEPT_EVERY, self._sweep_again, loop)


class BoundedConnection(H11Protocol):
    """A connection whose client has limited time, one of `registry`."""

    registry: ClassVar[Connections]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.client_network = ""
        self.is_of_proxy = False
        self._is_over = False
        self._head_since = 0.0
        self._body_since = 0.0
        self._body_of: object = None  # the request whose body is being received
        self.received = 0
        self._unsent_since: float | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or answer that there are too many."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.client_network, self.is_of_proxy = network_named(host), self.registry.is_of_proxy(host)
        self._head_since = self.loop.time()
        if not self.registry.admit(self):
            self.registry.count(Cause.TOO_MANY_CONNECTIONS)
            self._end_with(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.registry.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on; those after the end are dropped."""
        if self._is_over:
            return
        self.received += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        """Begin to count the time of a body when its request begins."""
        super().handle_events()
        if self.cycle is not None and self.cycle is not self._body_of:
            self._body_of, self._body_since, self.received = self.cycle, self.loop.time(), 0

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._head_since, self.received = self.loop.time(), 0
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close the connection when the server stops; a request that is worked on is finished."""
        if self._is_over:
            self.transport.abort()
        elif self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self._end_with(503)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is no HTTP."""
        del msg
        self.registry.count(Cause.MALFORMED)
        self._end_with(400)

    def _should_upgrade(self) -> bool:
        # There are no WebSockets, and nobody is to fill the log by asking for them.
        return False

    @property
    def waits_since(self) -> float | None:
        """Since when the client has to send something; None while its request is worked on."""
        if self._is_over:
            return self._head_since
        if self.cycle is None or self.cycle.response_complete:
            return self._head_since
        return self._body_since if self.cycle.more_body else None

    @property
    def waits(self) -> bool:
        """Whether the client has to send something."""
        return self.waits_since is not None

    def close_if_slow(self, now: float) -> None:
        """Close the connection if its client has had its time.

        A head has HEAD_SECONDS, a body BODY_SECONDS and one more for every BYTES_A_SECOND that have come: as the
        RequestReadTimeout of Apache, which also ends what trickles.
        """
        if self._reads_too_slowly(now):
            self.registry.count(Cause.TOO_SLOW)
            self.cut_off()
        elif self._is_over or self.transport.is_closing():
            return
        elif self.cycle is None or self.cycle.response_complete:
            if now - self._head_since > HEAD_SECONDS:
                # Who has sent nothing gets no answer, and is counted nowhere: browsers open connections ahead.
                self._end_too_slow() if self.received else self._end_with(None)
        elif self.cycle.more_body:
            if self.flow.read_paused:
                # It is we who do not read.
                self._body_since = now
            elif now - self._body_since > BODY_SECONDS + self.received / BYTES_A_SECOND:
                self._end_too_slow()

    def _end_too_slow(self) -> None:
        self.registry.count(Cause.TOO_SLOW)
        self._end_with(408)

    def _reads_too_slowly(self, now: float) -> bool:
        """Return whether the client takes too little of an answer that waits for it."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since, self._unsent = now, unsent
        elif now - self._unsent_since > BODY_SECONDS:
            taken = self._unsent - unsent
            # More may have been added meanwhile, but not while the buffer is full.
            if taken < BODY_SECONDS * BYTES_A_SECOND and (self.flow.write_paused or self.transport.is_closing()):
                return True
            self._unsent_since, self._unsent = now, unsent
        return False

    def cut_off(self) -> None:
        """Close the connection at once, whatever waits to be sent."""
        self._is_over = True
        self.transport.abort()

    def _end_with(self, status: int | None) -> None:
        """Send the answer of this status, unless one has begun, and close the connection."""
        self._is_over = True
        self._unset_keepalive_if_required()
        in_work = self.cycle is not None and not self.cycle.response_complete
        if status is not None and not (in_work and self.cycle.response_started):
            self.transport.write(self.registry.answers[status])
        if in_work:
            # Whoever waits for the rest of the body learns that nothing more comes.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state is not h11.ERROR:
            self.conn.send_failed()
        self.transport.close()


def bounded_protocol(connections: Connections) -> type[BoundedConnection]:
    """Return the protocol class of a server with these connections."""
    return type("BoundedConnection", (BoundedConnection,), {"registry": connections})


def whole_answer(status: int, reason: str, headers: Mapping[str, str], problem: Mapping[str, object]) -> bytes:
    """Return a whole answer with problem details, after which the connection is closed."""
    body = json.dumps(problem, ensure_ascii=False).encode()
    fields = {
        **headers,
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    head = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("latin-1") + b"\r\n" + body
