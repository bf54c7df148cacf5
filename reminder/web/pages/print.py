"""The leaflets of a person, as pages to print."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from reminder.domain.text import leaflets
from reminder.domain.text.catalog import SHEETS
from reminder.domain.text.leaflets import LeafletContents
from reminder.errors import NotFoundError
from reminder.planning.reports.leaflet_cards import leaflet_cards, stop_line
from reminder.planning.reports.status import group_status
from reminder.storage.auth import authorized
from reminder.web.pages.people import router
from reminder.web.support.authorization import OpenApp, Sees
from reminder.web.support.rendering import words_of


@router.get("/people/{person_id}/print/{sheet}")
def print_sheet(
    request: Request, app: OpenApp, who: Sees, person_id: int, sheet: str, card: int | None = None
) -> HTMLResponse:
    """Show a leaflet; the letter needs `card`."""
    if sheet not in SHEETS:
        raise NotFoundError("page_not_found")
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        group = authorized.group(uow.tx, who)
        row = group_status(uow, group, [person.id])[0]
    chosen = leaflet_cards(app.rules, row, card)
    if sheet in ("letter", "fridge") and not chosen:
        raise NotFoundError("page_not_found")
    language = words_of(request).language if sheet == "consent" else person.language
    return HTMLResponse(
        leaflets.render_sheet(
            sheet,
            app.rules.wording.of(language),
            LeafletContents(
                label=person.label,
                office=person.office,
                from_=group.name,
                mark=person.mark,
                sender=app.settings.twilio_from or "＿＿＿＿＿＿＿＿＿＿",
                today=uow.today,
                cards=chosen,
                mode=person.mode,
                stop_line=stop_line(app.rules),
            ),
            stylesheet="/static/sheet.css",
        )
    )
