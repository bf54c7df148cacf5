"""What became of the end dates of a group that have passed: how many were renewed in time, by kind, step or channel."""

from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

from reminder.domain.model.channels import registered
from reminder.domain.rules.effect import FEWEST_SHOWN, By, last_year, table_of
from reminder.storage.auth import authorized
from reminder.storage.reminders import counted_ends
from reminder.web.declared import page_router
from reminder.web.support.authorization import OpenApp, Sees
from reminder.web.support.effect_tables import OF_A_GROUP, ShownRow, picture, shown_rows, step_name
from reminder.web.support.rendering import page, words_of

router = page_router()
_ONE_DAY = timedelta(days=1)


@router.get("/renewals")
def show_renewals(request: Request, app: OpenApp, who: Sees, by: str = "") -> Response:
    """Show a year of ends of this group, and of no other."""
    chosen = next((one for one in OF_A_GROUP if one == by), By.KIND)
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        first, _ = last_year(uow.now)
        table = table_of(counted_ends.counts_of_group(uow.tx, group.id, first, uow.today - _ONE_DAY), chosen)
    words = words_of(request)
    kinds, channels = app.rules.wording.of(words.language).kinds, set(map(str, registered()))

    def name_of(name: str) -> str:
        if chosen is By.KIND:
            return kinds[name]["name"] if name in kinds else words.plain("renewals.other")
        if chosen is By.STEP:
            return step_name(name, lambda entry, **values: words.plain(f"renewals.{entry}", **values))
        return words.plain(f"channel.{name}") if name in channels else words.plain("renewals.step_nothing")

    rows = shown_rows(table, name_of)
    return page(
        request,
        app,
        "renewals.html",
        total=None if table.total is None else ShownRow.of("", table.total),
        rows=rows,
        hidden=table.hidden,
        fewest=FEWEST_SHOWN,
        picture=picture(words.plain("renewals.picture"), rows),
        chosen=chosen.value,
        ways=[(one.value, words.plain(f"renewals.by_{one.value}")) for one in OF_A_GROUP],
    )
