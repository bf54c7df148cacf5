"""The real server with few files, while hundreds of clients send slowly: it goes on answering, and logs nothing of them."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.program import PATIENCE, PROGRAM, Program, answers, free_port, get, until

HEADS = {
    "silent": b"",
    "a head": b"GET /sign-in HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a body": b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\nemail=a",
    "a long body": b"POST /webhooks/twilio/status HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nMessage",
}


@contextmanager
def serving(program: Program, port: int, files: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = f"ulimit -n {files}; exec {' '.join(PROGRAM)} serve --port {port}"
    with (program.folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            ["/bin/sh", "-c", command], stdout=log, stderr=log, env=program.environment, cwd=program.folder
        )
    try:
        until(lambda: server.poll() is not None or answers(port), "the server answers")
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS)
def test_four_hundred_slow_clients_do_not_stop_a_server_with_256_files(tmp_path: Path, sent: bytes) -> None:
    program, port = Program(tmp_path), free_port()

    with serving(program, port, 256) as server, ExitStack() as slow:
        for number in range(400):
            client = slow.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            client.sendall(sent)
            if number % 20 == 0:
                assert get(port, "/healthz")[0] == 200
        found = [get(port, path)[0] for path in ("/healthz", "/sign-in", "/healthz")]
        files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))

    assert found == [200, 200, 200]
    assert files < 256
    assert server.returncode == 0
    log = (program.folder / "server.log").read_text()
    assert [word for word in ("Too many open files", "Traceback", "ERROR") if word in log] == []
