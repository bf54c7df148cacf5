"""The database of a simulation: a fresh file in memory (or a PostgreSQL database), its faults, copies and back-ups."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

# By the kind of a spell: SQLite's code, and whether reading fails too.
_FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full", False),
    "read_only": (sqlite3.SQLITE_READONLY, "attempt to write a readonly database", False),
    "locked": (sqlite3.SQLITE_BUSY, "database is locked", False),
    "away": (sqlite3.SQLITE_CANTOPEN, "unable to open database file", True),
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
        code, said, hits_reading = _FAULTS[kind]
        if why == "write" or hits_reading:
            failed: Exception
            if self.is_sqlite:
                failed = sqlite3.OperationalError(said)
                failed.sqlite_errorcode = code  # type: ignore[attr-defined]
            else:
                import psycopg

                failed = psycopg.OperationalError(said)
            raise OperationalError(None if not self.is_sqlite else "BEGIN", None, failed)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query outside any of our processes: what is committed."""
        if self._connection is None:
            if self.is_sqlite:
                self._connection = sqlite3.connect(self.file, isolation_level=None)
            else:
                import psycopg

                self._connection = psycopg.connect(self.url, autocommit=True)
        return list(self._connection.execute(query).fetchall())

    def close(self) -> None:
        """Close the connection of `rows`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
