"""Somebody outside who listens for a heartbeat, over a real socket."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class Listener:
    """`heard`: what was asked for, and what came with it. `status` is what it answers; None: it takes the connection and
    says nothing."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.status: int | None = 200
        self._closing = threading.Event()
        listener = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.heard.append(self.path)
                listener.headers.append(dict(self.headers))
                listener.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
                if listener.status is None:
                    listener._closing.wait()
                    return
                self.send_response(listener.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/himitsu"

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
