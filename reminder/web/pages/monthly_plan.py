"""A home's months: this and the next by what is due, the year at a glance, and acts for many cards at once."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, timedelta

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from reminder.domain.model.access import Actor
from reminder.domain.model.own_kinds import public_name
from reminder.domain.parsing import dates
from reminder.domain.rules.open_matters import MatterState
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import TypedDates
from reminder.errors import ForbiddenNumberError, NeedsConfirmationError, NotFoundError, RefusedInputError
from reminder.planning.reports.group_overview import CardOutline, group_overview
from reminder.planning.reports.monthly_plan import (
    CardNeed,
    MonthlyEntry,
    due_cards,
    months_from,
    year,
)
from reminder.planning.reports.status import PersonStatus, group_status
from reminder.storage.auth import authorized
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import groups, own_kinds, people
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.people import PersonView
from reminder.storage.runtime import activity_log
from reminder.web.declared import declares, page_router
from reminder.web.support.authorization import Changes, Filled, OpenApp, Owns, Sees
from reminder.web.support.page_catalog import PageWords
from reminder.web.support.paging import ROWS_SHOWN, Paging, Search, Searched, paged
from reminder.web.support.rendering import FormProblem, go, page, problem_of, typed, words_of
from reminder.wiring import App

router = page_router()

# As many as one form can hold with a day and a confirmation for each.
MOST_AT_ONCE = 60
ACTS_SHOWN = 100


@router.get("/months")
def show_months(
    request: Request, app: OpenApp, who: Sees, search: Searched, month: str = "", kind: str = "", what: str = ""
) -> Response:
    """Show this month and the next, or those from `month` (2027-02) on."""
    return _months(request, app, who, search, month=month, kind=kind, what=what)


def _months(
    request: Request,
    app: App,
    who: Actor,
    search: Search,
    *,
    month: str = "",
    kind: str = "",
    what: str = "",
    refused: RefusedInputError | None = None,
    ticked: Sequence[int] = (),
) -> Response:
    with app.reading() as uow:
        today = uow.today
        group = authorized.group(uow.tx, who)
        overview = group_overview(uow, group)
        found = search.people_found(uow.tx, group.id)
        cards = [card for card in overview.cards if found is None or card.person_id in found]
        firsts = months_from(first_of(month) or today, 3)
        last = firsts[-1] - timedelta(days=1)
        asked_for = [
            (_month_of(each, firsts, today), each)
            for each in due_cards(uow.rules, cards, firsts[0], last, today)
            if kind in ("", each.card.kind) and what in ("", each.what)
        ]
        # Within a month in the order of due_cards: the most pressing first, then by the latest day to begin.
        asked_for.sort(key=lambda row: row[0])
        paging: Paging | None = None
        on_page: Sequence[tuple[date, CardNeed[CardOutline]]] = asked_for
        if len(overview.people) > ROWS_SHOWN:
            # As many as can be recorded at once, so that a page can be ticked from its top to its end.
            on_page, paging = paged(asked_for, search, "/months", MOST_AT_ONCE, month=month, kind=kind, what=what)
        rows = group_status(uow, group, {each.card.person_id for _, each in on_page})
        own_names = {one.public_name: one.name for one in own_kinds.of_group(uow.tx, group.id)}
    shown = _by_month(firsts, on_page, rows)
    if not shown[firsts[-1]]:
        del shown[firsts[-1]]
    if paging is not None:
        # What stands on other pages is not said to be nothing.
        shown = {first: some for first, some in shown.items() if some} or shown
    kinds = sorted({card.kind for card in overview.cards})
    words = words_of(request)
    said = app.rules.wording.of(words.language).kinds
    names = {one: own_names.get(public_name(one)) or said[one]["name"] for one in kinds}
    offered = sorted({*months_from(today, 12), firsts[0]})
    return page(
        request,
        app,
        "months.html",
        status=422 if refused else 200,
        problems=[problem_of(request, app, refused)] if refused else (),
        ticked=ticked,
        months=list(shown.items()),
        later=firsts[-1],
        counts=Counter((first, each.what) for first, each in asked_for),
        search=search,
        paging=paging,
        all_months=months_from(today, 12),
        units=overview.units,
        named_months=[(f"{one:%Y-%m}", month_name(words, one)) for one in offered],
        named_units=[(one, one) for one in overview.units],
        named_kinds=[(one, names[one]) for one in kinds],
        own_names=own_names,
        named_whats=[(one.value, words.plain(f"months.{one}")) for one in MatterState],
        plain_names={one: names[one] for one in kinds},
        chosen={"month": f"{firsts[0]:%Y-%m}", "unit": search.unit, "kind": kind, "what": what},
        year={one: counts for one, counts in year(cards, today).items() if kind in ("", one)},
        most=MOST_AT_ONCE,
    )


def month_name(words: PageWords, month: date) -> str:
    """Return the month as a heading."""
    return words.plain("calendar.month", year=month.year, month=month.month)


def first_of(month: str) -> date | None:
    """Return the first day of a month such as 2027-02, or None if it is no month."""
    try:
        return dates.read_month(month)
    except RefusedInputError:
        return None


_OF_TODAY = (MatterState.ENDED, MatterState.UNANSWERED, MatterState.LATE)


def _month_of(each: CardNeed[CardOutline], firsts: Sequence[date], today: date) -> date:
    """Return the month in which an open matter stands; the last of `firsts`: what may be begun later than these months.

    What must be done at once stands in this month, whatever its own day is.
    """
    month = (today if each.what in _OF_TODAY else each.day).replace(day=1)
    return min(max(month, firsts[0]), firsts[-1])


def _by_month(
    firsts: Sequence[date], needs: Sequence[tuple[date, CardNeed[CardOutline]]], rows: Sequence[PersonStatus]
) -> dict[date, dict[MatterState, list[MonthlyEntry]]]:
    status_of = {one.card.id: (row.person, one) for row in rows for one in row.cards}
    found: dict[date, dict[MatterState, list[MonthlyEntry]]] = {first: {} for first in firsts}
    for first, each in needs:
        person, status = status_of[each.card.card_id]
        found[first].setdefault(each.what, []).append(MonthlyEntry(each.what, each.day, person, status))
    return found


@router.post("/months/act")
@declares(logs=["card_acknowledged"])
def act_on_many(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
    """Act on the chosen cards.

    `act` done: they are renewed, and new dates are asked for later; else the dates are asked for now.
    """
    ids = _ids(form)
    if not ids or len(ids) > MOST_AT_ONCE:
        # Nothing is recorded for only a part of the chosen cards.
        code = "too_many_at_once" if ids else "nothing_chosen"
        return _months(
            request,
            app,
            who,
            Search("", "", ""),
            refused=RefusedInputError(code, most=MOST_AT_ONCE, n=len(ids)),
            ticked=ids,
        )
    if typed(form, "act") == "done":
        with app.writing() as uow:
            for card, _ in _chosen(uow, who, ids):
                enrolment.acknowledge_card(uow, card_id=card.id, by=who.member_id)
        return go("/months")
    with app.reading() as uow:
        chosen = _chosen(uow, who, ids)
    return _grid(request, app, chosen, {}, {})


@router.post("/months/renew")
@declares(logs=["card_renewed"])
def renew_many(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
    """Take the good dates; show those that are refused or need a confirmation again, with the reason."""
    left: list[tuple[CardView, PersonView]] = []
    also: list[PersonView] = []
    days: dict[int, str] = {}
    refused: dict[int, RefusedInputError] = {}
    with app.reading() as uow:
        chosen = _chosen(uow, who, _ids(form))
    for card, person in chosen:
        day = typed(form, f"end{card.id}")
        if not day:
            continue
        try:
            # A unit of work for each, so that a refused one does not block the others.
            with app.writing() as uow:
                renewed = enrolment.renew_card(
                    uow,
                    card_id=card.id,
                    typed=TypedDates(expires=day),
                    confirmed=typed(form, f"yes{card.id}") == "yes",
                    by=who.member_id,
                )
            also += [person] if renewed.asks else []
        except RefusedInputError as wrong:
            left.append((card, person))
            refused[card.id] = wrong
            days[card.id] = "" if isinstance(wrong, ForbiddenNumberError) else day
    if left or also:
        return _grid(request, app, left, days, refused, also)
    return go("/months")


def _grid(
    request: Request,
    app: App,
    chosen: Sequence[tuple[CardView, PersonView]],
    days: dict[int, str],
    refused: dict[int, RefusedInputError],
    also: Sequence[PersonView] = (),
) -> Response:
    problems = [
        FormProblem(f"end{card_id}", problem_of(request, app, wrong).sentence) for card_id, wrong in refused.items()
    ]
    return page(
        request,
        app,
        "months_renewed.html",
        status=422 if refused else 200,
        chosen=chosen,
        days=days,
        asks=[card_id for card_id, wrong in refused.items() if isinstance(wrong, NeedsConfirmationError)],
        also=also,
        problems=problems,
    )


def _ids(form: FormData) -> list[int]:
    """Return each id once: a card may be in several lists of a page."""
    ids = dict.fromkeys(one for one in form.getlist("card") if isinstance(one, str))
    if not all(one.isdecimal() and len(one) < 12 for one in ids):
        raise NotFoundError(field="card")
    return [int(one) for one in ids]


def _chosen(uow: UnitOfWork, who: Actor, ids: Sequence[int]) -> list[tuple[CardView, PersonView]]:
    """Return the chosen cards. Raises NotFoundError if one belongs to another group."""
    return [authorized.card(uow.tx, who, one) for one in ids[:MOST_AT_ONCE]]


@router.get("/settings/activity")
def show_activity_log(request: Request, app: OpenApp, who: Owns, before: int = 0) -> Response:
    """Show what was done in the group, newest first, and by whom."""
    with app.reading() as uow:
        entries = activity_log.latest_of_group(uow.tx, who.group_id, before=before, limit=ACTS_SHOWN + 1)
        names = groups.member_names(uow.tx, who.group_id)
        shown = entries[:ACTS_SHOWN]
        labels = _labels(uow.tx, who.group_id, {one.person_id for one in shown if one.person_id is not None})
    return page(
        request,
        app,
        "activity.html",
        entries=shown,
        names=names,
        labels=labels,
        acts=app.rules.wording.of(words_of(request).language).section("acts"),
        earlier=shown[-1].id if len(entries) > ACTS_SHOWN else None,
    )


def _labels(tx: Tx, group_id: int, person_ids: Collection[int]) -> dict[int, str]:
    return {person.id: person.label for person in people.some(tx, group_id, person_ids)}
