"""A home's plan for the visit of the city's staff: one month as a page to print, and as a spreadsheet."""

from collections.abc import Sequence
from datetime import date

from fastapi import Request
from fastapi.responses import Response

from reminder.clock import japan_date
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.text.catalog import VISIT_COLUMNS, Catalog
from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.enrolment.identity import owner_mails
from reminder.planning.reports.city_visits import VisitSheet, as_xlsx, people_visited, visit_sheet, visits
from reminder.planning.reports.group_overview import group_overview
from reminder.planning.reports.monthly_plan import months_from
from reminder.planning.reports.status import PersonStatus, group_status
from reminder.storage.auth import authorized
from reminder.storage.registry.groups import GroupView
from reminder.upkeep.privacy import export
from reminder.web.declared import Asks, declares, page_router
from reminder.web.pages.monthly_plan import first_of, month_name
from reminder.web.support.authorization import OpenApp, Sees
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.paging import ROWS_SHOWN, Paging, Searched, paged
from reminder.web.support.rendering import furigana, page, typed, words_of
from reminder.wiring import App

router = page_router()

# Listed below the table, because it is the same for nearly all.
_NOT_A_COLUMN = "bring"


@router.get("/visits")
def show_visits(
    request: Request, app: OpenApp, who: Sees, search: Searched, month: str = "", whole: str = ""
) -> Response:
    """Show the plan of this month, or of `month` (2027-02). `whole`: in one page, to be printed."""
    today = japan_date(app.clock.now())
    chosen = first_of(month) or today.replace(day=1)
    words = words_of(request)
    paging: Paging | None = None
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        overview = group_overview(uow, group)
        units, found = overview.units, search.people_found(uow.tx, group.id)
        ids: Sequence[int] = [
            person_id
            for person_id in people_visited(app.rules, overview, chosen)
            if found is None or person_id in found
        ]
        if len(overview.people) > ROWS_SHOWN and whole != "yes":
            ids, paging = paged(ids, search, "/visits", month=f"{chosen:%Y-%m}")
        rows = group_status(uow, group, ids)
    made = _sheet(app, app.rules.wording.of(words.language).in_mail, group, rows, chosen, "")
    without = {_NOT_A_COLUMN, *(["unit"] if not units else [])}
    return page(
        request,
        app,
        "visits.html",
        sheet=made,
        columns=[column for column in VISIT_COLUMNS if column not in without],
        named_months=[(f"{one:%Y-%m}", month_name(words, one)) for one in sorted({*months_from(today, 12), chosen})],
        named_units=[(one, one) for one in units],
        chosen={"month": f"{chosen:%Y-%m}", "unit": search.unit},
        search=search,
        paging=paging,
        furigana=furigana,
    )


@router.post("/visits.xlsx")
@declares(asks=Asks.EXPORT, logs=["exported"])
def download_visits(request: Request, app: OpenApp, who: Sees, form: Confirmed) -> Response:
    """Return the same plan as a spreadsheet; its cells have no furigana."""
    chosen = first_of(typed(form, "month")) or japan_date(app.clock.now()).replace(day=1)
    with app.writing() as uow:
        export.record_export(uow, group_id=who.group_id, by=who.member_id)
        owner_mails.tell_group(uow, AccountAct.EXPORTED, who.group_id, device=who.device, by=who.member_id)
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        rows = group_status(uow, group, people_visited(app.rules, group_overview(uow, group), chosen))
    made = _sheet(app, app.rules.wording.of(words_of(request).language), group, rows, chosen, typed(form, "unit"))
    name = f'attachment; filename="visits-{chosen:%Y-%m}.xlsx"'
    return Response(as_xlsx(made, chosen), media_type=XLSX, headers={"content-disposition": name})


def _sheet(app: App, words: Catalog, group: GroupView, rows: list[PersonStatus], month: date, unit: str) -> VisitSheet:
    found = visits(app.rules, rows, month, unit)
    return visit_sheet(app.rules, words, group.name, month, found, japan_date(app.clock.now()))
