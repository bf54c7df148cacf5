"""reminder/channels/heartbeat.py over real sockets: one address when all is well, another or none when it is not."""

import logging
import socket
from collections.abc import Iterator

import pytest

from reminder.channels.heartbeat import HeartbeatClient
from tests.fakes.listener import Listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


def test_when_all_is_well_its_address_is_asked_for_and_nothing_is_said_with_it(listener: Listener) -> None:
    HeartbeatClient(listener.url, None).report(is_well=True)

    assert (listener.heard, listener.bodies) == (["/himitsu"], [b""])
    assert "kigen" not in str(listener.headers).lower()


def test_when_something_is_wrong_the_plain_address_is_never_asked_for(listener: Listener) -> None:
    HeartbeatClient(listener.url, None).report(is_well=False)
    HeartbeatClient(None, None).report(is_well=True)

    assert listener.heard == []


def test_who_wants_to_be_told_of_trouble_names_a_second_address(listener: Listener) -> None:
    heartbeat = HeartbeatClient(listener.url, f"{listener.url}/fail?status=down")

    heartbeat.report(is_well=False)
    heartbeat.report(is_well=True)

    assert listener.heard == ["/himitsu/fail?status=down", "/himitsu"]


@pytest.mark.parametrize("status", [500, 404, 302, None])
def test_whatever_it_is_answered_disturbs_nobody_and_its_address_is_not_logged(
    listener: Listener, caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as guard/logs does for the whole program
    listener.status = status

    HeartbeatClient(listener.url, None, timeout=0.2).report(is_well=True)

    assert "heartbeat" in caplog.text
    assert "himitsu" not in caplog.text


def test_nobody_who_listens_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]

    HeartbeatClient(f"http://127.0.0.1:{free}/himitsu", None).report(is_well=True)

    assert "heartbeat could not be sent: ConnectError" in caplog.text
