"""The web server: runs the application, alone or with the worker scheduler beside it in one process."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from reminder import garbage
from reminder.clock import pause
from reminder.domain.model.people import Language
from reminder.domain.text.error_messages import explain
from reminder.errors import DatabaseNotReadyError, KigenError, RefusedInputError
from reminder.settings import ON_THIS_MACHINE
from reminder.web.app import create_web
from reminder.web.connections import (
    BACKLOG,
    ConnectionLimits,
    Connections,
    bounded_protocol,
    most_connections,
    whole_answer,
)
from reminder.web.support.liveness import RECORDED_EVERY, WebLiveness
from reminder.web.support.network import TrustedProxies
from reminder.web.support.refused_requests import STORED_EVERY, RefusedRequests
from reminder.web.support.security_headers import headers_of
from reminder.wiring import App

log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket before anything else starts. Raises KigenError, code cannot_listen."""
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise KigenError("cannot_listen") from None
    # The event loop sets this only on sockets it has made; without it every answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def has_local_pages(app: App, host: str) -> bool:
    """Return whether the pages without sign-in are served: only on this machine."""
    return host in ON_THIS_MACHINE and not app.settings.is_public


def run(app: App, listening: socket.socket, *, beside: AbstractContextManager[object] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; running requests have a few seconds to end.

    `beside` is open as long as the server runs.
    """
    host = listening.getsockname()[0]
    web = create_web(app, local_pages=beside is not None and has_local_pages(app, host))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beside_requests = (
            asyncio.create_task(keep_threads_few(app.settings.web_threads)),
            asyncio.create_task(store_refused_requests(app, web.state.refused_requests)),
            asyncio.create_task(record_liveness(app, web.state.liveness)),
        )
        with beside or nullcontext():
            yield
        for one in beside_requests:
            one.cancel()
        await to_thread.run_sync(store, app, web.state.refused_requests)

    web.router.lifespan_context = lifespan
    # The server raises its signal once more at the end; by then there is nothing left to stop.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    server = make_server(web)
    garbage.collect_less_often()
    server.run(sockets=[listening])


# A request that uses its thread for so many seconds waits for something, or makes a file of many pages.
LONG = 0.5
MOST_THREADS = 40
# Seconds for which a connection is kept for the next request.
KEPT_IDLE = 5
# Seconds that running requests have once the server is to stop. A client that sends or reads no further is left; a
# supervisor kills after 25 seconds in all, and the worker's jobs end after the requests (scheduler.STOPS_WITHIN).
REQUESTS_END_WITHIN = 4
# Some systems allow a billion open files, and every one that could be open costs memory at the start of a child.
MOST_FILES = 65_536


async def keep_threads_few(few: int, long: float = LONG) -> None:
    """Allow `few` requests at once, until this is cancelled; those that take `long` seconds do not count.

    The usual forty threads take turns at one interpreter, and 16 browsers get half as many pages a second. But a
    request that makes a long file or waits for the database must not block the others.
    """
    limiter = to_thread.current_default_thread_limiter()
    before: set[object] = set()
    while True:
        working = set(limiter.statistics().borrowers)
        limiter.total_tokens = min(few + len(working & before), MOST_THREADS)
        before = working
        await pause(long)


async def store_refused_requests(app: App, refused: RefusedRequests) -> None:
    """Store every few seconds what was refused, until this is cancelled."""
    while True:
        await pause(STORED_EVERY)
        await to_thread.run_sync(store, app, refused)


async def record_liveness(app: App, liveness: WebLiveness) -> None:
    """Record again and again that this process lives, until this is cancelled."""
    while True:
        await to_thread.run_sync(record_once, app, liveness)
        await pause(RECORDED_EVERY)


def record_once(app: App, liveness: WebLiveness) -> None:
    """Record that this process lives. What cannot be recorded now is recorded when the database is back."""
    try:
        liveness.record(app)
    except DatabaseNotReadyError:
        pass  # every request says so
    except Exception:
        log.exception("it could not be recorded that the web server is there")


def store(app: App, refused: RefusedRequests) -> None:
    """Store what was refused. A failure is logged: counting must not end."""
    try:
        refused.store(app.units, app.clock.now())
    except Exception:
        log.exception("refused requests could not be counted")


def allow_many_files() -> int:
    """Raise the limit of open files to the most that the system allows; return it."""
    try:
        import resource
    except ImportError:  # not on Windows, where sockets are no files
        return MOST_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ValueError, OSError):
        return soft
    return most


def make_server(web: FastAPI) -> uvicorn.Server:
    """Return the uvicorn server for the application."""
    app: App = web.state.app
    settings = app.settings
    # It warns of every malformed form, and strangers would fill the log.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    limits = ConnectionLimits(
        most_connections(settings.web_connections, allow_many_files()),
        settings.web_connections_per_client,
        TrustedProxies(settings.trusted_proxies),
    )
    connections = Connections(limits, _whole_answers(app), web.state.refused_requests.count)
    return uvicorn.Server(
        uvicorn.Config(
            web,
            http=bounded_protocol(connections),
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=KEPT_IDLE,
            timeout_graceful_shutdown=REQUESTS_END_WITHIN,
            # Only by our own setting; uvicorn would believe any program of this machine.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            # The access log would contain addresses that the request guard has not checked yet.
            access_log=False,
            log_config=None,
            # Warnings are of requests that are no HTTP: strangers would fill the log.
            log_level=logging.ERROR,
            server_header=False,
        )
    )


def _whole_answers(app: App) -> dict[int, bytes]:
    """Return by status what is answered to requests that do not reach the application."""
    said = {
        400: ("Bad Request", "request_malformed", {}),
        408: ("Request Timeout", "request_too_slow", {}),
        503: ("Service Unavailable", "too_many_connections", {"retry-after": "5"}),
    }
    return {
        status: whole_answer(
            status,
            reason,
            {**headers_of(app.settings), **more},
            {
                "type": "about:blank",
                "title": code,
                "status": status,
                "code": code,
                "detail": explain(app.rules.wording, RefusedInputError(code), Language.JAPANESE),
            },
        )
        for status, (reason, code, more) in said.items()
    }
