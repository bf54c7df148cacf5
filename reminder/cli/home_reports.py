"""Commands for a home's office: the weekly digest, and the plan for the visit of the city's staff."""

from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Group
from reminder.cli.output import AsJson, print_answer, print_rows, terminal_language
from reminder.domain.parsing.dates import read_month
from reminder.errors import NotFoundError, RefusedInputError

if TYPE_CHECKING:
    from reminder.storage.db.session import Tx
    from reminder.storage.registry.groups import GroupView


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    app.command("digest")(digest)
    app.command("visits")(visits)


def digest(
    group: Group,
    week: Annotated[str | None, typer.Option(help="As on its Monday: 2027-W09. Default: as of now.")] = None,
    lang: Annotated[str, typer.Option(help="Its language: a file of config/wording/, such as en.")] = "ja",
    as_json: bool = AsJson,
) -> None:
    """Show the weekly e-mail to a home's staff, as it would be written; nothing is sent.

    Example: reminder digest --group 2 --week 2027-W09
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.people import GroupKind
    from reminder.planning.weekly_digest import preview
    from reminder.worker.jobs import links_of

    with opened_app() as app:
        now = app.clock.now() if week is None else _monday(week)
        spoken = app.rules.language(lang)
        with app.units.reading(now) as uow:
            home = _home(uow.tx, group)
            if home.kind is not GroupKind.HOME:
                raise RefusedInputError("home_only", field="group")
            found = preview(uow, home, spoken, links_of(app))
    said = None if found is None else {"subject": found.subject, "text": found.text}
    # A home without cards gets no digest.
    print_answer(said, as_json=as_json, plain="なし / none" if found is None else f"{found.subject}\n\n{found.text}")


def visits(
    group: Group,
    month: Annotated[str | None, typer.Option(help="As 2027-02. Default: this month.")] = None,
    unit: Annotated[str, typer.Option(help="Of this floor or unit alone.")] = "",
    out: Annotated[Path | None, typer.Option(help="Also write the sheet to print: .xlsx")] = None,
    as_json: bool = AsJson,
) -> None:
    """List who renews what when the city's staff come in a month: what can be renewed by its end and has not been.

    Example: reminder visits --group 1 --month 2027-02 --out visits.xlsx
    """
    from reminder.cli.app_context import opened_app
    from reminder.clock import japan_date
    from reminder.planning.reports.city_visits import as_xlsx, visit_sheet
    from reminder.planning.reports.city_visits import visits as planned
    from reminder.planning.reports.status import group_status
    from reminder.storage.crypto import private_files

    with opened_app() as app:
        today = japan_date(app.clock.now())
        first = today.replace(day=1) if month is None else read_month(month)
        with app.reading() as uow:
            home = _home(uow.tx, group)
            found = planned(uow.rules, group_status(uow, home), first, unit)
        made = visit_sheet(app.rules, app.rules.wording.of(terminal_language()), home.name, first, found, today)
    if out is not None:
        try:
            with private_files.written(out) as file:
                file.write(as_xlsx(made, first))
        except OSError:
            raise RefusedInputError("usage_value", option="--out", command="reminder visits") from None
    print_rows(
        (
            {
                "person": visit.person.id,
                "unit": visit.person.unit,
                "room": visit.person.room,
                "label": visit.person.label,
                "kinds": [one.card.kind for one in visit.cards],
                "expires_on": visit.expires_on,
                "opens_on": visit.opens_on,
                "last_counter_day": visit.last_counter_day,
                "needs_form": visit.needs_form,
                "is_over": visit.is_over,
            }
            for visit in found
        ),
        as_json=as_json,
    )


def _home(tx: "Tx", group_id: int) -> "GroupView":
    from reminder.storage.registry import groups

    home = groups.find(tx, group_id)
    if home is None:
        raise NotFoundError(field="group")
    return home


def _monday(week: str) -> datetime:
    """Return the instant at which that week's digest would be made."""
    from reminder.domain.rules import hours
    from reminder.domain.rules.digest_week import Week

    try:
        found = Week.read(week)
    except (ValueError, OverflowError):
        raise RefusedInputError("week_unreadable", field="week") from None
    return found.sends_at or hours.instant(found.monday, time(9))
