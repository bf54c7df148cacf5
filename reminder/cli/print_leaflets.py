"""The command `reminder print`: leaflets such as a welcome, a letter, a consent form or a card for the counter."""

from pathlib import Path
from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer
from reminder.cli.print_letters import LETTERS, LetterRequest, print_letters, write
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError


def add_to(app: typer.Typer) -> None:
    """Add the command to `reminder`."""
    app.command("print")(print_sheet)


def print_sheet(
    sheet: Annotated[str, typer.Argument(metavar="welcome|letter|consent|counter|fridge|photo|hospital|lost|letters")],
    person: Annotated[list[int] | None, typer.Option(help="Whose sheet it is; of letters also several.")] = None,
    card: Annotated[int | None, typer.Option(help="For the letter: of which card.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write, .pdf for letters as PDF; else standard output.")
    ] = None,
    group: Annotated[int | None, typer.Option(help="For letters: of which group.")] = None,
    month: Annotated[str | None, typer.Option(help="For letters: what is due in it, as 2027-02.")] = None,
    unit: Annotated[str, typer.Option(help="For letters: only of this unit or floor.")] = "",
    kind: Annotated[str, typer.Option(help="For letters: only who has this kind due; it is named first.")] = "",
    furigana: Annotated[bool, typer.Option("--furigana", help="For letters: with readings over the words.")] = False,
    as_json: bool = AsJson,
) -> None:
    """Print a leaflet as a page for any browser, for A4, in large type, without links.

    `letters` are those of a whole home, one page a resident: they take --group, and --out letters.pdf makes a PDF.

    Example: reminder print welcome --person 1
    """
    if sheet == LETTERS:
        asked = LetterRequest(group, tuple(person or ()), month, unit, kind, furigana)
        print_letters(asked, out, as_json=as_json)
        return
    if person is None or len(person) != 1:
        raise RefusedInputError("usage_missing", option="--person", command="reminder print")
    _print_sheet(sheet, person[0], card, out, as_json=as_json)


def _print_sheet(sheet: str, person: int, card: int | None, out: Path | None, *, as_json: bool) -> None:
    from reminder.cli.app_context import opened_app
    from reminder.clock import japan_date
    from reminder.domain.text.catalog import SHEETS
    from reminder.domain.text.leaflets import LeafletContents, render_sheet
    from reminder.planning.reports.leaflet_cards import leaflet_cards, stop_line
    from reminder.planning.reports.status import group_status
    from reminder.storage.registry import groups, people

    if sheet not in SHEETS:
        raise UnknownChoiceError(field="sheet", choices=(*SHEETS, LETTERS))
    if (card is None) == (sheet == "letter"):
        raise RefusedInputError("letter_needs_card", field="card")
    with opened_app() as app, app.reading() as uow:
        whose = people.find(uow.tx, person)
        if whose is None:
            raise NotFoundError(field="person")
        group = groups.find(uow.tx, whose.group_id)
        chosen = () if group is None else leaflet_cards(uow.rules, group_status(uow, group, [person])[0], card)
        if group is None or (sheet in ("letter", "fridge") and not chosen):
            raise NotFoundError(field="card")
        words = uow.rules.wording.of(whose.language)
        page = render_sheet(
            sheet,
            words,
            LeafletContents(
                label=whose.label,
                office=whose.office,
                from_=group.name,
                mark=whose.mark,
                sender=app.settings.twilio_from or "＿＿＿＿＿＿＿＿＿＿",
                today=japan_date(uow.now),
                cards=chosen,
                mode=whose.mode,
                stop_line=stop_line(uow.rules),
            ),
        )
    if out is None:
        print_answer({"html": page}, as_json=as_json, plain=page.rstrip("\n"))
        return
    write(out, page.encode())
    print_answer({"file": str(out)}, as_json=as_json, plain=str(out))
