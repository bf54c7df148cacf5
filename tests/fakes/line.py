"""A LINE to test against: it remembers retry keys, and answers as it is told."""

import asyncio
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
    """How one push is answered. `accepts`: whether it arrives all the same; `then`: answer, reset or hang."""

    accepts: bool
    status: int = 200
    body: str | None = None
    then: str = "answer"
    retry_after: str | None = None


class FakeLine:
    def __init__(self) -> None:
        self.pushed: list[Pushed] = []
        self.tokens: set[str] = set()
        self.url = ""
        self._seen: dict[str, str] = {}
        self._script: deque[Behaviour] = deque()
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
        behaviour = self._script.popleft() if self._script else Behaviour(accepts=True)
        if key in self._seen:
            return web.json_response(
                {"message": "The retry key is already accepted"},
                status=409,
                headers={"X-Line-Accepted-Request-Id": self._seen[key]},
            )
        if behaviour.accepts:
            self.pushed.append(Pushed(said["to"], said["messages"][0]["text"], key))
            self._seen[key] = f"request-{len(self.pushed)}"
        if behaviour.then == "hang":
            await asyncio.Event().wait()
        if behaviour.then == "reset":
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        body = behaviour.body
        if body is None:
            body = (
                '{"sentMessages": [{"id": "461230966842064897", "quoteToken": "x"}]}'
                if behaviour.status == 200
                else "{}"
            )
        headers = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
        return web.Response(status=behaviour.status, text=body, content_type="application/json", headers=headers)
