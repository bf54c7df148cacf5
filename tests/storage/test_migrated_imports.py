"""Imports that waited in a database of an older version go on in a newer one, with all that was found out about them."""

import json
from typing import Any

import pytest
from alembic import command

from reminder.domain.model.imports import (
    ColumnMapping,
    ColumnUse,
    Finding,
    ImportColumn,
    ImportState,
    Level,
    RowCounts,
    RowEffect,
    RowStatus,
)
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.registry import imports

AT = "2026-11-23 00:00:00+00:00"
COLUMNS = [
    {"place": 0, "letter": "A", "heading": "居室", "fate": "mapped", "field": "room", "hidden": False},
    {"place": 1, "letter": "B", "heading": "備考", "fate": "forgotten", "field": "notes", "hidden": False},
    {"place": 2, "letter": "C", "heading": "番号", "fate": "refused", "field": "", "hidden": True},
    {"place": 3, "letter": "D", "heading": "期日", "fate": "unknown", "field": "", "hidden": False},
]
FACTS = [["forbidden_number", 3, 1, {"looks_like": "my_number"}], ["row_hidden", 2, None, None]]
FOUND = [*FACTS, ["date_not_birthday", 0, 3, None], ["consent_missing", 1, None, None]]


def as_of_0009(database: Database, keys: KeyRing) -> None:
    """A sheet that was checked: its rows as that version kept them."""
    cells = keys.seal(json.dumps({"0": "203", "3": "2027-02-20"}), "upload_rows.cells")
    rows: list[dict[str, Any]] = [
        {"number": 2, "cells": cells, "facts": "[]", "verdict": "", "findings": "[]", "effect": "", "agreed": False},
        {
            "number": 3,
            "cells": None,
            "facts": json.dumps(FACTS),
            "verdict": "warned",
            "findings": json.dumps(FOUND),
            "effect": "changed",
            "agreed": True,
        },
    ]
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        driver = "%(x)s" if connection.dialect.name == "postgresql" else ":x"
        mark = lambda name: driver.replace("x", name)  # noqa: E731

        def run(sql: str, **values: object) -> None:
            connection.exec_driver_sql(sql.format(**{name: mark(name) for name in values}), values)

        run("INSERT INTO groups (id, name, kind, created_at) VALUES (1, '里', 'home', {at})", at=AT)
        run(
            "INSERT INTO uploads (id, group_id, state, columns, mapping, counts, rows, reached, done, says_yes,"
            " created_at, changed_at) VALUES (7, 1, 'checked', {columns}, {mapping}, {counts}, 2, 3, 2, TRUE, {at}, {at})",
            columns=json.dumps(COLUMNS),
            mapping='{"0": "room", "3": "card:passport"}',
            counts='{"ignored": 1, "warned": 1, "asks": 1, "changed": 1}',
            at=AT,
        )
        for row in rows:
            run(
                "INSERT INTO upload_rows (upload_id, number, cells_sealed, likeness, facts, verdict, findings, effect,"
                " is_agreed) VALUES (7, {number}, {cells}, {likeness}, {facts}, {verdict}, {findings}, {effect},"
                " {agreed})",
                likeness=b"who",
                **row,
            )


@pytest.fixture
def keys() -> KeyRing:
    return read_keys([new_key()])


def test_a_sheet_that_waited_goes_on_with_its_findings_by_name(empty_database_url: str, keys: KeyRing) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0009")
    as_of_0009(database, keys)

    schema.migrate(database)

    with database.reading() as tx:
        kept = imports.find(tx, 7)
        first, second = imports.rows_after(tx, keys, 7, 0, 10)
    assert kept is not None
    assert kept.state is ImportState.CHECKED
    assert kept.columns == [
        ImportColumn(0, "A", "居室", ColumnUse.MAPPED, "room", is_hidden=False),
        ImportColumn(1, "B", "備考", ColumnUse.DISCARDED, "notes", is_hidden=False),
        ImportColumn(2, "C", "番号", ColumnUse.REFUSED, "", is_hidden=True),
        ImportColumn(3, "D", "期日", ColumnUse.UNKNOWN, "", is_hidden=False),
    ]
    assert kept.mapping == ColumnMapping({0: "room", 3: "card:passport"})
    assert kept.counts == RowCounts(ignored=1, warned=1, needs_confirmation=1, changed=1)
    assert (kept.rows, kept.last_row, kept.done, kept.confirms_all) == (2, 3, 2, True)
    assert (first.cells, first.status, first.effect, first.findings) == (
        {0: "203", 3: "2027-02-20"},
        RowStatus.UNCHECKED,
        RowEffect.NONE,
        [],
    )
    reader_findings = [
        Finding("forbidden_number", Level.REFUSE, 1, {"looks_like": "my_number"}),
        Finding("row_hidden", Level.CONFIRM),
    ]
    assert second.reader_findings == reader_findings
    assert second.findings == [
        *reader_findings,
        Finding("date_not_birthday", Level.NOTE, 3),
        Finding("consent_missing", Level.WARN),
    ]
    assert (second.status, second.effect, second.is_confirmed) == (RowStatus.WARNED, RowEffect.CHANGED, True)
    database.close()


def test_taken_back_and_made_again_a_sheet_is_the_same(empty_database_url: str, keys: KeyRing) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0009")
    as_of_0009(database, keys)
    schema.migrate(database)
    with database.reading() as tx:
        before = imports.find(tx, 7), imports.rows_after(tx, keys, 7, 0, 10)

    schema.move(database, command.downgrade, "0009")
    schema.migrate(database)

    with database.reading() as tx:
        assert (imports.find(tx, 7), imports.rows_after(tx, keys, 7, 0, 10)) == before
    assert schema.differences(database) == []
    database.close()


def test_an_import_after_the_change_gets_an_id_that_no_sheet_had(empty_database_url: str, keys: KeyRing) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0009")
    as_of_0009(database, keys)
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('uploads', 'id'), 7)")

    schema.migrate(database)

    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO imports (group_id, state, columns, mapping, counts, rows, last_row, done, created_at,"
            f" changed_at) VALUES (1, 'read', '[]', '{{}}', '{{}}', 0, 0, 0, '{AT}', '{AT}')"
        )
        assert connection.exec_driver_sql("SELECT max(id) FROM imports").scalar_one() == 8
    database.close()
