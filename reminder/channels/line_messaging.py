"""LINE: one push for one message, with a retry key by which LINE knows a second copy as the first."""

import uuid
from collections.abc import Collection

import httpx

from reminder.domain.messages import Accepted, Answer, Outgoing
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

# httpx slows down with the square of its pool.
CONNECTIONS = 8

LONGEST_RETRY_AFTER = 24 * 60 * 60.0
LONGEST_ID = 80

# Under which our messages are named, so that one message has one retry key for ever.
_OURS = uuid.UUID("b6c1a5f0-3b7f-4a53-9a55-6a0d5d0f8f11")


class LineMessaging:
    """`timeout`: seconds for each step of a request.

    Opens its connections at the first call and may be used again after close(), each time within one event loop.
    """

    def __init__(self, token: str, *, base_url: str, timeout: float = 10) -> None:
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    async def send(self, outgoing: Outgoing) -> Accepted:
        key = retry_key(outgoing)
        message = {"to": outgoing.address, "messages": [{"type": "text", "text": outgoing.text}]}
        try:
            answer = await self._opened().post("/v2/bot/message/push", json=message, headers={"X-Line-Retry-Key": key})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            # It has certainly not left. The originals of these errors would carry the token and the text.
            raise TemporaryChannelError("connect") from None
        except httpx.TimeoutException:
            raise UnknownOutcomeError("timeout") from None
        except httpx.HTTPError:
            raise UnknownOutcomeError("reset") from None
        if answer.status_code == 409:
            # The same key was accepted before: this message has arrived.
            return Accepted(_sane(answer.headers.get("X-Line-Accepted-Request-Id")) or f"line-{key}")
        if answer.status_code != 200:
            raise _refusal(answer)
        name = _message_id(answer) or _sane(answer.headers.get("X-Line-Request-Id"))
        if name is None:
            raise UnknownOutcomeError("no_id")
        return Accepted(name)

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | Answer:
        """LINE cannot be asked. It knows a retry key for a day, and no message of ours is repeated on another one."""
        del outgoing, others
        return Answer.SAFE_TO_REPEAT

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=self._timeout,
                limits=httpx.Limits(max_connections=CONNECTIONS),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def retry_key(outgoing: Outgoing) -> str:
    """The same at every attempt of one message, also after a restart."""
    return str(uuid.uuid5(_OURS, f"{outgoing.message_id} {outgoing.created_at.isoformat()}"))


def _refusal(answer: httpx.Response) -> ChannelError:
    status = answer.status_code
    if status == 400:
        # No friend of this account, or no such id.
        return PermanentChannelError("400")
    if status == 429:
        if "monthly limit" in answer.text.lower():
            return SetupChannelError("monthly_limit")
        return TemporaryChannelError("429", _seconds(answer.headers.get("Retry-After")))
    if 400 <= status < 500:
        return SetupChannelError(str(status))
    return UnknownOutcomeError(str(status))


def _message_id(answer: httpx.Response) -> str | None:
    try:
        return _sane(answer.json()["sentMessages"][0]["id"])
    except (ValueError, LookupError, TypeError):
        return None


def _sane(name: object) -> str | None:
    return name if isinstance(name, str) and name.isascii() and 0 < len(name) <= LONGEST_ID else None


def _seconds(header: str | None) -> float | None:
    is_number = header is not None and header.strip().isdecimal() and len(header.strip()) <= 9
    return min(float(header), LONGEST_RETRY_AFTER) if header is not None and is_number else None
