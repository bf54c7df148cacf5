"""Opening the database: which URLs are understood, and how long a server that is gone is waited for."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError

from reminder.errors import DatabaseNotReadyError, SettingsError
from reminder.storage.db import schema
from reminder.storage.db.session import Database, is_there, reachable
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


def sqlite_error(code: int) -> sqlite3.Error:
    """As the driver raises it: with SQLite's own code, whatever its words are."""
    error = sqlite3.OperationalError("in words that may change")
    error.sqlite_errorcode = code
    return error


def postgresql_error(state: str) -> psycopg.Error:
    return psycopg.errors.lookup(state)("in words that may change")


# What each error of a driver means; None: our own statement is at fault.
MEANS: list[tuple[Exception, str | None]] = [
    (sqlite_error(sqlite3.SQLITE_BUSY), "database_locked"),
    (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), "database_locked"),
    (sqlite_error(sqlite3.SQLITE_LOCKED), "database_locked"),
    (sqlite_error(sqlite3.SQLITE_FULL), "database_full"),
    (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), "database_full"),
    (sqlite_error(sqlite3.SQLITE_READONLY), "database_read_only"),
    (sqlite_error(sqlite3.SQLITE_READONLY_DIRECTORY), "database_read_only"),
    (sqlite_error(sqlite3.SQLITE_CORRUPT), "database_damaged"),
    (sqlite_error(sqlite3.SQLITE_NOTADB), "database_damaged"),
    (sqlite_error(sqlite3.SQLITE_CANTOPEN), "database_unreachable"),
    (sqlite_error(sqlite3.SQLITE_IOERR_READ), "database_unreachable"),
    (sqlite_error(sqlite3.SQLITE_ERROR), None),
    (sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE), None),
    (sqlite_error(sqlite3.SQLITE_TOOBIG), None),
    (postgresql_error("25006"), "database_read_only"),
    (postgresql_error("53100"), "database_full"),
    (postgresql_error("53300"), "database_busy"),
    (postgresql_error("55P03"), "database_locked"),
    (postgresql_error("40P01"), "database_locked"),
    (postgresql_error("40001"), "database_locked"),
    (postgresql_error("XX001"), "database_damaged"),
    (postgresql_error("XX002"), "database_damaged"),
    (postgresql_error("57P01"), "database_unreachable"),
    (postgresql_error("57P03"), "database_unreachable"),
    (postgresql_error("58030"), "database_unreachable"),
    (postgresql_error("53200"), "database_unreachable"),
    (postgresql_error("23505"), None),
    (postgresql_error("42601"), None),
    (psycopg.OperationalError("number of parameters must be between 0 and 65535"), None),
]


@pytest.mark.parametrize(("error", "code"), MEANS, ids=lambda one: str(getattr(one, "sqlite_errorcode", one)))
def test_each_error_of_a_driver_has_the_code_of_what_is_to_be_done(error: Exception, code: str | None) -> None:
    if code is None:
        with pytest.raises(DatabaseError), reachable():
            raise DatabaseError("SELECT 1", {}, error)
        return
    for statement in ("SELECT 1", None):
        with pytest.raises(DatabaseNotReadyError) as refused, reachable():
            raise DatabaseError(statement, {}, error)
        assert refused.value.code == code, "also where the error comes with the commit"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("connection failed: FATAL: sorry, too many clients already", "database_busy"),
        ("connection failed: session is read-only", "database_read_only"),
        ("connection refused", "database_unreachable"),
    ],
)
def test_a_server_that_refuses_a_connection_is_understood_by_its_words(words: str, code: str) -> None:
    with pytest.raises(DatabaseNotReadyError) as refused, reachable():
        raise DatabaseError(None, None, psycopg.OperationalError(words))

    assert refused.value.code == code


def test_a_statement_with_more_values_than_a_driver_takes_is_our_fault_and_not_the_database_s(
    database: Database,
) -> None:
    count, place = (400_000, "?") if database.is_sqlite else (70_000, "%s")
    statement = f"SELECT 1 WHERE 1 IN ({', '.join([place] * count)})"

    with database.engine.connect() as connection, pytest.raises(DatabaseError), reachable():
        connection.exec_driver_sql(statement, tuple(range(count)))


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(DatabaseNotReadyError) as refused:
        work()
    return refused.value.code


def test_a_pool_without_a_free_connection_is_busy(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.engine.pool._timeout = 0  # type: ignore[attr-defined]
    with ExitStack() as held:
        for _ in range(15):
            held.enter_context(database.engine.connect())

        assert code_of(lambda: write(database)) == "database_busy"
    assert DatabaseNotReadyError("database_busy").retry_after == 5
    assert DatabaseNotReadyError("database_full").retry_after == 60
    database.close()


def write(database: Database, *before: str) -> None:
    with database.writing() as tx:
        for statement in before:
            tx.execute(text(statement))
        service_state.replace(tx, "sender", "x" * 70)


BIG = (
    "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    " SELECT randomblob(1000) AS content FROM n"
)


def test_a_file_that_is_locked_full_read_only_or_damaged_is_told_apart(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = Database(sqlite_url)
    event.listen(database.engine, "connect", lambda own, _: own.execute("PRAGMA busy_timeout = 0").close())
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert code_of(lambda: write(database)) == "database_locked"
        other.rollback()
        pages = other.execute("PRAGMA page_count").fetchone()[0]

    event.listen(database.engine, "connect", lambda own, _: own.execute(f"PRAGMA max_page_count = {pages}").close())
    database.engine.dispose()
    assert code_of(lambda: write(database, BIG)) == "database_full"
    assert database.write_trouble == "database_full"
    event.listen(database.engine, "connect", lambda own, _: own.execute("PRAGMA query_only = ON").close())
    database.engine.dispose()
    assert code_of(lambda: write(database)) == "database_read_only"
    database.close()

    with closing(sqlite3.connect(path)) as emptied:
        emptied.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(path.read_bytes())
    content[100:8192] = b"\xff" * 8092
    path.write_bytes(content)
    damaged = Database(sqlite_url)
    assert code_of(lambda: write(damaged)) == "database_damaged"
    damaged.close()


def test_a_server_that_turns_read_only_or_holds_a_row_has_the_code_of_that(database: Database) -> None:
    if database.is_sqlite:
        return  # above
    write(database)
    read_only = "SET TRANSACTION READ ONLY"
    assert code_of(lambda: write(database, read_only, "UPDATE service_state SET value = '1'")) == "database_read_only"
    with database.writing() as tx:
        tx.execute(text("UPDATE service_state SET value = '2'"))
        waits = "SET LOCAL lock_timeout = '50ms'"
        assert code_of(lambda: write(database, waits, "UPDATE service_state SET value = '3'")) == "database_locked"


def test_where_it_is_names_no_password(database: Database) -> None:
    assert "geheim" not in Database("postgresql://kigen:geheim@db.example.jp/kigen").place
    assert is_there(database.place)
    assert not is_there("sqlite:////nowhere/kigen.db")


def test_what_is_asked_of_one_database_alone_needs_no_leader(database: Database) -> None:
    database.require_one_primary(lambda _tx: None)

    write(database)
    assert database.write_trouble is None
