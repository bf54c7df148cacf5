"""Connections: clients that send or read too slowly lose theirs, and too many of them cost nobody else a request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import Request
from fastapi.responses import JSONResponse

from reminder.web.app import create_web
from reminder.web.connections import (
    BODY_SECONDS,
    BYTES_A_SECOND,
    HEAD_SECONDS,
    Connections,
    most_connections,
)
from reminder.web.server import listen, make_server
from reminder.web.support.network import TrustedProxies, network_named
from reminder.web.support.refused_requests import RefusedRequests
from reminder.web.support.security_headers import HEADERS
from reminder.web.support.sheet_bodies import SheetBodies
from tests.patience import PATIENCE
from tests.village import Village, open_village

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b"POST /webhooks/twilio/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nMessage"
FAR = "127.0.0.2"  # another client on the same machine


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, sent: bytes) -> None:
        self.writer.write(sent)
        await self.writer.drain()

    async def all_of_it(self) -> bytes:
        """What came until the server closed the connection."""
        got = b""
        try:
            while piece := await self.reader.read(1 << 16):
                got += piece
        except ConnectionError:
            pass
        return got

    async def answer(self) -> tuple[int, bytes]:
        """The status and the whole of one answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return int(head.split()[1]), head + await self.reader.readexactly(length)


@dataclass
class Site:
    port: int
    connections: Connections
    may_end: asyncio.Event
    refused: RefusedRequests
    sheet_bodies: SheetBodies
    clients: list[Client] = field(default_factory=list)

    async def client(self, sent: bytes = b"", machine: str = "127.0.0.1") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(machine, 0)))
        self.clients.append(client)
        if sent:
            await client.send(sent)
        return client

    async def leave(self) -> None:
        for client in self.clients:
            client.writer.transport.abort()
            with suppress(ConnectionError):
                await client.writer.wait_closed()

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():  # noqa: ASYNC110  # it is another's state
            await asyncio.sleep(0)

    def after(self, seconds: float) -> None:
        """What the server does that looks for slow clients so many seconds from now."""
        self.connections.sweep(asyncio.get_running_loop().time() + seconds)


@asynccontextmanager
async def served(village: Village) -> AsyncIterator[Site]:
    web, may_end = create_web(village.app, local_pages=False), asyncio.Event()

    @web.get("/wait")
    async def wait() -> JSONResponse:
        await may_end.wait()
        return JSONResponse({})

    @web.get("/whose")
    async def whose(request: Request) -> JSONResponse:
        return JSONResponse([request.client.host, request.url.scheme])

    with listen("127.0.0.1", 0) as listening:
        server = make_server(web)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0)
        port, connections = listening.getsockname()[1], server.config.http.registry
        site = Site(port, connections, may_end, web.state.refused_requests, web.state.sheet_bodies)
        yield site
        may_end.set()
        server.should_exit = True
        await serving
        await site.leave()


def story(village: Village, told: Callable[[Site], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with served(village) as site:
            await told(site)

    asyncio.run(asyncio.wait_for(whole(), PATIENCE))


@pytest.mark.parametrize(
    ("sent", "why"),
    [(b"GET /heal", "in the first line"), (b"GET /healthz HTTP/1.1\r\nX-Slow: ", "in a header")],
)
def test_a_head_that_does_not_arrive_is_given_up(village: Village, sent: bytes, why: str) -> None:
    async def told(site: Site) -> None:
        client = await site.client(sent)
        await came(site, len(sent))
        site.after(HEAD_SECONDS - 1)
        await client.send(b"x")  # it trickles
        await came(site, len(sent) + 1)

        site.after(HEAD_SECONDS + 1)

        answer = await client.all_of_it()
        assert answer.startswith(b"HTTP/1.1 408 "), why
        assert b"request_too_slow" in answer

    story(village, told)


def test_whoever_says_nothing_is_closed_without_a_word(village: Village) -> None:
    async def told(site: Site) -> None:
        client = await site.client()
        await site.until(lambda: len(site.connections) == 1)

        site.after(HEAD_SECONDS + 1)

        assert await client.all_of_it() == b""

    story(village, told)


def test_a_body_that_does_not_arrive_is_given_up_and_leaves_no_error(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    async def told(site: Site) -> None:
        client = await site.client(BODY)
        await received(site, 1)
        site.after(BODY_SECONDS - 1)
        assert len(site.connections) == 1

        site.after(BODY_SECONDS + 1)

        assert (await client.all_of_it()).startswith(b"HTTP/1.1 408 ")
        await site.until(lambda: len(site.connections) == 0)

    story(village, told)

    assert caplog.records == []


async def received(site: Site, count: int) -> None:
    """Until the heads of so many requests have come."""
    await site.until(lambda: sum(one.cycle is not None for one in site.connections) == count)


async def came(site: Site, size: int) -> None:
    """Until so many bytes of what is not whole yet have come."""
    await site.until(lambda: sum(one.received for one in site.connections) >= size)


def test_a_body_that_comes_steadily_has_the_time_that_it_needs(village: Village) -> None:
    async def told(site: Site) -> None:
        client = await site.client(BODY)
        await received(site, 1)
        await client.send(b"x" * BYTES_A_SECOND * 10)
        await came(site, BYTES_A_SECOND * 10)

        site.after(BODY_SECONDS + 9)
        assert len(site.connections) == 1
        site.after(BODY_SECONDS + 12)

        assert (await client.all_of_it()).startswith(b"HTTP/1.1 408 ")

    story(village, told)


def test_a_request_that_was_refused_early_need_not_be_read_to_its_end(village: Village) -> None:
    async def told(site: Site) -> None:
        client = await site.client(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nemail")
        assert (await client.answer())[0] == 413
        await client.send(b"x")  # the rest trickles on

        site.after(HEAD_SECONDS + 1)

        await client.all_of_it()
        await site.until(lambda: len(site.connections) == 0)

    story(village, told)


def test_whoever_does_not_read_the_answer_is_cut_off(village: Village) -> None:
    async def told(site: Site) -> None:
        client = await site.client()
        client.writer.transport.pause_reading()
        await site.until(lambda: len(site.connections) == 1)
        (one,) = site.connections
        asked = b"GET /static/htmx-4.0.1.min.js HTTP/1.1\r\nHost: x\r\n\r\n"
        while not one.flow.write_paused:
            await client.send(asked)
            await asyncio.sleep(0)

        site.after(0)
        site.after(BODY_SECONDS + 1)

        await site.until(lambda: len(site.connections) == 0)

    story(village, told)


def test_the_next_request_on_a_connection_has_the_same_time(village: Village) -> None:
    async def told(site: Site) -> None:
        client = await site.client(HEALTH)
        assert (await client.answer())[0] == 200
        await client.send(b"GET /heal")
        await came(site, 9)

        site.after(HEAD_SECONDS + 1)

        assert (await client.all_of_it()).startswith(b"HTTP/1.1 408 ")

    story(village, told)


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    """Its server keeps eight connections open, three of one client."""
    limits = {"web_connections": 8, "web_connections_per_client": 3}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **limits) as opened:
        yield opened


def test_a_client_with_too_many_connections_loses_the_one_that_waits_longest(small: Village) -> None:
    async def told(site: Site) -> None:
        slow = [await site.client(BODY) for _ in range(20)]
        honest = await site.client(HEALTH)

        assert (await honest.answer())[0] == 200
        assert len(site.connections) == 3
        assert [await one.all_of_it() for one in slow[:18]] == [b""] * 18

    story(small, told)


def test_a_full_house_costs_whoever_fills_it(small: Village) -> None:
    async def told(site: Site) -> None:
        honest = await site.client(b"GET /heal")
        await site.until(lambda: len(site.connections) == 1)
        for place in range(20):
            await site.client(b"GET /slow", f"127.0.1.{place % 3}")
        late = await site.client(HEALTH, FAR)

        assert (await late.answer())[0] == 200
        assert len(site.connections) <= 8
        await honest.send(b"thz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await honest.answer())[0] == 200

    story(small, told)


def test_requests_that_are_worked_on_are_not_given_up_for_a_new_one(small: Village) -> None:
    async def told(site: Site) -> None:
        asked = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
        busy = [await site.client(asked) for _ in range(3)]
        await received(site, 3)

        late = await site.client(HEALTH)

        answer = await late.all_of_it()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in answer
        assert b"too_many_connections" in answer
        site.may_end.set()
        assert {(await one.answer())[0] for one in busy} == {200}

    story(small, told)


def test_a_trusted_proxy_may_hold_the_connections_of_many_clients(sqlite_url: str, tmp_path: Path) -> None:
    limits = {"web_connections": 8, "web_connections_per_client": 3, "trusted_proxies": ("127.0.0.1",)}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **limits) as village:

        async def told(site: Site) -> None:
            clients = [await site.client(HEALTH) for _ in range(8)]

            assert {(await one.answer())[0] for one in clients} == {200}
            assert len(site.connections) == 8

        story(village, told)


@pytest.mark.parametrize(
    "sent",
    [b"NO HTTP\r\n\r\n", b"GET / HTTP/1.1\r\n\xff: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET /" + b"x" * 20_000],
    ids=["no HTTP", "a name of a header", "TLS", "a head without end"],
)
def test_what_is_no_http_gets_our_headers_and_nothing_back(village: Village, sent: bytes) -> None:
    async def told(site: Site) -> None:
        client = await site.client(sent)
        if len(sent) == 5:
            await came(site, len(sent))  # it may still become a head
            site.after(HEAD_SECONDS + 1)

        answer = await client.all_of_it()

        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 408")
        for name, value in HEADERS.items():
            assert f"\r\n{name}: {value}\r\n".encode() in answer

    story(village, told)


def test_whoever_asks_for_websockets_gets_a_page_and_fills_no_log(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    async def told(site: Site) -> None:
        client = await site.client(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert (await client.answer())[0] == 200

    story(village, told)

    assert caplog.records == []


def test_slow_clients_do_not_keep_the_server_from_stopping(village: Village) -> None:
    async def told(site: Site) -> None:
        for sent in (b"", b"GET /slow", HEALTH):
            await site.client(sent)
        await site.until(lambda: len(site.connections) == 3)

    story(village, told)


SPOOFED = b"GET /whose HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n"


@pytest.mark.parametrize(
    ("trusted", "said", "why"),
    [
        ((), b'["127.0.0.1","http"]', "nobody by default, also not this machine"),
        (("192.0.2.1",), b'["127.0.0.1","http"]', "another proxy is trusted"),
        (("127.0.0.1",), b'["203.0.113.9","https"]', "this one is"),
        (("127.0.0.0/8",), b'["203.0.113.9","https"]', "its network is"),
    ],
)
def test_only_a_trusted_proxy_says_whose_request_it_passes_on(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trusted: tuple[str, ...],
    said: bytes,
    why: str,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own, which we do not read
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", trusted_proxies=trusted) as village:

        async def told(site: Site) -> None:
            client = await site.client(SPOOFED)

            assert (await client.answer())[1].endswith(said), why

        story(village, told)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_client_is_one_household(host: str, network: str) -> None:
    assert network_named(host) == network


def test_whoever_is_no_address_is_no_trusted_proxy() -> None:
    trusted = TrustedProxies(("10.0.0.0/8", "::1"))

    assert [host in trusted for host in ("10.1.2.3", "::1", "11.0.0.1", "10.1.2.3, 1.1.1.1", "", "localhost")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("files", "most"), [(1_048_576, 500), (1024, 500), (512, 348), (256, 92), (64, 1)])
def test_there_are_never_more_connections_than_files(files: int, most: int) -> None:
    assert most_connections(500, files) == most
