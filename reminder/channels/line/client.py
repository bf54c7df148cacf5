"""The client of LINE: one push per message, with a retry key by which LINE recognises a second copy."""

import asyncio
import json
import re
import uuid
from collections.abc import Collection
from datetime import UTC

import httpx

from reminder.channels.http_answers import is_certain_refusal
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

LONGEST_RETRY_AFTER = 24 * 60 * 60.0

# No other characters may appear in a header, or in an id that reaches our logs.
_VISIBLE = re.compile(r"[!-~]+")
LONGEST_ID = 80

# The namespace of our retry keys.
_OURS = uuid.UUID("b6c1a5f0-3b7f-4a53-9a55-6a0d5d0f8f11")


class LineMessaging:
    """A channel that sends LINE messages.

    `timeout`: seconds to connect, and again for each part of the answer. `connections`: how many there are at once.

    Opens its connections at the first call and may be used again after close(), each time within one event loop.
    """

    def __init__(self, token: str, *, base_url: str, timeout: float = 10, connections: int = 1) -> None:
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._connections = connections
        self._client: httpx.AsyncClient | None = None

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Push the message; raises ChannelError."""
        if not _VISIBLE.fullmatch(self._token):
            # httpx would raise an error with the token in its text, also in its own debug log.
            raise SetupChannelError("token")
        key = retry_key(outgoing)
        status, headers, said = await self._pushed(outgoing, key)
        if status == 409:
            # The same key was accepted before: this message has arrived.
            return Accepted(_sane(headers.get("X-Line-Accepted-Request-Id")) or f"line-{key}")
        if status != 200:
            raise _refusal(status, headers, said)
        name = _message_id(said) or _sane(headers.get("X-Line-Request-Id"))
        if name is None:
            raise UnknownOutcomeError("no_id")
        return Accepted(name)

    async def _pushed(self, outgoing: Outgoing, key: str) -> tuple[int, httpx.Headers, object]:
        """Return the status, the headers and the JSON of the answer; None where a refusal has no readable JSON."""
        message = {"to": outgoing.address, "messages": [{"type": "text", "text": outgoing.text}]}
        try:
            # Longer than waiting for a connection and opening one: when it ends the request was sent. Without it an
            # slow answer would block its connection for ever.
            async with (
                asyncio.timeout(2.5 * self._timeout),
                self._opened().stream(
                    "POST", "/v2/bot/message/push", json=message, headers={"X-Line-Retry-Key": key}
                ) as answer,
            ):
                return answer.status_code, answer.headers, await _json(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            # The request was certainly not sent. The original errors would carry the token and the text.
            raise TemporaryChannelError("connect") from None
        except (httpx.TimeoutException, TimeoutError):
            raise UnknownOutcomeError("timeout") from None
        except httpx.HTTPError:
            raise UnknownOutcomeError("reset") from None

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """Return that the message may be repeated soon: LINE recognises its retry key for 24 hours.

        LINE cannot be asked about a message.
        """
        del outgoing, others
        return ProviderAnswer.SAFE_TO_REPEAT_SOON

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=self._timeout,
                limits=httpx.Limits(max_connections=self._connections),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def retry_key(outgoing: Outgoing) -> str:
    """Return the retry key: the same for every attempt of one message, also after a restart.

    It is not made of the message's id alone, which recurs in a new or restored database: LINE would drop the other
    message. Nor can it be guessed: it is made of the reference.
    """
    if not outgoing.has_old_name:
        return str(uuid.uuid5(_OURS, outgoing.reference))
    created_at = outgoing.created_at.astimezone(UTC).isoformat()
    return str(uuid.uuid5(_OURS, f"{outgoing.message_id} {created_at}"))


async def _json(answer: httpx.Response) -> object:
    try:
        return json.loads(await answer.aread())
    except (ValueError, RecursionError):
        if answer.status_code == 200:
            raise UnknownOutcomeError("unreadable") from None
    except (httpx.HTTPError, TimeoutError):
        # The status alone decides, even if the body of the answer was lost.
        if answer.status_code == 200:
            raise
    return None


def _refusal(status: int, headers: httpx.Headers, said: object) -> ChannelError:
    if status == 400:
        # Not a friend of this account ("Failed to send messages"), or no such id; where LINE names another part of the
        # message, the message is wrong.
        return PermanentChannelError("400", address_is_gone=_named(said) <= {"to"})
    if status == 429:
        message = said.get("message") if isinstance(said, dict) else None
        if isinstance(message, str) and "monthly limit" in message.lower():
            return SetupChannelError("monthly_limit")
        return TemporaryChannelError("429", _seconds(headers.get("Retry-After")))
    if status == 413:
        # One text that is too long does not delay the others.
        return PermanentChannelError("413", address_is_gone=False)
    if is_certain_refusal(status):
        # LINE does not redirect: the base address is wrong.
        return SetupChannelError(str(status))
    return UnknownOutcomeError(str(status))


def _named(said: object) -> set[str]:
    """Return the parts of the request that LINE names as wrong."""
    details = said.get("details") if isinstance(said, dict) else None
    rows = details if isinstance(details, list) else []
    return {str(row["property"]) for row in rows if isinstance(row, dict) and "property" in row}


def _message_id(said: object) -> str | None:
    match said:
        case {"sentMessages": [{"id": name}, *_]}:
            return _sane(name)
        case _:
            return None


def _sane(name: object) -> str | None:
    return name if isinstance(name, str) and len(name) <= LONGEST_ID and _VISIBLE.fullmatch(name) else None


def _seconds(header: str | None) -> float | None:
    is_number = header is not None and header.strip().isdecimal() and len(header.strip()) <= 9
    return min(float(header), LONGEST_RETRY_AFTER) if header is not None and is_number else None
