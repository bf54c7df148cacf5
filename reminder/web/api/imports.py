"""Imports in the API: a program sends a sheet, has it checked and saves its good rows; the worker does the work."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, ConfigDict, FailFast, Field

from reminder.domain.model.imports import ColumnUse, ImportState, RowEffect, RowStatus, SheetAnswer
from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.enrolment.imports import report, service
from reminder.enrolment.imports.bounded_reader import read_bounded
from reminder.enrolment.imports.columns_report import column_reports
from reminder.enrolment.imports.reader import MOST_ROWS, ResidentSheet
from reminder.enrolment.imports.service import RowAnswer
from reminder.errors import RefusedInputError
from reminder.storage.auth import authorized
from reminder.storage.registry import imports
from reminder.storage.registry.imports import ImportView
from reminder.web.api.operation import PREFIX, TAKES_SHEETS, Caller, Changes, Operation
from reminder.web.api.shapes import Id, IdIn, In, Instant, Listed, Out, Paged, part, whole, whole_numbers
from reminder.web.declared import declares

__all__ = ["TAKES_SHEETS", "router"]

router = APIRouter(prefix=PREFIX, tags=["imports"], route_class=Operation)

Letter = Annotated[str, Field(min_length=1, max_length=3, pattern="^[A-Z]+$", description="Of a column: A, B … AA.")]
FieldName = Annotated[
    str, Field(max_length=60, pattern="^[a-z0-9_:]*$", description="What it holds; empty for nothing.")
]
SheetName = Annotated[
    str, Query(alias="sheet", max_length=60, description="The name of the sheet, where it is not the first.")
]


class CheckIn(In):
    """The fields of the columns; those left out stay as guessed, or as the group set them last time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"columns": {}}]})
    # The document says that there are no other keys; what is made from the types alone does not.
    columns: Annotated[
        dict[Letter, FieldName], Field(default_factory=dict, json_schema_extra={"additionalProperties": False})
    ]


class AnswerIn(In):
    """An answer to the questions of a row, one of its `answers`. `person`: of several `people`, which one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"row": 5, "answer": "same", "person": 12}]})
    row: Annotated[int, Field(ge=1, le=9_999_999), BeforeValidator(whole)]
    answer: Annotated[SheetAnswer, Field(strict=False)]
    person: IdIn | None = None


class SaveIn(In):
    """The rows to save besides the good ones.

    `rows`: those that need a confirmation and have it; `all`: all of them have it, but for those that ask who is meant
    or which of two dates is right. These need one of the `answers`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [], "all": False}]})
    rows: Annotated[
        list[Annotated[int, Field(ge=1, le=9_999_999)]],
        # The first wrong one will do: each costs a hundred times what a right one does.
        FailFast(),
        Field(default_factory=list, max_length=MOST_ROWS),
        BeforeValidator(whole_numbers),
    ]
    all: bool = False
    answers: Annotated[list[AnswerIn], FailFast(), Field(default_factory=list, max_length=MOST_ROWS)]


class ColumnOut(Out):
    """A column with its heading and its use.

    `use` refused: a column of numbers, which is never read; discarded: read and not stored. `field`: what it holds.
    `asked`: what somebody has to say of it, in /check, before the rows are checked; null once it is said. `guess`: the
    likeliest field then. `why`: the reason for what it is taken for; `sentence`: that or the question in words.
    """

    letter: str
    heading: str
    use: ColumnUse
    field: str | None
    asked: str | None
    guess: str | None
    why: str | None
    sentence: str


class CountsOut(Out):
    """The number of rows by status and by effect.

    Status: accepted, warned, refused, saved; `ignored` are sums, which are no residents. Effect: new, changed,
    unchanged. `needs_confirmation`: warned rows that are saved only with a confirmation.
    """

    accepted: int
    warned: int
    refused: int
    saved: int
    ignored: int
    needs_confirmation: int
    new: int
    changed: int
    unchanged: int


class ImportOut(Out):
    """An import of one sheet. `done` of `rows`: the progress of the worker."""

    id: int
    state: ImportState
    rows: int
    done: int
    counts: CountsOut
    columns: list[ColumnOut]
    created_at: Instant


class PersonMeantOut(Out):
    """A registered person whom a row may be about."""

    id: int
    label: str
    room: str


class RowOut(Out):
    """The result of one row of the sheet. `cell`: where it is wrong; `sentences`: what to do about it.

    `answers`: what may be answered to its questions; `answer`: what was. `people`: whom it may be about.
    """

    row: int
    status: RowStatus
    effect: RowEffect
    cell: str | None
    codes: list[str]
    sentences: list[str]
    needs_confirmation: bool
    person_id: int | None
    answers: list[SheetAnswer]
    answer: SheetAnswer | None
    people: list[PersonMeantOut]


@router.get("/imports")
def list_imports(caller: Changes, page: Paged) -> Listed[ImportOut]:
    """List the sheets that were sent in during the last days."""
    with caller.reading() as uow:
        found = imports.some_of_group(uow.tx, caller.who.group_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[_shown(caller, row) for row in rows], next=after)


def _read(
    caller: Changes,
    content: Annotated[
        bytes, Body(media_type="application/octet-stream", description="A CSV or XLSX file as it is, up to 20 MB.")
    ] = b"",
    sheet: SheetName = "",
) -> Iterator[ResidentSheet]:
    """Yield the sheet, read before the unit of work of the request is open: that may take some time."""
    with read_bounded(content, caller.app.rules.headings, sheet=sheet or None) as found:
        yield found


@router.post("/imports", status_code=201)
@declares(logs=["sheet_read"])
def send_sheet(caller: Changes, read: Annotated[ResidentSheet, Depends(_read, scope="function")]) -> ImportOut:
    """Send a sheet. Columns of numbers are not read at all; nothing else is checked yet, and nobody is enrolled."""
    import_id = service.begin_import(
        caller.units, caller.app.clock.now(), group_id=caller.who.group_id, sheet=read, by=caller.who.member_id
    )
    return _look_up(caller, import_id)


@router.get("/imports/{import_id}")
def get_import(caller: Changes, import_id: Id) -> ImportOut:
    """Get the progress of an import."""
    return _look_up(caller, import_id)


@router.post("/imports/{import_id}/check")
@declares()
def check_sheet(caller: Changes, import_id: Id, given: CheckIn) -> ImportOut:
    """Start checking every row, or check again with other columns. The answer comes before the work is done."""
    with caller.writing() as uow:
        sheet_import = authorized.sheet_import(uow.tx, caller.who, import_id)
        places = {column.letter: column.place for column in sheet_import.columns}
        if not given.columns.keys() <= places.keys():
            raise RefusedInputError("column_unknown", field="columns")
        said = {places[letter]: field for letter, field in given.columns.items()}
        service.set_mapping(uow, import_id=import_id, by_place={**sheet_import.mapping.by_place, **said})
    return _look_up(caller, import_id)


@router.get("/imports/{import_id}/rows")
def list_rows(caller: Changes, import_id: Id, page: Paged) -> Listed[RowOut]:
    """List the result of each row, in the order of the sheet; `after` is the number of a row."""
    app = caller.app
    with app.reading() as uow:
        sheet_import = authorized.sheet_import(uow.tx, caller.who, import_id)
        found = imports.rows_after(uow.tx, uow.keys, import_id, page.after, page.limit + 1)
    reports = [report.report_of(app.rules, sheet_import, row, caller.language) for row in found[: page.limit]]
    return Listed(
        items=[
            RowOut(
                row=one.number,
                status=one.status,
                effect=one.effect,
                cell=one.cell,
                codes=list(one.codes),
                sentences=list(one.sentences),
                needs_confirmation=one.needs_confirmation,
                person_id=one.person_id,
                answers=list(one.answers),
                answer=one.answer,
                people=[PersonMeantOut(id=person.id, label=person.label, room=person.room) for person in one.people],
            )
            for one in reports
        ],
        next=reports[-1].number if len(found) > page.limit else None,
    )


@router.post("/imports/{import_id}/save")
@declares(logs=["sheet_saved"])
def save_sheet(caller: Changes, import_id: Id, given: SaveIn) -> ImportOut:
    """Start saving what was checked. The answer comes before the work is done."""
    with caller.writing() as uow:
        authorized.sheet_import(uow.tx, caller.who, import_id)
        answers = {one.row: RowAnswer(one.answer, one.person) for one in given.answers}
        service.start_saving(uow, import_id=import_id, confirmed=given.rows, all_confirmed=given.all, answers=answers)
    return _look_up(caller, import_id)


@router.post("/imports/{import_id}/cancel")
@declares(logs=["sheet_cancelled"])
def cancel_sheet(caller: Changes, import_id: Id) -> ImportOut:
    """Cancel an import: its rows are erased at once. People who were saved before stay."""
    _look_up(caller, import_id)
    service.cancel_import(caller.units, caller.app.clock.now(), import_id=import_id, by=caller.who.member_id)
    return _look_up(caller, import_id)


_FILE: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows that were not taken, with why: to be mended and sent again.",
        "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/imports/{import_id}/not-taken", response_class=Response, responses=dict(_FILE))
@declares(logs=["sheet_returned"])
def get_not_taken(caller: Changes, import_id: Id) -> Response:
    """Get the rows that were not taken as an Excel file, without refused or discarded columns."""
    with caller.writing() as uow:
        sheet_import = authorized.sheet_import(uow.tx, caller.who, import_id)
        service.record_return(uow, sheet_import, by=caller.who.member_id)
    with caller.reading() as uow:
        made = report.rejected_rows_file(uow, sheet_import, caller.language, ".xlsx")
    return Response(made, media_type=XLSX)


def _look_up(caller: Caller, import_id: int) -> ImportOut:
    """Return the import. Raises NotFoundError for an import of another group."""
    with caller.reading() as uow:
        return _shown(caller, authorized.sheet_import(uow.tx, caller.who, import_id))


def _shown(caller: Caller, sheet_import: ImportView) -> ImportOut:
    return ImportOut(
        id=sheet_import.id,
        state=sheet_import.state,
        rows=sheet_import.rows,
        done=sheet_import.done,
        counts=CountsOut(**vars(sheet_import.counts)),
        columns=[
            ColumnOut(
                letter=one.column.letter,
                heading=one.column.heading,
                use=one.column.use,
                field=one.field or None,
                asked=one.column.asked if one.is_asked else None,
                guess=one.column.guess or None if one.is_asked else None,
                why=one.column.why or None,
                sentence=one.sentence,
            )
            for one in column_reports(caller.app.rules, sheet_import, caller.language)
        ],
        created_at=sheet_import.created_at,
    )
