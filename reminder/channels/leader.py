"""The client of a fail-over manager: which PostgreSQL server leads. It speaks the REST interface of Patroni.

A Patroni answers `GET /primary` with 200 only while it holds the leader's key; its answer names the timeline of its
server (https://patroni.readthedocs.io/en/latest/rest_api.html). One that stands still answers nothing.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from reminder.clock import monotonic
from reminder.errors import DatabaseNotReadyError

log = logging.getLogger(__name__)

# Longer than a turn of the sender, and far less than Patroni's `ttl` (20 to 30 seconds), before whose end no other
# server is promoted.
KEPT_SECONDS = 3.0
ANSWERS_WITHIN = 1.0
PATH = "/primary"


class LeaderClient:
    """A client of the managers of all servers. `urls`: the address of each; a path replaces `/primary`."""

    def __init__(self, urls: Sequence[str], *, timeout: float = ANSWERS_WITHIN, kept: float = KEPT_SECONDS) -> None:
        self._urls = [url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}{PATH}" for url in urls]
        self._timeout, self._kept = timeout, kept

    def ask(self) -> tuple[int, float]:
        """Return the timeline of the leader, and until when that counts, in the seconds of `clock.monotonic`.

        Raises DatabaseNotReadyError, code database_not_leader, where no manager says that its server leads.
        """
        # From before the question: the answer may be on its way for a while.
        until = monotonic() + self._kept
        with httpx.Client(timeout=self._timeout, follow_redirects=False, trust_env=False) as client:
            for place, url in enumerate(self._urls):
                timeline = _timeline(client, url)
                if timeline is not None:
                    # The next question goes to the same one first.
                    self._urls.insert(0, self._urls.pop(place))
                    return timeline, until
        log.error("no fail-over manager says that its server leads: nothing is written")
        raise DatabaseNotReadyError("database_not_leader")


def _timeline(client: httpx.Client, url: str) -> int | None:
    """Return the timeline of a server whose manager says that it leads; None for any other answer, and for none."""
    with suppress(httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        answer = client.get(url)
        if answer.status_code == 200:
            return int(answer.json()["timeline"])
    return None
