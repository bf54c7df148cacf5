"""A provider that answers at once, or after a given time, and does nothing else: faster than every client measured here.

`python -m tests.bench.sink LATENCY_SECONDS` prints its port, counts what it is sent by number, and tells on GET.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb"(?:^|&)To=([^&]*)")


@dataclass(frozen=True)
class Taken:
    """`first`, `last`: time.time() of the first and the last; `times`: of each, in order."""

    count: int
    doubled: int
    first: float
    last: float
    times: list[float]


class _Line(asyncio.Protocol):
    """One connection: a whole request, an answer, the next request."""

    def __init__(self, latency: float, seen: Counter[bytes], times: list[float]) -> None:
        self._latency, self._seen, self._times, self._rest = latency, seen, times, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._rest) < whole:
                return
            body, self._rest = self._rest[end + 4 : whole], self._rest[whole:]
            if head.startswith(b"GET"):
                self._answer(json.dumps([len(self._times), self._doubled(), self._times]).encode())
            elif self._latency:
                self._take(body)
                asyncio.get_running_loop().call_later(self._latency, self._accept)
            else:
                self._take(body)
                self._accept()

    def _take(self, body: bytes) -> None:
        to = _TO.search(body)
        self._seen[to[1] if to else b""] += 1
        self._times.append(time.time())

    def _doubled(self) -> int:
        return sum(count - 1 for count in self._seen.values())

    def _accept(self) -> None:
        self._answer(b'{"sid": "SM%032x", "status": "queued"}' % len(self._times), b"201 Created")

    def _answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            self._transport.write(head + body)  # type: ignore[attr-defined]


async def _serve(latency: float) -> None:
    seen: Counter[bytes] = Counter()
    times: list[float] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: _Line(latency, seen, times), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Sink:
    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def taken(self) -> Taken:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/")
        count, doubled, times = json.loads(connection.getresponse().read())
        connection.close()
        return Taken(count, doubled, times[0] if times else 0.0, times[-1] if times else 0.0, times)


@contextmanager
def sink(latency: float) -> Iterator[Sink]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sink", str(latency)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Sink(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
