"""A home's sheet on its way in: its rows wait, sealed, until they are saved or given up."""

from typing import Any

import pytest

from reminder.domain.model.imports import (
    END_CHECKING,
    END_SAVING,
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
from reminder.errors import ConflictError
from reminder.storage.db.tables import Import, ImportRow
from reminder.storage.registry import imports
from reminder.storage.registry.imports import CheckedRow, NewRow
from tests.storage.conftest import HOUR, NOW, Rows

NAMES = ImportColumn(0, "A", "氏名", ColumnUse.MAPPED, "label", is_hidden=False)
MAPPING, COUNTS = ColumnMapping({0: "label"}), RowCounts(ignored=1)
HIDDEN = Finding("row_hidden", Level.NOTE)


def with_rows(rows: Rows, import_id: int, count: int = 3) -> int:
    given = [NewRow(number, {0: f"名前{number}"}, [HIDDEN] if number == 1 else []) for number in range(1, count + 1)]
    assert imports.add_rows(rows.tx, rows.keys, import_id, given) == count
    return import_id


def checked(number: int, person_id: int | None = None, status: RowStatus = RowStatus.ACCEPTED) -> CheckedRow:
    return CheckedRow(number, status, [], RowEffect.NEW, person_id, f"like {number % 2}".encode())


def test_an_import_is_found_as_it_was_added(rows: Rows) -> None:
    group = rows.group()
    member = rows.member(group)
    added = imports.add(rows.tx, group_id=group, member_id=member, columns=[NAMES], now=NOW)

    found = imports.find(rows.tx, added)

    assert found is not None
    assert (found.state, found.member_id, found.columns) == (ImportState.READING, member, [NAMES])
    assert (found.mapping, found.counts, found.rows) == (ColumnMapping(), RowCounts(), 0)
    assert imports.lock(rows.tx, added) == found
    assert imports.find(rows.tx, added + 1) is imports.lock(rows.tx, added + 1) is None


def test_an_import_goes_from_reading_to_saved_and_no_step_is_left_out(rows: Rows) -> None:
    group = rows.group()
    added = rows.sheet_import(group)

    def state() -> str:
        return str(rows.one(Import.state, added))

    with pytest.raises(ConflictError):
        imports.start_saving(rows.tx, added, NOW, confirms_all=True)
    imports.set_rows_read(rows.tx, added, 3, NOW + HOUR)
    assert (rows.one(Import.rows, added), rows.one(Import.changed_at, added)) == (3, NOW + HOUR)
    imports.end_reading(rows.tx, added, MAPPING, COUNTS, NOW)
    assert state() == ImportState.READ
    assert imports.next_in_work(rows.tx) is None

    imports.start_checking(rows.tx, added, MAPPING, COUNTS, NOW)
    imports.set_progress(rows.tx, added, RowCounts(accepted=2), NOW, last_row=2, done=2)
    assert imports.next_in_work(rows.tx, aside=[added]) is None
    assert imports.next_in_work(rows.tx) == added
    in_work = imports.find(rows.tx, added)
    assert in_work is not None
    assert (in_work.id, in_work.mapping, in_work.counts) == (added, MAPPING, RowCounts(accepted=2))
    assert (in_work.last_row, in_work.done) == (2, 2)
    imports.end_work(rows.tx, added, END_CHECKING, NOW)

    imports.start_saving(rows.tx, added, NOW, confirms_all=True)
    assert imports.is_another_being_saved(rows.tx, group, added + 1)
    assert not imports.is_another_being_saved(rows.tx, group, added)
    imports.end_work(rows.tx, added, END_SAVING, NOW)
    assert state() == ImportState.SAVED
    with pytest.raises(ConflictError):
        imports.cancel(rows.tx, added, NOW)


def test_an_import_is_given_up_once(rows: Rows) -> None:
    added = rows.sheet_import(rows.group())

    imports.cancel(rows.tx, added, NOW)

    assert rows.one(Import.state, added) == ImportState.CANCELLED
    with pytest.raises(ConflictError):
        imports.start_checking(rows.tx, added, MAPPING, COUNTS, NOW)


def test_imports_of_a_group_are_listed_from_either_end(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.sheet_import(group), rows.sheet_import(group)
    rows.sheet_import(rows.group("鈴木家"))

    assert [one.id for one in imports.of_group(rows.tx, group)] == [second, first]
    assert [one.id for one in imports.of_group(rows.tx, group, limit=1)] == [second]
    assert [one.id for one in imports.some_of_group(rows.tx, group, after=0, limit=1)] == [first]
    assert [one.id for one in imports.some_of_group(rows.tx, group, after=first, limit=9)] == [second]


def test_rows_are_read_in_their_order_and_by_what_was_found(rows: Rows) -> None:
    group = rows.group()
    added, person = with_rows(rows, rows.sheet_import(group)), rows.person(group)
    imports.analyse_rows(rows.tx)

    imports.set_checked(rows.tx, added, [checked(1, person), checked(2, status=RowStatus.WARNED), checked(3)])
    imports.confirm_rows(rows.tx, added, [2])
    imports.set_findings(rows.tx, added, {3: [Finding("date_odd", Level.CONFIRM, 0, {"year": 1926})]})

    def numbers(**more: Any) -> list[int]:
        return [row.number for row in imports.some_rows(rows.tx, rows.keys, added, **more)]

    (first,) = imports.rows_after(rows.tx, rows.keys, added, 0, 1)
    assert (first.cells, first.person_id, first.reader_findings) == ({0: "名前1"}, person, [HIDDEN])
    second, third = imports.rows_after(rows.tx, rows.keys, added, 1, 9)
    assert (second.number, second.is_confirmed, third.is_confirmed) == (2, True, False)
    assert third.findings == [Finding("date_odd", Level.CONFIRM, 0, {"year": 1926})]
    assert [one.number for one in imports.some_rows(rows.tx, rows.keys, added, statuses=[RowStatus.WARNED])] == [2]
    assert numbers(effects=[RowEffect.NEW], after=1, limit=1) == [2]
    assert imports.matched_people(rows.tx, added) == {person}


def test_the_first_row_of_the_same_person_is_found_among_those_so_far(rows: Rows) -> None:
    added = with_rows(rows, rows.sheet_import(rows.group()))
    imports.set_checked(rows.tx, added, [checked(number) for number in (1, 2, 3)])
    asked = [b"like 1", b"like 0", b"like 9"]

    assert imports.first_with_fingerprint(rows.tx, added, asked, up_to=3) == {b"like 1": 1, b"like 0": 2}
    assert imports.first_with_fingerprint(rows.tx, added, asked, up_to=1) == {b"like 1": 1}


def test_the_cells_of_a_row_are_erased_when_it_is_saved(rows: Rows) -> None:
    group = rows.group()
    added, person = with_rows(rows, rows.sheet_import(group), 2), rows.person(group)

    imports.set_saved(rows.tx, added, {1: person, 2: None})

    saved = imports.rows_after(rows.tx, rows.keys, added, 0, 9)
    assert [(row.status, row.cells, row.person_id) for row in saved] == [
        (RowStatus.SAVED, {}, person),
        (RowStatus.SAVED, {}, None),
    ]
    assert rows.column(ImportRow.cells_sealed) == [None, None]


def test_the_cells_of_a_row_that_is_to_be_returned_are_kept_when_it_is_saved(rows: Rows) -> None:
    group = rows.group()
    added, person = with_rows(rows, rows.sheet_import(group), 2), rows.person(group)
    before = imports.rows_after(rows.tx, rows.keys, added, 0, 9)

    imports.set_saved(rows.tx, added, {1: person, 2: None}, to_return=[1])

    saved = imports.rows_after(rows.tx, rows.keys, added, 0, 9)
    assert [(row.status, row.cells) for row in saved] == [
        (RowStatus.SAVED, before[0].cells),
        (RowStatus.SAVED, {}),
    ]
    assert saved[0].cells


def test_what_is_deleted_leaves_no_row(rows: Rows) -> None:
    group = rows.group()
    kept, deleted = (with_rows(rows, rows.sheet_import(group)) for _ in range(2))

    imports.delete_rows(rows.tx, kept)
    imports.delete_imports(rows.tx, [deleted])

    assert rows.column(Import.id) == [kept]
    assert rows.column(ImportRow.number) == []
