"""`reminder database roles`, and what becomes of a role that sees one group at a time where all groups are needed."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from reminder.storage.crypto.keyring import new_key
from reminder.storage.crypto.sealed_file import new_key as new_backup_key
from tests import databases
from tests.cli.terminal import Terminal
from tests.conftest import migrate


@pytest.fixture
def service(reminder: Terminal, postgres_url: str) -> Iterator[Terminal]:
    """A service on PostgreSQL, whose web server has a role."""
    reminder.set(
        REMINDER_DATABASE_URL=postgres_url,
        REMINDER_WEB_DATABASE_URL=databases.as_role(postgres_url, databases.WEB_ROLE),
        REMINDER_SECRET_KEYS=new_key(),
        REMINDER_BACKUP_KEY=new_backup_key(),
    )
    return reminder


def test_what_it_prints_makes_a_role_that_sees_one_group_at_a_time(reminder: Terminal, empty_postgres_url: str) -> None:
    migrate(empty_postgres_url)
    web = databases.as_role(empty_postgres_url, "another_web")
    reminder.set(REMINDER_DATABASE_URL=empty_postgres_url, REMINDER_SECRET_KEYS=new_key())
    assert "row_security_off" in reminder.run("health").out

    printed = reminder.run("database", "roles", "--web", "another_web")
    assert printed.code == 0
    with psycopg.connect(databases.as_role(empty_postgres_url, databases.SUPERUSER)) as connection:
        connection.execute(printed.out.encode())

    reminder.run("group", "add", "--name", "田中家", "--kind", "household")
    with psycopg.connect(web) as connection:
        assert connection.execute("SELECT count(*) FROM groups").fetchone() == (0,)
        connection.execute("SELECT set_config('kigen.groups', '{1}', true)")
        assert connection.execute("SELECT id, name_sealed IS NULL FROM groups").fetchall() == [(1, False)]
    assert "row_security_off" not in reminder.run("health").out


def test_sqlite_has_no_roles_and_it_says_so(reminder: Terminal) -> None:
    refused = reminder.run("database", "roles", "--json")

    assert (refused.code, refused.answer["error"]) == (2, "database_without_roles")


@pytest.mark.parametrize(
    "command",
    [
        ["worker"],
        ["run-once"],
        ["health"],
        ["migrate"],
        ["list", "people"],
        ["group", "add", "--name", "x", "--kind", "home"],
        ["export", "--group", "1"],
        ["backup", "--out", "kigen.backup"],
        ["keys", "rotate"],
        ["keys", "abandon", "12345678"],
        ["database", "roles"],
        ["activity", "check"],
    ],
    ids=" ".join,
)
def test_where_all_groups_are_needed_the_web_s_role_is_refused(service: Terminal, command: list[str]) -> None:
    """A back-up without a row, or a worker that finds nothing to do, would look like all is well."""
    service.set(REMINDER_DATABASE_URL=None)

    refused = service.run(*command, "--json") if command != ["worker"] else service.run(*command)

    assert refused.code == 1
    assert "REMINDER_WEB_DATABASE_URL" in refused.out + refused.err
    assert not Path("kigen.backup").exists()


def test_doctor_finds_the_roles_in_order(service: Terminal) -> None:
    done = service.run("doctor", "--json")

    assert done.answer["troubles"] == []
    assert done.answer["settings"]["REMINDER_WEB_DATABASE_URL"][0] == "(set)"
    assert not [note for note in done.answer["notes"] if "WEB_DATABASE_URL" in note]


def test_doctor_is_content_where_only_the_web_server_runs(service: Terminal) -> None:
    service.set(REMINDER_DATABASE_URL=None)

    assert service.run("doctor", "--json").answer["troubles"] == []


def test_doctor_says_where_the_web_server_sees_every_group(service: Terminal, postgres_url: str) -> None:
    for role in (databases.OWNER, databases.SUPERUSER):
        service.set(REMINDER_WEB_DATABASE_URL=databases.as_role(postgres_url, role))
        (trouble,) = service.run("doctor", "--json").answer["troubles"]
        assert "REMINDER_WEB_DATABASE_URL" in trouble

    service.set(REMINDER_WEB_DATABASE_URL=None)
    assert any("WEB_DATABASE_URL" in note for note in service.run("doctor", "--json").answer["notes"])
