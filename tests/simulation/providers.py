"""Providers as our clients meet them on the wire: Twilio (texts, calls, lists), a mail server, LINE.

Each keeps an honest ledger of what it took; the watcher compares it with what the program believes.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.simulation.network import Line
from tests.simulation.weather import WELL, Weather

ACCOUNT, TOKEN = "AC" + "5a" * 16, "invented-token-of-the-simulation"
TWILIO, LINE_HOST, MAIL_HOST = ("192.0.2.1", 80), ("192.0.2.2", 80), ("127.0.0.1", 25)


@dataclass
class Taken:
    """What a provider has taken: `key` names the message as our program named it; `status` is its true fate so far."""

    channel: str
    to: str
    text: str
    key: str
    sid: str
    at: datetime
    status: str
    callback: str = ""
    code: int | None = None
    raw: bytes = b""
    is_inbound: bool = False
    # Whether our side has had the answer that it was taken, and which process that was.
    is_heard: bool = False
    worker: object = None
    # What kind of message it was when it was taken.
    kind: str = ""

    @property
    def mail_id(self) -> str:
        """The Message-ID of a mail."""
        return f"<{self.key}@example.jp>" if self.channel == "email" else ""

    def heard(self) -> None:
        """Note that our side has had the answer."""
        self.is_heard = True


class World(Protocol):
    """What providers need of the world."""

    weather: Weather

    def now(self) -> datetime:
        """Return the true instant."""

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something later."""

    def draw(self, purpose: str, low: float, high: float) -> float:
        """Return a number from the seed."""

    def note(self, what: str) -> None:
        """Write a line into the trace."""

    def handed(self, channel: str, key: str, to: str, by: object) -> None:
        """Hear that a message has arrived at its provider, before the provider decides; `by`: the process."""

    def took(self, taken: Taken) -> None:
        """Hear that a provider has taken a message."""

    def bounced(self, report: bytes) -> None:
        """Pipe a mail that comes back into our program."""

    def report(self, path: str, fields: Sequence[tuple[str, str]], *, about: str) -> None:
        """Post a signed webhook to the web server, if it can be reached."""


@dataclass
class Request:
    """A request over HTTP."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each field."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


class HttpHost:
    """A host that speaks HTTP/1.1."""

    def __init__(self, world: World, about: str) -> None:
        self.world, self.about = world, about

    def reachable(self) -> str:
        """Say whether a connection is made."""
        kind = self.world.weather.now(f"{self.about}_network")[0]
        return "yes" if kind == WELL else kind

    def answer(self, line: Line) -> "_Http":
        """Serve a connection."""
        return _Http(line, self.serve)

    def serve(self, request: Request, line: Line) -> None:
        """Answer one request."""
        raise NotImplementedError


class _Http:
    def __init__(self, line: Line, serve: Callable[[Request, Line], None]) -> None:
        self._line, self._serve, self._heard = line, serve, b""

    def heard(self, data: bytes) -> None:
        """Take bytes, and serve each whole request."""
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, rest = self._heard.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self._heard = rest[length:]
            method, target, _ = first.split(" ", 2)
            self._serve(Request(method, target, headers, rest[:length]), self._line)

    def gone(self) -> None:
        """Nothing is left to do."""


def respond(
    line: Line,
    status: int,
    said: object,
    *,
    after: float = 0.0,
    headers: Mapping[str, str] | None = None,
    cut: bool = False,
    then: Callable[[], None] | None = None,
) -> None:
    """Answer with JSON; `cut`: only half of it, and then the end. `then` is called when our side has heard it."""
    body = json.dumps(said).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    if cut:
        line.say(head.encode() + body[: len(body) // 2], after)
        line.hang_up()
    else:
        line.say(head.encode() + body, after, then)


class Twilio(HttpHost):
    """Texts and calls. `phones`: what becomes of a text to a number, by number; `answers`: who picks up a call."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "sms")
        self.texts: list[Taken] = []
        self.calls: list[Taken] = []
        self.phones: dict[str, str] = {}
        self._numbers = 0

    def serve(self, request: Request, line: Line) -> None:
        """Serve the REST API."""
        is_call = request.path.endswith("/Calls.json")
        if request.method == "POST":
            self._create(dict(parse_qsl(request.body.decode())), line, is_call=is_call)
        else:
            self._list(request, line, is_call=is_call)

    def _create(self, form: Mapping[str, str], line: Line, *, is_call: bool) -> None:
        about = "voice" if is_call else "sms"
        to, text = form["To"], form.get("Body", form.get("Url", ""))
        callback = form.get("StatusCallback", "")
        key = parse_qs(urlsplit(callback).query).get("m", [""])[0]
        kind, *how = self.world.weather.now(about, to)
        after = self.world.draw(f"{about} answers", 0.02, 0.4)
        self.world.handed(about, key, to, line.owner)
        if kind in ("refuse", "refuse_slowly"):
            status = int(how[0])
            after += 5.0 if kind == "refuse_slowly" else 0.0
            self.world.note(f"{about} to {to} refused with {':'.join(how)}")
            said = {"code": int(how[1]) if len(how) > 1 else status, "message": "refused", "status": status}
            respond(line, status, said, after=after, headers={"Retry-After": how[2]} if len(how) > 2 else {})
            return
        if kind in ("reset", "hang"):
            self.world.note(f"{about} to {to} not taken: {kind}")
            if kind == "reset":
                line.tear(after)
            return
        taken = self._take(about, to, text, key, callback, line.owner)
        if kind == "accept_reset":
            line.tear(after)
        elif kind == "accept_then":
            respond(line, int(how[0]), {"code": int(how[0]), "message": "invented"}, after=after)
        elif kind == "truncate":
            respond(line, 201, self._row(taken), after=after, cut=True)
        elif kind != "accept_hang":
            slow = float(how[0]) if kind == "slow" else 0.0
            respond(line, 201, self._row(taken), after=after + slow, then=taken.heard)

    def _take(self, about: str, to: str, text: str, key: str, callback: str, by: object) -> Taken:
        self._numbers += 1
        sid = f"{'CA' if about == 'voice' else 'SM'}{self._numbers:032x}"
        taken = Taken(about, to, text, key, sid, self.world.now(), "queued", callback, worker=by)
        (self.calls if about == "voice" else self.texts).append(taken)
        self.world.took(taken)
        if about == "sms":
            self._deliver(taken)
        else:
            self._ring(taken)
        return taken

    def _deliver(self, taken: Taken) -> None:
        """Let a text arrive, or not, and report it."""
        kind, *how = self.phones.get(taken.to, "delivered").split(":")
        after = self.world.draw("texts arrive", 1, 40)
        if kind == "lost":
            return
        if kind == "late":
            after, kind = float(how[0]), how[1] if len(how) > 1 else "delivered"
            how = how[2:]
        self._report_later(taken, "sent", None, after / 2)
        self._report_later(taken, kind, int(how[0]) if how else None, after)

    def _report_later(self, taken: Taken, status: str, code: int | None, after: float) -> None:
        def happens() -> None:
            taken.status, taken.code = status, code
            self.world.note(f"{taken.sid} is {status} {code or ''}")
            kind, *how = self.world.weather.now("receipts", taken.to)
            if kind == "lost" or not taken.callback:
                return
            if kind in ("twice", "well"):
                self._report(taken, status, code)
            if kind == "twice":
                self.world.later(self.world.draw("receipts again", 0, 90), lambda: self._report(taken, status, code))
            if kind == "late":
                self.world.later(float(how[0]), lambda: self._report(taken, status, code))

        self.world.later(after, happens)

    def _report(self, taken: Taken, status: str, code: int | None) -> None:
        which = "Call" if taken.channel == "voice" else "Message"
        fields = [(f"{which}Sid", taken.sid), (f"{which}Status", status), ("To", taken.to), ("AccountSid", ACCOUNT)]
        fields += [("ErrorCode", str(code))] if code else []
        url = urlsplit(taken.callback)
        self.world.report(f"{url.path}?{url.query}", fields, about="receipt")

    def _ring(self, taken: Taken) -> None:
        """Let a call be answered: `human:KEY`, `machine`, `busy`, `no-answer`."""
        kind, *how = self.phones.get(taken.to, "no-answer").split(":")

        def rings() -> None:
            url = urlsplit(taken.text)
            if kind in ("human", "machine"):
                who = [("CallSid", taken.sid), ("AnsweredBy", "human" if kind == "human" else "machine_end_beep")]
                self.world.report(f"{url.path}?{url.query}", [*who, ("CallStatus", "in-progress")], about="call")
            if kind == "human" and how:
                pressed = [("CallSid", taken.sid), ("AnsweredBy", "human"), ("Digits", how[0])]
                path = f"{url.path}?{url.query}&turn=1"
                self.world.later(12, lambda: self.world.report(path, pressed, about="call"))

        self.world.later(self.world.draw("calls ring", 5, 30), rings)
        end = "completed" if kind in ("human", "machine") else kind
        self._report_later(taken, end, None, 70)

    def says(self, sender: str, to: str, text: str) -> Taken:
        """Let a phone send a text to us."""
        self._numbers += 1
        sid = f"SM{self._numbers:032x}"
        taken = Taken("sms", to, text, "", sid, self.world.now(), "received", is_inbound=True, code=None)
        taken.callback = sender
        self.texts.append(taken)
        fields = [("MessageSid", sid), ("From", sender), ("To", to), ("Body", text), ("AccountSid", ACCOUNT)]
        kind, *how = self.world.weather.now("inbound", sender)
        if kind != "lost":
            self.world.report("/webhooks/twilio/sms", fields, about="inbound")
        if kind == "twice":
            self.world.later(
                float(how[0]) if how else 5.0,
                lambda: self.world.report("/webhooks/twilio/sms", fields, about="inbound"),
            )
        return taken

    def _list(self, request: Request, line: Line, *, is_call: bool) -> None:
        about = "voice_list" if is_call else "sms_list"
        kind, *how = self.world.weather.now(about)
        after = self.world.draw("lists answer", 0.02, 0.4)
        if kind == "refuse":
            respond(line, int(how[0]), {"code": int(how[-1]), "message": "refused"}, after=after)
            return
        if kind in ("hang", "reset"):
            if kind == "reset":
                line.tear(after)
            return
        lag = float(how[0]) if kind == "lag" else 0.0
        rows = [
            one for one in reversed(self.calls if is_call else self.texts) if self._is_asked(one, request.query, lag)
        ]
        size, page = int(request.query.get("PageSize", "50")), int(request.query.get("Page", "0"))
        shown = rows[page * size : page * size + size]
        rest = "" if len(rows) <= (page + 1) * size else self._next_page(request, page + 1)
        said = {
            ("calls" if is_call else "messages"): [self._row(one) for one in shown],
            "page": page,
            "page_size": size,
            "next_page_uri": rest or None,
        }
        respond(line, 200, said, after=after)

    @staticmethod
    def _next_page(request: Request, page: int) -> str:
        kept = [(name, value) for name, value in request.query.items() if name not in ("Page", "PageToken")]
        from urllib.parse import urlencode

        return f"{request.path}?{urlencode([*kept, ('Page', str(page)), ('PageToken', f'PA{page}')])}"

    def _is_asked(self, one: Taken, query: Mapping[str, str], lag: float) -> bool:
        if (self.world.now() - one.at).total_seconds() < lag:
            return False
        sender = one.callback if one.is_inbound else ""
        if query.get("To") not in (None, one.to) or ("From" in query and query["From"] != sender):
            return False
        day = one.at.astimezone(UTC).date()
        for name, value in query.items():
            if name.startswith(("DateSent", "StartTime", "DateCreated")):
                asked = _day(value)
                is_fine = day >= asked if name.endswith(">") else day <= asked if name.endswith("<") else day == asked
                if not is_fine:
                    return False
        return True

    def _row(self, one: Taken) -> dict[str, Any]:
        at = format_datetime(one.at.astimezone(UTC))
        is_text = one.channel == "sms"
        row: dict[str, Any] = {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "date_created": at,
            "date_updated": at,
            "direction": "inbound" if one.is_inbound else "outbound-api",
            "from": one.callback if one.is_inbound else "+815000000001",
            "sid": one.sid,
            "status": one.status,
            "to": one.to,
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/{one.sid}.json",
        }
        if is_text:
            row |= {"body": one.text, "date_sent": at, "error_code": one.code, "error_message": None}
            row |= {"num_segments": "1", "num_media": "0", "price": None, "price_unit": None}
        else:
            row |= {"answered_by": None, "start_time": at, "end_time": at, "duration": "20"}
        return row


def _day(text: str) -> Any:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).date()
    except ValueError:
        return parsedate_to_datetime(text).date()


class LineServer(HttpHost):
    """LINE's push, which knows a retry key again for a day. `budget`: how many pushes are left."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "line")
        self.pushed: list[Taken] = []
        self.budget = 10_000

    def serve(self, request: Request, line: Line) -> None:
        """Serve a push."""
        said = json.loads(request.body)
        key, to, text = request.headers["x-line-retry-key"], said["to"], said["messages"][0]["text"]
        after = self.world.draw("line answers", 0.02, 0.4)
        kind, *how = self.world.weather.now("line", to)
        known = next((one for one in self.pushed if one.key == key), None)
        self.world.handed("line", key, to, line.owner)
        if known is not None and (self.world.now() - known.at).total_seconds() < 86_400:
            respond(line, 409, {"message": "known"}, after=after, headers={"X-Line-Accepted-Request-Id": known.sid})
            return
        if kind == "refuse" or self.budget <= 0:
            status = 429 if kind != "refuse" else int(how[0])
            message = "You have reached your monthly limit." if self.budget <= 0 else "refused"
            respond(line, status, {"message": message}, after=after)
            return
        if kind in ("reset", "hang"):
            if kind == "reset":
                line.tear(after)
            return
        self.budget -= 1
        taken = Taken(
            "line", to, text, key, f"line-{len(self.pushed)}", self.world.now(), "accepted", worker=line.owner
        )
        self.pushed.append(taken)
        self.world.took(taken)
        if kind == "accept_reset":
            line.tear(after)
        elif kind == "accept_then":
            respond(line, int(how[0]), {"message": "invented"}, after=after)
        elif kind != "accept_hang":
            slow = float(how[0]) if kind == "slow" else 0.0
            said = {"sentMessages": [{"id": taken.sid, "quoteToken": "q"}]}
            headers = {"X-Line-Request-Id": f"r-{taken.sid}"}
            respond(line, 200, said, after=after + slow, headers=headers, then=taken.heard)


@dataclass
class MailServer:
    """A mail server. `mailboxes`: what becomes of a mail to an address: `delivered`, or `bounced:5.1.1`."""

    world: World
    mails: list[Taken] = field(default_factory=list)
    mailboxes: dict[str, str] = field(default_factory=dict)

    def reachable(self) -> str:
        """Say whether a connection is made."""
        kind = self.world.weather.now("email_network")[0]
        return "yes" if kind == WELL else kind

    def answer(self, line: Line) -> "_Smtp":
        """Serve a connection."""
        return _Smtp(line, self)

    def take(self, to: str, raw: bytes, sender: str, by: object) -> Taken:
        """Take a mail; `sender`: its return path."""
        key, sid = key_of_mail(raw), f"mail {len(self.mails)}"
        taken = Taken("email", to, "", key, sid, self.world.now(), "accepted", raw=raw, worker=by)
        self.mails.append(taken)
        self.world.took(taken)
        kind, _, code = self.mailboxes.get(to, "").partition(":")
        if kind == "bounced":
            report = bounce_of(sender, to, code)
            self.world.later(self.world.draw("mails come back", 20, 900), lambda: self.world.bounced(report))
        return taken


def bounce_of(sender: str, to: str, code: str) -> bytes:
    """Return what a mail server writes to the return path of a mail that it cannot deliver."""
    action = "failed" if code.startswith("5") else "delayed"
    return (
        f"From: MAILER-DAEMON@mail.example.jp\r\nTo: {sender}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt was not delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.jp\r\n\r\n"
        f"Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {code}\r\n\r\n--b--\r\n"
    ).encode()


def key_of_mail(raw: bytes) -> str:
    """Return what stands before the @ of the Message-ID."""
    found = re.search(rb"^Message-ID: <([^@>]+)@", raw, re.MULTILINE)
    return found[1].decode() if found else ""


def text_of_mail(raw: bytes) -> str:
    """Return the plain text of a mail."""
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))  # type: ignore[attr-defined]
    return str(body.get_content())


class _Smtp:
    def __init__(self, line: Line, server: MailServer) -> None:
        self._line, self._server, self._world = line, server, server.world
        self._heard, self._to, self._from, self._is_content = b"", "", "", False
        self._say("220 mail.example.jp ESMTP", "greeting")

    def _say(self, text: str, stage: str, then: Callable[[], None] | None = None) -> None:
        kind, *how = self._world.weather.now("email", self._to or None)
        if kind == "silent" and (not how or how[0] == stage):
            return
        after = float(how[1]) if kind == "slow" and how[0] == stage else self._world.draw("mail answers", 0.01, 0.2)
        if kind == "refuse" and how[0] == stage:
            # Whoever is refused has not heard that a mail was taken.
            text, then = how[1], None
        self._line.say(f"{text}\r\n".encode(), after, then)

    def gone(self) -> None:
        """The client has closed."""

    def heard(self, data: bytes) -> None:
        """Take lines, and the content of a mail."""
        self._heard += data
        while True:
            end = b"\r\n.\r\n" if self._is_content else b"\r\n"
            if end not in self._heard:
                return
            said, _, self._heard = self._heard.partition(end)
            if self._is_content:
                self._content(said)
            else:
                self._command(said.decode("latin-1"))

    def _command(self, said: str) -> None:
        verb = said[:4].upper()
        if verb in ("EHLO", "HELO"):
            self._say("250-mail.example.jp\r\n250 8BITMIME", "hello")
        elif verb == "MAIL":
            found = re.search("<([^>]*)>", said)
            self._from = found[1] if found else ""
            self._say("250 OK", verb)
        elif verb == "RCPT":
            found = re.search("<([^>]*)>", said)
            self._to = found[1] if found else ""
            self._say("250 OK", "RCPT")
        elif verb == "DATA":
            self._is_content = True
            self._line.say(b"354 go on\r\n")
        elif verb == "QUIT":
            self._line.say(b"221 bye\r\n")
            self._line.hang_up()
        else:
            self._say("250 OK", verb)

    def _content(self, raw: bytes) -> None:
        self._is_content = False
        kind, *how = self._world.weather.now("email", self._to)
        self._world.handed("email", key_of_mail(raw), self._to, self._line.owner)
        if kind == "refuse" and how[0] == "DATA":
            self._line.say(f"{how[1]}\r\n".encode(), 0.1)
            return
        if kind == "reset":
            self._line.tear(0.1)
            return
        taken = self._server.take(self._to, raw, self._from, self._line.owner)
        if kind == "accept_reset":
            self._line.tear(0.1)
        elif kind == "accept_then":
            self._line.say(f"{how[0]}\r\n".encode(), 0.1)
        elif kind != "accept_hang":
            self._say("250 2.0.0 taken", "DATA", taken.heard)


def basic_auth() -> str:
    """Return what our client signs in with."""
    return "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
