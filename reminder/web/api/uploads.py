"""Sheets by the API: sent in, checked, their good rows saved. The worker goes on with them while the program asks."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, ConfigDict, Field

from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.enrolment import bulk
from reminder.enrolment.spreadsheet import MOST_ROWS, read_sheet
from reminder.errors import RefusedInputError
from reminder.storage import owned, uploads
from reminder.storage.uploads import Effect, UploadState, UploadView
from reminder.web.api.operation import PREFIX, Caller, Changes, Operation
from reminder.web.api.shapes import Id, In, Instant, Listed, Out, Paged, part, whole

router = APIRouter(prefix=PREFIX, tags=["uploads"], route_class=Operation)
TAKES_SHEETS = (f"{PREFIX}/uploads",)

Letter = Annotated[str, Field(min_length=1, max_length=3, pattern="^[A-Z]+$", description="Of a column: A, B … AA.")]
Holds = Annotated[str, Field(max_length=60, pattern="^[a-z0-9_:]*$", description="What it holds; empty for nothing.")]
RowNumber = Annotated[int, Field(ge=1, le=9_999_999), BeforeValidator(whole)]
SheetName = Annotated[
    str, Query(alias="sheet", max_length=60, description="The name of the sheet, where it is not the first.")
]


class CheckIn(In):
    """What the columns hold; those left out stay as they were guessed, or as your group said last time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"columns": {}}]})
    columns: Annotated[dict[Letter, Holds], Field(default_factory=dict)]


class SaveIn(In):
    """Good rows are saved. `rows`: those that ask and whose answer is yes; `all`: yes to every one of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [], "all": False}]})
    rows: Annotated[list[RowNumber], Field(default_factory=list, max_length=MOST_ROWS)]
    all: bool = False


class ColumnOut(Out):
    """One column: what stands over it, and what is taken from it. `fate` refused: a column of numbers, which was never
    read; forgotten: read and not kept."""

    letter: str
    heading: str
    fate: str
    holds: str | None


class UploadOut(Out):
    """A sheet on its way in. `counts`: rows by verdict (accepted, warned, refused; asks: of the warned, those that are
    saved only with a yes) and by effect (new, changed, unchanged, saved). `done` of `rows`: how far the worker is."""

    id: int
    state: UploadState
    rows: int
    done: int
    counts: dict[str, int]
    columns: list[ColumnOut]
    created_at: Instant


class RowOut(Out):
    """What becomes of one row of the sheet. `cell`: where it is wrong; `sentences`: what to do about it."""

    row: int
    verdict: str
    effect: Effect
    cell: str | None
    codes: list[str]
    sentences: list[str]
    asks: bool
    person_id: int | None


@router.get("/uploads")
def list_uploads(caller: Changes, page: Paged) -> Listed[UploadOut]:
    """The sheets that were sent in during the last days."""
    with caller.app.database.reading() as tx:
        found = uploads.some_of_group(tx, caller.who.group_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[_shown(row) for row in rows], next=after)


@router.post("/uploads", status_code=201)
def send_sheet(
    caller: Changes,
    content: Annotated[
        bytes, Body(media_type="application/octet-stream", description="A CSV or XLSX file as it is, up to 20 MB.")
    ] = b"",
    sheet: SheetName = "",
) -> UploadOut:
    """Reads a sheet. Columns of numbers are not read at all; nothing else is checked yet, and nobody is enrolled."""
    app = caller.app
    read = read_sheet(content, app.rules.headings, sheet=sheet or None)
    upload_id = bulk.begin(
        app.database, app.keys, app.clock.now(), group_id=caller.who.group_id, sheet=read, by=caller.who.member_id
    )
    return _look_up(caller, upload_id)


@router.get("/uploads/{upload_id}")
def get_upload(caller: Changes, upload_id: Id) -> UploadOut:
    """How far a sheet has come."""
    return _look_up(caller, upload_id)


@router.post("/uploads/{upload_id}/check")
def check_sheet(caller: Changes, upload_id: Id, given: CheckIn) -> UploadOut:
    """Begins to check every row; also once more, with other columns. The answer comes before the work is done."""
    app = caller.app
    with app.database.reading() as tx:
        upload = owned.upload(tx, caller.who, upload_id)
    places = {str(column["letter"]): int(column["place"]) for column in upload.columns}
    if not given.columns.keys() <= places.keys():
        raise RefusedInputError("column_unknown", field="columns")
    mapping = {**upload.mapping, **{places[letter]: holds for letter, holds in given.columns.items()}}
    bulk.set_mapping(app.database, app.rules, app.clock.now(), upload_id=upload_id, mapping=mapping)
    return _look_up(caller, upload_id)


@router.get("/uploads/{upload_id}/rows")
def list_rows(caller: Changes, upload_id: Id, page: Paged) -> Listed[RowOut]:
    """What becomes of each row, in the order of the sheet; `after` is the number of a row."""
    app = caller.app
    with app.database.reading() as tx:
        upload = owned.upload(tx, caller.who, upload_id)
        found = uploads.rows_after(tx, app.keys, upload_id, page.after, page.limit + 1)
    reports = [bulk.report_of(app.rules, upload, row, caller.language) for row in found[: page.limit]]
    return Listed(
        items=[
            RowOut(
                row=one.number,
                verdict=one.verdict,
                effect=one.effect,
                cell=one.cell,
                codes=list(one.codes),
                sentences=list(one.sentences),
                asks=one.asks,
                person_id=one.person_id,
            )
            for one in reports
        ],
        next=reports[-1].number if len(found) > page.limit else None,
    )


@router.post("/uploads/{upload_id}/save")
def save_sheet(caller: Changes, upload_id: Id, given: SaveIn) -> UploadOut:
    """Begins to save what was checked. The answer comes before the work is done."""
    app = caller.app
    _look_up(caller, upload_id)
    bulk.save(app.database, app.clock.now(), upload_id=upload_id, agreed=given.rows, all_agreed=given.all)
    return _look_up(caller, upload_id)


@router.post("/uploads/{upload_id}/cancel")
def cancel_sheet(caller: Changes, upload_id: Id) -> UploadOut:
    """Gives a sheet up: its rows are forgotten at once. Who was saved before stays."""
    _look_up(caller, upload_id)
    bulk.cancel(caller.app.database, caller.app.clock.now(), upload_id=upload_id, by=caller.who.member_id)
    return _look_up(caller, upload_id)


_FILE: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows that were not taken, with why: to be mended and sent again.",
        "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/uploads/{upload_id}/not-taken", response_class=Response, responses=dict(_FILE))
def get_not_taken(caller: Changes, upload_id: Id) -> Response:
    """The rows that were not taken as an Excel file, without what was refused or is never kept."""
    app = caller.app
    with app.database.reading() as tx:
        upload = owned.upload(tx, caller.who, upload_id)
    made = bulk.returned(app.database, app.keys, app.rules, upload, caller.language, ".xlsx")
    return Response(made, media_type=XLSX)


def _look_up(caller: Caller, upload_id: int) -> UploadOut:
    """Raises NotFoundError for a sheet of another group."""
    with caller.app.database.reading() as tx:
        return _shown(owned.upload(tx, caller.who, upload_id))


def _shown(upload: UploadView) -> UploadOut:
    return UploadOut(
        id=upload.id,
        state=upload.state,
        rows=upload.rows,
        done=upload.done,
        counts=dict(upload.counts),
        columns=[
            ColumnOut(
                letter=column["letter"],
                heading=column["heading"],
                fate=column["fate"],
                holds=upload.mapping.get(column["place"]),
            )
            for column in upload.columns
        ],
        created_at=upload.created_at,
    )
