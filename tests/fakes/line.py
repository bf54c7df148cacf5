"""A LINE to test against: it remembers retry keys, and answers as it is told."""

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from aiohttp import web

from tests.fakes import LoopThread

TOKEN = "invented-line-token"


@dataclass(frozen=True)
class Pushed:
    to: str
    text: str
    retry_key: str


@dataclass(frozen=True)
class Behaviour:
    """How one push is answered. `accepts`: whether it arrives all the same; `then`: answer, reset, hang, truncate
    (half an answer) or trickle (a space now and then, without an end)."""

    accepts: bool
    status: int = 200
    body: str | None = None
    then: str = "answer"
    retry_after: str | None = None
    request_id: str | None = None
    encoding: str | None = None


class FakeLine:
    def __init__(self) -> None:
        self.pushed: list[Pushed] = []
        self.tokens: set[str] = set()
        self.url = ""
        self._seen: dict[str, str] = {}
        self._script: deque[Behaviour] = deque()
        self.outage: Behaviour | None = None  # until it is None again, every push is answered so
        self._thread = LoopThread()
        self._runner: web.AppRunner | None = None

    def script(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    def __enter__(self) -> "FakeLine":
        self._thread.start()
        self.url = self._thread.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self._thread.run(self._runner.cleanup())
        self._thread.stop()

    async def _listen(self) -> str:
        app = web.Application()
        app.router.add_post("/v2/bot/message/push", self._push)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _push(self, request: web.Request) -> web.StreamResponse:
        said = await request.json()
        self.tokens.add(request.headers["Authorization"])
        key = request.headers["X-Line-Retry-Key"]
        behaviour = self.outage or (self._script.popleft() if self._script else Behaviour(accepts=True))
        if key in self._seen and behaviour.then == "answer":
            return web.json_response(
                {"message": "The retry key is already accepted"},
                status=409,
                headers={"X-Line-Accepted-Request-Id": self._seen[key]},
            )
        if behaviour.accepts and key not in self._seen:
            self.pushed.append(Pushed(said["to"], said["messages"][0]["text"], key))
            self._seen[key] = f"request-{len(self.pushed)}"
        if behaviour.then == "hang":
            await asyncio.Event().wait()
        if behaviour.then == "reset":
            assert request.transport is not None
            raw = request.transport.get_extra_info("socket")
            # Lingering for no time makes the kernel send a reset instead of an orderly end.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
            raise ConnectionResetError
        body = behaviour.body
        if body is None:
            body = (
                '{"sentMessages": [{"id": "461230966842064897", "quoteToken": "x"}]}'
                if behaviour.status == 200
                else "{}"
            )
        named = {
            "Retry-After": behaviour.retry_after,
            "X-Line-Request-Id": behaviour.request_id,
            "Content-Encoding": behaviour.encoding,
        }
        headers = {"Content-Type": "application/json"} | {name: value for name, value in named.items() if value}
        if behaviour.then in ("truncate", "trickle"):
            return await self._half(request, behaviour, headers | self._accepted_before(key, behaviour), body.encode())
        return web.Response(
            status=behaviour.status, body=body.encode(), headers=headers | self._accepted_before(key, behaviour)
        )

    def _accepted_before(self, key: str, behaviour: Behaviour) -> dict[str, str]:
        known = behaviour.status == 409 and key in self._seen
        return {"X-Line-Accepted-Request-Id": self._seen[key]} if known else {}

    async def _half(
        self, request: web.Request, behaviour: Behaviour, headers: dict[str, str], body: bytes
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=behaviour.status, headers=headers | {"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        while behaviour.then == "trickle":
            await asyncio.sleep(0.05)
            await response.write(b" ")
        assert request.transport is not None
        request.transport.close()
        return response
