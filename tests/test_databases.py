"""The databases that other tests stand on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from reminder.storage.db import schema
from reminder.storage.db.session import Database
from tests import databases


@pytest.mark.parametrize("who", ["the first test", "the second test"])
def test_a_test_never_sees_the_rows_of_another(database_url: str, who: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT count(*) FROM groups")).scalar_one()
        connection.execute(text("INSERT INTO groups (name, kind, created_at) VALUES ('x', 'home', '2026-11-23')"))
    engine.dispose()

    assert found == 0


def test_a_tests_database_is_ready_for_work(database_url: str) -> None:
    database = Database(database_url)

    schema.require_newest(database)

    database.close()


def test_an_empty_database_has_no_version_yet(empty_database_url: str) -> None:
    database = Database(empty_database_url)

    assert schema.present(database) is None

    database.close()


def test_a_database_is_gone_afterwards_even_when_somebody_forgot_to_hang_up(postgres: databases.Server) -> None:
    with postgres.database() as url:
        forgotten = psycopg.connect(url)

    forgotten.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_run_that_is_killed_leaves_no_server_behind(postgres: databases.Server) -> None:
    run = (
        "import time; from tests import databases\n"
        "lock = databases.begin_run(); server = databases.running_server()\n"
        "print(server.folder, server.address, flush=True); time.sleep(60)"
    )
    alone = {name: value for name, value in os.environ.items() if name != databases.RUN}
    with subprocess.Popen(
        [sys.executable, "-c", run], cwd=Path(__file__).parents[1], env=alone, stdout=subprocess.PIPE, text=True
    ) as other:
        folder, address = other.stdout.readline().split()

        other.send_signal(signal.SIGKILL)

    assert _soon(lambda: not Path(folder).exists())
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(f"{address}/postgres")


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [
        pytest.param({}, pytest.skip.Exception, id="at somebody's desk"),
        pytest.param({"CI": "false"}, pytest.skip.Exception, id="said to be no CI"),
        pytest.param(
            {"CI": "true"}, pytest.fail.Exception, id="in CI, where a skipped test would pass for a green one"
        ),
        pytest.param({"REQUIRE_POSTGRES": "1"}, pytest.fail.Exception, id="where somebody insists"),
    ],
)
def test_without_postgresql_its_tests_are_skipped_unless_the_result_is_relied_on(
    environment: dict[str, str], outcome: type
) -> None:
    with pytest.raises(outcome, match="nothing here"):
        databases.do_without(databases.PostgresMissingError("nothing here"), environment)


def test_a_folder_that_was_named_but_holds_no_postgresql_is_said_so(tmp_path: Path) -> None:
    named = {**os.environ, "TEST_PG_BIN": "/nowhere/bin"}
    named.pop(databases.RUN)
    run = "from tests import databases\nlock = databases.begin_run()\ntry: databases.running_server()\nfinally: databases.end_run(lock)"

    tried = subprocess.run(
        [sys.executable, "-c", run],
        cwd=Path(__file__).parents[1],
        env=named,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "no PostgreSQL could be run (tried: /nowhere/bin)" in tried.stderr


def _soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + databases.STOP_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()
