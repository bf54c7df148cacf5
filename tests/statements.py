"""Statements compiled once for all databases of a test process.

SQLAlchemy keeps what it compiled for each engine, and each test has an engine of its own.
"""

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

# More than the program has forms of statements; a test that makes up its own pushes out the oldest.
KEPT = 4000


class _Alike:
    """A dialect equal to every other of its class, as the key of a cache.

    All are made with the same arguments, by `reminder.storage.db.session`, and a run has one server. A compiled statement
    is text and the way its parameters go; it holds no connection.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class SQLite(_Alike, SQLiteDialect_pysqlite):
    supports_statement_cache = True


class PostgreSQL(_Alike, PGDialect_psycopg):
    supports_statement_cache = True


def share_compiled() -> None:
    """From now on every engine of this process uses one cache for each dialect."""
    registry.register("sqlite", __name__, SQLite.__name__)
    registry.register("postgresql", __name__, PostgreSQL.__name__)
    compiled = LRUCache[object, object](KEPT)

    @event.listens_for(Engine, "engine_connect")
    def use(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
