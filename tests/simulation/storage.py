"""The database of a simulation: a fresh file in memory (or a PostgreSQL database), its faults, copies and back-ups."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from reminder.storage.db.schema import SchemaBuild
from reminder.storage.db.session import Database

# By the kind of a spell: SQLite's code and words, whether reading fails too, and the name of psycopg's error.
_FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full", False, "DiskFull"),
    "read_only": (sqlite3.SQLITE_READONLY, "attempt to write a readonly database", False, "ReadOnlySqlTransaction"),
    "locked": (sqlite3.SQLITE_BUSY, "database is locked", False, "LockNotAvailable"),
    "away": (sqlite3.SQLITE_CANTOPEN, "unable to open database file", True, "AdminShutdown"),
}


class Storage:
    """Where the rows are. `kind_now` returns the kind of fault that a process meets at present, or "well"."""

    def __init__(self, url: str, kind_now: Callable[[str], str]) -> None:
        self.url = url
        self._kind_now = kind_now
        self._connection: Any = None

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.url.startswith("sqlite")

    @property
    def file(self) -> Path:
        """The file of SQLite."""
        return Path(self.url.removeprefix("sqlite:///"))

    def refuse(self, process: str, why: str) -> None:
        """Raise what the driver raises where there is a fault; `why`: "read" or "write"."""
        kind = self._kind_now(process)
        if kind not in _FAULTS:
            return
        code, said, hits_reading, name = _FAULTS[kind]
        if why == "write" or hits_reading:
            failed: Exception
            if self.is_sqlite:
                failed = sqlite3.OperationalError(said)
                failed.sqlite_errorcode = code  # type: ignore[attr-defined]
            else:
                from psycopg import errors

                failed = getattr(errors, name)(said)
            raise OperationalError(None if not self.is_sqlite else "BEGIN", None, failed)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query outside any of our processes: what is committed."""
        if self._connection is None:
            if self.is_sqlite:
                self._connection = sqlite3.connect(self.file, isolation_level=None)
            else:
                import psycopg

                url = make_url(self.url).set(drivername="postgresql")
                self._connection = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
        return list(self._connection.execute(query).fetchall())

    def close(self) -> None:
        """Close the connection of `rows`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Built(SchemaBuild):
    """Tables that are there already."""

    def up_to(self, version: str) -> None:
        """Have nothing to do: they are at the newest version."""


@contextmanager
def tables_are_built() -> Iterator[None]:
    """Let a restore fill a migrated database without rows.

    It would drop its tables and make each of them again in thirty steps, which takes longer than a simulated day.
    """

    @contextmanager
    def building(database: Database) -> Iterator[SchemaBuild]:
        with database.engine.execution_options(kigen_writes=True).connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                yield _Built(connection, None)  # type: ignore[arg-type]
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")

    with mock.patch("reminder.upkeep.backup.schema.building", building):
        yield
