"""The command that makes sheets of paper: a welcome, a letter, a form for consent, one for the counter or the door."""

from pathlib import Path
from typing import Annotated

import typer

from reminder.cli.say import AsJson, answer
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError


def add_to(app: typer.Typer) -> None:
    app.command("print")(print_sheet)


def print_sheet(
    sheet: Annotated[str, typer.Argument(metavar="welcome|letter|consent|counter|fridge")],
    person: Annotated[int, typer.Option(help="Whose sheet it is.")],
    card: Annotated[int | None, typer.Option(help="For the letter: of which card.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; else it goes to standard output.")] = None,
    as_json: bool = AsJson,
) -> None:
    """A sheet of paper as a page for any browser, to be printed on A4: in large type, without links.

    Example: reminder print welcome --person 1
    """
    from reminder.cli.opened import opened
    from reminder.clock import japan_date
    from reminder.domain.sheets import OnPaper, ToPrint, render_sheet
    from reminder.domain.words import SHEETS
    from reminder.storage import cards, groups, people

    if sheet not in SHEETS:
        raise UnknownChoiceError(field="sheet", choices=SHEETS)
    if (card is None) == (sheet == "letter"):
        raise RefusedInputError("letter_needs_card", field="card")
    with opened() as app, app.database.reading() as tx:
        whose = people.find(tx, person)
        if whose is None:
            raise NotFoundError(field="person")
        group = groups.find(tx, whose.group_id)
        told = [one for one in cards.current_of_person(tx, person) if card in (None, one.id)]
        if group is None or (sheet in ("letter", "fridge") and not told):
            raise NotFoundError(field="card")
        words = app.rules.wording.of(whose.language)
        page = render_sheet(
            sheet,
            words,
            whose.language,
            ToPrint(
                label=whose.label,
                office=whose.office,
                from_=group.name,
                mark=whose.mark,
                sender=app.settings.twilio_from or "＿＿＿＿＿＿＿＿＿＿",
                today=japan_date(app.clock.now()),
                cards=tuple(
                    OnPaper(one.kind, one.expires_on, one.label or None, one.is_computed)
                    for one in sorted(told, key=lambda one: (one.expires_on, one.id))
                    if one.kind in app.rules.kinds
                ),
            ),
        )
    if out is None:
        answer({"html": page}, as_json=as_json, plain=page.rstrip("\n"))
        return
    try:
        out.write_text(page, encoding="utf-8")
    except OSError:
        raise RefusedInputError("usage_value", option="--out", command="reminder print") from None
    answer({"file": str(out)}, as_json=as_json, plain=str(out))
