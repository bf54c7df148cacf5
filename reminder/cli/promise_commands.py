"""Commands for delivery promises: whom nobody could tell, and that the operator has seen to them."""

from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer

MOST_SHOWN = 1000


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "Reminders that nobody could tell on their day. Example: reminder promise list"
    promise = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    promise.command("list")(list_promises)
    promise.command("take")(take_promises)
    app.add_typer(promise, name="promise")


def list_promises(as_json: bool = AsJson) -> None:
    """Show the people who were not told of a step on its day, where nobody around them could be told either.

    They are left to you: tell them yourself, then say so with `reminder promise take`.

    Example: reminder promise list
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.registry import people
    from reminder.storage.reminders import promises

    with opened_app() as app, app.reading() as uow:
        found = promises.left_to_operator(uow.tx, MOST_SHOWN)
        known = (people.find(uow.tx, person_id) for person_id in sorted({one.person_id for one in found}))
        label_of = {one.id: one.label for one in known if one is not None}
    rows = [
        {
            "id": one.id,
            "day": one.day.isoformat(),
            "group": one.group_id,
            "person": one.person_id,
            "label": label_of.get(one.person_id, ""),
            "card": one.card_id,
            "whom": str(one.audience),
            "reason": one.reason,
        }
        for one in found
    ]
    plain = "\n".join("  ".join("" if value is None else str(value) for value in row.values()) for row in rows)
    print_answer({"promises": rows}, as_json=as_json, plain=plain or "nobody is left to you")


def take_promises(
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers that `reminder promise list` shows.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are left to you.")] = False,
    as_json: bool = AsJson,
) -> None:
    """Say that you have seen to people whom nobody could tell; `reminder health` names them no longer.

    Example: reminder promise take 12
    """
    from reminder.cli.app_context import opened_app
    from reminder.errors import RefusedInputError
    from reminder.storage.reminders import promises
    from reminder.storage.runtime import activity_log

    if bool(ids) == everything:
        raise RefusedInputError("promises_unnamed")
    with opened_app() as app, app.writing() as uow:
        taken = promises.take(uow.tx, None if everything else ids, uow.now)
        activity_log.write(uow.tx, "promises_taken", uow.now)
    print_answer({"taken": taken}, as_json=as_json, plain=f"{taken} taken")
