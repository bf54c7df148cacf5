"""The schema's version: bringing a database up to date, and refusing to work on one that is not."""

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
from reminder.storage.db.session import SCHEMA_LOCK, Database, reachable
from reminder.storage.db.tables import Base


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    return config


@cache  # the files travel with the program
def newest() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def present(database: Database) -> str | None:
    """The version the database is at; None when it is empty."""
    with reachable(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database) -> None:
    """Brings the database to the newest version; one process at a time. Raises DatabaseNotReadyError for one that a
    newer program has made."""
    at = present(database)
    if at == newest():
        return
    if at is not None and at not in _known():
        raise DatabaseNotReadyError("database_ahead")
    move(database, command.upgrade, "head")


def move(database: Database, command: Callable[[Config, str], None], version: str) -> None:
    """`command`: Alembic's upgrade or downgrade. All of it or nothing is done."""
    with _changing(database) as (_, config):
        command(config, version)


@contextmanager
def _changing(database: Database) -> Iterator[tuple[Connection, Config]]:
    """One transaction for all that is done to the tables."""
    config = _config()
    writing = database.engine.execution_options(kigen_writes=True)
    with reachable(), writing.connect() as connection, _references_at_rest(connection), connection.begin():
        if not database.is_sqlite:
            # Two releases at once would both try; the second waits and then finds nothing to do. Whoever is writing
            # ends first, and whoever begins to write waits, and then finds out.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        config.attributes["connection"] = connection
        yield connection, config
        if database.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise DatabaseNotReadyError("database_unreachable", reason="foreign_key_check")


@dataclass(frozen=True)
class SchemaBuild:
    """A database whose tables are being made: at one version, filled by whoever does, and on to the next."""

    connection: Connection
    _config: Config

    def up_to(self, version: str) -> None:
        command.upgrade(self._config, version)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """What is written inside is kept, or not, with everything else."""
        with Session(self.connection) as tx:
            yield tx
            tx.flush()


@contextmanager
def building(database: Database) -> Iterator[SchemaBuild]:
    """Kept at the end of the block, all or nothing. Raises ConflictError where a row or somebody else's table is in the
    database already."""
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
    return version in _known()


@contextmanager
def _references_at_rest(connection: Connection) -> Iterator[None]:
    """SQLite changes some tables by making them anew; dropping the old one would delete all that refers to its rows.
    Only outside a transaction can that be switched off."""
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
    """Raises DatabaseNotReadyError: an old program must not write into a newer database, nor the other way."""
    at = present(database)
    if at == newest():
        return
    raise DatabaseNotReadyError("database_behind" if at is None or at in _known() else "database_ahead")


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def differences(database: Database) -> list[object]:
    """Return what the tables in the code have and the database has not, or the other way round."""
    with reachable(), database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [*compare_metadata(context, Base.metadata), *_different_checks(connection)]


def _different_checks(connection: Connection) -> list[tuple[str, str, frozenset[str]]]:
    """Return the table, the name and the values of each CHECK that only one of the two has.

    Each database spells a condition in its own way, but both keep the values that it names.
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
