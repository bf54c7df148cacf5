"""SIGTERM with hung sockets: whoever holds a connection, a real process ends by itself within 25 seconds.

The limit is not the test's: a supervisor kills after it.
"""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes import twilio as fake
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.journeys.test_over_sockets import enrol
from tests.program import Program, free_port

SUPERVISOR = 25.0
# The more has come, the longer a client may go on: some 34 seconds here.
HALF_A_REQUEST = (
    b"POST /webhooks/twilio/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b"x" * 59_000
)
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: loc"
# Its answer is longer than what the sockets between the two hold, and is never read.
UNREAD = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: datetime(2027, 3, 17, 1, 0, 5, tzinfo=UTC)) as server:
        server.allow_all()
        yield server


@pytest.fixture
def mail() -> Iterator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture
def program(tmp_path: Path, twilio: FakeTwilio, mail: FakeSmtp) -> Program:
    return Program(
        tmp_path,
        REMINDER_TWILIO_ACCOUNT_SID=fake.ACCOUNT_SID,
        REMINDER_TWILIO_AUTH_TOKEN=fake.AUTH_TOKEN,
        REMINDER_TWILIO_FROM=fake.SENDER,
        REMINDER_TWILIO_BASE_URL=twilio.url,
        REMINDER_SMTP_URL=mail.url,
        REMINDER_MAIL_FROM="otayori@example.jp",
        REMINDER_PASS_SECONDS="0.1",
        REMINDER_CLOCK_OVERRIDE="2027-03-17T10:00+09:00",
    )


def holding(stack: ExitStack, port: int, sent: bytes) -> socket.socket:
    """A client that sends this and nothing more, and reads no answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(5)
    client.connect(("127.0.0.1", port))
    stack.enter_context(client)
    with suppress(TimeoutError):  # the server takes no more, because nothing is read
        client.sendall(sent)
    return client


@pytest.mark.parametrize("command", ["serve", "web"])
def test_clients_that_hold_requests_do_not_hold_the_server(program: Program, command: str) -> None:
    port = free_port()
    program.answer("group", "add", "--name", "田中家", "--kind", "household")
    with ExitStack() as stack, program.serving(port, command) as server:
        for sent in (HALF_A_REQUEST, HALF_A_HEAD, UNREAD):
            holding(stack, port, sent)
        server.send_signal(signal.SIGTERM)

        assert server.wait(SUPERVISOR) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("command", [["serve"], ["worker"]])
def test_providers_that_never_answer_do_not_hold_the_process(
    program: Program, twilio: FakeTwilio, mail: FakeSmtp, command: list[str]
) -> None:
    port = free_port()
    enrol(program, carer=True)
    twilio.outage = fake.HANG
    mail.lose_answer_next(hangs=True)
    with ExitStack() as stack:
        if command == ["serve"]:
            server = stack.enter_context(program.serving(port, "serve"))
            holding(stack, port, HALF_A_REQUEST)
        else:
            server = program.start("worker")
        twilio.wait_for_posts(1)
        mail.wait_for_mails(1)
        server.send_signal(signal.SIGTERM)

        assert server.wait(SUPERVISOR) in (0, -signal.SIGTERM)
