"""An id is never given twice, on either database: what was deleted may still be named outside."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Boolean, Connection, Date, DateTime, Integer, LargeBinary, String, Table, inspect

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import schema, sqlite_ids
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Base
from reminder.storage.registry import people
from tests.storage.conftest import Rows

# Every table to which the database gives ids.
COUNTED = [table for table in Base.metadata.sorted_tables if [key.name for key in table.primary_key] == ["id"]]


@pytest.fixture
def file(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def value_for(column: object, turn: int) -> object:
    kind = column.type  # type: ignore[attr-defined]
    for of, value in (
        (Boolean, 0), (DateTime, "2026-12-01 00:00:00.000000"), (Date, "2026-12-01"), (LargeBinary, bytes([turn])),
        (Integer, turn), (String, str(turn)),
    ):  # fmt: skip
        if isinstance(kind, of) or isinstance(getattr(kind, "impl_instance", None), of):
            return value
    return str(turn)


def add(connection: Connection, table: Table, turn: int) -> int:
    """A row of any table, whatever it would mean; returns the id that the database gave it."""
    needed = [column for column in table.columns if not column.nullable and column.name != "id"]
    names = ", ".join(f'"{column.name}"' for column in needed)
    places = ", ".join("?" * len(needed))
    sql = f'INSERT INTO "{table.name}" ({names}) VALUES ({places}) RETURNING id'
    return int(connection.exec_driver_sql(sql, tuple(value_for(one, turn) for one in needed)).scalar_one())


@pytest.mark.parametrize("table", COUNTED, ids=lambda table: table.name)
def test_no_table_gives_an_id_again_after_its_last_row_or_all_rows_are_gone(file: Database, table: Table) -> None:
    with file.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        for rest in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
            driver.execute(f"PRAGMA {rest}")
        given = [add(connection, table, turn) for turn in (1, 2, 3)]
        connection.exec_driver_sql(f'DELETE FROM "{table.name}" WHERE id = 3')
        given.append(add(connection, table, 3))
        connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
        connection.commit()
        driver.execute("VACUUM")
        given.append(add(connection, table, 4))
        connection.rollback()

    assert given == [1, 2, 3, 4, 5]


def test_every_counted_table_goes_on_where_it_was_after_migrations_are_taken_back_and_made_again(
    file: Database,
) -> None:
    with file.engine.execution_options(kigen_writes=True).begin() as connection:
        sqlite_ids.count_from(connection, {table.name: 40 for table in COUNTED})

    schema.move(file, command.downgrade, "0024")
    with file.engine.connect() as connection:
        # A table that was dropped with its migration is another one afterwards.
        stayed = {table.name for table in COUNTED} & {*inspect(connection).get_table_names()}
    schema.migrate(file)

    assert schema.differences(file) == []
    assert {"messages", "contacts", "cards", "people"} <= stayed
    with file.engine.connect() as connection:
        assert {name: sqlite_ids.next_id(connection, name) for name in stayed} == dict.fromkeys(stayed, 41)


def test_a_table_that_a_migration_made_anew_counts_again_and_keeps_its_rows_and_indexes(
    database: Database, keys: KeyRing
) -> None:
    with database.writing() as tx:
        rows = Rows(tx, keys)
        kept = rows.person(rows.group())
        erased = rows.person(1, "母")
        tx.connection().exec_driver_sql("DELETE FROM people WHERE id = 2")
        assert erased == 2
    if database.is_sqlite:
        with schema._changing(database) as (connection, _):
            given = sqlite_ids.last_ids(connection)
            sql, *others = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE tbl_name = 'people' AND sql IS NOT NULL ORDER BY type <> 'table'"
            ).scalars()
            for statement in (
                sql.replace(" AUTOINCREMENT", "").replace('"people"', "people_anew", 1),
                "INSERT INTO people_anew SELECT * FROM people",
                "DROP TABLE people",
                "ALTER TABLE people_anew RENAME TO people",
                *others,
            ):
                connection.exec_driver_sql(statement)
            assert sqlite_ids.next_id(connection, "people") is None
            sqlite_ids.never_reuse(connection, given)

    assert schema.differences(database) == []
    with database.writing() as tx:
        added = Rows(tx, keys).person(1, "祖母")
        assert (kept, erased, added) == (1, 2, 3)
        assert [person.id for person in people.of_group(tx, 1)] == [1, 3]


def test_an_older_file_learns_from_its_activity_log_which_ids_were_given(
    empty_database_url: str, keys: KeyRing
) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0024")
    at = "2026-11-23 00:00:00"
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        # The group with this id was erased before; only the log still names it.
        connection.exec_driver_sql(f"INSERT INTO activity_log (id, at, act, group_id) VALUES (1, '{at}', 'erased', 7)")

    schema.migrate(database)

    if database.is_sqlite:
        with database.writing() as tx:
            assert sqlite_ids.last_ids(tx.connection())["groups"] == 7
            sqlite_ids.count_from(tx.connection(), {"groups": 9})
            assert Rows(tx, keys).group() == 10
    database.close()
