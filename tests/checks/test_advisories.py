"""A known advisory fails, and a source that cannot be reached is said and fails nothing."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.checks import advisories
from tests.checks.advisories import Answer, ask, lines, main

HASH = "    --hash=sha256:" + "a" * 64
LOCK = f"certifi==2020.1.1 \\\n{HASH}\nwheat==1.0 \\\n{HASH}\nelsewhere==1.0 ; sys_platform == 'nowhere' \\\n{HASH}\n"
KNOWN = {
    "id": "PYSEC-2022-1",
    "aliases": ["CVE-2022-1"],
    "summary": "Something",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "certifi"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2022.12.7"}]}],
        }
    ],
}


class Source:
    """A source of advisories. `known`: what it knows of each package; `status`: what it answers with."""

    def __init__(self) -> None:
        self.known: dict[str, list[dict[str, Any]]] = {}
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        source = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = json.loads(self.rfile.read(int(self.headers["content-length"])))
                name = query["package"]["name"]
                source.asked.append((name, query["version"]))
                found = source.known.get(name)
                body = json.dumps({"vulns": found} if found else {}).encode()
                self.send_response(source.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/query"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def source() -> Iterator[Source]:
    opened = Source()
    yield opened
    opened.close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "some.lock"
    file.write_text(LOCK, encoding="utf-8")
    return file


def test_every_package_of_this_platform_is_asked_about_and_nothing_known_is_no_fault(
    source: Source, lock: Path
) -> None:
    answer = ask(lock, source.url, {"certifi"})

    assert sorted(source.asked) == [("certifi", "2020.1.1"), ("wheat", "1.0")]
    assert answer == Answer(looked_at=2)


def test_a_known_advisory_is_named_with_its_version_and_whether_production_has_it(source: Source, lock: Path) -> None:
    source.known = {"certifi": [KNOWN]}

    answer = ask(lock, source.url, {"certifi"})

    assert answer.advisories == ("certifi 2020.1.1 (production): PYSEC-2022-1, mended in 2022.12.7",)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_source_that_fails_is_said_and_is_no_clean_result(source: Source, lock: Path, status: int) -> None:
    source.status = status

    answer = ask(lock, source.url, set())

    assert (answer.advisories, answer.looked_at, len(answer.unseen)) == ((), 0, 1)
    assert "COULD NOT LOOK" in next(lines(answer))


def _on_a_lock(monkeypatch: pytest.MonkeyPatch, lock: Path, url: str, accepted: Mapping[str, str]) -> None:
    monkeypatch.setenv("ADVISORY_SOURCE", url)
    monkeypatch.setattr(advisories, "BENCH", str(lock))
    monkeypatch.setattr(advisories, "ACCEPTED", accepted)


def test_without_network_the_command_says_so_and_fails_only_where_it_must_look(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        _on_a_lock(monkeypatch, lock, f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/query", {})

        assert (main([]), main(["--must-look"])) == (0, 2)

    assert capsys.readouterr().out.count("advisories: COULD NOT LOOK: ") == 2


def test_a_known_advisory_fails_the_command_until_it_is_accepted_by_any_of_its_names(
    source: Source, lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source.known = {"certifi": [KNOWN]}

    _on_a_lock(monkeypatch, lock, source.url, {})
    assert main([]) == 1
    _on_a_lock(monkeypatch, lock, source.url, {"CVE-2022-1": "not reached here; look again in a month"})
    assert main(["--must-look"]) == 0

    assert "advisories: 2 packages looked up, 1 advisories known" in capsys.readouterr().out
