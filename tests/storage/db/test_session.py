"""Opening the database: which URLs are understood, and how long a server that is gone is waited for."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from reminder.errors import DatabaseNotReadyError, SettingsError
from reminder.storage.db import schema
from reminder.storage.db.session import Database, reachable
from reminder.storage.runtime import service_state

TWO = {"host": "one,two", "port": "5432,5433"}
WRITES = {"target_session_attrs": "read-write"}


def driver_is_told(url: str) -> Mapping[str, object]:
    """The words of PostgreSQL's own library that a connection is opened with; nothing is connected to."""
    engine = Database(url).engine
    _, told = engine.dialect.create_connect_args(engine.url)
    return told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://kigen:p%40@one:5432/kigen", {"host": "one", "port": 5432, "password": "p@"}),
        # As psql takes it, and as SQLAlchemy does: whoever copies either from elsewhere is understood.
        ("postgresql://kigen:p%40@one:5432,two:5433/kigen?target_session_attrs=read-write", TWO | WRITES | {"password": "p@"}),
        ("postgresql://kigen@/kigen?host=one:5432&host=two:5433&target_session_attrs=read-write", TWO | WRITES),
        ("postgresql+psycopg://kigen@one,two/kigen", {"host": "one,two", "port": ","}),
        ("postgresql://one:5432,two:5433/kigen", TWO),
        ("postgresql://kigen@one,two/kigen?connect_timeout=2", {"host": "one,two", "connect_timeout": "2"}),
        ("postgresql://kigen:a,b@one/kigen", {"host": "one", "password": "a,b"}),
    ],
)  # fmt: skip
def test_the_driver_is_told_every_host_with_its_port(url: str, told: Mapping[str, object]) -> None:
    assert driver_is_told(url).items() >= {"dbname": "kigen", **told}.items()


def test_a_port_that_is_none_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(SettingsError) as refused:
        Database("postgresql://kigen@one:port/kigen")

    assert "postgresql://user:password@host/name" in str(refused.value)


def test_what_the_url_says_of_waiting_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    opened_with: list[Mapping[str, object]] = []

    def connect(**told: object) -> None:
        opened_with.append(told)
        raise OSError

    for url in ("postgresql://127.0.0.1/kigen", "postgresql://127.0.0.1/kigen?connect_timeout=2"):
        engine = Database(url).engine
        monkeypatch.setattr(engine.dialect, "connect", lambda *_, **told: connect(**told))
        with pytest.raises(OSError):
            engine.connect()

    assert [int(str(told["connect_timeout"])) for told in opened_with] == [5, 2]
    assert all(told["tcp_user_timeout"] == 30_000 for told in opened_with)


def test_what_a_failed_block_wrote_is_gone_and_what_another_wrote_is_there(database: Database) -> None:
    with database.writing() as tx:
        service_state.replace(tx, "sender", "1")
    with suppress(ZeroDivisionError), database.writing() as tx:
        service_state.replace(tx, "sender", "2")
        _ = 1 / 0

    with database.reading() as tx:
        assert service_state.find(tx, "sender") == "1"


def test_what_a_reading_block_wrote_is_not_kept(database: Database) -> None:
    with database.reading() as tx:
        service_state.replace(tx, "sender", "1")

    with database.reading() as tx:
        assert service_state.find(tx, "sender") is None


def test_a_program_that_writes_at_one_version_only_refuses_another(database: Database) -> None:
    database.write_only_at(schema.newest())
    with database.writing() as tx:
        service_state.replace(tx, "sender", "1")

    database.write_only_at("9999")

    with pytest.raises(DatabaseNotReadyError) as refused, database.writing() as tx:
        pytest.fail("the tables are not those of this program")
    assert refused.value.code == "database_ahead"


def test_a_file_is_written_anew_and_its_log_emptied_where_there_is_one(database: Database) -> None:
    with database.writing() as tx:
        service_state.replace(tx, "sender", "1")

    assert database.rewrite()
    database.empty_log()

    with database.reading() as tx:
        assert service_state.find(tx, "sender") == "1"
    if database.is_sqlite:
        assert Path(f"{database.engine.url.database}-wal").stat().st_size == 0


def test_a_missing_table_is_told_from_a_database_out_of_reach(database: Database) -> None:
    with pytest.raises(DatabaseNotReadyError) as refused, reachable(), database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM no_such_table")

    assert refused.value.code == "database_behind"
