"""The command that makes sheets of paper: a welcome, a letter for one card, a form for consent, one for the counter."""

from pathlib import Path
from typing import Annotated

import typer

from reminder.cli.say import AsJson, answer
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError


def add_to(app: typer.Typer) -> None:
    app.command("print")(print_sheet)


def print_sheet(
    sheet: Annotated[str, typer.Argument(metavar="welcome|letter|consent|counter")],
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
    from reminder.domain.sheets import ToPrint, render_sheet
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
        told = None if card is None else cards.find(tx, card)
        if group is None or (card is not None and (told is None or told.person_id != person)):
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
                kind=told.kind if told else None,
                card_label=told.label or None if told else None,
                expires_on=told.expires_on if told else None,
                is_computed=told.is_computed if told else False,
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
