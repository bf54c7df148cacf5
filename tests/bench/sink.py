"""A provider that answers at once, or after a given time, and does nothing else: faster than every client measured here.

`python -m tests.bench.sink LATENCY_SECONDS` prints its port, counts what it is sent by number, tells on GET, and lists
what it has taken as the provider lists it.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPConnection
from urllib.parse import parse_qs, unquote, urlsplit

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb"(?:^|&)To=([^&]*)")
_LIST = b"/Messages.json"


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


class _Book:
    """What was taken, in its order: the number as the form has it, the form and the instant."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, bytes, float]] = []

    def told(self) -> bytes:
        """How many there were, how many of them came again, and when each came first."""
        times: dict[str, float] = {}
        for to, _, at in self.taken:
            times.setdefault(unquote(to.decode()), at)
        return json.dumps([len(self.taken), len(self.taken) - len(times), times]).encode()

    def listed(self, head: bytes) -> bytes:
        """Those to the number of the question, the newest first."""
        to = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query).get("To", [""])[0]
        found = [
            (place, form, at) for place, (other, form, at) in enumerate(self.taken) if unquote(other.decode()) == to
        ]
        rows = []
        for place, form, at in reversed(found):
            fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
            created = format_datetime(datetime.fromtimestamp(at, UTC))
            rows.append(
                {
                    "sid": sid(place), "to": to, "from": fields.get("From"), "body": fields.get("Body"), "status": "sent",
                    "date_created": created, "date_updated": created, "date_sent": created, "direction": "outbound-api",
                }
            )  # fmt: skip
        return json.dumps({"messages": rows, "page": 0, "page_size": 50, "next_page_uri": None}).encode()


def sid(place: int) -> str:
    return f"SM{place:032x}"


class _Line(asyncio.Protocol):
    """One connection: a whole request, an answer, the next request."""

    def __init__(self, latency: float, book: _Book) -> None:
        self._latency, self._book, self._rest = latency, book, b""

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
                self._answer(b"%d" % len(self._book.taken))
            elif head.startswith(b"GET"):
                self._answer(self._book.listed(head) if _LIST in head else self._book.told())
            elif self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._accept, self._take(body))
            else:
                self._accept(self._take(body))

    def _take(self, body: bytes) -> int:
        found = _TO.search(body)
        self._book.taken.append((found[1] if found else b"", body, time.time()))
        return len(self._book.taken) - 1

    def _accept(self, place: int) -> None:
        self._answer(b'{"sid": "%s", "status": "queued"}' % sid(place).encode(), b"201 Created")

    def _answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            self._transport.write(head + body)  # type: ignore[attr-defined]


async def _serve(latency: float) -> None:
    book = _Book()
    server = await asyncio.get_running_loop().create_server(lambda: _Line(latency, book), "127.0.0.1", 0, backlog=1024)
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
    command = [sys.executable, "-m", "tests.bench.sink", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Sink(int(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
