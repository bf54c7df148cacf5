"""Sheets on their way in: what their columns mean, how far they have come, and their rows, sealed until saved."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from reminder.storage.keys import KeyRing
from reminder.storage.statements import insert_many, update_many
from reminder.storage.tables import UPLOAD_ROWS, Upload, UploadRow

CELLS = "upload_rows.cells"


class UploadState(StrEnum):
    READING = "reading"  # its rows come in; one that stays so was broken off
    READ = "read"  # waits for somebody to say what its columns mean
    CHECKING = "checking"
    CHECKED = "checked"  # waits for somebody to say that it is to be saved
    SAVING = "saving"
    SAVED = "saved"
    CANCELLED = "cancelled"


WORKING = (UploadState.CHECKING, UploadState.SAVING)


class Effect(StrEnum):
    """What saving a row does."""

    NONE = ""
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class UploadView:
    """`mapping`: by place of a column, the field it holds. `reached`: the number of the last row that was worked off.
    `counts`: rows by verdict and by effect."""

    id: int
    group_id: int
    member_id: int | None
    state: UploadState
    columns: Sequence[Mapping[str, Any]]
    mapping: Mapping[int, str]
    counts: Mapping[str, int]
    rows: int
    reached: int
    done: int
    says_yes: bool
    created_at: datetime


@dataclass(frozen=True)
class StoredRow:
    """`cells`: by place, without what was refused; empty once the row is saved. `facts`, `findings`: (code, level,
    place, details)."""

    number: int
    cells: Mapping[int, str]
    facts: Sequence[Sequence[Any]]
    verdict: str
    findings: Sequence[Sequence[Any]]
    effect: Effect
    person_id: int | None
    is_agreed: bool


_COLUMNS = (
    Upload.id,
    Upload.group_id,
    Upload.member_id,
    Upload.state,
    Upload.columns,
    Upload.mapping,
    Upload.counts,
    Upload.rows,
    Upload.reached,
    Upload.done,
    Upload.says_yes,
    Upload.created_at,
)


def _view(row: Any) -> UploadView:
    values = dict(row._mapping)
    values["state"] = UploadState(values["state"])
    values["mapping"] = {int(place): field for place, field in values["mapping"].items()}
    return UploadView(**values)


def add(
    tx: Session, *, group_id: int, member_id: int | None, columns: Sequence[Mapping[str, Any]], now: datetime
) -> int:
    upload = Upload(
        group_id=group_id,
        member_id=member_id,
        state=UploadState.READING,
        columns=list(columns),
        mapping={},
        counts={},
        rows=0,
        reached=0,
        done=0,
        created_at=now,
        changed_at=now,
    )
    tx.add(upload)
    tx.flush()
    return upload.id


def add_rows(
    tx: Session, keys: KeyRing, upload_id: int, rows: Iterable[tuple[int, Mapping[int, str], list[Any]]]
) -> int:
    """(number, cells by place, facts) of each; how many they were."""
    nothing: list[Any] = []
    values = [
        {
            "upload_id": upload_id,
            "number": number,
            "cells_sealed": keys.seal(json.dumps(cells, ensure_ascii=False), CELLS),
            "facts": facts,
            "findings": nothing,
        }
        for number, cells, facts in rows
    ]
    insert_many(tx, UPLOAD_ROWS, values)
    return len(values)


def count_rows(tx: Session) -> None:
    """PostgreSQL plans by what it has counted, and counts by itself only minutes later: until then every look for a
    second row of the same person would go through all of the sheet's."""
    if tx.get_bind().dialect.name == "postgresql":
        tx.connection().exec_driver_sql("ANALYZE upload_rows")


def find(tx: Session, upload_id: int) -> UploadView | None:
    row = tx.execute(select(*_COLUMNS).where(Upload.id == upload_id)).one_or_none()
    return None if row is None else _view(row)


def of_group(tx: Session, group_id: int, *, after: int = 0, limit: int = 20) -> list[UploadView]:
    """Newest first; `after`: only older ones than this."""
    query = select(*_COLUMNS).where(Upload.group_id == group_id).order_by(Upload.id.desc()).limit(limit)
    if after:
        query = query.where(Upload.id < after)
    return [_view(row) for row in tx.execute(query)]


def some_of_group(tx: Session, group_id: int, *, after: int, limit: int) -> list[UploadView]:
    """Oldest first."""
    query = select(*_COLUMNS).where(Upload.group_id == group_id, Upload.id > after).order_by(Upload.id).limit(limit)
    return [_view(row) for row in tx.execute(query)]


def next_working(tx: Session, *, but: Collection[int] = ()) -> UploadView | None:
    """Locked until the transaction ends; one that another worker has in hand is passed over."""
    query = (
        select(*_COLUMNS)
        .where(Upload.state.in_(WORKING), Upload.id.not_in(list(but)))
        .order_by(Upload.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _view(row)


def lock(tx: Session, upload_id: int) -> UploadView | None:
    row = tx.execute(select(*_COLUMNS).where(Upload.id == upload_id).with_for_update()).one_or_none()
    return None if row is None else _view(row)


def change(tx: Session, upload_id: int, now: datetime, **values: Any) -> None:
    if "mapping" in values:
        values["mapping"] = {str(place): field for place, field in values["mapping"].items()}
    tx.execute(update(Upload).where(Upload.id == upload_id).values(**values, changed_at=now))


_ROW = (
    UploadRow.number,
    UploadRow.cells_sealed,
    UploadRow.facts,
    UploadRow.verdict,
    UploadRow.findings,
    UploadRow.effect,
    UploadRow.person_id,
    UploadRow.is_agreed,
)


def rows_after(tx: Session, keys: KeyRing, upload_id: int, number: int, limit: int) -> list[StoredRow]:
    query = (
        select(*_ROW)
        .where(UploadRow.upload_id == upload_id, UploadRow.number > number)
        .order_by(UploadRow.number)
        .limit(limit)
    )
    return [_stored(keys, *row) for row in tx.execute(query)]


def some_rows(
    tx: Session,
    keys: KeyRing,
    upload_id: int,
    *,
    verdicts: Collection[str] = (),
    effects: Collection[Effect] = (),
    after: int = 0,
    limit: int = 200,
) -> list[StoredRow]:
    """Those of one of these verdicts, or effects; of all where none is named."""
    query = select(*_ROW).where(UploadRow.upload_id == upload_id, UploadRow.number > after)
    if verdicts:
        query = query.where(UploadRow.verdict.in_(list(verdicts)))
    if effects:
        query = query.where(UploadRow.effect.in_(list(effects)))
    query = query.order_by(UploadRow.number).limit(limit)
    return [_stored(keys, *row) for row in tx.execute(query)]


def _stored(
    keys: KeyRing,
    number: int,
    cells_sealed: bytes | None,
    facts: Sequence[Sequence[Any]],
    verdict: str,
    findings: Sequence[Sequence[Any]],
    effect: str,
    person_id: int | None,
    is_agreed: bool,
) -> StoredRow:
    cells = {}
    if cells_sealed is not None:
        cells = {int(place): text for place, text in json.loads(keys.open(cells_sealed, CELLS)).items()}
    return StoredRow(number, cells, facts, verdict, findings, Effect(effect), person_id, is_agreed)


def first_alike(tx: Session, upload_id: int, likenesses: Collection[bytes]) -> dict[bytes, int]:
    """The first row of each likeness among those that were checked and not refused."""
    rows = tx.execute(
        select(UploadRow.likeness, func.min(UploadRow.number))
        .where(UploadRow.upload_id == upload_id, UploadRow.likeness.in_(list(likenesses)))
        .group_by(UploadRow.likeness)
    )
    return {likeness: number for likeness, number in rows if likeness is not None}


_KEYS = ("upload_id", "number")


def set_checked(tx: Session, upload_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each: number, verdict, findings, effect, person_id, likeness."""
    update_many(tx, UPLOAD_ROWS, _KEYS, [{"upload_id": upload_id, **row} for row in rows])


def set_saved(tx: Session, upload_id: int, people: Mapping[int, int | None]) -> None:
    """By row number, whom it became; its cells are forgotten at once."""
    done = {"upload_id": upload_id, "verdict": "saved", "cells_sealed": None, "likeness": None}
    update_many(
        tx, UPLOAD_ROWS, _KEYS, [{**done, "number": number, "person_id": person} for number, person in people.items()]
    )


def agree(tx: Session, upload_id: int, numbers: Collection[int]) -> None:
    tx.execute(
        update(UploadRow)
        .where(UploadRow.upload_id == upload_id, UploadRow.number.in_(list(numbers)))
        .values(is_agreed=True)
    )


def forget_rows(tx: Session, upload_id: int) -> None:
    tx.execute(delete(UploadRow).where(UploadRow.upload_id == upload_id))


def forget_all(tx: Session, upload_id: int) -> None:
    forget_rows(tx, upload_id)
    tx.execute(delete(Upload).where(Upload.id == upload_id))


def matched(tx: Session, upload_id: int) -> set[int]:
    """The persons that the rows of a sheet were found to be."""
    query = select(UploadRow.person_id).where(UploadRow.upload_id == upload_id, UploadRow.person_id.is_not(None))
    return {person_id for person_id in tx.scalars(query) if person_id is not None}


def delete_uploads(tx: Session, upload_ids: Collection[int]) -> None:
    """With all their rows."""
    tx.execute(delete(UploadRow).where(UploadRow.upload_id.in_(upload_ids)))
    tx.execute(delete(Upload).where(Upload.id.in_(upload_ids)))
