"""A terminal of its own for each test: no settings but its own, and always the same morning."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reminder.guard.logs import Scrubbing
from tests.cli.terminal import Terminal, settle


@pytest.fixture
def reminder(
    tmp_path: Path,
    _migrated_sqlite: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Terminal]:
    """`reminder`, spoken to in Japanese, at eight in the morning of Tuesday, 1 December 2026, with nothing kept."""
    for name in os.environ:
        if name.startswith("REMINDER_") or name in ("LC_ALL", "LC_MESSAGES", "PORT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setenv("REMINDER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("REMINDER_CLOCK_OVERRIDE", "2026-12-01T08:00+09:00")
    monkeypatch.chdir(tmp_path)
    _take_down_logging()
    yield Terminal(tmp_path / "data", _migrated_sqlite, capsys, monkeypatch)
    _take_down_logging()


@pytest.fixture(scope="session")
def _settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settled") / "data"


@pytest.fixture
def family(reminder: Terminal, _settled: Path) -> Terminal:
    """The same with a family that has been enrolled: once, and then copied."""
    if not _settled.exists():
        settle(reminder)
        shutil.copytree(reminder.data, _settled)
    else:
        shutil.copytree(_settled, reminder.data)
    return reminder


def _take_down_logging() -> None:
    # A command sets up its own log, for a process of its own; here it would write to the screen of a test that is over.
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler.formatter, Scrubbing):
            root.removeHandler(handler)
    logging.disable(logging.NOTSET)
