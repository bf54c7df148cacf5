"""Pages of a group's own kinds of cards: the list with a form, and a page to change or remove each."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from reminder.domain.model.access import Actor
from reminder.domain.model.card_kinds import RenewalPlace
from reminder.domain.model.own_kinds import STAND_INS
from reminder.domain.parsing.days_before import kept_form, read_day_count, read_days
from reminder.enrolment import own_kinds as enrolment
from reminder.enrolment.own_kinds import OwnKindDraft
from reminder.errors import NotFoundError, RefusedInputError
from reminder.storage.auth import authorized
from reminder.storage.registry import own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.web.declared import declares, page_router
from reminder.web.support.authorization import Changes, Filled, OpenApp, Sees
from reminder.web.support.rendering import go, kept, page, problem_of, typed
from reminder.wiring import App

router = page_router()
FIRST = {"place": str(RenewalPlace.ISSUER), "stand_in": str(STAND_INS[0])}


@router.get("/settings/kinds")
def show_kinds(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the group's own kinds, and a form for another one."""
    return _kinds(request, app, who, FIRST)


def _kinds(
    request: Request, app: App, who: Actor, shown: Mapping[str, str], refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        authorized.group(uow.tx, who)
        found = own_kinds.of_group(uow.tx, who.group_id)
        counts = own_kinds.counts(uow.tx, who.group_id)
    return _page(request, app, None, shown, refused, found=found, counts=counts)


def _page(
    request: Request,
    app: App,
    kind: OwnKindView | None,
    shown: Mapping[str, str],
    refused: RefusedInputError | None,
    **values: object,
) -> HTMLResponse:
    return page(
        request,
        app,
        "settings_kinds.html" if kind is None else "settings_kind.html",
        status=422 if refused else 200,
        kind=kind,
        typed=shown,
        places=list(RenewalPlace),
        stand_ins=list(STAND_INS),
        problems=[problem_of(request, app, refused)] if refused else (),
        **values,
    )


def _draft(form: FormData) -> OwnKindDraft:
    """Return the kind that a form describes. Raises RefusedInputError for days that are none."""
    return OwnKindDraft(
        name=typed(form, "own_kind_name"),
        place=typed(form, "place"),
        opens_days=read_day_count(typed(form, "opens_days"), "opens_days"),
        lead_days=read_day_count(typed(form, "lead_days"), "lead_days") or 0,
        stand_in=typed(form, "stand_in"),
        own_days=read_days(typed(form, "own_days")),
    )


@router.post("/settings/kinds")
@declares(logs=["own_kind_added"])
def add_kind(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
    """Add a kind to the group."""
    try:
        with app.writing() as uow:
            authorized.group(uow.tx, who)
            enrolment.add_own_kind(uow, group_id=who.group_id, wanted=_draft(form), by=who.member_id)
    except RefusedInputError as refused:
        return _kinds(request, app, who, kept(form), refused)
    return go("/settings/kinds")


@router.get("/settings/kinds/{kind_id}")
def show_kind(request: Request, app: OpenApp, who: Changes, kind_id: int) -> Response:
    """Show one kind, to change or remove it."""
    kind = _find(app, who, kind_id)
    facts = kind.facts
    shown = {
        "own_kind_name": kind.name,
        "place": facts.place,
        "opens_days": "" if facts.opens_days is None else str(facts.opens_days),
        "lead_days": str(facts.lead_days) if facts.lead_days else "",
        "stand_in": facts.stand_in,
        "own_days": kept_form(facts.own_days),
    }
    return _page(request, app, kind, shown, None)


def _find(app: App, who: Actor, kind_id: int) -> OwnKindView:
    """Return a kind of this group. Raises NotFoundError."""
    with app.reading() as uow:
        authorized.group(uow.tx, who)
        kind = own_kinds.find(uow.tx, who.group_id, kind_id)
    if kind is None:
        raise NotFoundError("page_not_found")
    return kind


@router.post("/settings/kinds/{kind_id}")
@declares(logs=["own_kind_changed", "own_kind_removed"])
def change_kind(request: Request, app: OpenApp, who: Changes, kind_id: int, form: Filled) -> Response:
    """Change a kind, with all cards of it, or remove it (`act` is remove)."""
    kind = _find(app, who, kind_id)
    try:
        with app.writing() as uow:
            authorized.group(uow.tx, who)
            if typed(form, "act") == "remove":
                enrolment.remove_own_kind(uow, group_id=who.group_id, kind_id=kind_id, by=who.member_id)
            else:
                wanted = _draft(form)
                enrolment.change_own_kind(uow, group_id=who.group_id, kind_id=kind_id, wanted=wanted, by=who.member_id)
    except RefusedInputError as refused:
        return _page(request, app, kind, kept(form), refused)
    return go("/settings/kinds")
