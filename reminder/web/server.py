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

from reminder.clock import pause
from reminder.errors import KigenError
from reminder.settings import ON_THIS_MACHINE
from reminder.web.app import create_web
from reminder.wiring import App


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
    """Serve until SIGTERM or SIGINT; running requests are finished. `beside` is open as long as the server runs."""
    host = listening.getsockname()[0]
    web = create_web(app, local_pages=beside is not None and has_local_pages(app, host))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        few = asyncio.create_task(keep_threads_few(app.settings.web_threads))
        with beside or nullcontext():
            yield
        few.cancel()

    web.router.lifespan_context = lifespan
    # The server raises its signal once more at the end; by then there is nothing left to stop.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    make_server(web).run(sockets=[listening])


# A request that uses its thread for so many seconds waits for something, or makes a file of many pages.
LONG = 0.5
MOST_THREADS = 40


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


def make_server(web: FastAPI) -> uvicorn.Server:
    """Return the uvicorn server for the application."""
    # The access log would contain addresses that the request guard has not checked yet.
    return uvicorn.Server(
        uvicorn.Config(web, access_log=False, log_config=None, log_level=logging.WARNING, server_header=False)
    )
