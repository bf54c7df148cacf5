"""The schema's version: migrates a database, and refuses to work on any other version."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, inspect
from sqlalchemy.orm import Session

from reminder.errors import ConflictError, DatabaseNotReadyError
from reminder.settings import shipped
from reminder.storage.db import sqlite_ids
from reminder.storage.db.session import SCHEMA_LOCK, Database, reachable
from reminder.storage.db.tables import Base

# Since then a database knows that its data went elsewhere.
_FIRST_WITH_FENCE = "0025"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    return config


@cache  # the files are part of the program
def newest() -> str:
    """Return the newest version of the schema."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def present(database: Database) -> str | None:
    """Return the version of the database; None where it is empty."""
    with reachable(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


# What is filled with the keys after a migration, in its transaction. It gets the version that the database had.
Settle = Callable[[Session, str], None]


def migrate(database: Database, settle: Settle | None = None) -> None:
    """Migrate the database to the newest version; one process at a time.

    `settle` is called for a database that had a version before. Raises DatabaseNotReadyError for a database of a newer
    program.
    """
    at = present(database)
    if at == newest():
        return
    if at is not None and at not in _known():
        raise DatabaseNotReadyError("database_ahead")
    if at is not None and not is_before(at, _FIRST_WITH_FENCE):
        database.refuse_moved()
    with _changing(database) as (connection, config):
        # Another process may have migrated it since.
        at = MigrationContext.configure(connection).get_current_revision()
        with _ids_given_once(connection):
            command.upgrade(config, "head")
        if settle is not None and at is not None:
            with Session(connection) as tx:
                settle(tx, at)
                tx.flush()


def move(database: Database, command: Callable[[Config, str], None], version: str) -> None:
    """Run `command`, Alembic's upgrade or downgrade, completely or not at all."""
    with _changing(database) as (connection, config), _ids_given_once(connection):
        command(config, version)


@cache
def is_before(version: str, other: str) -> bool:
    """Return whether a known version is older than another one."""
    older = ScriptDirectory.from_config(_config()).iterate_revisions(other, "base")
    return version != other and any(script.revision == version for script in older)


@contextmanager
def _ids_given_once(connection: Connection) -> Iterator[None]:
    """Let no table give an id again that it has given before the migrations of the block.

    Some of them make a table anew, which on SQLite forgets it. At an older version the tables stay as they were.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    given = sqlite_ids.last_ids(connection)
    yield
    if MigrationContext.configure(connection).get_current_revision() == newest():
        sqlite_ids.never_reuse(connection, given)


@contextmanager
def _changing(database: Database) -> Iterator[tuple[Connection, Config]]:
    """Yield one transaction for all changes to the tables."""
    config = _config()
    writing = database.engine.execution_options(kigen_writes=True)
    with reachable(), writing.connect() as connection, _references_at_rest(connection), connection.begin():
        if not database.is_sqlite:
            # Two releases at once would both try; the second waits and then finds nothing to do. A running write
            # ends first; a new write waits, and then sees the new version.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        config.attributes["connection"] = connection
        yield connection, config
        if database.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise DatabaseNotReadyError("database_unreachable", reason="foreign_key_check")


@dataclass(frozen=True)
class SchemaBuild:
    """A database whose tables are being built: at one version, filled by the caller, then migrated further."""

    connection: Connection
    _config: Config

    def up_to(self, version: str) -> None:
        """Migrate to this version."""
        with _ids_given_once(self.connection):
            command.upgrade(self._config, version)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session whose changes are committed or rolled back together with the migrations."""
        with Session(self.connection) as tx:
            yield tx
            tx.flush()


@contextmanager
def building(database: Database) -> Iterator[SchemaBuild]:
    """Yield a build that is committed at the end of the block, completely or not at all.

    Raises ConflictError where the database already holds a row or a foreign table.
    """
    with _changing(database) as (connection, config):
        names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        at = MigrationContext.configure(connection).get_current_revision()
        if at is not None and at not in _known():
            raise DatabaseNotReadyError("database_ahead")
        if at is None and names:
            raise ConflictError("restore_not_empty")
        quote = connection.dialect.identifier_preparer.quote
        for name in names:
            if connection.exec_driver_sql(f"SELECT 1 FROM {quote(name)} LIMIT 1").first() is not None:  # noqa: S608
                raise ConflictError("restore_not_empty")
        if at is not None:
            command.downgrade(config, "base")
        yield SchemaBuild(connection, config)


def is_known(version: str) -> bool:
    """Return whether this program has this version of the schema."""
    return version in _known()


@contextmanager
def _references_at_rest(connection: Connection) -> Iterator[None]:
    """Switch off foreign keys on SQLite for the duration of the block.

    SQLite changes some tables by creating them anew; dropping the old one would delete all rows that refer to it. This
    can be switched off only outside a transaction.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def require_newest(database: Database) -> None:
    """Raise DatabaseNotReadyError unless the database is at the newest version.

    An old program must not write into a newer database, nor the other way round.
    """
    at = present(database)
    if at == newest():
        return
    raise DatabaseNotReadyError("database_behind" if at is None or at in _known() else "database_ahead")


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def differences(database: Database) -> list[object]:
    """Return the differences between the tables in the code and those of the database, in both directions."""
    with reachable(), database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [*compare_metadata(context, Base.metadata), *_different_checks(connection)]


def _different_checks(connection: Connection) -> list[tuple[str, str, frozenset[str]]]:
    """Return the table, the name and the values of each CHECK that only one side has.

    Each database spells a condition in its own way, but both preserve the values that it names.
    """
    asked = inspect(connection)
    there = {
        (table, check["name"] or "", _values_in(check["sqltext"]))
        for table in Base.metadata.tables
        for check in asked.get_check_constraints(table)
    }
    wanted = {
        (name, str(check.name), _values_in(str(check.sqltext)))
        for name, table in Base.metadata.tables.items()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    return sorted(there ^ wanted, key=repr)


def _values_in(condition: str) -> frozenset[str]:
    return frozenset(re.findall(r"'([^']*)'", condition))
