"""A visitor of the web application inside this process: exact bytes go in, the whole answer comes out."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reminder.web.app import create_web
from reminder.web.support.api_rates import RequestRates
from reminder.web.support.page_catalog import read_pages
from reminder.web.support.refused_requests import RefusedRequests
from reminder.web.support.sheet_bodies import SheetBodies
from reminder.wiring import App
from tests import web_role
from tests.village import Village


@dataclass(frozen=True)
class Answer:
    """`headers` have their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()  # as they were set

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def everything(self) -> str:
        return f"{self.status}\n" + "".join(f"{name}: {value}\n" for name, value in self.headers.items()) + self.text


@dataclass(frozen=True)
class Visitor:
    """`machine` is where the visitor sits, `host` the name under which the service was called."""

    web: ASGIApp
    machine: str = "127.0.0.1"
    host: str = "127.0.0.1:8000"
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", target, headers=headers)

    def post(
        self, target: str, body: bytes | Iterable[bytes] = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.ask("POST", target, body, headers=headers)

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A body in pieces is sent as it comes, without its length in front."""
        path, _, query = quote(target, safe="/?&=%+:@,;[]<>~").partition("?")
        said = {"host": self.host, **self.headers}
        if isinstance(body, bytes):
            said |= {"content-length": str(len(body))} if body else {}
        else:
            said["transfer-encoding"] = "chunked"
        said |= headers or {}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in said.items()],
            "client": (self.machine, 50000),
            "server": ("127.0.0.1", 8000),
        }
        return asyncio.run(self._answer(scope, [body] if isinstance(body, bytes) else list(body)))

    async def _answer(self, scope: dict[str, Any], pieces: list[bytes]) -> Answer:
        coming: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": place < len(pieces)}
            for place, piece in enumerate(pieces, start=1)
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        try:
            await self.web(scope, receive, send)
        except Exception:
            # As the server does with what broke after it was answered.
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        start = sent[0]
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        cookies = tuple(value.decode("latin-1") for name, value in start["headers"] if name.lower() == b"set-cookie")
        return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]), cookies)


def visitor(village: Village, *, local_pages: bool = True) -> Visitor:
    return Visitor(web_of(village, local_pages=local_pages))


_BUILT: dict[bool, FastAPI] = {}


def web_of(village: Village, *, local_pages: bool) -> ASGIApp:
    return web_for(village.app, local_pages=local_pages)


@dataclass(frozen=True)
class Lent:
    """The one web application of this process, as `app`'s."""

    web: FastAPI
    app: App
    rates: RequestRates = field(default_factory=RequestRates)
    refused_requests: RefusedRequests = field(default_factory=RefusedRequests)
    sheet_bodies: SheetBodies = field(default_factory=SheetBodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The operator's pages about all groups are only there where `reminder serve` runs, on SQLite.
        app = (
            self.app
            if scope["path"] in ("/overview", "/outbox", "/balance", "/effect")
            else web_role.app_of_web(self.app)
        )
        self.web.state.app, self.web.state.pages, self.web.state.rates = app, read_pages(), self.rates
        self.web.state.refused_requests, self.web.state.sheet_bodies = self.refused_requests, self.sheet_bodies
        await self.web(scope, receive, send)


def web_for(app: App, *, local_pages: bool) -> Lent:
    """The web application: built once in a process and lent to whoever is asked, for its first answer takes as long as
    ten others. On PostgreSQL it has the web's database role, whatever role the test itself has."""
    web = _BUILT.get(local_pages) or _BUILT.setdefault(local_pages, create_web(app, local_pages=local_pages))
    return Lent(web, app)
