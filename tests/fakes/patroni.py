"""The REST interface of a fail-over manager, over a real socket: what it says of its own server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class FakePatroni:
    """`timeline` of its server while it leads; `leads` False: it answers 503, as a replica's does.

    `is_frozen`: it takes the connection and says nothing, as a process that was stopped.
    """

    def __init__(self, timeline: int, *, leads: bool = True) -> None:
        self.timeline, self.leads, self.is_frozen = timeline, leads, False
        self.asked: list[str] = []
        self._closing = threading.Event()
        patroni = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                patroni.asked.append(self.path)
                if patroni.is_frozen:
                    patroni._closing.wait()
                    return
                body = {"state": "running", "role": "primary" if patroni.leads else "replica"}
                content = json.dumps({**body, "timeline": patroni.timeline}).encode()
                self.send_response(200 if patroni.leads else 503)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakePatroni":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
