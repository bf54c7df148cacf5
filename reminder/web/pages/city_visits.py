"""A home's plan for the visit of the city's staff: one month as a page to print, and as a spreadsheet."""

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response

from reminder.clock import japan_date
from reminder.domain.model.access import Actor
from reminder.domain.text.catalog import VISIT_COLUMNS, Catalog
from reminder.domain.text.spreadsheet_writer import XLSX
from reminder.planning.reports.city_visits import VisitSheet, as_xlsx, visit_sheet, visits
from reminder.planning.reports.monthly_plan import months_from
from reminder.planning.reports.status import PersonStatus, group_status
from reminder.storage.auth import authorized
from reminder.storage.registry.groups import GroupView
from reminder.web.pages.monthly_plan import first_of, month_name
from reminder.web.support.authorization import OpenApp, Sees
from reminder.web.support.rendering import furigana, page, words_of
from reminder.wiring import App

router = APIRouter()

# Listed below the table, because it is the same for nearly all.
_NOT_A_COLUMN = "bring"


@router.get("/visits")
def show_visits(request: Request, app: OpenApp, who: Sees, month: str = "", unit: str = "") -> Response:
    """Show the plan of this month, or of `month` (2027-02)."""
    today = japan_date(app.clock.now())
    chosen = first_of(month) or today.replace(day=1)
    words = words_of(request)
    group, rows = _standing(app, who)
    made = _sheet(app, app.rules.wording.of(words.language).in_mail, group, rows, chosen, unit)
    units = sorted({row.person.unit for row in rows if row.person.unit})
    without = {_NOT_A_COLUMN, *(["unit"] if not units else [])}
    return page(
        request,
        app,
        "visits.html",
        sheet=made,
        columns=[column for column in VISIT_COLUMNS if column not in without],
        named_months=[(f"{one:%Y-%m}", month_name(words, one)) for one in sorted({*months_from(today, 12), chosen})],
        named_units=[(one, one) for one in units],
        chosen={"month": f"{chosen:%Y-%m}", "unit": unit},
        furigana=furigana,
    )


@router.get("/visits.xlsx")
def download_visits(request: Request, app: OpenApp, who: Sees, month: str = "", unit: str = "") -> Response:
    """Return the same plan as a spreadsheet; its cells have no furigana."""
    chosen = first_of(month) or japan_date(app.clock.now()).replace(day=1)
    group, rows = _standing(app, who)
    made = _sheet(app, app.rules.wording.of(words_of(request).language), group, rows, chosen, unit)
    name = f'attachment; filename="visits-{chosen:%Y-%m}.xlsx"'
    return Response(as_xlsx(made, chosen), media_type=XLSX, headers={"content-disposition": name})


def _standing(app: App, who: Actor) -> tuple[GroupView, list[PersonStatus]]:
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        return group, group_status(uow, group)


def _sheet(app: App, words: Catalog, group: GroupView, rows: list[PersonStatus], month: date, unit: str) -> VisitSheet:
    found = visits(app.rules, rows, month, unit)
    return visit_sheet(app.rules, words, group.name, month, found, japan_date(app.clock.now()))
