"""`reminder setup-code`, and the values that REMINDER_SIGN_UP had before."""

import re
import sqlite3
from contextlib import closing

import pytest

from tests.cli.terminal import Terminal


def test_a_server_without_a_terminal_gets_its_code_by_a_command(reminder: Terminal) -> None:
    first, second = reminder.answer("setup-code"), reminder.answer("setup-code")

    assert re.fullmatch("[a-z]{4}-[a-z]{4}-[a-z]{4}", first["setup_code"])
    assert first["setup_code"] != second["setup_code"]
    assert first["expires_at"].startswith("2026-12-02T08:0")


def test_the_plain_answer_says_what_to_do_with_it(reminder: Terminal) -> None:
    done = reminder.run("setup-code")

    assert done.code == 0
    assert re.search("[a-z]{4}-[a-z]{4}-[a-z]{4}", done.out)
    assert "ログイン" in done.out


@pytest.mark.parametrize(
    ("before", "settings", "code"),
    [
        (["group", "add", "--name", "田中家", "--kind", "household"], {}, "setup_done"),
        (["list", "groups"], {"REMINDER_SIGN_UP": "open"}, "setup_code_not_used"),
        (["list", "groups"], {"REMINDER_SIGN_UP": "invited"}, "setup_code_not_used"),
    ],
)
def test_where_none_is_needed_it_says_so(
    reminder: Terminal, before: list[str], settings: dict[str, str], code: str
) -> None:
    reminder.answer(*before)
    reminder.set(**settings)

    done = reminder.run("setup-code", "--json")

    assert done.code == 2
    assert done.answer["error"] == code
    assert done.err.strip()


@pytest.mark.parametrize(
    ("old", "new"), [("on", "open"), ("off", "invited"), ("TRUE", "open"), ("0", "invited"), ("No", "invited")]
)
def test_a_former_value_works_and_is_named_with_the_present_one(reminder: Terminal, old: str, new: str) -> None:
    reminder.set(REMINDER_SIGN_UP=old)

    done = reminder.run("list", "groups")
    listed = reminder.answer("doctor")

    assert done.code == 0
    assert "REMINDER_SIGN_UP" in done.err
    assert new in done.err
    assert listed["settings"]["REMINDER_SIGN_UP"][0] == new
    assert any("REMINDER_SIGN_UP" in note and new in note for note in listed["notes"])


@pytest.mark.parametrize("value", ["first", "invited", "open"])
def test_a_present_value_is_taken_without_a_word(reminder: Terminal, value: str) -> None:
    reminder.set(REMINDER_SIGN_UP=value)

    assert reminder.run("list", "groups").err == ""


def test_an_unknown_value_is_refused_and_the_known_ones_are_named(reminder: Terminal) -> None:
    reminder.set(REMINDER_SIGN_UP="everybody")

    done = reminder.run("list", "groups")

    assert done.code == 2
    assert "REMINDER_SIGN_UP" in done.err
    assert all(value in done.err for value in ("first", "invited", "open"))
    assert "everybody" not in done.err


def test_the_code_itself_is_nowhere_in_the_files(reminder: Terminal) -> None:
    code = reminder.answer("setup-code")["setup_code"]

    with closing(sqlite3.connect(reminder.data / "kigen.db")) as file:
        kept = "\n".join(file.iterdump())
    assert code not in kept
    assert code.replace("-", "") not in kept
