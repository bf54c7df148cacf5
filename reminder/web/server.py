"""Serving: the web application, alone or with something beside it (the worker's bell) in one process."""

import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from reminder.web.app import create_web
from reminder.wiring import App

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(app: App, *, host: str, port: int, beside: AbstractContextManager[object] | None = None) -> None:
    """Until SIGTERM or SIGINT; what runs then is finished. `beside` lives as long as the server does."""
    # Under a public address a proxy stands in front, and whoever comes through it may look like this machine.
    public = urlsplit(app.settings.public_url or "").hostname
    is_private = host in LOOPBACK and public in (None, *LOOPBACK)
    web = create_web(app, local_pages=beside is not None and is_private)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with beside or nullcontext():
            yield

    web.router.lifespan_context = lifespan
    # The server raises the signal that stopped it once more when it is done; by then there is nothing left to stop.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    # Its access log would write addresses of requests before our door has looked at them.
    uvicorn.run(
        web, host=host, port=port, access_log=False, log_config=None, log_level=logging.INFO, server_header=False
    )
