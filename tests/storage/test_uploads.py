"""A home's sheet on its way: its rows wait, sealed, until they are saved or given up."""

from typing import Any

from reminder.storage import uploads
from reminder.storage.tables import Upload, UploadRow
from reminder.storage.uploads import Effect, UploadState
from tests.storage.conftest import HOUR, NOW, Rows


def with_rows(rows: Rows, upload: int, count: int = 3) -> int:
    given: list[tuple[int, dict[int, str], list[Any]]] = [
        (number, {0: f"名前{number}"}, []) for number in range(1, count + 1)
    ]
    assert uploads.add_rows(rows.tx, rows.keys, upload, given) == count
    return upload


def checked(number: int, person_id: int | None = None, verdict: str = "good") -> dict[str, Any]:
    of = {"number": number, "verdict": verdict, "findings": [], "effect": Effect.NEW}
    return {**of, "person_id": person_id, "likeness": f"like {number % 2}".encode()}


def test_an_upload_is_found_as_it_was_added_and_changed(rows: Rows) -> None:
    group = rows.group()
    member = rows.member(group)
    upload = uploads.add(rows.tx, group_id=group, member_id=member, columns=[{"name": "氏名"}], now=NOW)

    found = uploads.find(rows.tx, upload)

    assert found is not None
    assert (found.state, found.columns, found.mapping) == (UploadState.READING, [{"name": "氏名"}], {})
    assert uploads.find(rows.tx, upload + 1) is uploads.lock(rows.tx, upload + 1) is None
    uploads.change(rows.tx, upload, NOW + HOUR, mapping={0: "label"}, state=UploadState.CHECKING, rows=3)
    changed = uploads.lock(rows.tx, upload)
    assert changed is not None
    assert (changed.state, changed.mapping, changed.rows) == (UploadState.CHECKING, {0: "label"}, 3)
    assert rows.one(Upload.changed_at, upload) == NOW + HOUR


def test_uploads_of_a_group_are_listed_from_either_end(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.upload(group), rows.upload(group)
    rows.upload(rows.group("鈴木家"))

    assert [one.id for one in uploads.of_group(rows.tx, group)] == [second, first]
    assert [one.id for one in uploads.of_group(rows.tx, group, after=second)] == [first]
    assert [one.id for one in uploads.some_of_group(rows.tx, group, after=0, limit=1)] == [first]
    assert [one.id for one in uploads.some_of_group(rows.tx, group, after=first, limit=9)] == [second]


def test_the_next_upload_to_work_on_is_the_oldest_that_is_being_checked_or_saved(rows: Rows) -> None:
    group = rows.group()
    _reading, first, second = (rows.upload(group) for _ in range(3))
    assert uploads.next_working(rows.tx) is None
    for upload, state in ((first, UploadState.CHECKING), (second, UploadState.SAVING)):
        uploads.change(rows.tx, upload, NOW, state=state)

    found, other = uploads.next_working(rows.tx), uploads.next_working(rows.tx, but=[first])

    assert found is not None
    assert other is not None
    assert (found.id, other.id) == (first, second)


def test_rows_are_read_in_their_order_and_by_what_was_found(rows: Rows) -> None:
    group = rows.group()
    upload, person = with_rows(rows, rows.upload(group)), rows.person(group)
    uploads.count_rows(rows.tx)

    uploads.set_checked(rows.tx, upload, [checked(1, person), checked(2, verdict="asks"), checked(3)])
    uploads.agree(rows.tx, upload, [2])

    def numbers(**more: Any) -> list[int]:
        return [row.number for row in uploads.some_rows(rows.tx, rows.keys, upload, **more)]

    first, *_ = uploads.rows_after(rows.tx, rows.keys, upload, 0, 1)
    assert (first.number, first.cells, first.person_id, first.is_agreed) == (1, {0: "名前1"}, person, False)
    assert [row.number for row in uploads.rows_after(rows.tx, rows.keys, upload, 1, 9)] == [2, 3]
    assert [row.is_agreed for row in uploads.some_rows(rows.tx, rows.keys, upload, verdicts=["asks"])] == [True]
    assert numbers(effects=[Effect.NEW], after=1, limit=1) == [2]
    assert uploads.first_alike(rows.tx, upload, [b"like 1", b"like 0", b"like 9"]) == {b"like 1": 1, b"like 0": 2}
    assert uploads.matched(rows.tx, upload) == {person}


def test_the_cells_of_a_row_are_forgotten_when_it_is_saved(rows: Rows) -> None:
    group = rows.group()
    upload, person = with_rows(rows, rows.upload(group), 2), rows.person(group)

    uploads.set_saved(rows.tx, upload, {1: person, 2: None})

    saved = uploads.rows_after(rows.tx, rows.keys, upload, 0, 9)
    assert [(row.verdict, row.cells, row.person_id) for row in saved] == [("saved", {}, person), ("saved", {}, None)]
    assert rows.column(UploadRow.cells_sealed) == [None, None]


def test_an_upload_that_is_given_up_leaves_no_row(rows: Rows) -> None:
    group = rows.group()
    kept, forgotten, deleted = (with_rows(rows, rows.upload(group)) for _ in range(3))

    uploads.forget_rows(rows.tx, kept)
    uploads.forget_all(rows.tx, forgotten)
    uploads.delete_uploads(rows.tx, [deleted])

    assert rows.column(Upload.id) == [kept]
    assert rows.column(UploadRow.number) == []
