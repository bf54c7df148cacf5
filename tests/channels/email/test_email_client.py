"""reminder/channels/email/client.py over real sockets: what a mail looks like, and what every answer becomes."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from reminder.channels.email.client import Server, SmtpEmail, read_smtp_url
from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SettingsError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from tests.fakes.smtp import FakeSmtp
from tests.patience import PATIENCE, out_of_time

T = TypeVar("T")

MAIL_FROM = "期限だより <otayori@example.jp>"
CREATED_AT = datetime(2031, 3, 2, 23, 30, tzinfo=UTC)
LETTER = Outgoing(
    message_id=17,
    address="haha@example.jp",
    text="お母さまのカードの期限は3月31日です。\n.\nドットだけの行もそのまま届きます。",
    subject="【期限だより】お母さまのカードの期限は2031年3月31日（月）です",
    created_at=CREATED_AT,
    handed_at=CREATED_AT + timedelta(minutes=1),
)


@pytest.fixture
def smtp() -> Iterator[FakeSmtp]:
    with FakeSmtp() as started:
        yield started


def html_of(text: str) -> str:
    return f"<!doctype html><p>{text}</p>"


def channel_to(url: str, *, mail_from: str = MAIL_FROM, timeout: float = PATIENCE) -> SmtpEmail:
    return SmtpEmail(url, mail_from, lambda text, _: html_of(text), timeout)


def using(
    channel: SmtpEmail,
    work: Callable[[SmtpEmail], Awaitable[T]],
    run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run,
) -> T:
    async def go() -> T:
        try:
            return await work(channel)
        finally:
            await channel.close()

    return run(go())


def send(smtp: FakeSmtp, letter: Outgoing = LETTER, **how: Any) -> Accepted:
    return using(channel_to(smtp.url), lambda channel: channel.send(letter), **how)


def composed(letter: Outgoing, mail_from: str = MAIL_FROM) -> EmailMessage:
    raw = channel_to("smtp://127.0.0.1", mail_from=mail_from)._compose(letter, letter.address)
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


# ── what a mail looks like ──


def test_a_mail_arrives_as_it_was_written(smtp: FakeSmtp) -> None:
    accepted = send(smtp)

    (mail,) = smtp.mails
    assert (mail.sender, mail.recipients) == ("otayori@example.jp", ("haha@example.jp",))
    assert mail.parsed["Subject"] == LETTER.subject
    assert mail.parsed["From"] == MAIL_FROM
    assert mail.parsed["To"] == "haha@example.jp"
    assert mail.parsed["Auto-Submitted"] == "auto-generated"
    assert mail.body("plain").replace("\r\n", "\n") == LETTER.text
    assert mail.body("html").replace("\r\n", "\n") == html_of(LETTER.text)
    assert mail.parsed.get_content_type() == "multipart/alternative"
    assert accepted == Accepted(mail.parsed["Message-ID"])


def test_its_date_is_that_of_its_first_attempt_and_without_one_that_of_its_planning() -> None:
    assert composed(LETTER)["Date"] == "Mon, 03 Mar 2031 08:30:00 +0900"
    planned_at_midnight = LETTER._replace(first_handed_at=LETTER.created_at + timedelta(hours=10))
    assert composed(planned_at_midnight)["Date"] == "Mon, 03 Mar 2031 18:30:00 +0900", "of its first attempt"


def test_a_second_copy_has_the_same_bytes_whenever_it_is_sent(smtp: FakeSmtp) -> None:
    send(smtp)
    send(smtp, LETTER._replace(handed_at=LETTER.handed_at + timedelta(days=1)))

    assert smtp.mails[0].raw == smtp.mails[1].raw


def test_other_messages_have_other_message_ids() -> None:
    ids = {
        composed(letter)["Message-ID"]
        for letter in (
            LETTER,
            LETTER._replace(message_id=18),
            LETTER._replace(created_at=CREATED_AT + timedelta(days=1)),  # a new database that counts from 1 again
        )
    }

    assert len(ids) == 3
    assert composed(LETTER)["Message-ID"] == "<m17.1930260600@example.jp>"


def test_no_mail_offers_to_stop_what_cannot_be_stopped() -> None:
    assert composed(LETTER)["List-Unsubscribe"] is None
    assert composed(LETTER)["List-Unsubscribe-Post"] is None


def test_the_stop_button_of_the_mail_program_gets_its_address(smtp: FakeSmtp) -> None:
    stop_url = "https://kigen.example.jp/stop/" + "x" * 300

    send(smtp, LETTER._replace(stop_url=stop_url))

    (mail,) = smtp.mails
    # Unfolded and unencoded, as providers look for it.
    assert f"\r\nList-Unsubscribe: <{stop_url}>\r\n".encode() in mail.raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in mail.raw


@pytest.mark.parametrize(
    "stop_url", ["https://x/\r\nBcc: a@example.jp", "https://x/>", "mailto:a@example.jp", "https://x/あ"]
)
def test_a_strange_stop_address_is_the_operators_matter(stop_url: str) -> None:
    with pytest.raises(SetupChannelError):
        composed(LETTER._replace(stop_url=stop_url))


@given(st.text(max_size=190), st.text(max_size=2000))
def test_any_subject_and_text_travel_in_short_ascii_lines_and_stay_inside_their_places(subject: str, text: str) -> None:
    letter = LETTER._replace(subject=subject, text=text)

    raw = channel_to("smtp://127.0.0.1")._compose(letter, letter.address)

    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert all(b"\r" not in line and b"\n" not in line for line in lines)
    parsed = message_from_bytes(raw, policy=policy.default)
    assert " ".join(parsed.keys()) == "From To Subject Date Message-ID MIME-Version Auto-Submitted Content-Type"
    assert isinstance(parsed, EmailMessage)
    plain = parsed.get_body(("plain",))
    assert plain is not None
    assert plain.get_payload(decode=True) == text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("subject", "shown", "why"),
    [
        ("Renewal", "Renewal", "plain English stays plain"),
        ("", "お母さまのカードの期限は3月31日です。 . ドットだけの行もそのまま届きます。", "nothing: the text itself"),
        (None, "お母さまのカードの期限は3月31日です。 . ドットだけの行もそのまま届きます。", "none: the text itself"),
        ("髙橋﨑濵德さまへ", "髙橋﨑濵德さまへ", "rare characters of names"),
        ("𠮷野家😀", "𠮷野家😀", "beyond the first plane"),
        ("A\r\nBcc: all@example.jp", "A Bcc: all@example.jp", "a line break begins no header"),
        ("A\nB", "A B", "nor a bare one"),
        ("A\u2028B\x85C\x00D", "A B C D", "nor any other"),
        ("=?utf-8?b?QQ==?=", "=?utf-8?b?QQ==?=", "what looks encoded is shown as written"),
        ("word " * 30, ("word " * 30).strip(), "long English"),
        ("あ　い", "あ　い", "a wide space is a character"),
    ],
)
def test_a_subject_is_shown_as_it_was_meant(subject: str | None, shown: str, why: str) -> None:
    assert composed(LETTER._replace(subject=subject))["Subject"] == shown


@pytest.mark.parametrize(
    ("mail_from", "shown"),
    [
        ("otayori@example.jp", "otayori@example.jp"),
        ("Kigen <otayori@example.jp>", "Kigen <otayori@example.jp>"),
        ('"Kigen, Dayori" <otayori@example.jp>', '"Kigen, Dayori" <otayori@example.jp>'),
        ("期限だより <otayori@example.jp>", "期限だより <otayori@example.jp>"),
    ],
)
def test_the_sender_is_shown_with_its_name(mail_from: str, shown: str) -> None:
    assert composed(LETTER, mail_from)["From"] == shown


@pytest.mark.parametrize(
    "mail_from", ["", "期限だより", "a@b@c", "<>", "a b@example.jp", "x <a@example.jp>\r\nBcc: b@example.jp"]
)
def test_a_sender_that_is_no_address_refuses_to_start(mail_from: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        channel_to("smtp://127.0.0.1", mail_from=mail_from)

    assert wrong.value.setting == "REMINDER_MAIL_FROM"


@pytest.mark.parametrize("address", ["foo..bar@docomo.ne.jp", "foo.@ezweb.ne.jp", ".foo@docomo.ne.jp"])
def test_old_carrier_addresses_are_quoted_so_that_they_arrive(smtp: FakeSmtp, address: str) -> None:
    send(smtp, LETTER._replace(address=address))

    local, _, domain = address.partition("@")
    assert smtp.recipients_as_written == [f'TO:<"{local}"@{domain}>']
    assert smtp.mails[0].parsed["To"].addresses[0].username == local


@pytest.mark.parametrize(
    "address",
    [
        "",
        "haha",
        "haha@",
        "@example.jp",
        "a@b@example.jp",
        "a@example.jp\r\nBcc: b@example.jp",
        "a@example.jp\r\nRCPT TO:<b@c.jp>",
        "a b@example.jp",
        "<a@example.jp>",
        "a@example.jp,b@example.jp",
        'a"@example.jp',
        "母@example.jp",
        "a@例え.jp",
        "a" * 65 + "@x.jp",
    ],
)
def test_what_is_no_address_is_never_given_to_a_server(smtp: FakeSmtp, address: str) -> None:
    with pytest.raises(PermanentChannelError) as refused:
        send(smtp, LETTER._replace(address=address))

    assert refused.value.reason == "address"
    assert smtp.connections == 0


# ── what an answer becomes ──


@pytest.mark.parametrize(
    ("command", "answer", "expected", "reason", "why"),
    [
        ("RCPT", "550 5.1.1 no such user", PermanentChannelError, "5.1.1", "the mailbox does not exist"),
        ("RCPT", "550 unknown user", PermanentChannelError, "550", "said without an enhanced code"),
        ("RCPT", "552 5.2.2 mailbox full", TemporaryChannelError, "5.2.2", "people empty their mailboxes"),
        ("RCPT", "452 4.2.2 mailbox full", TemporaryChannelError, "4.2.2", "the same, said properly"),
        ("RCPT", "450 4.7.1 greylisted", TemporaryChannelError, "4.7.1", "come back later"),
        ("RCPT", "552 mailbox full", TemporaryChannelError, "552", "the same, said without an enhanced code"),
        ("RCPT", "550 5.1.10 no such user", PermanentChannelError, "5.1.10", "the mailbox does not exist"),
        ("RCPT", "550 5.7.26 unauthenticated sender", SetupChannelError, "5.7.26", "DKIM or SPF of ours"),
        ("RCPT", "550 5.1.8 sender's domain", SetupChannelError, "5.1.8", "our sender"),
        ("RCPT", "530 authentication required", SetupChannelError, "530", "our setting, not their address"),
        ("MAIL", "550 5.7.1 sender rejected", SetupChannelError, "5.7.1", "our sender"),
        ("MAIL", "553 sender not owned", SetupChannelError, "553", "our sender"),
        ("MAIL", "451 try later", TemporaryChannelError, "451", "come back later"),
        ("MAIL", "421 4.3.2 shutting down", TemporaryChannelError, "4.3.2", "come back later"),
        ("DATA", "451 4.3.0 local error", TemporaryChannelError, "4.3.0", "refused after the text: certainly not sent"),
        ("DATA", "554 5.6.0 refused", PermanentChannelError, "5.6.0", "this mail, to this address"),
        ("DATA", "550 5.7.26 unauthenticated sender", SetupChannelError, "5.7.26", "DKIM or SPF of ours"),
    ],
)
def test_a_no_is_heard_for_what_it_is(
    smtp: FakeSmtp, command: str, answer: str, expected: type[ChannelError], reason: str, why: str
) -> None:
    smtp.refuse(command, answer)

    with pytest.raises(expected) as refused:
        send(smtp)

    assert type(refused.value) is expected
    assert refused.value.reason == reason
    assert "haha@" not in repr(refused.value)
    assert smtp.mails == []


@pytest.mark.parametrize(
    ("command", "answer", "gone", "why"),
    [
        ("RCPT", "550 5.1.1 no such user", True, "the mailbox"),
        ("RCPT", "550 unknown user", True, "the mailbox"),
        ("RCPT", "552 5.3.4 too long", False, "this mail"),
        ("RCPT", "554 refused", False, "nobody knows what"),
        ("DATA", "554 5.6.0 refused", False, "this mail"),
        ("DATA", "550 refused", False, "this mail"),
    ],
)
def test_only_a_no_to_the_mailbox_gives_it_up(smtp: FakeSmtp, command: str, answer: str, gone: bool, why: str) -> None:
    smtp.refuse(command, answer)

    with pytest.raises(PermanentChannelError) as refused:
        send(smtp)

    assert refused.value.address_is_gone is gone, why


# ── a policy's no: of one reader, or of us ──

CHICHI = LETTER._replace(message_id=18, address="chichi@example.jp")
MUSUME = LETTER._replace(message_id=19, address="musume@example.jp")


def outcomes(smtp: FakeSmtp, *letters: Outgoing) -> list[str]:
    """What becomes of each, one after the other by one channel."""

    async def one_by_one(channel: SmtpEmail) -> list[str]:
        found = []
        for letter in letters:
            try:
                await channel.send(letter)
                found.append("taken")
            except PermanentChannelError as refused:
                found.append("given up" if refused.address_is_gone else "this one")
            except ChannelError as refused:
                found.append({TemporaryChannelError: "later", SetupChannelError: "pause"}[type(refused)])
        return found

    return using(channel_to(smtp.url), one_by_one)


@pytest.mark.parametrize(("command", "has_all"), [("MAIL", False), ("RCPT", False), ("DATA", True)])
@pytest.mark.parametrize("code", ["421 4.3.2", "450 4.2.0", "451 4.3.0", "452 4.3.1", "471 no"])
def test_a_server_that_refuses_for_now_what_it_has_whole_may_have_passed_it_on(
    smtp: FakeSmtp, command: str, has_all: bool, code: str
) -> None:
    smtp.refuse(command, f"{code} later")

    with pytest.raises(TemporaryChannelError) as refused:
        send(smtp)

    assert refused.value.maybe_taken is has_all


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["554 5.7.1 not wanted here", "550 relaying denied"])
def test_a_policy_against_one_reader_stops_nobody_elses_mail(smtp: FakeSmtp, command: str, answer: str) -> None:
    smtp.refuse(command, answer)
    assert outcomes(smtp, LETTER, CHICHI) == ["later", "taken"]

    smtp.refuse(command, answer)
    channel = channel_to(smtp.url)

    async def again(_: SmtpEmail) -> None:
        with pytest.raises(TemporaryChannelError):
            await channel.send(LETTER)
        await channel.send(CHICHI)
        smtp.refuse(command, answer)
        with pytest.raises(PermanentChannelError) as refused:
            await channel.send(LETTER)
        assert not refused.value.address_is_gone

    using(channel, again)


def test_a_policy_against_everybody_is_the_operators_matter_and_gives_nobody_up(smtp: FakeSmtp) -> None:
    smtp.refuse("RCPT", "554 5.7.1 relay access denied", times=4)

    assert outcomes(smtp, LETTER, CHICHI, MUSUME, LETTER, LETTER) == ["later", "later", "pause", "pause", "taken"]


def test_the_only_reader_there_is_forbidden_twice_is_the_operators_matter(smtp: FakeSmtp) -> None:
    smtp.refuse("RCPT", "554 5.7.1 relay access denied", times=2)

    assert outcomes(smtp, LETTER, LETTER, LETTER) == ["later", "pause", "taken"]


def test_whoever_is_taken_again_is_no_exception_any_more(smtp: FakeSmtp) -> None:
    smtp.refuse("RCPT", "554 5.7.1 not wanted here")
    channel = channel_to(smtp.url)

    async def go(_: SmtpEmail) -> None:
        with pytest.raises(TemporaryChannelError):
            await channel.send(LETTER)
        await channel.send(CHICHI)
        await channel.send(LETTER)
        smtp.refuse("RCPT", "554 5.7.1 not wanted here")
        with pytest.raises(TemporaryChannelError):
            await channel.send(LETTER)

    using(channel, go)


@pytest.mark.parametrize("hangs", [False, True])
def test_an_answer_lost_after_the_text_is_an_unknown_outcome(smtp: FakeSmtp, hangs: bool) -> None:
    smtp.lose_answer_next(hangs=hangs)

    with pytest.raises(UnknownOutcomeError) as unknown:
        send(smtp, run=out_of_time(lambda: smtp.wait_for_mails(1)) if hangs else asyncio.run)

    assert unknown.value.reason == ("timeout" if hangs else "lost")
    assert len(smtp.mails) == 1


def test_a_mail_cannot_be_asked_about_but_may_be_repeated(smtp: FakeSmtp) -> None:
    assert asyncio.run(channel_to(smtp.url).ask(LETTER, ())) is ProviderAnswer.SAFE_TO_REPEAT


def test_a_server_that_is_not_there_has_certainly_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(TemporaryChannelError) as failed:
            using(channel_to(url), lambda channel: channel.send(LETTER))

    assert failed.value.reason == "connect"


@pytest.mark.parametrize(
    ("says", "expected", "reason"),
    [
        (b"554 5.7.1 your address is blocked\r\n", SetupChannelError, "5.7.1"),
        (b"421 too busy\r\n", TemporaryChannelError, "421"),
        (b"HTTP/1.1 400 Bad Request\r\n", TemporaryChannelError, "unreadable"),
        (b"", TemporaryChannelError, "connect"),  # hangs up without a word
    ],
)
def test_a_server_that_does_not_let_us_in_has_certainly_not_sent(
    says: bytes, expected: type[ChannelError], reason: str
) -> None:
    async def go() -> ChannelError:
        hung_up = asyncio.Event()

        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(says)
            writer.close()
            await writer.wait_closed()
            hung_up.set()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        channel = channel_to(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ChannelError) as failed:
            await channel.send(LETTER)
        await hung_up.wait()
        await channel.close()
        server.close()
        await server.wait_closed()
        return failed.value

    failure = asyncio.run(go())

    assert (type(failure), failure.reason) == (expected, reason)


def test_a_server_that_never_greets_has_certainly_not_sent() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(TemporaryChannelError) as failed:
            using(channel_to(url), lambda channel: channel.send(LETTER), out_of_time())

    assert failed.value.reason == "connect"


# ── connections ──


def test_mails_share_a_connection(smtp: FakeSmtp) -> None:
    async def three(channel: SmtpEmail) -> None:
        for n in range(3):
            await channel.send(LETTER._replace(message_id=n))

    using(channel_to(smtp.url), three)

    assert len(smtp.mails) == 3
    assert smtp.connections == 1


def test_a_connection_the_server_closed_in_the_meantime_is_replaced_unnoticed(smtp: FakeSmtp) -> None:
    async def with_a_pause(channel: SmtpEmail) -> None:
        await channel.send(LETTER)
        await asyncio.to_thread(smtp.cut_all_lines)
        await channel.send(LETTER._replace(message_id=18))

    using(channel_to(smtp.url), with_a_pause)

    assert len(smtp.mails) == 2
    assert smtp.connections == 2


def test_a_refused_mail_does_not_spoil_the_connection_for_the_next(smtp: FakeSmtp) -> None:
    smtp.refuse("RCPT", "550 5.1.1 no such user")

    async def two(channel: SmtpEmail) -> None:
        with pytest.raises(PermanentChannelError):
            await channel.send(LETTER)
        await channel.send(LETTER._replace(address="chichi@example.jp"))

    using(channel_to(smtp.url), two)

    assert [mail.recipients for mail in smtp.mails] == [("chichi@example.jp",)]
    assert smtp.connections == 1


def test_many_at_once_use_few_connections_and_none_is_lost(smtp: FakeSmtp) -> None:
    async def many(channel: SmtpEmail) -> None:
        await asyncio.gather(*(channel.send(LETTER._replace(message_id=n)) for n in range(30)))

    using(channel_to(smtp.url), many)

    assert len({mail.parsed["Message-ID"] for mail in smtp.mails}) == 30
    assert smtp.connections <= 4


def test_a_cancelled_mail_does_not_leave_its_answer_to_the_next(smtp: FakeSmtp) -> None:
    smtp.lose_answer_next(hangs=True)

    async def cancelled(channel: SmtpEmail) -> None:
        sending = asyncio.ensure_future(channel.send(LETTER))
        await asyncio.to_thread(smtp.wait_for_mails, 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await channel.send(LETTER._replace(message_id=18))

    using(channel_to(smtp.url), cancelled)

    assert len(smtp.mails) == 2


def test_a_channel_can_be_used_again_after_it_was_closed(smtp: FakeSmtp) -> None:
    channel = channel_to(smtp.url)

    using(channel, lambda open_channel: open_channel.send(LETTER))
    using(channel, lambda open_channel: open_channel.send(LETTER))

    assert len(smtp.mails) == 2


# ── signing in and encryption ──


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate, for this machine and for mail.example.jp, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.jp")])
    names = [x509.DNSName("mail.example.jp"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes mail.example.jp a name of this machine, so that it counts as another one."""
    real = socket.getaddrinfo

    def look_up(host: str | bytes | None, *rest: object, **more: object) -> object:
        return real("127.0.0.1" if host == "mail.example.jp" else host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_smtps_is_encrypted_from_the_start_and_signs_in(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeSmtp(tls=server_tls(certificate), users={"kigen": "p@ss/w0rd"}) as smtp:
        url = smtp.url.replace("127.0.0.1", "kigen:p%40ss%2Fw0rd@127.0.0.1")

        using(channel_to(url), lambda channel: channel.send(LETTER))

        assert smtp.mails[0].over_tls


def test_a_server_with_a_certificate_nobody_vouches_for_is_not_trusted(certificate: Path) -> None:
    with FakeSmtp(tls=server_tls(certificate)) as smtp:
        with pytest.raises(SetupChannelError) as refused:
            send(smtp)

        assert refused.value.reason == "certificate"
        assert smtp.mails == []


def test_a_wrong_password_is_the_operators_matter(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeSmtp(tls=server_tls(certificate), users={"kigen": "right"}) as smtp:
        url = smtp.url.replace("127.0.0.1", "kigen:wrong@127.0.0.1")

        with pytest.raises(SetupChannelError) as refused:
            using(channel_to(url), lambda channel: channel.send(LETTER))

        assert refused.value.reason == "5.7.8"
        assert "wrong" not in repr(refused.value)


def test_a_server_that_knows_no_sign_in_is_the_operators_matter(smtp: FakeSmtp) -> None:
    url = smtp.url.replace("127.0.0.1", "kigen:secret@127.0.0.1")

    with pytest.raises(SetupChannelError) as refused:
        using(channel_to(url), lambda channel: channel.send(LETTER))

    assert refused.value.reason == "auth"


@pytest.mark.usefixtures("named")
def test_starttls_is_used_with_any_other_machine(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeSmtp(tls=server_tls(certificate), starttls=True, users={"kigen": "secret"}) as smtp:
        url = f"smtp://kigen:secret@mail.example.jp:{smtp.port}"

        using(channel_to(url), lambda channel: channel.send(LETTER))

        assert smtp.mails[0].over_tls


@pytest.mark.usefixtures("named")
def test_no_mail_crosses_a_network_unencrypted(smtp: FakeSmtp) -> None:
    with pytest.raises(SetupChannelError) as refused:
        using(channel_to(f"smtp://mail.example.jp:{smtp.port}"), lambda channel: channel.send(LETTER))

    assert refused.value.reason == "starttls"
    assert smtp.mails == []


@pytest.mark.usefixtures("named")
def test_starttls_with_an_untrusted_certificate_is_refused(certificate: Path) -> None:
    with FakeSmtp(tls=server_tls(certificate), starttls=True) as smtp:
        with pytest.raises(SetupChannelError) as refused:
            using(channel_to(f"smtp://mail.example.jp:{smtp.port}"), lambda channel: channel.send(LETTER))

        assert refused.value.reason == "certificate"


# ── the setting ──


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.jp", Server("mail.example.jp", 587, tls=False, user=None, password=None)),
        ("smtps://mail.example.jp", Server("mail.example.jp", 465, tls=True, user=None, password=None)),
        ("smtp://u:p@mail.example.jp:25/", Server("mail.example.jp", 25, tls=False, user="u", password="p")),
        ("smtps://a%40b.jp:p%2F%3A%25@h:1", Server("h", 1, tls=True, user="a@b.jp", password="p/:%")),
        ("smtp://u@h", Server("h", 587, tls=False, user="u", password=None)),
        ("smtp://[::1]:25", Server("::1", 25, tls=False, user=None, password=None)),
    ],
)
def test_an_address_of_a_mail_server_is_read(url: str, server: Server) -> None:
    assert read_smtp_url(url) == server


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("mail", False),
    ],
)
def test_only_this_machine_counts_as_this_machine(host: str, is_loopback: bool) -> None:
    assert Server(host, 25, tls=False, user=None, password=None).is_loopback is is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.jp",
        "http://u:hunter2@mail.example.jp",
        "smtp://",
        "smtp://u:hunter2@",
        "smtp://:hunter2@mail.example.jp",
        "smtp://u:hunter2/x@mail.example.jp:587",
        "smtp://u:hunter2#x@mail.example.jp:587",
        "smtp://u:hunter2?x@mail.example.jp:587",
        "smtp://u:x@mail.example.jp:hunter2",
        "smtp://u:hunter2@mail.example.jp:99999",
        "smtp://u:hunter2@mail example.jp",
        "smtp://u:hunter2@[::1",
        "smtp://u:hunter2@mail.example.jp/folder",
    ],
)
def test_a_wrong_address_of_a_mail_server_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read_smtp_url(url)

    assert wrong.value.setting == "REMINDER_SMTP_URL"
    assert "hunter2" not in repr(wrong.value) + str(wrong.value)
    assert wrong.value.__cause__ is None
    assert wrong.value.__context__ is None or wrong.value.__suppress_context__


def test_a_servers_password_is_not_shown_when_it_is_printed() -> None:
    assert "hunter2" not in repr(read_smtp_url("smtp://u:hunter2@mail.example.jp"))


# ── a trial without a mail ──


async def tried(mail: SmtpEmail) -> str | None:
    """Why no mail is taken, None where it is."""
    try:
        await mail.try_out()
    except ChannelError as failed:
        return failed.reason
    finally:
        await mail.close()
    return None


def test_a_trial_finds_out_whether_mail_is_taken_and_sends_none(smtp: FakeSmtp) -> None:
    found = [asyncio.run(tried(channel_to(smtp.url)))]
    smtp.outage = "451 4.3.2 try again later"
    found.append(asyncio.run(tried(channel_to(smtp.url))))

    assert found == [None, "451"]
    assert smtp.mails == []


def test_a_trial_fails_where_the_server_does_not_ask_for_the_content(smtp: FakeSmtp) -> None:
    smtp.hangs_at_data = True

    assert asyncio.run(tried(channel_to(smtp.url, timeout=1.0))) == "lost"


@pytest.mark.parametrize("answer", ["451 4.3.1 no room", "554 5.7.1 not today"])
def test_a_trial_fails_where_the_server_refuses_any_content(smtp: FakeSmtp, answer: str) -> None:
    smtp.refuses_at_data = answer

    assert asyncio.run(tried(channel_to(smtp.url))) == answer[:3]


def test_what_a_server_says_of_our_own_mailbox_says_nothing_of_others(smtp: FakeSmtp) -> None:
    smtp.refuse("RCPT", "550 5.1.1 no such user")

    assert asyncio.run(tried(channel_to(smtp.url))) is None


def test_a_trial_of_a_server_that_is_not_there_fails(smtp: FakeSmtp) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert asyncio.run(tried(channel_to(f"smtp://127.0.0.1:{nobody.getsockname()[1]}"))) == "connect"


def test_after_a_trial_that_was_refused_a_mail_leaves_by_the_same_connection(smtp: FakeSmtp) -> None:
    async def refused_and_sent() -> None:
        mail = channel_to(smtp.url)
        smtp.outage = "451 4.3.2 try again later"
        with pytest.raises(TemporaryChannelError):
            await mail.try_out()
        smtp.outage = None
        await mail.send(LETTER)
        await mail.close()

    asyncio.run(refused_and_sent())

    assert (len(smtp.mails), smtp.connections) == (1, 1)
