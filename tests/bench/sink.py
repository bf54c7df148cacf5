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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import unquote

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb"(?:^|&)To=([^&]*)")


@dataclass(frozen=True)
class Taken:
    """`first`, `last`: time.time() of the first and the last; `times`: of each, by number."""

    count: int
    doubled: int
    times: Mapping[str, float]

    @property
    def first(self) -> float:
        return min(self.times.values(), default=0.0)

    @property
    def last(self) -> float:
        return max(self.times.values(), default=0.0)


class _Line(asyncio.Protocol):
    """One connection: a whole request, an answer, the next request."""

    def __init__(self, latency: float, seen: Counter[bytes], times: dict[bytes, float]) -> None:
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
            if head.startswith(b"GET /count"):
                self._answer(b"%d" % self._seen.total())
            elif head.startswith(b"GET"):
                times = {unquote(to.decode()): at for to, at in self._times.items()}
                self._answer(json.dumps([self._seen.total(), self._seen.total() - len(times), times]).encode())
            elif self._latency:
                self._take(body)
                asyncio.get_running_loop().call_later(self._latency, self._accept)
            else:
                self._take(body)
                self._accept()

    def _take(self, body: bytes) -> None:
        found = _TO.search(body)
        to = found[1] if found else b""
        self._seen[to] += 1
        self._times.setdefault(to, time.time())

    def _accept(self) -> None:
        self._answer(b'{"sid": "SM%032x", "status": "queued"}' % self._seen.total(), b"201 Created")

    def _answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            self._transport.write(head + body)  # type: ignore[attr-defined]


async def _serve(latency: float) -> None:
    seen: Counter[bytes] = Counter()
    times: dict[bytes, float] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: _Line(latency, seen, times), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Sink:
    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def taken(self) -> Taken:
        return Taken(*json.loads(self._get("/")))

    def count(self) -> int:
        return int(self._get("/count"))

    def _get(self, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse().read()
        connection.close()
        return answer


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
