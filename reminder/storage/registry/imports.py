"""Imports of homes' sheets: their column mapping, their progress, and their rows, sealed until saved."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.imports import (
    END_READING,
    GIVE_UP_IMPORT,
    IMPORT_STATES,
    IN_WORK,
    START_CHECKING,
    START_SAVING,
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
from reminder.domain.model.state_machine import Move
from reminder.errors import ConflictError
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db import row_security, sealing
from reminder.storage.db.statements import among, insert_many, update_many
from reminder.storage.db.tables import IMPORT_CELLS, IMPORT_ROWS, Import, ImportRow
from reminder.storage.db.transitions import transition

CELLS = IMPORT_CELLS


@dataclass(frozen=True)
class ImportView:
    """An import of one sheet.

    `last_row`: the number of the last row that was checked, or saved; `done`: how many rows those are. `confirms_all`:
    somebody has confirmed every row that needs it.
    """

    id: int
    group_id: int
    member_id: int | None
    state: ImportState
    columns: Sequence[ImportColumn]
    mapping: ColumnMapping
    counts: RowCounts
    rows: int
    last_row: int
    done: int
    confirms_all: bool
    created_at: datetime


@dataclass(frozen=True)
class ImportRowView:
    """A row of a sheet.

    `cells`: by place, without refused values; empty once the row is saved. `reader_findings`: findings of the reader of
    the file; `findings`: those and the findings of the check.
    """

    number: int
    cells: Mapping[int, str]
    reader_findings: Sequence[Finding]
    status: RowStatus
    findings: Sequence[Finding]
    effect: RowEffect
    person_id: int | None
    is_confirmed: bool


@dataclass(frozen=True)
class NewRow:
    """A row from the reader of the file."""

    number: int
    cells: Mapping[int, str]
    findings: Sequence[Finding]


@dataclass(frozen=True)
class CheckedRow:
    """The result of checking a row. `fingerprint`: a keyed index of the person; None where the row is refused."""

    number: int
    status: RowStatus
    findings: Sequence[Finding]
    effect: RowEffect
    person_id: int | None
    fingerprint: bytes | None


_COLUMNS = (
    Import.id,
    Import.group_id,
    Import.member_id,
    Import.state,
    Import.columns,
    Import.mapping,
    Import.counts,
    Import.rows,
    Import.last_row,
    Import.done,
    Import.confirms_all,
    Import.created_at,
)


def _view(tx: Session, row: Row[*tuple[Any, ...]]) -> ImportView:
    columns = sealing.reader_of(tx, Import.columns)(row.columns)
    return ImportView(
        id=row.id,
        group_id=row.group_id,
        member_id=row.member_id,
        state=ImportState(row.state),
        columns=[
            ImportColumn(
                place=column["place"],
                letter=column["letter"],
                heading=column["heading"],
                use=ColumnUse(column["use"]),
                field=column["field"],
                is_hidden=column["is_hidden"],
                # Columns that an earlier version kept have none of these.
                why=column.get("why", ""),
                asked=column.get("asked", ""),
                guess=column.get("guess", ""),
                against=tuple(column.get("against", ())),
                memory=column.get("memory", ""),
            )
            for column in columns
        ],
        mapping=ColumnMapping({int(place): field for place, field in row.mapping.items()}),
        counts=RowCounts(**row.counts),
        rows=row.rows,
        last_row=row.last_row,
        done=row.done,
        confirms_all=row.confirms_all,
        created_at=row.created_at,
    )


def _columns_json(columns: Sequence[ImportColumn]) -> list[dict[str, Any]]:
    return [dict(vars(column)) for column in columns]


def _mapping_json(mapping: ColumnMapping) -> dict[str, Any]:
    return {str(place): field for place, field in mapping.by_place.items()}


def _counts_json(counts: RowCounts) -> dict[str, Any]:
    return {name: count for name, count in vars(counts).items() if count}


# Most of many rows have no findings: they share one list, which statements bind once.
_NOTHING: list[Any] = []


def _findings_json(findings: Sequence[Finding]) -> list[Any]:
    """Return the findings in their stored form; default values are left out."""
    if not findings:
        return _NOTHING
    return [
        {"code": finding.code, "level": finding.level.name.lower()}
        | ({} if finding.place is None else {"place": finding.place})
        | ({"details": dict(finding.details)} if finding.details else {})
        for finding in findings
    ]


def _findings(kept: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [Finding(one["code"], Level[one["level"].upper()], one.get("place"), one.get("details")) for one in kept]


# Imports.


def add(tx: Session, *, group_id: int, member_id: int | None, columns: Sequence[ImportColumn], now: datetime) -> int:
    """Add an import whose rows are about to come in; return its id."""
    row_token = new_row_token()
    added = insert(Import).values(
        group_id=group_id,
        member_id=member_id,
        state=ImportState.READING,
        row_token=row_token,
        columns=sealing.words(sealing.keys_of(tx), Import.columns, _columns_json(columns), row_token),
        columns_plain=[],
        mapping={},
        counts={},
        rows=0,
        last_row=0,
        done=0,
        created_at=now,
        changed_at=now,
    )
    return tx.execute(added.returning(Import.id)).scalar_one()


def find(tx: Session, import_id: int) -> ImportView | None:
    """Return the import, None where there is none."""
    row = tx.execute(select(*_COLUMNS).where(Import.id == import_id)).one_or_none()
    return None if row is None else _view(tx, row)


def lock(tx: Session, import_id: int) -> ImportView | None:
    """Return the import, locked until the transaction ends."""
    row = tx.execute(select(*_COLUMNS).where(Import.id == import_id).with_for_update()).one_or_none()
    return None if row is None else _view(tx, row)


def next_in_work(tx: Session, *, aside: Collection[int] = ()) -> int | None:
    """Return the id of the oldest import that is being checked or saved, locked.

    Those that another worker has locked are skipped, and those of `aside`.
    """
    query = (
        select(Import.id)
        .where(Import.state.in_(IN_WORK), ~among(Import.id, aside))
        .order_by(Import.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return tx.execute(query).scalar_one_or_none()


def of_group(tx: Session, group_id: int, *, limit: int = 20) -> list[ImportView]:
    """Return the newest imports of a group, the newest first."""
    query = select(*_COLUMNS).where(Import.group_id == group_id).order_by(Import.id.desc()).limit(limit)
    return [_view(tx, row) for row in tx.execute(query)]


def some_of_group(tx: Session, group_id: int, *, after: int, limit: int) -> list[ImportView]:
    """Return imports of a group with a higher id than `after`, the oldest first."""
    query = select(*_COLUMNS).where(Import.group_id == group_id, Import.id > after).order_by(Import.id).limit(limit)
    return [_view(tx, row) for row in tx.execute(query)]


def is_another_being_saved(tx: Session, group_id: int, import_id: int) -> bool:
    """Return whether an import of the group other than this one is being saved."""
    query = select(Import.id).where(
        Import.group_id == group_id, Import.state == ImportState.SAVING, Import.id != import_id
    )
    return tx.execute(query.limit(1)).first() is not None


def _make(tx: Session, move: Move[ImportState], import_id: int, now: datetime, **values: Any) -> None:
    """Make the move; raise ConflictError where the import is in no state that it leaves."""
    moving = transition(IMPORT_STATES, move, Import.id == import_id).values(**values, changed_at=now)
    moved = tx.execute(moving.returning(Import.id))
    if moved.first() is None:
        raise ConflictError("import_state", field="import")


def start_checking(tx: Session, import_id: int, mapping: ColumnMapping, counts: RowCounts, now: datetime) -> None:
    """Set the column mapping and check all rows from the first; raises ConflictError."""
    values = {"mapping": _mapping_json(mapping), "counts": _counts_json(counts), "last_row": 0, "done": 0}
    _make(tx, START_CHECKING, import_id, now, **values)


def start_saving(tx: Session, import_id: int, now: datetime, *, confirms_all: bool) -> None:
    """Begin to save all rows from the first; raises ConflictError."""
    _make(tx, START_SAVING, import_id, now, confirms_all=confirms_all, last_row=0, done=0)


def cancel(tx: Session, import_id: int, now: datetime) -> None:
    """Cancel the import; raises ConflictError where it is saved or cancelled already."""
    _make(tx, GIVE_UP_IMPORT, import_id, now)


def set_rows_read(tx: Session, import_id: int, rows: int, now: datetime) -> None:
    """Record how many rows have been read so far."""
    tx.execute(update(Import).where(Import.id == import_id).values(rows=rows, changed_at=now))


def end_reading(tx: Session, import_id: int, mapping: ColumnMapping, counts: RowCounts, now: datetime) -> None:
    """Record that all rows are stored, with the guessed column mapping; raises ConflictError."""
    values = {"mapping": _mapping_json(mapping), "counts": _counts_json(counts)}
    _make(tx, END_READING, import_id, now, **values)


def set_progress(tx: Session, import_id: int, counts: RowCounts, now: datetime, *, last_row: int, done: int) -> None:
    """Record that another batch of rows was checked or saved."""
    values = {"counts": _counts_json(counts), "last_row": last_row, "done": done, "changed_at": now}
    tx.execute(update(Import).where(Import.id == import_id).values(values))


def end_work(tx: Session, import_id: int, move: Move[ImportState], now: datetime) -> None:
    """Record that the last batch was checked or saved: `move` is END_CHECKING or END_SAVING. Raises ConflictError."""
    _make(tx, move, import_id, now)


def delete_rows(tx: Session, import_id: int) -> None:
    """Delete all rows of an import."""
    tx.execute(delete(ImportRow).where(ImportRow.import_id == import_id))


def delete_imports(tx: Session, import_ids: Collection[int]) -> None:
    """Delete imports with all their rows."""
    tx.execute(delete(ImportRow).where(ImportRow.import_id.in_(import_ids)))
    tx.execute(delete(Import).where(Import.id.in_(import_ids)))


# Rows.


def add_rows(tx: Session, keys: KeyRing, import_id: int, rows: Iterable[NewRow]) -> int:
    """Add rows with sealed cells; return how many there were."""
    values = []
    for row in rows:
        row_token = new_row_token()
        values.append(
            {
                "import_id": import_id,
                "number": row.number,
                "row_token": row_token,
                "cells_sealed": keys.seal(json.dumps(row.cells, ensure_ascii=False), CELLS, row_token),
                "reader_findings": _findings_json(row.findings),
                "findings": _NOTHING,
            }
        )
    insert_many(tx, IMPORT_ROWS, values)
    return len(values)


def analyse_rows(tx: Session) -> None:
    """Update PostgreSQL's statistics of the rows at once.

    By itself it does so only minutes later: until then every search for a second row of the same person would scan all
    rows of the sheet.
    """
    if tx.get_bind().dialect.name == "postgresql":
        # Only the owner of a table may.
        by_owner = "SELECT kigen_analyse_sheets()" if row_security.is_under_policies(tx) else "ANALYZE import_rows"
        tx.connection().exec_driver_sql(by_owner)


_ROW = (
    ImportRow.number,
    ImportRow.cells_sealed,
    ImportRow.reader_findings,
    ImportRow.status,
    ImportRow.findings,
    ImportRow.effect,
    ImportRow.person_id,
    ImportRow.is_confirmed,
)


def rows_after(tx: Session, keys: KeyRing, import_id: int, number: int, limit: int) -> list[ImportRowView]:
    """Return rows with a higher number than `number`, in the order of the sheet."""
    return _rows(tx, keys, select(*_ROW).where(ImportRow.import_id == import_id, ImportRow.number > number), limit)


def some_rows(
    tx: Session,
    keys: KeyRing,
    import_id: int,
    *,
    statuses: Collection[RowStatus] = (),
    effects: Collection[RowEffect] = (),
    after: int = 0,
    limit: int = 200,
) -> list[ImportRowView]:
    """Return rows with one of these statuses, or effects, in the order of the sheet; all rows where none is named."""
    query = select(*_ROW).where(ImportRow.import_id == import_id, ImportRow.number > after)
    if statuses:
        query = query.where(ImportRow.status.in_(list(statuses)))
    if effects:
        query = query.where(ImportRow.effect.in_(list(effects)))
    return _rows(tx, keys, query, limit)


def _rows(tx: Session, keys: KeyRing, query: Select[*tuple[Any, ...]], limit: int) -> list[ImportRowView]:
    read = sealing.reader(keys, ImportRow.findings)
    return [_row(keys, read, row) for row in tx.execute(query.order_by(ImportRow.number).limit(limit))]


def _row(keys: KeyRing, read: Callable[[Any], Any], row: Row[*tuple[Any, ...]]) -> ImportRowView:
    number, cells_sealed, reader_findings, status, findings, effect, person_id, is_confirmed = row
    cells = {}
    if cells_sealed is not None:
        cells = {int(place): text for place, text in json.loads(keys.open(cells_sealed)).items()}
    return ImportRowView(
        number=number,
        cells=cells,
        reader_findings=_findings(reader_findings),
        status=RowStatus(status),
        findings=_findings(read(findings)),
        effect=RowEffect(effect),
        person_id=person_id,
        is_confirmed=is_confirmed,
    )


def first_with_fingerprint(
    tx: Session, import_id: int, fingerprints: Collection[bytes], *, up_to: int
) -> dict[bytes, int]:
    """Return the number of the first row of the same person, by fingerprint.

    Only checked and unrefused rows up to the number `up_to` count.
    """
    rows = tx.execute(
        select(ImportRow.row_fingerprint, func.min(ImportRow.number))
        .where(ImportRow.import_id == import_id, ImportRow.row_fingerprint.in_(list(fingerprints)))
        .where(ImportRow.number <= up_to)
        .group_by(ImportRow.row_fingerprint)
    )
    return {fingerprint: number for fingerprint, number in rows if fingerprint is not None}


_KEYS = ("import_id", "number")


def set_checked(tx: Session, import_id: int, rows: Sequence[CheckedRow]) -> None:
    """Record the results of checking rows."""
    findings = _sealed_findings(tx, import_id, {row.number: row.findings for row in rows})
    values = [
        {
            "import_id": import_id,
            "number": row.number,
            "status": row.status,
            "findings_sealed": findings[row.number],
            "effect": row.effect,
            "person_id": row.person_id,
            "row_fingerprint": row.fingerprint,
        }
        for row in rows
    ]
    update_many(tx, IMPORT_ROWS, _KEYS, values)


def set_saved(tx: Session, import_id: int, people: Mapping[int, int | None]) -> None:
    """Record the person of each saved row, by row number, and erase the rows' cells."""
    saved = {"import_id": import_id, "status": RowStatus.SAVED, "cells_sealed": None, "row_fingerprint": None}
    update_many(
        tx,
        IMPORT_ROWS,
        _KEYS,
        [{**saved, "number": number, "person_id": person_id} for number, person_id in people.items()],
    )


def set_findings(tx: Session, import_id: int, findings: Mapping[int, Sequence[Finding]]) -> None:
    """Record all findings about rows, by row number."""
    values = [
        {"import_id": import_id, "number": number, "findings_sealed": sealed}
        for number, sealed in _sealed_findings(tx, import_id, findings).items()
    ]
    update_many(tx, IMPORT_ROWS, _KEYS, values)


def _sealed_findings(
    tx: Session, import_id: int, findings: Mapping[int, Sequence[Finding]]
) -> Mapping[int, bytes | None]:
    """Return the findings of each row, sealed for it; None where it has none."""
    sealed: dict[int, bytes | None] = dict.fromkeys(findings)
    numbers = [number for number, some in findings.items() if some]
    keys = sealing.keys_of(tx)
    for number, row_token in _tokens(tx, keys, import_id, numbers).items():
        said = _findings_json(findings[number])
        sealed[number] = sealing.words(keys, ImportRow.findings, said, row_token)
    return sealed


def _tokens(tx: Session, keys: KeyRing, import_id: int, numbers: Sequence[int]) -> Mapping[int, bytes]:
    """Return the tokens of rows, by number; a row of before gets one."""
    if not numbers:
        return {}
    query = select(ImportRow.number, ImportRow.row_token).where(
        ImportRow.import_id == import_id, among(ImportRow.number, numbers)
    )
    found = dict(list(tx.execute(query)))
    bare = [(import_id, number) for number, row_token in found.items() if row_token is None]
    if bare:
        sealing.bind_rows(tx, keys, sealing.seals_of(IMPORT_ROWS), bare)
        found = dict(list(tx.execute(query)))
    return {number: bytes(row_token) for number, row_token in found.items() if row_token is not None}


def confirm_rows(tx: Session, import_id: int, numbers: Collection[int]) -> None:
    """Record that somebody has confirmed these rows."""
    values = [{"import_id": import_id, "number": number, "is_confirmed": True} for number in set(numbers)]
    update_many(tx, IMPORT_ROWS, _KEYS, values)


def matched_people(tx: Session, import_id: int) -> set[int]:
    """Return the ids of the existing persons that rows of the sheet matched."""
    query = select(ImportRow.person_id).where(ImportRow.import_id == import_id, ImportRow.person_id.is_not(None))
    return {person_id for person_id in tx.scalars(query) if person_id is not None}
