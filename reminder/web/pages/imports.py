"""Pages of imports: a home's sheet is sent in, its columns named, checked; good rows are saved, bad ones returned."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from reminder.domain.model.access import Actor
from reminder.domain.model.imports import IN_WORK, ColumnUse, ImportState, RowEffect, RowStatus, SheetAnswer
from reminder.domain.model.people import Language, Mode
from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.enrolment.imports import matching, report, service
from reminder.enrolment.imports.bounded_reader import read_bounded
from reminder.enrolment.imports.columns_report import column_reports
from reminder.enrolment.imports.reader import LARGEST
from reminder.enrolment.imports.service import RowAnswer
from reminder.enrolment.imports.template import template
from reminder.errors import RefusedInputError, TooManyRequestsError
from reminder.storage.auth import authorized
from reminder.storage.registry import imports, own_kinds
from reminder.storage.registry.imports import ImportRowView, ImportView
from reminder.web.declared import Asks, declares, page_router
from reminder.web.support.authorization import Changes, Filled, FilledWithFile, OpenApp, Sees
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.rendering import both_calendars, go, language_of, page, problem_of, typed, words_of
from reminder.web.support.sheet_bodies import receiving
from reminder.wiring import App

router = page_router()

TAKES_SHEETS = ("/imports",)
MOST_SHOWN = 200
_NOT_CHOSEN = "?"
SHOWN = (RowEffect.NEW, RowEffect.CHANGED, RowEffect.UNCHANGED)
RowNumber = Annotated[int, Query(ge=0, le=9_999_999)]


def _turn_to_read(request: Request, app: OpenApp, who: Changes) -> Iterator[None]:
    with service.turn_to_read(app.units, app.clock.now(), group_id=who.group_id), receiving(request):
        yield


# Taken before the file is received, and given back before the answer: the next file may follow at once.
Turn = Annotated[None, Depends(_turn_to_read, scope="function")]


@router.get("/uploads")
@router.get("/uploads/{rest:path}")
def redirect_old_path(rest: str = "") -> Response:
    """Redirect from the path of earlier versions, for one release."""
    return RedirectResponse(f"/imports/{rest}".rstrip("/"), 301)


@router.get("/imports")
def list_imports(request: Request, app: OpenApp, who: Changes) -> Response:
    """Show the form for a sheet, and the sheets that were sent in."""
    return _list(request, app, who)


def _list(request: Request, app: App, who: Actor, refused: RefusedInputError | None = None) -> Response:
    with app.reading() as uow:
        found = imports.of_group(uow.tx, who.group_id)
    problems = () if refused is None else (problem_of(request, app, refused, field="file"),)
    return page(
        request,
        app,
        "imports.html",
        status=200 if refused is None else 422,
        imports=found,
        problems=problems,
        megabytes=LARGEST // (1024 * 1024),
    )


@router.get("/imports/template.xlsx")
def download_template(request: Request, app: OpenApp, _who: Sees) -> Response:
    """Return the template."""
    return _file(template(app.rules, _written(request, app)), "residents.xlsx")


@router.post("/imports")
@declares(logs=["sheet_read"])
def take_sheet(request: Request, app: OpenApp, who: Changes, _turn: Turn, form: FilledWithFile) -> Response:
    """Read a sheet at once.

    Nothing that is refused is stored. Only the rows of the file are written, encrypted.
    """
    sent = form.get("file")
    try:
        if not isinstance(sent, UploadFile) or not sent.size:
            raise RefusedInputError("sheet_empty", field="file")
        named = typed(form, "sheet") or None
        with read_bounded(sent.file.read(), app.rules.headings, sheet=named) as sheet:
            import_id = service.begin_import(
                app.units, app.clock.now(), group_id=who.group_id, sheet=sheet, by=who.member_id
            )
    except TooManyRequestsError:
        raise
    except RefusedInputError as refused:
        return _list(request, app, who, refused)
    return go(f"/imports/{import_id}")


@router.get("/imports/{import_id}")
def show_import(
    request: Request, app: OpenApp, who: Changes, import_id: int, show: str = "", after: RowNumber = 0
) -> Response:
    """Show what the import waits for: names for its columns, the worker, a confirmation, or nothing.

    `show`: which of its rows.
    """
    return _show(request, app, _own_import(app, who, import_id), show=show, after=after)


def _own_import(app: App, who: Actor, import_id: int) -> ImportView:
    """Return the import. Raises NotFoundError for one of another group."""
    with app.reading() as uow:
        return authorized.sheet_import(uow.tx, who, import_id)


def _show(
    request: Request,
    app: App,
    sheet_import: ImportView,
    refused: RefusedInputError | None = None,
    *,
    show: str = "",
    after: int = 0,
) -> Response:
    problems = () if refused is None else (problem_of(request, app, refused),)
    status = 200 if refused is None else 422
    columns_refused = [column for column in sheet_import.columns if column.use is ColumnUse.REFUSED]
    with app.reading() as uow:
        fields = service.known_fields(uow, sheet_import.group_id)
        names = {one.public_name: one.name for one in own_kinds.of_group(uow.tx, sheet_import.group_id)}
    if sheet_import.state is ImportState.READ:
        reports = column_reports(app.rules, sheet_import, _written(request, app))
        return page(
            request,
            app,
            "import_columns.html",
            status=status,
            sheet_import=sheet_import,
            problems=problems,
            fields=fields,
            own_names=names,
            examples=_examples(app, sheet_import),
            reports={one.column.place: one for one in reports},
            unread=[one for one in reports if not one.column.may_be_mapped],
            refused=columns_refused,
        )
    language = _written(request, app)
    which = RowEffect(show) if show in SHOWN else None
    is_checked = sheet_import.state is ImportState.CHECKED
    with app.reading() as uow:
        found = imports.some_rows(
            uow.tx,
            uow.keys,
            sheet_import.id,
            statuses=() if which else (RowStatus.REFUSED, RowStatus.WARNED),
            effects=[which] if which else (),
            after=after,
            limit=MOST_SHOWN + 1,
        )
        shown = found[:MOST_SHOWN]
        not_in_sheet = report.people_not_in_sheet(uow, sheet_import) if is_checked else []
        changes = matching.changes_of_rows(uow, sheet_import, shown) if is_checked else {}
    counts = sheet_import.counts
    return page(
        request,
        app,
        "import.html",
        status=status,
        sheet_import=sheet_import,
        problems=problems,
        rows=[report.report_of(app.rules, sheet_import, row, language) for row in shown],
        whose={row.number: _whose(sheet_import, row) for row in shown},
        changes=changes,
        own_names=names,
        which=which,
        in_words=lambda said: _in_words(request, app, said),
        sorts=[effect for effect in SHOWN if getattr(counts, effect)],
        later=shown[-1].number if len(found) > MOST_SHOWN else None,
        not_in_sheet=not_in_sheet,
        is_working=sheet_import.state in IN_WORK,
        refused=[column.heading or column.letter for column in columns_refused],
        left=bool(counts.refused or counts.needs_confirmation) and counts.saved < sheet_import.rows,
    )


def _in_words(request: Request, app: App, said: str | date) -> str:
    words = words_of(request)
    if isinstance(said, date):
        return both_calendars(app.rules.wording.of(words.language), said)
    return words.plain(f"person_form.mode_{said}") if said in list(Mode) else said


def _whose(sheet_import: ImportView, row: ImportRowView) -> str:
    """Return the room and the name, by which somebody finds the row in their sheet."""
    said = {field: row.cells.get(place, "") for place, field in sheet_import.mapping.by_place.items()}
    return " ".join(filter(None, (said.get("room"), said.get("label") or said.get("name"))))


def _examples(app: App, sheet_import: ImportView) -> dict[int, str]:
    """Return by place of a column the first values in it, so that somebody sees what it holds."""
    found: dict[int, list[str]] = {}
    with app.reading() as uow:
        for row in imports.rows_after(uow.tx, uow.keys, sheet_import.id, 0, 20):
            for place, text in row.cells.items():
                found.setdefault(place, []).append(text)
    return {place: "、".join(list(dict.fromkeys(some))[:3]) for place, some in found.items()}


@router.post("/imports/{import_id}/columns")
@declares()
def name_columns(request: Request, app: OpenApp, who: Changes, import_id: int, form: Filled) -> Response:
    """Set what each column holds; checking begins."""
    sheet_import = _own_import(app, who, import_id)
    try:
        said = {column.place: typed(form, f"column{column.place}") for column in sheet_import.columns}
        # The question itself is no answer.
        by_place = {place: field for place, field in said.items() if field != _NOT_CHOSEN}
        with app.writing() as uow:
            service.set_mapping(uow, import_id=import_id, by_place=by_place)
    except RefusedInputError as refused:
        return _show(request, app, sheet_import, refused)
    return go(f"/imports/{import_id}")


@router.post("/imports/{import_id}/save")
@declares(logs=["sheet_saved"])
def save_import(request: Request, app: OpenApp, who: Changes, import_id: int, form: Filled) -> Response:
    """Save the good rows, and those whose questions were answered."""
    sheet_import = _own_import(app, who, import_id)
    ticked = [int(one) for one in form.getlist("yes") if isinstance(one, str) and _is_number(one)]
    try:
        with app.writing() as uow:
            service.start_saving(
                uow,
                import_id=import_id,
                confirmed=ticked,
                all_confirmed=typed(form, "all") == "yes",
                answers=_answers(form),
            )
    except RefusedInputError as refused:
        return _show(request, app, sheet_import, refused)
    return go(f"/imports/{import_id}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


def _answers(form: FormData) -> dict[int, RowAnswer]:
    """Return the answers of a form, by row: each is an answer, perhaps with the person it means, as in "same:12"."""
    found = {}
    for name in form:
        number = name.removeprefix("answer")
        answer, _, person = typed(form, name).partition(":")
        if number != name and _is_number(number) and answer in list(SheetAnswer):
            found[int(number)] = RowAnswer(SheetAnswer(answer), int(person) if _is_number(person) else None)
    return found


@router.post("/imports/{import_id}/cancel")
@declares(logs=["sheet_cancelled"])
def cancel_import(request: Request, app: OpenApp, who: Changes, import_id: int, _form: Filled) -> Response:
    """Cancel an import: its rows are erased at once."""
    sheet_import = _own_import(app, who, import_id)
    try:
        service.cancel_import(app.units, app.clock.now(), import_id=import_id, by=who.member_id)
    except RefusedInputError as refused:
        return _show(request, app, sheet_import, refused)
    return go("/imports")


@router.post("/imports/{import_id}/not-taken.xlsx")
@declares(asks=Asks.EXPORT, logs=["sheet_returned"])
def download_not_taken(request: Request, app: OpenApp, who: Changes, import_id: int, _form: Confirmed) -> Response:
    """Return the rows that were not taken, with the reasons, to correct and send again."""
    with app.reading() as uow:
        sheet_import = authorized.sheet_import(uow.tx, who, import_id)
    with app.writing() as uow:
        service.record_return(uow, sheet_import, by=who.member_id)
    with app.reading() as uow:
        made = report.rejected_rows_file(uow, sheet_import, _written(request, app), ".xlsx")
    return _file(made, f"not-taken-{import_id}.xlsx")


def _written(request: Request, app: App) -> Language:
    """Return the language of sentences about sheets: easy Japanese has none of its own."""
    return app.rules.wording.of(language_of(request)).facts.sheets


def _file(content: bytes, name: str) -> Response:
    return Response(content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{name}"'})
