"""`reminder activity`: whether the log is as it was written, and how it begins anew."""

import sqlite3
from contextlib import closing

from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import audit_once
from tests.cli.terminal import Terminal


def audited(family: Terminal) -> None:
    with build_app(read_settings()) as app:
        audit_once(app)


def tampered(family: Terminal) -> None:
    with closing(sqlite3.connect(family.data / "kigen.db")) as connection:
        connection.execute("UPDATE activity_log SET member_id = 9 WHERE position = 2")
        connection.commit()


def test_a_log_as_it_was_written_is_right_and_a_changed_one_is_named_by_every_command_that_looks(
    family: Terminal,
) -> None:
    audited(family)
    found = family.answer("activity", "check")
    assert found["rows"] > 3
    assert found["wrong"] is None

    tampered(family)

    wrong = family.run("activity", "check", "--json")
    assert (wrong.code, wrong.answer["wrong"]) == (1, 2)
    assert "number 2 is not as it was written" in family.run("activity", "check").out
    assert "activity_log_changed" in family.run("health", "--json").answer["troubles"]
    doctor = family.run("doctor")
    assert doctor.code == 1
    assert "reminder activity accept" in doctor.out


def test_after_it_was_looked_into_the_log_begins_anew_and_says_so(family: Terminal) -> None:
    audited(family)
    tampered(family)

    rows = family.answer("activity", "accept")["rows"]

    assert family.answer("activity", "check") == {"rows": rows, "wrong": None}
    assert "activity_log_changed" not in family.run("health", "--json").answer["troubles"]
    assert any("activity_log_accepted" in row for row in family.rows())
