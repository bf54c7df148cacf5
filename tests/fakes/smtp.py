"""A mail server to test against: keeps what it takes, and refuses, hangs or drops the line on order.

with FakeSmtp() as smtp:
    smtp.refuse("RCPT", "550 5.1.1 no such user")
    ...                                             # the program under test connects to smtp.url
    assert smtp.mails[0].parsed["Subject"] == ...
"""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.fakes import LoopThread
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    over_tls: bool

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def body(self, kind: str = "plain") -> str:
        part = self.parsed.get_body((kind,))
        assert part is not None
        return str(part.get_content())


class _Server(SMTP):
    """Tells the fake of its line, so that it can be cut."""

    fake: "FakeSmtp"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.fake.lines.append(transport)
        self.fake.connections += 1
        super().connection_made(transport)

    async def smtp_RCPT(self, arg: str) -> None:
        self.fake.recipients_as_written.append(arg)
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if self.fake.hangs_at_data:
            await asyncio.Event().wait()
        if self.fake.refuses_at_data is not None:
            await self.push(self.fake.refuses_at_data)
            return
        await super().smtp_DATA(arg)


class FakeSmtp:
    """`tls`: a server certificate. With it the fake speaks TLS from the start (smtps), or with `starttls` offers it.
    `users`: name -> password; then nobody else may send."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, starttls: bool = False, users: Mapping[str, str] | None = None
    ) -> None:
        self.mails: list[Mail] = []
        self.lines: list[asyncio.BaseTransport] = []
        self.recipients_as_written: list[str] = []
        self.connections = 0
        self.url = ""
        self.port = 0
        self._tls = tls
        self._starttls = starttls
        self._users = users
        self._refusals: dict[str, deque[str]] = {"MAIL": deque(), "RCPT": deque(), "DATA": deque()}
        self._lost_answers: deque[bool] = deque()
        self.outage: str | None = None  # until it is None again, every mail is refused so
        self.hangs_at_data = False  # it takes sender and recipient, and never asks for the content
        self.refuses_at_data: str | None = None
        self._changed = threading.Condition()
        self._thread = LoopThread()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "FakeSmtp":
        self._thread.start()
        self._thread.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.run(self._stop_listening())
        self._thread.stop()

    async def _listen(self) -> None:
        direct = self._tls if not self._starttls else None
        self._server = await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0, ssl=direct)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'smtps' if direct else 'smtp'}://127.0.0.1:{self.port}"

    def _make(self) -> SMTP:
        server = _Server(
            self,
            hostname="mail.example.jp",
            loop=self._thread.loop,
            tls_context=self._tls if self._starttls else None,
            require_starttls=self._starttls,
            authenticator=self._authenticate if self._users is not None else None,
            # aiosmtpd cannot see TLS that was there from the start.
            auth_require_tls=self._starttls or self._users is None,
        )
        server.fake = self
        return server

    async def _stop_listening(self) -> None:
        assert self._server is not None
        self._server.close()
        self._cut_lines()
        await self._server.wait_closed()

    # ── what a test says ──

    def refuse(self, command: str, answer: str, times: int = 1) -> None:
        """The next MAIL, RCPT or DATA (at its end) is answered so: "550 5.1.1 no such user"."""
        self._refusals[command].extend([answer] * times)

    def lose_answer_next(self, *, accepts: bool = True, hangs: bool = False) -> None:
        """After the next mail the line is cut (or, with `hangs`, stays silent); `accepts`: the mail is kept all the same."""
        self._lost_answers.append(hangs)
        if not accepts:
            self._refusals["DATA"].append("")

    def cut_all_lines(self) -> None:
        """As a server does with clients that are idle."""

        async def cut() -> None:
            self._cut_lines()

        self._thread.run(cut())

    def _cut_lines(self) -> None:
        for line in self.lines:
            line.close()
        self.lines.clear()

    def wait_for_mails(self, count: int, timeout: float = PATIENCE) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.mails) >= count, timeout):
                raise AssertionError(f"waited {timeout} s for {count} mails; there were {len(self.mails)}")

    # ── what aiosmtpd asks ──

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._users is not None and not session.authenticated:
            return "530 5.7.0 authentication required"
        if self.outage is not None:
            return self.outage
        if self._refusals["MAIL"]:
            return self._refusals["MAIL"].popleft()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._refusals["RCPT"]:
            return self._refusals["RCPT"].popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        refusal = self._refusals["DATA"].popleft() if self._refusals["DATA"] else None
        if refusal is None:
            with self._changed:
                content = envelope.content
                assert isinstance(content, bytes)
                over_tls = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
                self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, over_tls))
                self._changed.notify_all()
        if self._lost_answers:
            if self._lost_answers.popleft():
                await asyncio.Event().wait()
            assert server.transport is not None
            server.transport.close()
        return refusal or "250 OK"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        assert self._users is not None
        known = isinstance(login, LoginPassword) and self._users.get(login.login.decode()) == login.password.decode()
        return AuthResult(success=known, handled=False)
