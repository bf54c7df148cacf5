"""A Twilio to test against, with phones that say what they expect and fail the test on any other text.

    with FakeTwilio() as twilio:
        mother = twilio.phone("+81900000001")
        mother.expect(lambda text: "期限" in text)
        ...                                           # the program under test posts to twilio.url
        twilio.deliver_all()                          # signed receipts to the StatusCallback of each text

It answers POST and GET /2010-04-01/Accounts/{sid}/Messages.json and Calls.json in the shapes of Twilio's OpenAPI
document, with its filters and pages. Faults are
ordered with `script`, lost answers with `hold_answers`, a list that lags behind with `hide_new_texts`.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from http.client import HTTPConnection, HTTPSConnection
from types import TracebackType
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from tests.fakes import LoopThread
from tests.patience import PATIENCE

ACCOUNT_SID = "AC" + "fa" * 16
AUTH_TOKEN = "invented-token"
SENDER = "KIGEN"


class Then(Enum):
    ANSWER = "answer"
    RESET = "reset"  # the connection is torn down without an answer
    HANG = "hang"  # no answer until the fake is closed or released
    TRUNCATE = "truncate"  # half an answer, then the connection ends


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. `accepts`: whether the text goes out all the same."""

    accepts: bool
    then: Then = Then.ANSWER
    status: int = 201
    code: int | None = None
    retry_after: str | None = None
    problem: bool = False  # an RFC 9457 body instead of Twilio's own
    body: str | None = None  # this instead of JSON


ACCEPT = Behaviour(accepts=True)
ACCEPT_THEN_RESET = Behaviour(accepts=True, then=Then.RESET)
ACCEPT_THEN_HANG = Behaviour(accepts=True, then=Then.HANG)
ACCEPT_THEN_TRUNCATE = Behaviour(accepts=True, then=Then.TRUNCATE)
RESET = Behaviour(accepts=False, then=Then.RESET)
HANG = Behaviour(accepts=False, then=Then.HANG)


def refuse(status: int, code: int | None = None, *, retry_after: str | None = None, problem: bool = False) -> Behaviour:
    return Behaviour(accepts=False, status=status, code=code, retry_after=retry_after, problem=problem)


def accept_then_answer(status: int, body: str | None = None, *, code: int | None = None) -> Behaviour:
    """The text goes out, but the answer says something else."""
    return Behaviour(accepts=True, status=status, code=code, body=body)


@dataclass
class Text:
    """One text as Twilio keeps it. `form` is what was posted."""

    sid: str
    to: str
    body: str
    form: Mapping[str, str]
    created_at: datetime
    status: str
    error_code: int | None = None
    sender: str | None = None  # of one that was sent to us
    answered_by: str | None = None  # of a call

    @property
    def is_inbound(self) -> bool:
        return self.sender is not None

    @property
    def sent_at(self) -> datetime | None:
        return None if self.status in ("queued", "accepted") else self.created_at

    @property
    def status_callback(self) -> str | None:
        return self.form.get("StatusCallback")


@dataclass
class Phone:
    number: str
    texts: list[str] = field(default_factory=list)
    takes_any: bool = False
    _expected: list[str | Callable[[str], bool]] = field(default_factory=list)

    def expect(self, text: str | Callable[[str], bool], times: int = 1) -> None:
        """`text`: the exact words, or a question asked of them. May be called before or after the text comes."""
        self._expected += [text] * times

    def allow_all(self) -> None:
        self.takes_any = True

    def complaints(self, *, strict: bool) -> list[str]:
        unmet = sorted(self._expected, key=callable)
        unexpected = []
        for text in self.texts:
            met = next((want for want in unmet if (want(text) if callable(want) else want == text)), None)
            if met is None:
                unexpected.append(text)
            else:
                unmet.remove(met)
        found = (
            []
            if self.takes_any or not strict
            else [f"{self.number} got an unexpected text: {text}" for text in unexpected]
        )
        return found + [f"{self.number} never got: {want}" for want in unmet]


@dataclass(frozen=True)
class Callback:
    """A signed webhook, ready to be posted."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    def post(self, instead_to: str | None = None) -> int:
        """The status it is answered with. `instead_to`: the scheme and host where the public address really listens."""
        parts, place = urlsplit(self.url), urlsplit(instead_to or self.url)
        made = HTTPSConnection if place.scheme == "https" else HTTPConnection
        connection = made(place.hostname or "", place.port, timeout=PATIENCE)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, self.body, dict(self.headers))
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


class FakeTwilio:
    """`now` dates the texts: give it the clock of the simulation. `callbacks_to`: see Callback.post."""

    def __init__(
        self,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        strict: bool = True,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.now = now
        self.strict = strict
        self.callbacks_to: str | None = None
        self.latency_seconds = 0.0
        self.list_lag_seconds = 0.0
        # After this time the list says of a text that it has arrived, though no receipt may have come.
        self.arrives_after: timedelta | None = None
        # Until it is None again, every request is answered so, for the list too.
        self.outage: Behaviour | None = None
        self.posts = 0
        self.lists = 0
        self.texts: list[Text] = []
        self.rings: list[Text] = []  # calls; their body is the address that says what is said
        self._phones: dict[str, Phone] = {}
        self._unexpected: list[Text] = []
        self._script: deque[Behaviour] = deque()
        self._script_of: dict[str, deque[Behaviour]] = {}
        self._list_script: deque[Behaviour] = deque()
        self._hidden_from: int | None = None
        self._changed = threading.Condition()
        self._thread = LoopThread()
        self._released: asyncio.Event | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    # ── life ──

    def __enter__(self) -> "FakeTwilio":
        self._thread.start()
        self.url = self._thread.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        # A test that has already failed keeps its own reason.
        if kind is None:
            self.verify()

    def close(self) -> None:
        self._thread.run(self._stop_listening())
        self._thread.stop()

    async def _listen(self) -> str:
        self._released = asyncio.Event()
        self._released.set()
        app = web.Application()
        app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._create)
        app.router.add_get("/2010-04-01/Accounts/{account}/Messages.json", self._list)
        app.router.add_post("/2010-04-01/Accounts/{account}/Calls.json", self._create_call)
        app.router.add_get("/2010-04-01/Accounts/{account}/Calls.json", self._list_calls)
        app.router.add_route("*", "/{rest:.*}", self._nothing_here)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop_listening(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    # ── what a test says beforehand ──

    def phone(self, number: str) -> Phone:
        with self._changed:
            return self._phones.setdefault(number, Phone(number))

    def allow_all(self) -> None:
        """Every phone takes every text: for loads."""
        self.strict = False

    def script(self, *behaviours: Behaviour, to: str | None = None) -> None:
        """The next requests to send are answered so, in order; with `to`, the next ones to this number."""
        with self._changed:
            (self._script if to is None else self._script_of.setdefault(to, deque())).extend(behaviours)

    def script_list(self, *behaviours: Behaviour) -> None:
        """The next requests for the list are answered so."""
        with self._changed:
            self._list_script.extend(behaviours)

    def hold_answers(self) -> None:
        """From now on texts are taken but no request is answered until release_answers()."""
        self._on_loop(lambda released: released.clear())

    def release_answers(self) -> None:
        self._on_loop(lambda released: released.set())

    def hide_new_texts(self) -> None:
        """The list lags: it does not show what comes from now on until show_all_texts()."""
        with self._changed:
            self._hidden_from = len(self.texts)

    def show_all_texts(self) -> None:
        with self._changed:
            self._hidden_from = None

    def cut_idle_lines(self) -> None:
        """As a server does with connections that are kept open without use."""

        async def cut() -> None:
            assert self._runner is not None
            assert self._runner.server is not None
            for line in self._runner.server.connections:
                if line.transport is not None:
                    line.transport.close()

        self._thread.run(cut())

    def _on_loop(self, change: Callable[[asyncio.Event], None]) -> None:
        async def changed() -> None:
            assert self._released is not None
            change(self._released)

        self._thread.run(changed())

    # ── what a test sees ──

    def wait_for_posts(self, count: int, timeout: float = PATIENCE) -> None:
        """Returns when so many requests to send have come, answered or not."""
        self._wait(lambda: self.posts >= count, f"{count} posts", timeout)

    def wait_for_texts(self, count: int, timeout: float = PATIENCE) -> None:
        """Returns when so many texts were taken."""
        self._wait(lambda: len(self.texts) >= count, f"{count} texts", timeout)

    def _wait(self, true: Callable[[], bool], what: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(true, timeout):
                raise AssertionError(
                    f"waited {timeout} s for {what}; there were {self.posts} posts, {len(self.texts)} texts"
                )

    def bodies_to(self, number: str) -> list[str]:
        with self._changed:
            return [text.body for text in self.texts if text.to == number]

    def verify(self) -> None:
        """Raises AssertionError for every unexpected or missing text. Leaving the `with` block calls it."""
        with self._changed:
            found = [complaint for phone in self._phones.values() for complaint in phone.complaints(strict=self.strict)]
            if self.strict:
                found += [f"a text went to the unexpected phone {text.to}: {text.body}" for text in self._unexpected]
        if found:
            raise AssertionError("\n".join(found))

    # ── receipts and replies ──

    def receive(self, sender: str, body: str) -> Text:
        """A text to our own number. Twilio lists it; `inbound` makes its call, which may be lost."""
        with self._changed:
            sid = "SM" + hashlib.sha256(f"{self.url} in {len(self.texts)}".encode()).hexdigest()[:32]
            text = Text(sid, SENDER, body, {}, self.now().astimezone(UTC), "received", sender=sender)
            self.texts.append(text)
        return text

    def inbound(self, text: Text, url: str) -> Callback:
        """The signed call about a text that was received."""
        fields = [("MessageSid", text.sid), ("From", text.sender or ""), ("To", text.to), ("Body", text.body)]
        return self.signed(url, fields)

    def end(
        self, sid: str, status: str = "delivered", error_code: int | None = None, answered_by: str | None = None
    ) -> None:
        """What became of a text or a call, of which Twilio's call is lost."""
        with self._changed:
            one = next(one for one in (*self.texts, *self.rings) if one.sid == sid)
            one.status, one.error_code, one.answered_by = status, error_code, answered_by

    def deliver(
        self, sid: str, status: str = "delivered", error_code: int | None = None, *, forged: bool = False
    ) -> int:
        """Posts one signed receipt and returns the HTTP status. `forged`: signed by somebody without the token."""
        return self.callback(sid, status, error_code, forged=forged).post(self.callbacks_to)

    def deliver_all(
        self, status: str = "delivered", *, times: int = 1, shuffled_by: random.Random | None = None
    ) -> list[int]:
        """A receipt for every text so far, `times` times over, shuffled if wished."""
        with self._changed:
            sids = [text.sid for text in self.texts for _ in range(times)]
        if shuffled_by is not None:
            shuffled_by.shuffle(sids)
        return [self.deliver(sid, status) for sid in sids]

    def callback(
        self, sid: str, status: str = "delivered", error_code: int | None = None, *, forged: bool = False
    ) -> Callback:
        with self._changed:
            text = next(text for text in self.texts if text.sid == sid)
            if not forged:
                text.status, text.error_code = status, error_code
        assert text.status_callback, "this text was sent without a StatusCallback"
        fields = [
            ("ApiVersion", "2010-04-01"),
            ("MessageStatus", status),
            ("SmsStatus", status),
            ("SmsSid", sid),
            ("MessageSid", sid),
            ("AccountSid", self.account_sid),
            ("To", text.to),
            ("From", text.form.get("From", SENDER)),
        ]
        if "MessagingServiceSid" in text.form:
            fields.append(("MessagingServiceSid", text.form["MessagingServiceSid"]))
        if error_code is not None:
            fields.append(("ErrorCode", str(error_code)))
        return self.signed(text.status_callback, fields, forged=forged)

    def signed(self, url: str, fields: Sequence[tuple[str, str]], *, forged: bool = False) -> Callback:
        """Any webhook, signed as Twilio's security page describes it."""
        signature = sign("somebody else's token" if forged else self.auth_token, url, fields)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        return Callback(url, urlencode(fields).encode(), headers)

    # ── the API ──

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        refusal = self._refusal(request, form)
        with self._changed:
            behaviour = refusal or self._next_behaviour(form["To"])
            text = self._take(form) if behaviour.accepts else None
            self.posts += 1
            self._changed.notify_all()
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        assert self._released is not None
        await self._released.wait()
        return await self._answer(request, behaviour, self._row(text) if text else None)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        with self._changed:
            self.lists += 1
            behaviour = self._list_script.popleft() if self._list_script else Behaviour(accepts=False, status=200)
        if not self._signed_in(request):
            behaviour = refuse(401, 20003)
        return await self._answer(request, self.outage or behaviour, self._page(request))

    async def _create_call(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        with self._changed:
            behaviour = self._next_behaviour(form["To"]) if self._signed_in(request) else refuse(401, 20003)
            sid = "CA" + hashlib.sha256(f"{self.url}{len(self.rings)}".encode()).hexdigest()[:32]
            call = Text(sid, form["To"], form["Url"], form, self.now().astimezone(UTC), "queued")
            if behaviour.accepts:
                self.rings.append(call)
            self._changed.notify_all()
        return await self._answer(request, behaviour, self._call_row(call))

    async def _list_calls(self, request: web.Request) -> web.StreamResponse:
        with self._changed:
            behaviour = self._list_script.popleft() if self._list_script else Behaviour(accepts=False, status=200)
            query = request.query
            rows = [
                self._call_row(call)
                for call in reversed(self.rings)
                if call.to == query.get("To", call.to)
                and call.status == query.get("Status", call.status)
                and _is_of_time(call.created_at, query, "StartTime")
            ]
        if not self._signed_in(request):
            behaviour = refuse(401, 20003)
        return await self._answer(request, behaviour, self._paged(request, "calls", rows))

    def _call_row(self, call: Text) -> dict[str, object]:
        return {
            "account_sid": self.account_sid,
            "answered_by": call.answered_by,
            "api_version": "2010-04-01",
            "date_created": format_datetime(call.created_at),
            "start_time": None if call.status in ("queued", "ringing") else format_datetime(call.created_at),
            "direction": "outbound-api",
            "from": call.form.get("From"),
            "sid": call.sid,
            "status": call.status,
            "to": call.to,
        }

    async def _nothing_here(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, refuse(404, 20404), None)

    def _refusal(self, request: web.Request, form: Mapping[str, str]) -> Behaviour | None:
        if not self._signed_in(request):
            return refuse(401, 20003)
        callback = urlsplit(form.get("StatusCallback", "https://kigen.example.jp"))
        checks = (
            (form.get("To"), 21604),
            (re.fullmatch(r"\+[1-9][0-9]{6,14}", form.get("To", "")), 21211),
            (form.get("Body"), 21602),
            (len(form.get("Body", "")) <= 1600, 21617),
            (form.get("From") or form.get("MessagingServiceSid"), 21603),
            (callback.scheme in ("http", "https") and callback.netloc, 21609),
            (
                form.get("ValidityPeriod", "1").isdecimal() and 1 <= int(form.get("ValidityPeriod", "1")) <= 36_000,
                90007,
            ),
        )
        return next((refuse(400, code) for fine, code in checks if not fine), None)

    def _signed_in(self, request: web.Request) -> bool:
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        right_account = request.match_info["account"] == self.account_sid
        return right_account and request.headers.get("Authorization") == f"Basic {expected}"

    def _next_behaviour(self, to: str) -> Behaviour:
        own = self._script_of.get(to)
        if self.outage is not None:
            return self.outage
        if own:
            return own.popleft()
        return self._script.popleft() if self._script else ACCEPT

    def _take(self, form: Mapping[str, str]) -> Text:
        # Like real ones: hexadecimal, and now and then with a long run of digits in it.
        sid = "SM" + hashlib.sha256(f"{self.url}{len(self.texts)}".encode()).hexdigest()[:32]
        status = "accepted" if "MessagingServiceSid" in form else "queued"
        text = Text(sid, form["To"], form["Body"], form, self.now().astimezone(UTC), status)
        self.texts.append(text)
        if text.to in self._phones:
            self._phones[text.to].texts.append(text.body)
        else:
            self._unexpected.append(text)
        return text

    def _status(self, text: Text) -> str:
        is_on_its_way = text.status in ("queued", "accepted") and self.arrives_after is not None
        return "delivered" if is_on_its_way and self.now() >= text.created_at + self.arrives_after else text.status

    def _row(self, text: Text) -> dict[str, object]:
        created = format_datetime(text.created_at)
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Messages/{text.sid}"
        return {
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": text.body,
            "date_created": created,
            "date_sent": None if text.sent_at is None else created,
            "date_updated": created,
            "direction": "inbound" if text.is_inbound else "outbound-api",
            "error_code": text.error_code,
            "error_message": None,
            "from": text.sender or text.form.get("From"),
            "messaging_service_sid": text.form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "0" if "MessagingServiceSid" in text.form else "1",
            "price": None,
            "price_unit": None,
            "sid": text.sid,
            "status": self._status(text),
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": text.to,
            "uri": f"{uri}.json",
        }

    def _page(self, request: web.Request) -> dict[str, object]:
        query = request.query
        with self._changed:
            shown = self.texts[: self._hidden_from]
        listed_until = self.now() - timedelta(seconds=self.list_lag_seconds)
        rows = [
            self._row(text)
            for text in reversed(shown)
            if text.created_at <= listed_until
            and query.get("To") in (None, text.to)
            and query.get("From") in (None, text.sender or text.form.get("From"))
            and _is_of_time(text.sent_at, query, "DateSent")
        ]
        return self._paged(request, "messages", rows)

    def _paged(self, request: web.Request, what: str, rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
        query = request.query
        size, number = min(int(query.get("PageSize", "50")), 1000), int(query.get("Page", "0"))
        start = number * size
        base = request.path

        def uri(page: int) -> str:
            kept = {name: value for name, value in query.items() if name not in ("Page", "PageToken")}
            return f"{base}?{urlencode({**kept, 'Page': page, 'PageToken': f'PASM{page}'})}"

        return {
            what: rows[start : start + size],
            "page": number,
            "page_size": size,
            "start": start,
            "end": min(start + size, len(rows)) - 1,
            "uri": uri(number),
            "first_page_uri": uri(0),
            "next_page_uri": uri(number + 1) if start + size < len(rows) else None,
            "previous_page_uri": uri(number - 1) if number else None,
        }

    async def _answer(
        self, request: web.Request, behaviour: Behaviour, content: Mapping[str, object] | None
    ) -> web.StreamResponse:
        if behaviour.then is Then.HANG:
            await asyncio.Event().wait()
        if behaviour.then is Then.RESET:
            _tear_down(request)
            raise ConnectionResetError
        if behaviour.status >= 400:
            content = _error(behaviour)
        body = behaviour.body if behaviour.body is not None else json.dumps(content or {})
        headers = {"Twilio-Request-Id": "RQ" + "fa" * 16, "Content-Type": "application/json"}
        if behaviour.retry_after is not None:
            headers["Retry-After"] = behaviour.retry_after
        if behaviour.then is Then.TRUNCATE:
            return await _half(request, behaviour.status, headers, body.encode())
        return web.Response(status=behaviour.status, body=body.encode(), headers=headers)


def sign(token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """X-Twilio-Signature, written from Twilio's security page and not with the SDK that is to check it."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _is_of_time(at: datetime | None, query: Mapping[str, str], name: str) -> bool:
    """Whether a row is listed by the filters on its time: dates or instants in UTC, each of them inclusive.

    One that has no time yet is not listed by any of them.
    """
    given = {suffix: query[f"{name}{suffix}"] for suffix in ("", "<", ">") if f"{name}{suffix}" in query}
    if not given or at is None:
        return not given
    for suffix, value in given.items():
        is_date = len(value) == len("2026-12-01")
        bound = datetime.fromisoformat(value.replace("Z", "+00:00"))
        bound = bound.replace(tzinfo=UTC) if bound.tzinfo is None else bound
        last = bound + timedelta(days=1) - timedelta(microseconds=1) if is_date else bound
        fits = {"": bound <= at <= last, "<": at <= last, ">": at >= bound}
        if not fits[suffix]:
            return False
    return True


def _error(behaviour: Behaviour) -> dict[str, object]:
    code = behaviour.code if behaviour.code is not None else behaviour.status
    info = f"https://www.twilio.com/docs/errors/{code}"
    if behaviour.problem:
        return {"type": info, "title": "refused", "status": behaviour.status, "code": code, "detail": "invented"}
    message = "The invented number +81900000001 was refused"
    return {"code": code, "message": message, "more_info": info, "status": behaviour.status}


async def _half(request: web.Request, status: int, headers: Mapping[str, str], body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


def _tear_down(request: web.Request) -> None:
    assert request.transport is not None
    raw = request.transport.get_extra_info("socket")
    # Lingering for no time makes the kernel send a reset instead of an orderly end.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
