"""A database whose data went elsewhere: it says where, and nothing is sent, stored or served from it any more."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import MOTHER, Terminal
from tests.cli.test_logged_commands import LOGS, with_backup_key
from tests.cli.test_missing_keys import NEEDS_KEYS

NEW = "postgresql://new.example.jp/kigen"
# What reads, and logs at most that it has read.
READS = {
    "list", "health", "simulate", "print", "export", "digest", "visits", "group list", "token list", "mail address",
    "activity check", "backup", "keys new", "promise list", "own-kind list", "balance", "effect", "card life",
}  # fmt: skip


@pytest.fixture
def moved(family: Terminal) -> Terminal:
    with_backup_key(family)
    Path("sheet.csv").write_text("氏名,電子証明書 有効期限\n花子,2029-02-20\n", encoding="utf-8")
    family.set(REMINDER_PUBLIC_URL="https://kigen.example.jp", REMINDER_CARD_GRACE="off")
    family.answer("backup", "--out", "kigen.backup", "--moves-to", NEW)
    return family


def without_log(terminal: Terminal) -> list[str]:
    return [row for row in terminal.rows() if "activity_log" not in row]


@pytest.mark.parametrize("command", sorted(NEEDS_KEYS.keys() - {"database reopen"}))
def test_a_command_that_changes_something_is_refused_and_says_where_the_data_are(moved: Terminal, command: str) -> None:
    before = without_log(moved)

    done = moved.run(*command.split(), *NEEDS_KEYS[command])

    if command in READS:
        assert NEW not in done.err
        assert (done.code, command) in ((0, command), (1, "health"), (2, "digest")), done.err  # which is for homes
    else:
        assert done.code == 1
        assert NEW in done.err
        assert "reminder database reopen" in done.err
    assert without_log(moved) == before


def test_every_command_that_changes_something_is_among_those_that_are_refused() -> None:
    changes = LOGS.keys() - READS - {"restore", "keys abandon", "database close", "database reopen"}

    assert changes <= NEEDS_KEYS.keys() - READS


def test_what_is_there_can_be_read_and_the_reading_is_logged(moved: Terminal) -> None:
    assert MOTHER in str(moved.answer("list", "contacts"))
    assert "addresses_listed" in str(moved.rows())


def test_a_closed_database_is_opened_again_only_by_command_and_doubts_what_the_other_may_have_sent(
    moved: Terminal,
) -> None:
    assert moved.refusal("database", "reopen", "--json", "x")["error"] == "usage"
    assert moved.answer("database", "reopen")["to"] == NEW
    assert moved.answer("database", "reopen")["to"] is None, "it is open already"

    moved.answer("person", "add", "--group", "1", "--label", "父")
    assert moved.answer("list", "people")[-1]["id"] == 2_000_001, "ids that the other may have given are left out"
    assert "restored" in str([row for row in moved.rows() if "service_state" in row])


def test_a_backup_that_cannot_be_written_leaves_the_database_open(family: Terminal) -> None:
    with_backup_key(family)

    assert family.refusal("backup", "--out", "nowhere/x", "--moves-to", NEW)["error"] == "backup_unwritable"

    family.answer("person", "add", "--group", "1", "--label", "父")


@pytest.mark.parametrize("exact", [["--exact"], []])
def test_restoring_closes_the_database_of_the_backup_where_it_is_reached(family: Terminal, exact: list[str]) -> None:
    with_backup_key(family)
    family.answer("backup", "--out", "kigen.backup")
    old = family.data
    family.set(REMINDER_DATA_DIR="elsewhere")

    restored = family.answer("restore", "kigen.backup", *exact)

    assert restored["origin_is_closed"] is True
    family.answer("person", "add", "--group", "1", "--label", "父")
    family.set(REMINDER_DATA_DIR=str(old))
    done = family.run("run-once", "--json")
    assert done.code == 1
    assert done.answer["error"] == "database_moved"
    assert "elsewhere/kigen.db" in done.err


def test_a_drill_leaves_the_service_alone_and_nothing_is_sent_from_its_copy(family: Terminal) -> None:
    with_backup_key(family)
    family.answer("backup", "--out", "kigen.backup")
    old = family.data
    family.set(REMINDER_DATA_DIR="elsewhere")

    family.answer("restore", "kigen.backup", "--drill")

    assert MOTHER in str(family.answer("list", "contacts"))
    assert family.run("run-once", "--json").answer["error"] == "database_moved"
    family.set(REMINDER_DATA_DIR=str(old))
    family.answer("run-once")


def not_there(old: Path) -> None:
    (old / "kigen.db").rename(old / "away.db")


def of_somebody_else(old: Path) -> None:
    with closing(sqlite3.connect(old / "kigen.db")) as connection, connection:
        connection.execute("DELETE FROM installation_secrets")


@pytest.mark.parametrize("happens", [not_there, of_somebody_else])
def test_an_origin_that_is_not_reached_is_named_with_what_to_do(
    family: Terminal, happens: Callable[[Path], None]
) -> None:
    with_backup_key(family)
    family.answer("backup", "--out", "kigen.backup")
    happens(family.data)
    family.set(REMINDER_DATA_DIR="elsewhere")

    done = family.run("restore", "kigen.backup", "--json")

    assert done.answer["origin_is_closed"] is None
    assert "reminder database close" in done.err


def test_a_move_that_was_not_exact_is_refused(family: Terminal) -> None:
    with_backup_key(family)
    family.answer("backup", "--out", "kigen.backup")
    with closing(sqlite3.connect(family.data / "kigen.db")) as connection, connection:
        connection.execute(
            "INSERT INTO messages (key, kind, contact_id, audience, channel, segments, state, scheduled_at, expires_at,"
            " attempts, not_found_count, possibly_double, handed_at, created_at) VALUES ('told:2:x', 'reminder', 2,"
            " 'person', 'sms', 1, 'accepted', '2026-12-01', '2026-12-02', 1, 0, 0, '2026-12-01 01:00:00', '2026-12-01')"
        )
    family.set(REMINDER_DATA_DIR="elsewhere")

    assert family.refusal("restore", "kigen.backup", "--exact")["error"] == "restore_not_exact"
    family.answer("restore", "kigen.backup")
