"""Commands that erase personal data, and that export it."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Group, OneOf
from reminder.cli.output import AsJson, print_answer, terminal_language
from reminder.errors import RefusedInputError

if TYPE_CHECKING:
    from reminder.wiring import App


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    app.command("erase")(erase)
    app.command("export")(export)


def erase(
    person: OneOf = None,
    group: OneOf = None,
    contact: OneOf = None,
    card: OneOf = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="It was meant: nobody is asked, and nothing brings it back.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Erase a person, a group, a contact or a card, with all that was sent and answered.

    To end the reminders of a card and keep its history: reminder card retire.

    Example: reminder erase --person 2 --yes
    """
    from reminder.cli.app_context import opened_app
    from reminder.upkeep.privacy import erasure as upkeep

    named = {"person": person, "group": group, "contact": contact, "card": card}
    chosen = [(what, its_id) for what, its_id in named.items() if its_id is not None]
    if len(chosen) != 1:
        raise RefusedInputError("erase_one_thing")
    what, its_id = chosen[0]
    with opened_app() as app:
        if not yes and not _is_meant(app, what, its_id, as_json=as_json):
            raise RefusedInputError("erase_needs_yes")
        now = app.clock.now()
        match what:
            case "person":
                upkeep.erase_person(app.units, now, person_id=its_id)
            case "group":
                upkeep.erase_group(app.units, now, group_id=its_id)
            case "contact":
                upkeep.erase_contact(app.units, now, contact_id=its_id)
            case _:
                upkeep.erase_card(app.units, now, card_id=its_id)
    print_answer({"erased": what, "id": its_id}, as_json=as_json, plain=f"{what} {its_id} is erased")


def _is_meant(app: "App", what: str, its_id: int, *, as_json: bool) -> bool:
    """Return whether the erasure is confirmed: a human is asked, a program must pass --yes."""
    if as_json or not sys.stdin.isatty():
        return False
    words = app.rules.wording.of(terminal_language())
    shown = words.section("fields")[what]
    try:
        return typer.confirm(words.section("shown")["erase"].format(what=shown, id=its_id))
    except typer.Abort:
        # The input ended instead of an answer.
        return False


def export(
    group: Group,
    person: OneOf = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write, readable by you alone; else it goes to standard output.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="As a page to read and to print, instead of JSON.")] = False,
    as_json: bool = AsJson,
) -> None:
    """Export everything that is held of a group, or of one person in it: addresses, texts, answers, what was done.

    Example: reminder export --group 1 --person 2 --html --out mother.html
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.account_acts import OPERATORS_TERMINAL, AccountAct
    from reminder.enrolment.identity import owner_mails
    from reminder.storage.crypto import private_files
    from reminder.storage.maintenance import moving
    from reminder.upkeep.privacy import export as upkeep

    with opened_app() as app:
        # Before it is read: one that is stopped half-way has been read all the same.
        with app.logging() as uow:
            upkeep.record_export(uow, group_id=group, person_id=person)
            # Nothing is sent from a closed database.
            if moving.closed(app.database) is None:
                owner_mails.tell_group(uow, AccountAct.EXPORTED, group, device=OPERATORS_TERMINAL)
        with app.reading() as uow:
            pieces: Iterator[str]
            if html:
                page = upkeep.export_page(
                    upkeep.export_group(uow, group_id=group, person_id=person), app.rules, terminal_language()
                )
                if out is None:
                    print_answer({"html": page}, as_json=as_json, plain=page.rstrip("\n"))
                    return
                pieces = iter([page])
            else:
                pieces = upkeep.export_json(uow, group_id=group, person_id=person)
            # A refusal comes before anything is written.
            pieces = chain([next(pieces)], pieces)
            if out is None:
                _print(pieces)
                return
            try:
                # The file holds addresses: nobody else may read it, not even while it is written.
                with private_files.written(out) as file:
                    file.writelines(piece.encode() for piece in pieces)
            except OSError:
                raise RefusedInputError("usage_value", option="--out", command="reminder export") from None
    print_answer({"file": str(out)}, as_json=as_json, plain=str(out))


def _print(pieces: Iterable[str]) -> None:
    """Print the pieces, with one newline at the end."""
    for piece in pieces:
        sys.stdout.write(piece)
    print(flush=True)
