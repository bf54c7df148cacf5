"""The client of SMTP servers.

One message always has the same bytes and the same Message-ID, so that a second copy is recognised.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr
from functools import cached_property
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import aiosmtplib

from reminder.channels.email.refusals import AgainstPolicyError, Policy, SmtpStage, meaning
from reminder.clock import JAPAN
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.domain.model.people import Language
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SettingsError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

LONGEST_ID = 80
_PORTS = {"smtp": 587, "smtps": 465}
_SETTING = "REMINDER_SMTP_URL"

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_ADDRESS = re.compile(
    rf"(?P<local>(?:{_LOCAL}|\.){{1,64}})@(?P<domain>[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,252}}[A-Za-z0-9])?)"
)
_DOT_ATOM = re.compile(rf"{_LOCAL}+(?:\.{_LOCAL}+)*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HOST = re.compile("[A-Za-z0-9._:-]+")
_URL = re.compile("https?://[!#-;=?-~]+")


@dataclass(frozen=True)
class Server:
    """An SMTP server with its credentials."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


class SmtpEmail:
    """A channel that sends e-mail over SMTP.

    `mail_from`: the one sender, with or without a name. `render_html(text, language)` makes the HTML form, the same
    page for the same text; `tags` are the tags of the languages (BCP 47) for the header Content-Language. `timeout`:
    seconds for each step of the conversation. `return_path`: the address of a message's bounces, by its
    reference; else the sender. `connections`: how many there are at once.

    Opens its connections when needed and may be used again after close(), each time within one event loop.
    """

    def __init__(
        self,
        smtp_url: str,
        mail_from: str,
        render_html: Callable[[str, Language | None], str],
        timeout: float = 20,
        return_path: Callable[[str], str] | None = None,
        tags: Mapping[Language, str] = MappingProxyType({}),
        connections: int = 1,
    ) -> None:
        self._server = read_smtp_url(smtp_url)
        self._sender, self._sender_header = _read_sender(mail_from)
        self._domain = self._sender.rpartition("@")[2]
        self._render_html, self._tags = render_html, tags
        self._timeout = timeout
        self._return_path = return_path or (lambda _: self._sender)
        self._policy = Policy()
        self._idle: list[aiosmtplib.SMTP] = []
        self._connections = connections
        self._places = asyncio.Semaphore(self._connections)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Send the e-mail; raises ChannelError."""
        recipient = _as_rfc(outgoing.address)
        mail = self._compose(outgoing, recipient)
        async with self._places:
            connection = await self._connected()
            try:
                await _hand_over(connection, self._path_of(outgoing), recipient, mail)
            except AgainstPolicyError as refused:
                raise self._policy.meaning(recipient, refused.reason) from None
            finally:
                self._keep(connection)
        self._policy.taken(recipient)
        return Accepted(self._known_as(outgoing))

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """Return that the message may be repeated: SMTP cannot be asked, but mailboxes recognise the Message-ID."""
        del outgoing, others
        return ProviderAnswer.SAFE_TO_REPEAT

    async def try_out(self) -> None:
        """Begin a mail to our own sender and give it up: the server takes it, or raises ChannelError.

        It goes as far as the server's readiness for the content, of which nothing is sent: a connection that is lost
        there leaves no mail (RFC 5321, section 4.1.1.4).
        """
        async with self._places:
            connection = await self._connected()
            try:
                await connection.mail(self._sender)
                if await _knows(connection, self._sender):
                    asked = await connection.execute_command(b"DATA")
                    if asked.code != aiosmtplib.SMTPStatus.start_input:
                        raise aiosmtplib.SMTPDataError(asked.code, asked.message)
                    _drop(connection)
                else:
                    await connection.rset()
            except aiosmtplib.SMTPResponseException as refused:
                raise TemporaryChannelError(str(refused.code)) from None
            except (aiosmtplib.SMTPException, OSError, ValueError):
                _drop(connection)
                raise TemporaryChannelError("lost") from None
            except BaseException:
                _drop(connection)
                raise
            finally:
                self._keep(connection)

    async def close(self) -> None:
        """Close all connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            transport = connection.transport
            with suppress(aiosmtplib.SMTPException, OSError):
                await connection.quit()
            _drop(connection, transport)
        # Sockets are closed one iteration of the loop later; a semaphore belongs to the loop that waited for it.
        await asyncio.sleep(0)
        self._places = asyncio.Semaphore(self._connections)

    def _keep(self, connection: aiosmtplib.SMTP) -> None:
        if connection.is_connected:
            self._idle.append(connection)

    async def _connected(self) -> aiosmtplib.SMTP:
        while self._idle:
            connection = self._idle.pop()
            # Servers close idle connections. RSET detects that in time, and clears the state that a refusal left.
            with suppress(aiosmtplib.SMTPException, OSError):
                await connection.rset()
                return connection
            _drop(connection)
        return await self._connect()

    async def _connect(self) -> aiosmtplib.SMTP:
        connection = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.tls,
            tls_context=None if self._server.is_loopback and not self._server.tls else self._trusted,
            start_tls=False,
            # A container's own name is meaningless to the server, and some servers refuse it.
            local_hostname=self._domain,
            timeout=self._timeout,
        )
        try:
            await self._open(connection)
        except BaseException as failure:
            _drop(connection)
            if isinstance(failure, aiosmtplib.SMTPException | OSError | ValueError):
                raise _why_not_open(failure) from None
            raise
        return connection

    async def _open(self, connection: aiosmtplib.SMTP) -> None:
        await connection.connect()
        await self._secure(connection)
        if self._server.user is not None:
            await connection.login(self._server.user, self._server.password or "")

    async def _secure(self, connection: aiosmtplib.SMTP) -> None:
        """Require TLS for a password and a family's letter, except within one machine."""
        if self._server.tls or self._server.is_loopback:
            return
        await connection.ehlo()
        if not connection.supports_extension("starttls"):
            raise SetupChannelError("starttls")
        await connection.starttls()

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _known_as(self, outgoing: Outgoing) -> str:
        """Return the Message-ID; of one that is too long to be stored, what stands before its @."""
        mail_id = f"<{_local_part(outgoing)}@{self._domain}>"
        return mail_id if len(mail_id) <= LONGEST_ID else _local_part(outgoing)

    def _path_of(self, outgoing: Outgoing) -> str:
        return self._return_path(outgoing.reference) if outgoing.reference else self._sender

    def _compose(self, outgoing: Outgoing, recipient: str) -> bytes:
        """Return the mail's bytes, written without the standard library, whose next version may encode otherwise."""
        local_part = _local_part(outgoing)
        boundary = f"=_{local_part.partition('.')[0]}"
        tag = None if outgoing.language is None else self._tags.get(outgoing.language)
        header = {
            "From": self._sender_header,
            "To": recipient,
            "Subject": _encoded(outgoing.subject or outgoing.text, "Subject"),
            "Date": _date(outgoing.first_handed_at or outgoing.created_at),
            "Message-ID": f"<{local_part}@{self._domain}>",
            "MIME-Version": "1.0",
            "Auto-Submitted": "auto-generated",
            **({} if tag is None else {"Content-Language": tag}),
            **_stop_headers(outgoing.stop_url),
            "Content-Type": f'multipart/alternative; boundary="{boundary}"',
        }
        lines = [f"{name}: {value}" for name, value in header.items()]
        html = self._render_html(outgoing.text, outgoing.language)
        for kind, content in (("plain", outgoing.text), ("html", html)):
            lines += [
                "",
                f"--{boundary}",
                f"Content-Type: text/{kind}; charset=utf-8",
                "Content-Transfer-Encoding: base64",
            ]
            lines += ["", *_in_base64(content)]
        lines += ["", f"--{boundary}--", ""]
        return "\r\n".join(lines).encode("ascii")


def read_smtp_url(smtp_url: str) -> Server:
    """Return the server of smtp://user:password@host:port or smtps://; raises SettingsError.

    smtp:// uses STARTTLS, unless the host is this machine.
    """
    fix = "write smtp://user:password@host:port; in user and password write / ? # @ : % as %2F %3F %23 %40 %3A %25"
    try:
        parts = urlsplit(smtp_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(_SETTING, fix) from None
    if parts.scheme not in _PORTS:
        raise SettingsError(_SETTING, "begin it with smtp:// or smtps://")
    if not _HOST.fullmatch(host or "") or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(_SETTING, fix)
    if parts.password is not None and not parts.username:
        raise SettingsError(_SETTING, "put the user in front of the password: smtp://user:password@host:port")
    return Server(
        host or "",
        port if port is not None else _PORTS[parts.scheme],
        parts.scheme == "smtps",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def _read_sender(mail_from: str) -> tuple[str, str]:
    """Return the bare address, and the From header."""
    name, address = parseaddr(mail_from)
    if _CONTROLS.search(mail_from) or not _ADDRESS.fullmatch(address):
        raise SettingsError(
            "REMINDER_MAIL_FROM", "write an address, or a name and an address: 期限だより <otayori@example.jp>"
        )
    if name.isascii():
        return address, formataddr((name, address))
    return address, f"{_encoded(name, 'From')}\r\n <{address}>"


def _as_rfc(address: str) -> str:
    """Return the address in a form that servers accept; raises PermanentChannelError.

    Until 2009 two carriers issued addresses such as foo..bar@ and foo.@; quoted they are regular and arrive.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise PermanentChannelError("address")
    if _DOT_ATOM.fullmatch(match["local"]):
        return address
    return f'"{match["local"]}"@{match["domain"]}'


def _encoded(text: str, header: str) -> str:
    """Return a header line in RFC 2047; a line break in a subject would begin another header."""
    line = _CONTROLS.sub(" ", text).strip()[:200]
    plain = line.isascii() and "=?" not in line and len(line) < 60
    return line if plain else Header(line, "utf-8", header_name=header).encode(linesep="\r\n")


def _local_part(outgoing: Outgoing) -> str:
    """Return what stands before the @ in the Message-ID.

    It is the same for each attempt: mailboxes silently drop a mail that repeats it, and nothing else.
    """
    if outgoing.has_old_name:
        return f"m{outgoing.message_id}.{int(outgoing.created_at.timestamp())}"
    return outgoing.reference


def _date(instant: datetime) -> str:
    return format_datetime(instant.astimezone(JAPAN))


def _stop_headers(stop_url: str | None) -> dict[str, str]:
    """Return the headers of RFC 8058: the mail program's own "stop" button posts to this address."""
    if stop_url is None:
        return {}
    if not _URL.fullmatch(stop_url) or len(stop_url) > 900:
        raise SetupChannelError("stop_url")
    return {"List-Unsubscribe": f"<{stop_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _in_base64(content: str) -> list[str]:
    encoded = b64encode(content.replace("\r\n", "\n").replace("\n", "\r\n").encode()).decode()
    return [encoded[start : start + 76] for start in range(0, len(encoded), 76)]


async def _knows(connection: aiosmtplib.SMTP, recipient: str) -> bool:
    """Return whether the server takes mail to this address; a sender need have no mailbox."""
    try:
        await connection.rcpt(recipient)
    except aiosmtplib.SMTPRecipientRefused:
        return False
    return True


async def _hand_over(connection: aiosmtplib.SMTP, sender: str, recipient: str, mail: bytes) -> None:
    step = SmtpStage.GREETING
    try:
        await connection.mail(sender)
        step = SmtpStage.RECIPIENT
        await connection.rcpt(recipient)
        step = SmtpStage.CONTENT
        await connection.data(mail)
    except aiosmtplib.SMTPResponseException as refused:
        raise meaning(refused, step) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as lost:
        _drop(connection)
        if step is not SmtpStage.CONTENT:
            raise TemporaryChannelError("lost") from None
        raise UnknownOutcomeError("timeout" if isinstance(lost, TimeoutError) else "lost") from None
    except BaseException:
        # Cancelled in mid-conversation: the next mail must not read the answer to this one.
        _drop(connection)
        raise


def _drop(connection: aiosmtplib.SMTP, transport: asyncio.BaseTransport | None = None) -> None:
    """Close the connection at once: a graceful end of TLS may wait beyond the life of the loop."""
    transport = transport or connection.transport
    connection.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _why_not_open(failure: Exception) -> ChannelError:
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        return meaning(failure, SmtpStage.GREETING)
    if isinstance(failure, ssl.SSLCertVerificationError) or isinstance(failure.__cause__, ssl.SSLCertVerificationError):
        return SetupChannelError("certificate")
    if isinstance(failure, OSError):
        return TemporaryChannelError("connect")
    # No authentication method that both sides support.
    return SetupChannelError("auth")
