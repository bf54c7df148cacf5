"""`reminder print letters`: the letters of a home's residents, as a page for any browser or as PDF."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from reminder.cli.output import error_message, print_answer
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reminder.channels.paper_pdf import Unprintable
    from reminder.domain.text.letters import ResidentLetter
    from reminder.wiring import App

LETTERS = "letters"
PDF = ".pdf"


@dataclass(frozen=True)
class LetterRequest:
    """The letters that were asked for. Without people: everybody of the group for whom something is due."""

    group: int | None
    people: tuple[int, ...]
    month: str | None
    unit: str
    kind: str
    furigana: bool


def print_letters(asked: LetterRequest, out: Path | None, *, as_json: bool) -> None:
    """Print the letters. Exit 2 if some could not be printed; the others are in the file."""
    from reminder.channels import paper_pdf
    from reminder.cli.app_context import opened_app
    from reminder.domain.text.letters import render_letter, render_letters

    with opened_app() as app:
        letters = _letters(app, asked)
        wording = app.rules.wording

    def render(letter: "ResidentLetter") -> str:
        return render_letter(wording, letter, furigana=asked.furigana)

    left_out: Sequence[Unprintable] = ()
    if out is not None and out.suffix.lower() == PDF:
        printed = paper_pdf.print_letters(letters, render, LETTERS)
        left_out = printed.unprintable
        if printed.pdf is None:
            raise _refusal(left_out)
        write(out, printed.pdf)
    else:
        html = render_letters([render(letter) for letter in letters], LETTERS)
        if out is None:
            print_answer({"html": html}, as_json=as_json, plain=html.rstrip("\n"))
            return
        write(out, html.encode())
    print_answer(
        {
            "file": str(out),
            "letters": len(letters) - len(left_out),
            "left_out": [
                {"person": one.letter.person_id, "label": one.letter.label, "characters": one.characters}
                for one in left_out
            ],
        },
        as_json=as_json,
        plain=str(out),
    )
    if left_out:
        print(error_message(_refusal(left_out)), file=sys.stderr)
        raise typer.Exit(2)


def _letters(app: "App", asked: LetterRequest) -> "list[ResidentLetter]":
    from reminder.domain.model.own_kinds import own_id
    from reminder.domain.parsing.dates import read_month
    from reminder.planning.reports.resident_letters import Choice, letters_of
    from reminder.storage.registry import groups

    if asked.group is None:
        raise RefusedInputError("usage_missing", option="--group", command="reminder print")
    if asked.kind and asked.kind not in app.rules.kinds and own_id(asked.kind) is None:
        raise UnknownChoiceError(field="kind", choices=list(app.rules.kinds))
    month = None if asked.month is None else read_month(asked.month)
    choice = Choice(month, asked.unit, asked.kind, frozenset(asked.people))
    with app.reading() as uow:
        group = groups.find(uow.tx, asked.group)
        if group is None:
            raise NotFoundError(field="group")
        return letters_of(uow, group, choice)


def _refusal(left_out: "Sequence[Unprintable]") -> RefusedInputError:
    return RefusedInputError("letters_unprintable", people=", ".join(map(str, left_out)))


def write(out: Path, content: bytes) -> None:
    """Write the file. Raises RefusedInputError."""
    from reminder.storage.crypto import private_files

    try:
        with private_files.written(out) as file:
            file.write(content)
    except OSError:
        raise RefusedInputError("usage_value", option="--out", command="reminder print") from None
