"""The heartbeat: a request to an outside monitor while all is well. Its absence is noticed even if this machine fails.

The request carries no data: only an address is fetched.
"""

import asyncio
import logging

import httpx

log = logging.getLogger(__name__)


class HeartbeatClient:
    """A client of an outside monitor.

    `url` is requested when all is well, and only then; `fail_url`, where there is one, when it is not.

    An unreachable monitor disturbs nothing: it is logged, without the address, which is a secret.
    """

    def __init__(self, url: str | None, fail_url: str | None, *, timeout: float = 10) -> None:
        self._url = url
        self._fail_url = fail_url
        self._timeout = timeout

    def report(self, *, is_well: bool) -> None:
        """Report the state to the monitor."""
        url = self._url if is_well else self._fail_url
        if url is not None:
            asyncio.run(self._ask(url))

    async def _ask(self, url: str) -> None:
        try:
            # One limit for the whole request: a slow answer would block the caller. Of the answer only the
            # status is read.
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(timeout=self._timeout, follow_redirects=False, trust_env=False) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code >= 300:
                    log.warning("the heartbeat was answered with %s", answer.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failed:
            log.warning("the heartbeat could not be sent: %s", type(failed).__name__)
