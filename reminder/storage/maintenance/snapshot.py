"""Snapshots: all rows of all tables are read from one database or written to another, in one transaction each.

Memory is bounded. Values are plain JSON. Tables of any version can be read: the columns are read from the database.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import JSON, Boolean, Connection, Date, DateTime, Float, Integer, LargeBinary, String, inspect
from sqlalchemy.types import TypeEngine

from reminder.storage.db import row_security, sqlite_ids
from reminder.storage.db.session import Database, reachable

# The most rows in memory at once.
AT_ONCE = 1000
# An operator sees by a round beginning which rows were made after a restore.
_ROUND = 1_000_000

Value = str | int | float | bool | None
_Turn = Callable[[Any], Any]

# A column's kind, by its type; the first match counts.
_KINDS: Sequence[tuple[type[TypeEngine[Any]], str]] = (
    (Boolean, "yes_no"),
    (DateTime, "instant"),
    (Date, "date"),
    (JSON, "json"),
    (LargeBinary, "bytes"),
    (Integer, "number"),
    (Float, "real"),
    (String, "text"),
)


@dataclass(frozen=True)
class TableShape:
    """A table: its columns with their kinds, and the next id where the database assigns ids."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()
    next_id: int | None = None


class Snapshot:
    """One state of a database, whatever is written meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.version = MigrationContext.configure(connection).get_current_revision()
        self.tables = _tables(connection)
        count = "SELECT count(*) FROM {}"
        self.counts = {shape.name: int(self._one(count, shape.name)) for shape in self.tables}

    def _one(self, sql: str, table: str) -> Any:
        return self._connection.exec_driver_sql(sql.format(_quoted(self._connection, table))).scalar_one()

    def rows(self, shape: TableShape) -> Iterator[list[Value]]:
        """Yield the rows of a table, in batches."""
        sqlite = self._connection.dialect.name == "sqlite"
        # JSON as its stored text.
        spelled = [
            f"{_quoted(self._connection, name)}{'::text' if kind == 'json' and not sqlite else ''}"
            for name, kind in shape.columns
        ]
        key = ", ".join(_quoted(self._connection, name) for name in shape.key)
        sql = f"SELECT {', '.join(spelled)} FROM {_quoted(self._connection, shape.name)} ORDER BY {key}"  # noqa: S608
        turns = _turns(shape, _OUT_OF_SQLITE if sqlite else _OUT_OF_POSTGRESQL)
        streaming = self._connection.execution_options(stream_results=True, max_row_buffer=AT_ONCE)
        with streaming.exec_driver_sql(sql) as found:
            for rows in found.partitions(AT_ONCE):
                yield from _turned(rows, turns)


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """Yield a snapshot, which stays open until the end of the block."""
    with reachable(), database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield Snapshot(connection)


def load(connection: Connection, shape: TableShape, rows: Iterable[list[Value]]) -> int:
    """Insert rows into a table; return how many there were."""
    names = ", ".join(_quoted(connection, name) for name, _ in shape.columns)
    table = _quoted(connection, shape.name)
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(shape.columns))
        sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608
        return _load_sqlite(connection, sql, _turned(rows, _turns(shape, _INTO_SQLITE)))
    count = 0
    with (
        row_security.copying_into(connection, table),
        _driver(connection).cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        for row in _turned(rows, _turns(shape, _INTO_POSTGRESQL)):
            copy.write_row(row)
            count += 1
    return count


def _load_sqlite(connection: Connection, sql: str, rows: Iterator[list[Any]]) -> int:
    count = 0
    while batch := list(islice(rows, AT_ONCE)):
        _driver(connection).executemany(sql, batch).close()
        count += len(batch)
    return count


def empty(connection: Connection) -> None:
    """Delete the rows that migrations have inserted; the snapshot holds them too."""
    for shape in reversed(_tables(connection)):
        connection.exec_driver_sql(f"DELETE FROM {_quoted(connection, shape.name)}")  # noqa: S608


def count_on(connection: Connection, next_ids: Mapping[str, int], leap: int = 0, *, is_filled: bool = True) -> None:
    """Set the next ids, so that a new row gets an id that no row has, nor had in the snapshot.

    `leap`: how many ids may have been given in any table since the snapshot; they are left out, up to a round number.
    `is_filled`: the tables have just been filled, so that the server has no statistics of them yet.
    """
    sqlite = connection.dialect.name == "sqlite"
    last: dict[str, int] = {}
    for shape in _tables(connection):
        if shape.next_id is None:
            continue
        table = _quoted(connection, shape.name)
        highest = connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table}").scalar_one()  # noqa: S608
        next_id = max(int(highest) + 1, shape.next_id, next_ids.get(shape.name, 1))
        if leap:
            next_id = -(-(next_id + leap) // _ROUND) * _ROUND + 1
        if sqlite:
            last[shape.name] = next_id - 1
        else:
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", (table, next_id))
    if sqlite:
        sqlite_ids.count_from(connection, last)
    elif is_filled:
        connection.exec_driver_sql("ANALYZE")


def _tables(connection: Connection) -> list[TableShape]:
    """Return the tables, those that others refer to first."""
    asked = inspect(connection)
    found = [name for name, _ in asked.get_sorted_table_and_fkc_names() if name is not None]
    names = [name for name in found if name != "alembic_version"]
    shapes = []
    for name in names:
        columns = tuple((column["name"], _kind(column["type"])) for column in asked.get_columns(name))
        key = tuple(asked.get_pk_constraint(name)["constrained_columns"])
        shapes.append(TableShape(name, columns, key, _next_id(connection, name, dict(columns))))
    return shapes


def _next_id(connection: Connection, table: str, columns: Mapping[str, str]) -> int | None:
    if columns.get("id") != "number":
        return None
    if connection.dialect.name == "sqlite":
        return sqlite_ids.next_id(connection, table)
    quoted = _quoted(connection, table)
    sequence = connection.exec_driver_sql("SELECT pg_get_serial_sequence(%s, 'id')", (quoted,)).scalar_one()
    if sequence is None:
        return None
    last, is_used = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608
    return int(last) + bool(is_used)


def _kind(of: TypeEngine[Any]) -> str:
    return next(kind for type_, kind in _KINDS if isinstance(of, type_))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _turns(shape: TableShape, by_kind: Mapping[str, _Turn]) -> list[tuple[int, _Turn]]:
    """Return the conversions of the columns whose values need one, with their positions."""
    return [(place, by_kind[kind]) for place, (_, kind) in enumerate(shape.columns) if kind in by_kind]


def _turned(rows: Iterable[Sequence[Any]], turns: Sequence[tuple[int, _Turn]]) -> Iterator[list[Any]]:
    for found in rows:
        row = list(found)
        for place, turn in turns:
            value = row[place]
            if value is not None:
                row[place] = turn(value)
        yield row


def _written_instant(at: datetime) -> str:
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_OUT_OF_SQLITE: Mapping[str, _Turn] = {
    "yes_no": bool,
    "instant": lambda text: _written_instant(datetime.fromisoformat(text)),
    "bytes": _base64,
}
_OUT_OF_POSTGRESQL: Mapping[str, _Turn] = {"instant": _written_instant, "date": date.isoformat, "bytes": _base64}
_INTO_SQLITE: Mapping[str, _Turn] = {
    # In SQLAlchemy's format for SQLite, in which values compare as text.
    "instant": lambda text: datetime.fromisoformat(text).replace(tzinfo=None).isoformat(" ", "microseconds"),
    "bytes": base64.b64decode,
}
_INTO_POSTGRESQL: Mapping[str, _Turn] = {
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytes": base64.b64decode,
}
