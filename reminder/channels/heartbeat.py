"""The heartbeat: a word to somebody outside that all is well. Its absence is noticed when nothing here can say so.

It says nothing of anybody: an address is asked for, and that is all.
"""

import asyncio
import logging

import httpx

log = logging.getLogger(__name__)


class Heartbeat:
    """`url` is asked for when all is well, and only then; `fail_url`, where there is one, when it is not.

    A server that is away disturbs nobody: it is logged, without the address, which is a secret.
    """

    def __init__(self, url: str | None, fail_url: str | None, *, timeout: float = 10) -> None:
        self._url = url
        self._fail_url = fail_url
        self._timeout = timeout

    def tell(self, *, is_well: bool) -> None:
        url = self._url if is_well else self._fail_url
        if url is not None:
            asyncio.run(self._ask(url))

    async def _ask(self, url: str) -> None:
        try:
            # One limit for all of it: an answer that trickles would hold whoever waits for it. Of the answer only the
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
