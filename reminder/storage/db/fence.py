"""The fence: a database whose data went elsewhere knows it, and is neither written to nor served from.

It is one row of `service_state`, which every writing transaction reads together with the version of the tables.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from reminder.clock import japan_date
from reminder.errors import DatabaseNotReadyError

NAME = "moved"
# With the instant in front, what a value of `service_state` has room for.
LONGEST_PLACE = 54
VALUE = f"(SELECT value FROM service_state WHERE name = '{NAME}')"  # noqa: S608  # nothing from outside
_FIND = f"SELECT {VALUE}"


class Moved(NamedTuple):
    """When a database was closed (aware UTC), and where its data are now."""

    at: datetime
    to: str

    @property
    def value(self) -> str:
        """As the row holds it."""
        return f"{self.at.isoformat(timespec='seconds')} {self.to}"


def moved(at: datetime, to: str) -> Moved:
    """Return the fence; of a long place the end is kept."""
    return Moved(at, to if len(to) <= LONGEST_PLACE else f"…{to[1 - LONGEST_PLACE :]}")


def read(value: str | None) -> Moved | None:
    """Return the fence that this value of the row is; None where there is no row."""
    if not value:
        return None
    at, _, to = value.partition(" ")
    return Moved(datetime.fromisoformat(at), to)


def find(connection: Connection) -> Moved | None:
    """Return the fence of a database that has the table of facts; None where it is open."""
    return read(connection.exec_driver_sql(_FIND).scalar())


def refuse(value: str | None) -> None:
    """Raise DatabaseNotReadyError, code database_moved, where the value closes the database."""
    closed = read(value)
    if closed is not None:
        raise DatabaseNotReadyError("database_moved", at=japan_date(closed.at).isoformat(), to=closed.to)


def refuse_moved(connection: Connection) -> None:
    """Raise DatabaseNotReadyError, code database_moved, for a database that is closed."""
    refuse(connection.exec_driver_sql(_FIND).scalar())
