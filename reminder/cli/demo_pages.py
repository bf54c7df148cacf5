"""Pages of the demo as files: asked for inside this process, by somebody who signs in as everybody does."""

import asyncio
import logging
import re
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from reminder.domain.model.people import ChannelName, Language
from reminder.worker.jobs import run_once

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

    from reminder.simulate import SimulatedWorld

_SEAL = re.compile(r'name="seal" value="([^"]+)"')
_CODE = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])")
_STYLES = re.compile(r'<link rel="stylesheet" href="(/static/[^"]+)">')
_HOST = "localhost"


class PageReader:
    """A signed-in visitor of the demo's pages."""

    def __init__(self, world: "SimulatedWorld", email: str, language: Language) -> None:
        from reminder.web.app import create_web

        self._world, self._language = world, language
        self._web: ASGIApp = create_web(world.app, local_pages=False)
        self._cookies: dict[str, str] = {}
        self._sign_in(email)

    def page(self, path: str) -> str:
        """Return a page that needs no other file: its style is in it."""
        html = self._ask("GET", path)
        return _STYLES.sub(lambda found: f"<style>{self._ask('GET', found[1])}</style>", html)

    def _sign_in(self, email: str) -> None:
        page = self._ask("GET", "/sign-in")
        self._ask("POST", "/sign-in", self._typed(page, email=email))
        run_once(self._world.app, self._world.clock.now())
        mails = [one.outgoing for one in self._world.all_sent() if one.channel is ChannelName.EMAIL]
        code = next(found[0] for one in reversed(mails) if one.address == email if (found := _CODE.search(one.text)))
        page = self._ask("GET", "/sign-in/code")
        self._ask("POST", "/sign-in/code", self._typed(page, code=code))
        self._ask("POST", "/look", self._typed(self._ask("GET", "/"), language=self._language, back="/"))

    @staticmethod
    def _typed(page: str, **fields: str) -> bytes:
        seal = _SEAL.search(page)
        return urlencode({"seal": "" if seal is None else seal[1], **fields}).encode()

    def _ask(self, method: str, path: str, body: bytes = b"") -> str:
        return asyncio.run(self._answer(method, path, body))

    async def _answer(self, method: str, path: str, body: bytes) -> str:
        said = {
            "host": _HOST,
            "origin": f"http://{_HOST}",
            "sec-fetch-site": "same-origin",
            "accept": "text/html",
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
            "cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        bare, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": bare,
            "raw_path": bare.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in said.items() if value],
            "client": ("127.0.0.1", 1),
            "server": (_HOST, 80),
        }
        sent: list[Message] = []

        async def receive() -> "Message":
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: "Message") -> None:
            sent.append(message)

        await self._web(scope, receive, send)
        start, *bodies = sent
        for name, value in start["headers"]:
            if name.lower() == b"set-cookie":
                for cookie, morsel in SimpleCookie(value.decode("latin-1")).items():
                    self._cookies[cookie] = morsel.value
        if start["status"] >= 400:
            logging.getLogger(__name__).warning("%s %s: %s", method, bare, start["status"])
        return b"".join(message.get("body", b"") for message in bodies).decode()
