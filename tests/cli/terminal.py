"""The command `reminder` as a test types it: inside this process, with what it printed and what it left on the disk."""

import io
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reminder.cli import main

# Invented digits in the length of a card's number, made here so that no file holds them, and as people also type them.
TWELVE = "1234" * 3
WIDE = TWELVE.translate({ord(digit): ord("０") + int(digit) for digit in "0123456789"})
# Telephones of nobody, as they are kept: with the country's code they are as long as what we refuse.
MOTHER, FATHER = (f"+81{number}" for number in ("9000000001", "9000000002"))
SPELLINGS = [pytest.param(TWELVE, id="plain"), pytest.param(WIDE, id="full-width")]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """`data` is the folder everything is kept in; it is not there before the first command.

    `tables`: a file with every table and no rows. Who enrols a group first starts with a copy: to make the tables takes
    longer than most tests.
    """

    def __init__(
        self, data: Path, tables: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.data, self._tables = data, tables
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def set(self, **environment: str | None) -> None:
        for name, value in environment.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, value)

    def run(self, *arguments: str, given: bytes = b"") -> Done:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        code = main([*arguments])
        printed = self._capsys.readouterr()
        return Done(code, printed.out, printed.err)

    def answer(self, *arguments: str) -> Any:
        """What a command that must succeed answers with --json."""
        if arguments[:2] == ("group", "add") and not self.data.exists():
            self.data.mkdir()
            shutil.copy(self._tables, self.data / "kigen.db")
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.err
        return done.answer

    def refusal(self, *arguments: str) -> Any:
        """What a command that must be refused answers with --json; its sentence stands on the error stream too."""
        done = self.run(*arguments, "--json")
        assert done.code == 2, done
        assert done.err.strip() == done.answer["message"]
        return done.answer

    def rows(self) -> list[str]:
        """Everything the database keeps."""
        with closing(sqlite3.connect(self.data / "kigen.db")) as connection:
            return list(connection.iterdump())

    def bytes_kept(self) -> bytes:
        return b"\n".join(path.read_bytes() for path in sorted(self.data.rglob("*")) if path.is_file())


def settle(reminder: Terminal) -> None:
    """Group 1 with a daughter, and a mother with a phone (contact 2) and a certificate (card 1)."""
    reminder.answer("group", "add", "--name", "田中家", "--kind", "household")
    reminder.answer("member", "add", "--group", "1", "--email", "musume@example.jp", "--role", "owner")
    reminder.answer("person", "add", "--group", "1", "--label", "母", "--mode", "elderly", "--mark", "つばめ")
    phone = ["--channel", "sms", "--address", "090-0000-0001", "--consent", "spoken", "--consent-by", "長女"]
    reminder.answer("contact", "add", "--person", "1", *phone)
    certificate = ["--kind", "mynumber_user_certificate", "--expires", "令和9年3月31日"]
    reminder.answer("card", "add", "--person", "1", *certificate)
