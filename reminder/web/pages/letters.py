"""Letters to residents: who gets one, and the letters themselves, as a page to print and as PDF."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, Response

from reminder.channels import paper_pdf
from reminder.clock import japan_date
from reminder.domain.model.access import Actor
from reminder.domain.model.own_kinds import public_name, stored_kind
from reminder.domain.text.letters import ResidentLetter, render_letter, render_letters
from reminder.errors import NotFoundError, RefusedInputError
from reminder.planning.reports.group_overview import group_overview
from reminder.planning.reports.monthly_plan import months_from
from reminder.planning.reports.resident_letters import (
    Choice,
    letters_from,
    letters_of,
    people_with_letters,
)
from reminder.planning.reports.status import group_status
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import name_index, own_kinds
from reminder.storage.registry.groups import GroupView
from reminder.web.declared import page_router
from reminder.web.pages.monthly_plan import first_of
from reminder.web.support.authorization import OpenApp, Sees
from reminder.web.support.paging import ROWS_SHOWN, Search, Searched, paged
from reminder.web.support.rendering import page, problem_of, words_of
from reminder.wiring import App

router = page_router()

STYLESHEET = "letters.css"
# A PDF takes 80 to 200 ms a letter, and the request waits for it. More are made by the command, or printed as HTML.
MOST_IN_PDF = 100

_NOBODY: list[int] = []


@router.get("/letters")
def choose_letters(
    request: Request, app: OpenApp, who: Sees, search: Searched, month: str = "", kind: str = ""
) -> Response:
    """Show who would get a letter: this month and the next, or in `month` (2027-02)."""
    return _choices(request, app, who, search, Choice(first_of(month), search.unit, kind))


@router.get("/letters/print")
def print_letters(
    request: Request,
    app: OpenApp,
    who: Sees,
    search: Searched,
    month: str = "",
    kind: str = "",
    person: list[int] = Query(_NOBODY),  # noqa: B008  # read by FastAPI
    furigana: str = "",
) -> Response:
    """Show the letters as a page to print."""
    choice = Choice(first_of(month), search.unit, kind, frozenset(person))
    try:
        letters = _letters(app, who, search, choice)
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _choices(request, app, who, search, choice, refused)
    sections = [render_letter(app.rules.wording, letter, furigana=furigana == "yes") for letter in letters]
    words = words_of(request)
    title, stylesheet = words.plain("letters.title"), f"/static/{STYLESHEET}"
    return HTMLResponse(render_letters(sections, title, lang=words.facts.html, stylesheet=stylesheet))


@router.get("/letters/pdf")
def print_letters_as_pdf(
    request: Request,
    app: OpenApp,
    who: Sees,
    search: Searched,
    month: str = "",
    kind: str = "",
    person: list[int] = Query(_NOBODY),  # noqa: B008  # read by FastAPI
    furigana: str = "",
    leave_out: str = "",
) -> Response:
    """Return the letters as PDF.

    `leave_out`: without those that no font here can print; else they are named, and nothing is printed.
    """
    choice = Choice(first_of(month), search.unit, kind, frozenset(person))
    wording = app.rules.wording
    try:
        letters = _letters(app, who, search, choice)
        if len(letters) > MOST_IN_PDF:
            raise RefusedInputError("letters_too_many", n=len(letters), most=MOST_IN_PDF)
        printed = paper_pdf.print_letters(
            letters,
            lambda letter: render_letter(wording, letter, furigana=furigana == "yes"),
            words_of(request).plain("letters.title"),
            lang=words_of(request).facts.html,
            leave_out=leave_out == "yes",
        )
        if printed.pdf is None:
            raise RefusedInputError("letters_unprintable", people=", ".join(map(str, printed.unprintable)))
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _choices(request, app, who, search, choice, refused)
    name = f"letters-{japan_date(app.clock.now())}.pdf"
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(printed.pdf, media_type="application/pdf", headers=disposition)


def _letters(app: App, who: Actor, search: Search, choice: Choice) -> Sequence[ResidentLetter]:
    """Return all of them, on whichever page they stand; of a search, those that it has found."""
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        found = None if choice.people else _found(uow, group, search)
        return letters_of(uow, group, replace(choice, found=found))


def _found(uow: UnitOfWork, group: GroupView, search: Search) -> frozenset[int] | None:
    if not search.words.strip():
        return None
    return frozenset(name_index.matching(uow.tx, group.id, words=search.words))


def _choices(
    request: Request,
    app: App,
    who: Actor,
    search: Search,
    choice: Choice,
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        today = uow.today
        group = authorized.group(uow.tx, who)
        overview = group_overview(uow, group)
        everybody = Choice(choice.month, choice.unit, choice.kind, found=_found(uow, group, search))
        ids: Sequence[int] = people_with_letters(app.rules, today, overview, everybody)
        total, paging = len(ids), None
        if len(overview.people) > ROWS_SHOWN:
            month = f"{choice.month:%Y-%m}" if choice.month else ""
            ids, paging = paged(ids, search, "/letters", month=month, kind=choice.kind)
        rows = group_status(uow, group, ids)
        own_names = {one.public_name: one.name for one in own_kinds.of_group(uow.tx, group.id)}
    words = words_of(request)
    said = app.rules.wording.of(words.language).kinds
    offered = sorted({*months_from(today, 12), *([choice.month] if choice.month else [])})
    return page(
        request,
        app,
        "letters.html",
        status=422 if refused else 200,
        search=search,
        paging=paging,
        total=total,
        letters=letters_from(app.rules, today, group, rows, everybody),
        named_months=[
            (f"{one:%Y-%m}", words.plain("calendar.month", year=one.year, month=one.month)) for one in offered
        ],
        named_units=[(one, one) for one in overview.units],
        named_kinds=[
            (one, own_names.get(one) or said[stored_kind(one)]["name"])
            for one in sorted({public_name(card.kind) for card in overview.cards})
        ],
        own_names=own_names,
        chosen={
            "month": f"{choice.month:%Y-%m}" if choice.month else "",
            "unit": choice.unit,
            "kind": choice.kind,
            "people": choice.people,
        },
        can_pdf=paper_pdf.is_installed(),
        can_leave_out=refused is not None and refused.code == "letters_unprintable",
        problems=[problem_of(request, app, refused)] if refused else (),
    )
