"""The transport of Twilio's SDK for texts and calls, and the meaning of its failures."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import urlencode, urlsplit

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.base.page import Page
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from yarl import URL

from reminder.channels.http_answers import is_certain_refusal
from reminder.channels.twilio.errors import LEAST_OWN_CODE, fault_of_twilio
from reminder.channels.twilio.webhooks import is_sid, read_status
from reminder.domain.model.channels import Fault
from reminder.domain.model.messages import ProviderReport
from reminder.domain.model.provider_history import ListedFate, ListedWords
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

# At 100 ms an answer this is some 600 texts a second, far above the limit of a sender.
CONNECTIONS = 64

# Between two passes of the worker the loop is idle and does not notice a closed connection; a text sent
# into a dead connection would be an unknown outcome. No server closes one this soon.
KEPT_OPEN_SECONDS = 2

# Twilio's clock and ours may differ, and a text may be created a moment before our own record of the lease.
CLOCK_SLACK = timedelta(seconds=120)

# What names a page of a list is stored; Twilio uses some hundred characters.
LONGEST_PAGE_NAME = 400

LONGEST_RETRY_AFTER = 24 * 60 * 60.0

# The exceptions of an SDK call: its own errors, those of the network, and unreadable JSON or fields.
FAILURES = (
    TwilioException,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
)


@dataclass(frozen=True)
class Answered:
    """The parts of an answer that the SDK's errors leave out: its headers, and for some the real status."""

    status: int
    retry_after: float | None


# Each task has its own value, so parallel sends cannot mix them up.
last_answer: ContextVar[Answered | None] = ContextVar("answered", default=None)


def failure_of(code: int | None, http_status: int | None, retry_after: float | None = None) -> ChannelError:
    """Return the error for a refusal by Twilio. Where the answer proves no refusal, the text may be on its way."""
    reason = str(code if code is not None else http_status)
    # The SDK puts the status into the code where an answer has none.
    has_own_reason = code is not None and code >= LEAST_OWN_CODE
    if http_status is not None and not is_certain_refusal(http_status, has_own_reason=has_own_reason):
        return UnknownOutcomeError(reason)
    match fault_of_twilio(code, http_status):
        case Fault.NUMBER:
            return PermanentChannelError(reason)
        case Fault.OPTED_OUT:
            return PermanentChannelError(reason, opted_out=True)
        case Fault.TEXT:
            return PermanentChannelError(reason, address_is_gone=False)
        case Fault.OPERATOR | Fault.ACCOUNT:
            return SetupChannelError(reason)
        case Fault.UNSURE:
            return UnknownOutcomeError(reason)
        case Fault.RETRY:
            return TemporaryChannelError(reason, retry_after)


def meaning(failure: BaseException) -> ChannelError:
    """Return the error for an exception of an SDK call."""
    answered = last_answer.get()
    if answered is not None and isinstance(failure, TwilioException) and not 200 <= answered.status < 300:
        return failure_of(_number(getattr(failure, "code", None)), answered.status, answered.retry_after)
    if isinstance(failure, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        # Raised while connecting: the request was certainly not sent.
        return TemporaryChannelError("connect")
    if isinstance(failure, TimeoutError):
        return UnknownOutcomeError("timeout")
    if isinstance(failure, aiohttp.ClientPayloadError):
        return UnknownOutcomeError("truncated")
    if isinstance(failure, aiohttp.ClientError | OSError):
        return UnknownOutcomeError("reset")
    return UnknownOutcomeError("unreadable")


# The SDK's addresses; the transport puts another server in its place.
_API = "https://api.twilio.com"


def asking_failed(failure: BaseException) -> TemporaryChannelError:
    """Return the error for a list that could not be read."""
    retry_after = answered.retry_after if (answered := last_answer.get()) else None
    return TemporaryChannelError(meaning(failure).reason, retry_after)


def following(page: Page, path: str) -> str | None:
    """Return what names the page after this one, None for the last. `path`: that of the list; no other is followed."""
    parts = urlsplit(page.next_page_url or "")
    return f"{parts.path}?{parts.query}" if parts.path == path and len(parts.query) <= LONGEST_PAGE_NAME else None


def address_of(page: str, path: str) -> str | None:
    """Return the address of a page that `following` has named, None for any other text."""
    return f"{_API}{page}" if page.startswith(f"{path}?") else None


def report_of(
    status: object, error_code: object = None, *, seconds: object = None, answered_by: object = None
) -> ProviderReport | None:
    """Return what a message or call of the API says of itself; None where its status is no word of Twilio's."""
    word = status.value if isinstance(status, Enum) else status
    if not isinstance(word, str) or not (status_ := read_status(word, str(answered_by or ""))):
        return None
    code = _number(error_code)
    return ProviderReport(status_, None if code is None else str(code), _number(seconds))


def fate_of(sid: object, report: ProviderReport | None, said: ListedWords | None = None) -> ListedFate | None:
    """Return what a row of a list says; None for one without an id or a status of Twilio's."""
    if report is None or not is_sid(sid):
        return None
    return ListedFate(str(sid), report.status, report.error_code, report.seconds, said)


def words_of(address: object, text: object, at: object) -> ListedWords | None:
    """Return to whom a listed text went, and what it says; None where its row lacks something."""
    if not (isinstance(address, str) and isinstance(text, str) and isinstance(at, datetime) and at.tzinfo):
        return None
    return ListedWords(address, text, at)


def _number(value: object) -> int | None:
    """Return the code of an answer, which is foreign JSON: only a number may become our reason."""
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() and len(str(value)) <= 6 else None


class Transport(AsyncTwilioHttpClient):
    """The SDK's aiohttp transport with another address, a working timeout, and Retry-After.

    The inherited request() ignores its timeout, logs phone numbers and keeps the last text in an attribute.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        super().__init__(pool_connections=False)
        self._base_url = base_url.rstrip("/")
        # Connecting has its own, shorter limit, so a total timeout means that the request was sent.
        self._limits = aiohttp.ClientTimeout(total=2.5 * timeout, connect=timeout, sock_read=timeout)

    async def request(  # type: ignore[override]  # the SDK's signature
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the SDK's signature; it always passes None
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request of the SDK, and record the answer's headers and status for the current task."""
        del timeout, allow_redirects
        sent_headers = dict(headers or {})
        if auth is not None:
            sent_headers["Authorization"] = "Basic " + b64encode(":".join(auth).encode()).decode()
        async with self._opened().request(
            method,
            self._address(url, params),
            data=urlencode(data, doseq=True).encode() if data else None,
            headers=sent_headers,
            allow_redirects=False,
        ) as answer:
            last_answer.set(Answered(answer.status, _seconds(answer.headers.get("Retry-After"))))
            try:
                body = (await answer.read()).decode("utf-8", "replace")
            except (aiohttp.ClientError, TimeoutError):
                if answer.status not in range(400, 500):
                    raise
                # The status alone decides, even if the reason was lost.
                body = ""
            return Response(answer.status, body, answer.headers)

    def _address(self, url: str, params: Mapping[str, object] | None) -> URL:
        parts = urlsplit(url)
        query = "&".join(part for part in (parts.query, urlencode(params, doseq=True) if params else "") if part)
        return URL(f"{self._base_url}{parts.path}" + (f"?{query}" if query else ""), encoded=True)

    def _opened(self) -> aiohttp.ClientSession:
        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEPT_OPEN_SECONDS),
                timeout=self._limits,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self.session

    async def close(self) -> None:
        """Close all connections."""
        session, self.session = self.session, None
        if session is not None:
            await session.close()
            # Sockets are closed one iteration of the loop later; without it they outlive a loop that ends now.
            await asyncio.sleep(0)


def _seconds(header: str | None) -> float | None:
    """Return the header's seconds; Twilio has never been seen to send a date."""
    if header is None or not header.strip().isdecimal() or len(header.strip()) > 9:
        return None
    return min(float(header), LONGEST_RETRY_AFTER)
