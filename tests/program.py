"""The real program as child processes: commands that answer, and servers that run until they are stopped or killed."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPConnection
from pathlib import Path
from unittest.mock import patch

from reminder.cli import main
from tests.patience import PATIENCE, until

# Those who start programs wait for them, too.
__all__ = ["PATIENCE", "PROGRAM", "Program", "answers", "free_port", "get", "until"]

PROGRAM = [sys.executable, "-m", "reminder"]


class Program:
    """`environment` is all it gets of REMINDER_…; what it prints of errors is kept in `errors`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("REMINDER_")}
        self.environment = {
            **bare,
            "REMINDER_DATA_DIR": str(folder / "data"),
            "LANG": "ja_JP.UTF-8",
            "LC_ALL": "",
            **environment,
        }
        self.folder = folder

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=PATIENCE,
        )

    def answer(self, *arguments: str) -> object:
        """What a command that must succeed answers with --json. It runs in this process, on what the others keep: to
        start one for each question would take longer than all that is asked."""
        written = io.StringIO()
        with patch.dict(os.environ, self.environment, clear=True), redirect_stdout(written):
            code = main([*arguments, "--json"])
        assert code == 0, written.getvalue()
        return json.loads(written.getvalue())

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, *arguments], stdout=log, stderr=log, env=self.environment, cwd=self.folder
            )

    @contextmanager
    def serving(self, port: int, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A server that has answered once; stopped at the end unless it has ended itself."""
        server = self.start(*arguments, "--port", str(port))
        try:
            until(lambda: server.poll() is not None or answers(port), "the server answers")
            assert server.poll() is None, (self.folder / "server.log").read_text()
            yield server
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


def get(port: int, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
