"""Serving: the web application, alone or with something beside it (the worker's bell) in one process."""

import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from fastapi import FastAPI

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
        with beside or nullcontext():
            yield

    web.router.lifespan_context = lifespan
    # The server raises the signal that stopped it once more when it is done; by then there is nothing left to stop.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    make_server(web).run(sockets=[listening])


def make_server(web: FastAPI) -> uvicorn.Server:
    # Its access log would write addresses of requests before our door has looked at them.
    return uvicorn.Server(
        uvicorn.Config(web, access_log=False, log_config=None, log_level=logging.WARNING, server_header=False)
    )
