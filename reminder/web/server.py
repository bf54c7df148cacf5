"""Serving: the web application, alone or with something beside it (the worker's bell) in one process."""

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
    """Takes the address before anything else starts. Raises KigenError, code cannot_listen."""
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise KigenError("cannot_listen") from None
    # The loop sets this only on sockets it made itself; without it every answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def has_local_pages(app: App, host: str) -> bool:
    return host in ON_THIS_MACHINE and not app.settings.is_public


def run(app: App, listening: socket.socket, *, beside: AbstractContextManager[object] | None = None) -> None:
    """Until SIGTERM or SIGINT; what runs then is finished. `beside` lives as long as the server does."""
    host = listening.getsockname()[0]
    web = create_web(app, local_pages=beside is not None and has_local_pages(app, host))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        few = asyncio.create_task(keep_threads_few(app.settings.web_threads))
        with beside or nullcontext():
            yield
        few.cancel()

    web.router.lifespan_context = lifespan
    # The server raises the signal that stopped it once more when it is done; by then there is nothing left to stop.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    make_server(web).run(sockets=[listening])


# A request that has its thread for so many seconds waits for something, or makes a file of many pages.
LONG = 0.5
MOST_THREADS = 40


async def keep_threads_few(few: int, long: float = LONG) -> None:
    """Let `few` requests be worked on at once, until this is cancelled; those that take `long` seconds do not count.

    The forty threads that are usual take turns at one interpreter, and 16 browsers get half as many pages a second. But
    one that makes a long file or waits for the database must not keep the others from theirs.
    """
    limiter = to_thread.current_default_thread_limiter()
    before: set[object] = set()
    while True:
        working = set(limiter.statistics().borrowers)
        limiter.total_tokens = min(few + len(working & before), MOST_THREADS)
        before = working
        await pause(long)


def make_server(web: FastAPI) -> uvicorn.Server:
    # Its access log would write addresses of requests before our door has looked at them.
    return uvicorn.Server(
        uvicorn.Config(web, access_log=False, log_config=None, log_level=logging.WARNING, server_header=False)
    )
