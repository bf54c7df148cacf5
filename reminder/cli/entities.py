"""Commands that store and list: groups, members, persons, contacts and cards."""

from collections.abc import Callable
from typing import Annotated

import typer

from reminder.cli.cards import (
    acknowledge_card,
    add_card,
    apply_for_card,
    assign_card,
    book_card,
    make_card_ready,
    renew_card,
    reopen_card,
    retire_card,
    set_days,
    show_life,
    take_back,
)
from reminder.cli.contacts import (
    add_contact,
    ask_contact,
    call_contact_as_test,
    confirm_contact,
    stop_contact,
    stop_number,
    verify_contact,
)
from reminder.cli.groups import (
    add_group,
    add_member,
    approve_group,
    list_groups,
    resume_group,
    set_group,
    set_group_quotas,
    set_member,
    suspend_group,
)
from reminder.cli.options import storable_id
from reminder.cli.output import AsJson, print_rows, renamed
from reminder.cli.own_kinds import add_own_kind, change_own_kind, list_own_kinds, remove_own_kind
from reminder.cli.people import act_on_person, add_person
from reminder.errors import NotFoundError, UnknownChoiceError

# The names until the previous release; each says so on standard error.
OLD_NAMES = {"card": {"renewed": "renew", "done": "acknowledge", "undone": "reopen", "take": "assign"}}


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    nouns: tuple[tuple[str, str, dict[str, Callable[..., None]]], ...] = (
        (
            "group",
            "Households and care homes.",
            {
                "add": add_group,
                "set": set_group,
                "list": list_groups,
                "approve": approve_group,
                "suspend": suspend_group,
                "resume": resume_group,
                "quota": set_group_quotas,
            },
        ),
        ("member", "Logins of a group: family carers, staff.", {"add": add_member, "set": set_member}),
        ("person", "People whose cards are watched.", {"add": add_person, "life": act_on_person}),
        (
            "contact",
            "Phones and addresses.",
            {
                "add": add_contact,
                "ask": ask_contact,
                "confirm": confirm_contact,
                "test-call": call_contact_as_test,
                "verify": verify_contact,
                "stop": stop_contact,
                "stop-number": stop_number,
            },
        ),
        (
            "card",
            "Dates at which cards end.",
            {
                "add": add_card,
                "renew": renew_card,
                "acknowledge": acknowledge_card,
                "reopen": reopen_card,
                "assign": assign_card,
                "apply": apply_for_card,
                "ready": make_card_ready,
                "book": book_card,
                "days": set_days,
                "retire": retire_card,
                "take-back": take_back,
                "life": show_life,
            },
        ),
        (
            "own-kind",
            "Kinds of cards of a group's own.",
            {"add": add_own_kind, "set": change_own_kind, "remove": remove_own_kind, "list": list_own_kinds},
        ),
    )
    for name, use, commands in nouns:
        about = f"{use} Example: reminder {name} add --help"
        sub = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
        for command_name, command in commands.items():
            sub.command(command_name)(command)
        for old, new in OLD_NAMES.get(name, {}).items():
            sub.command(old, hidden=True)(renamed(commands[new], f"{name} {old}", f"{name} {new}"))
        app.add_typer(sub, name=name)
    app.command("list")(list_rows)


def list_rows(
    what: Annotated[str, typer.Argument(metavar="groups|people|contacts|cards|reminders|messages|replies")],
    group: Annotated[int | None, typer.Option(callback=storable_id)] = None,
    state: Annotated[str | None, typer.Option(help="Of contacts, cards, reminders, messages or replies.")] = None,
    as_json: bool = AsJson,
) -> None:
    """List what is stored.

    Example: reminder list messages --state undelivered --json
    """
    from reminder.cli.app_context import opened_app
    from reminder.cli.listing import LISTS, SHOWS_ADDRESSES, STATES
    from reminder.storage.registry import groups
    from reminder.storage.runtime import activity_log

    if what not in LISTS:
        raise UnknownChoiceError(field="list", choices=list(LISTS))
    if state is not None and what in STATES and state not in STATES[what]:
        raise UnknownChoiceError(field="state", choices=STATES[what])
    with opened_app() as app:
        with app.reading() as uow:
            if group is not None and groups.find(uow.tx, group) is None:
                raise NotFoundError(field="group")
        if what in SHOWS_ADDRESSES:
            with app.logging() as uow:
                activity_log.write(uow.tx, "addresses_listed", uow.now, group_id=group)
        with app.reading() as uow:
            print_rows(LISTS[what](app, uow.tx, group, state), as_json=as_json)
