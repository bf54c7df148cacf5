"""A home's own sheet: sent in, its columns named, checked, and its good rows saved while the bad ones come back."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from reminder.clock import japan_date
from reminder.domain.access import Actor
from reminder.domain.headings import Fate
from reminder.domain.people import Language, Mode
from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.enrolment import bulk
from reminder.enrolment.spreadsheet import LARGEST, read_sheet
from reminder.enrolment.template import template
from reminder.errors import RefusedInputError
from reminder.storage import owned, uploads
from reminder.storage.uploads import Effect, StoredRow, UploadState, UploadView
from reminder.web.access import Changes, Filled, FilledWithFile, OpenApp, Sees
from reminder.web.view import both_calendars, go, language_of, page, problem_of, typed, words_of
from reminder.wiring import App

router = APIRouter()

TAKES_SHEETS = ("/uploads",)
MOST_SHOWN = 200
SHOWN = (Effect.NEW, Effect.CHANGED, Effect.UNCHANGED)
RowNumber = Annotated[int, Query(ge=0, le=9_999_999)]


@router.get("/uploads")
def list_uploads(request: Request, app: OpenApp, who: Changes) -> Response:
    """Where a sheet is sent in, and those that were."""
    return _list(request, app, who)


def _list(request: Request, app: App, who: Actor, refused: RefusedInputError | None = None) -> Response:
    with app.database.reading() as tx:
        found = uploads.of_group(tx, who.group_id)
    problems = () if refused is None else (problem_of(request, app, refused, field="file"),)
    return page(
        request,
        app,
        "uploads.html",
        status=200 if refused is None else 422,
        uploads=found,
        problems=problems,
        megabytes=LARGEST // (1024 * 1024),
    )


@router.get("/uploads/template.xlsx")
def download_template(request: Request, app: OpenApp, _who: Sees) -> Response:
    """The sheet to begin with."""
    return _file(template(app.rules, _written(request, app)), "residents.xlsx")


@router.post("/uploads")
def take_sheet(request: Request, app: OpenApp, who: Changes, form: FilledWithFile) -> Response:
    """Read at once: what is refused is never kept, and nothing of the file is written anywhere but its rows, sealed."""
    sent = form.get("file")
    try:
        if not isinstance(sent, UploadFile) or not sent.size:
            raise RefusedInputError("sheet_empty", field="file")
        sheet = read_sheet(sent.file.read(), app.rules.headings, sheet=typed(form, "sheet") or None)
        upload_id = bulk.begin(
            app.database, app.keys, app.clock.now(), group_id=who.group_id, sheet=sheet, by=who.member_id
        )
    except RefusedInputError as refused:
        return _list(request, app, who, refused)
    return go(f"/uploads/{upload_id}")


@router.get("/uploads/{upload_id}")
def show_upload(
    request: Request, app: OpenApp, who: Changes, upload_id: int, show: str = "", after: RowNumber = 0
) -> Response:
    """What it waits for: for its columns to be named, for the worker, for a yes, or for nothing any more. `show`: which
    of its rows."""
    with app.database.reading() as tx:
        upload = owned.upload(tx, who, upload_id)
    return _show(request, app, upload, show=show, after=after)


def _show(
    request: Request,
    app: App,
    upload: UploadView,
    refused: RefusedInputError | None = None,
    *,
    show: str = "",
    after: int = 0,
) -> Response:
    problems = () if refused is None else (problem_of(request, app, refused),)
    status = 200 if refused is None else 422
    if upload.state == UploadState.READ:
        return page(
            request,
            app,
            "upload_columns.html",
            status=status,
            upload=upload,
            problems=problems,
            fields=bulk.fields(app.rules),
            examples=_examples(app, upload),
            refused=[one for one in upload.columns if one["fate"] == Fate.REFUSED],
        )
    language = _written(request, app)
    which = Effect(show) if show in SHOWN else Effect.NONE
    with app.database.reading() as tx:
        found = uploads.some_rows(
            tx,
            app.keys,
            upload.id,
            verdicts=() if which else ("refused", "warned"),
            effects=[which] if which else (),
            after=after,
            limit=MOST_SHOWN + 1,
        )
        shown = found[:MOST_SHOWN]
        gone = bulk.gone(tx, upload) if upload.state == UploadState.CHECKED else []
        changes = bulk.changes_of(tx, app.keys, upload, shown, japan_date(app.clock.now()))
    rows = [bulk.report_of(app.rules, upload, row, language) for row in shown]
    return page(
        request,
        app,
        "upload.html",
        status=status,
        upload=upload,
        problems=problems,
        rows=rows,
        whose={row.number: _whose(upload, row) for row in shown},
        changes=changes if upload.state == UploadState.CHECKED else {},
        which=which,
        in_words=lambda said: _in_words(request, app, said),
        sorts=[one for one in SHOWN if upload.counts.get(one)],
        later=shown[-1].number if len(found) > MOST_SHOWN else None,
        gone=gone,
        is_working=upload.state in uploads.WORKING,
        refused=[one["heading"] or one["letter"] for one in upload.columns if one["fate"] == Fate.REFUSED],
        left=any(upload.counts.get(name) for name in ("refused", "asks"))
        and upload.counts.get("saved", 0) < upload.rows,
    )


def _in_words(request: Request, app: App, said: str | date) -> str:
    words = words_of(request)
    if isinstance(said, date):
        return both_calendars(app.rules.wording.of(words.language), said)
    return words.plain(f"person_form.mode_{said}") if said in list(Mode) else said


def _whose(upload: UploadView, row: StoredRow) -> str:
    """So that somebody finds the row in their sheet: the room and the name."""
    said = {field: row.cells.get(place, "") for place, field in upload.mapping.items()}
    return " ".join(filter(None, (said.get("room"), said.get("label") or said.get("name"))))


def _examples(app: App, upload: UploadView) -> dict[int, str]:
    """What stands in each column, from the first rows: so that somebody sees what it holds."""
    found: dict[int, list[str]] = {}
    with app.database.reading() as tx:
        for row in uploads.rows_after(tx, app.keys, upload.id, 0, 20):
            for place, text in row.cells.items():
                found.setdefault(place, []).append(text)
    return {place: "、".join(list(dict.fromkeys(some))[:3]) for place, some in found.items()}


@router.post("/uploads/{upload_id}/columns")
def name_columns(request: Request, app: OpenApp, who: Changes, upload_id: int, form: Filled) -> Response:
    """What each column holds; checking begins."""
    with app.database.reading() as tx:
        upload = owned.upload(tx, who, upload_id)
    try:
        mapping = {int(column["place"]): typed(form, f"column{column['place']}") for column in upload.columns}
        bulk.set_mapping(app.database, app.rules, app.clock.now(), upload_id=upload_id, mapping=mapping)
    except RefusedInputError as refused:
        return _show(request, app, upload, refused)
    return go(f"/uploads/{upload_id}")


@router.post("/uploads/{upload_id}/save")
def save_upload(request: Request, app: OpenApp, who: Changes, upload_id: int, form: Filled) -> Response:
    """The good rows, and those that ask and were ticked."""
    with app.database.reading() as tx:
        upload = owned.upload(tx, who, upload_id)
    agreed = [int(one) for one in form.getlist("yes") if isinstance(one, str) and one.isdecimal() and len(one) < 8]
    to_all = typed(form, "all") == "yes"
    try:
        bulk.save(app.database, app.clock.now(), upload_id=upload_id, agreed=agreed, all_agreed=to_all)
    except RefusedInputError as refused:
        return _show(request, app, upload, refused)
    return go(f"/uploads/{upload_id}")


@router.post("/uploads/{upload_id}/cancel")
def cancel_upload(request: Request, app: OpenApp, who: Changes, upload_id: int, _form: Filled) -> Response:
    """Given up: its rows are forgotten at once."""
    with app.database.reading() as tx:
        upload = owned.upload(tx, who, upload_id)
    try:
        bulk.cancel(app.database, app.clock.now(), upload_id=upload_id, by=who.member_id)
    except RefusedInputError as refused:
        return _show(request, app, upload, refused)
    return go("/uploads")


@router.get("/uploads/{upload_id}/not-taken.xlsx")
def download_not_taken(request: Request, app: OpenApp, who: Changes, upload_id: int) -> Response:
    """The rows that were not taken, with why: to be mended and sent again."""
    with app.database.reading() as tx:
        upload = owned.upload(tx, who, upload_id)
    made = bulk.returned(app.database, app.keys, app.rules, upload, _written(request, app), ".xlsx")
    return _file(made, f"not-taken-{upload_id}.xlsx")


def _written(request: Request, app: App) -> Language:
    """Return the language of sentences about sheets: easy Japanese has none of its own."""
    return app.rules.wording.of(language_of(request)).facts.sheets


def _file(content: bytes, name: str) -> Response:
    return Response(content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{name}"'})
