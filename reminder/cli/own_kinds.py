"""Commands for the kinds of cards of a group's own."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Id, storable_id
from reminder.cli.output import AsJson, print_answer, print_rows

if TYPE_CHECKING:
    from reminder.enrolment.own_kinds import OwnKindDraft
    from reminder.storage.registry.own_kinds import OwnKindView

Group = Annotated[int, typer.Option(callback=storable_id)]
Name = Annotated[str, typer.Option(help="What the group calls it, up to 16 characters.")]
Place = Annotated[str, typer.Option(help="Where it is done, as `reminder kinds` says it: municipal_counter, post, …")]
Opens = Annotated[str, typer.Option(help="From how many days before its end it can be done; without it, not known.")]
Takes = Annotated[str, typer.Option(help="Days until the new one is there; without it, it is given at once.")]
Who = Annotated[str, typer.Option("--stand-in", help="Who may go instead: anybody, relatives or nobody.")]
Days = Annotated[str, typer.Option(help='Days of reminders before the end, in place of the group\'s: "60 30 7".')]


def add_own_kind(
    group: Group, name: Name, place: Place = "issuer", opens: Opens = "", takes: Takes = "",
    stand_in: Who = "anybody", days: Days = "", as_json: bool = AsJson,
) -> None:  # fmt: skip
    """Add a kind of card to a group; cards of it are added with --kind own:ID.

    Example: reminder own-kind add --group 1 --name プール会員証 --place shop --opens 30 --takes 7
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.own_kinds import add_own_kind as add

    wanted = _draft(name, place, opens, takes, stand_in, days)
    with opened_app() as app, app.writing() as uow:
        kind = add(uow, group_id=group, wanted=wanted)
    _print(kind, as_json=as_json)


def change_own_kind(
    kind: Id, name: Name, place: Place = "issuer", opens: Opens = "", takes: Takes = "",
    stand_in: Who = "anybody", days: Days = "", as_json: bool = AsJson,
) -> None:  # fmt: skip
    """Replace the name and the facts of a kind; all its cards are called and planned by the new ones.

    Example: reminder own-kind set 1 --name プール会員証 --place shop --opens 60
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.own_kinds import change_own_kind as change
    from reminder.errors import NotFoundError
    from reminder.storage.registry.own_kinds import group_of

    wanted = _draft(name, place, opens, takes, stand_in, days)
    with opened_app() as app, app.writing() as uow:
        group_id = group_of(uow.tx, kind)
        if group_id is None:
            raise NotFoundError(field="kind")
        changed = change(uow, group_id=group_id, kind_id=kind, wanted=wanted)
    _print(changed, as_json=as_json)


def remove_own_kind(kind: Id, as_json: bool = AsJson) -> None:
    """Remove a kind that no current card is of.

    Example: reminder own-kind remove 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.own_kinds import remove_own_kind as remove
    from reminder.errors import NotFoundError
    from reminder.storage.registry.own_kinds import group_of

    with opened_app() as app, app.writing() as uow:
        group_id = group_of(uow.tx, kind)
        if group_id is None:
            raise NotFoundError(field="kind")
        remove(uow, group_id=group_id, kind_id=kind)
    print_answer({"id": kind, "state": "removed"}, as_json=as_json, plain=f"kind own:{kind} is removed")


def list_own_kinds(group: Group, as_json: bool = AsJson) -> None:
    """List the kinds of a group's own.

    Example: reminder own-kind list --group 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.errors import NotFoundError
    from reminder.storage.registry import groups, own_kinds

    with opened_app() as app, app.reading() as uow:
        if groups.find(uow.tx, group) is None:
            raise NotFoundError(field="group")
        counts = own_kinds.counts(uow.tx, group)
        rows = [{**_row(one), "cards": counts.get(one.public_name, 0)} for one in own_kinds.of_group(uow.tx, group)]
    print_rows(rows, as_json=as_json)


def _draft(name: str, place: str, opens: str, takes: str, stand_in: str, days: str) -> "OwnKindDraft":
    from reminder.domain.parsing.days_before import read_day_count, read_days
    from reminder.enrolment.own_kinds import OwnKindDraft

    return OwnKindDraft(
        name,
        place,
        read_day_count(opens, "opens_days"),
        read_day_count(takes, "lead_days") or 0,
        stand_in,
        read_days(days),
    )


def _row(kind: "OwnKindView") -> dict[str, object]:
    facts = kind.facts
    return {
        "id": kind.id,
        "kind": kind.public_name,
        "name": kind.name,
        "place": facts.place,
        "opens_days": facts.opens_days,
        "lead_days": facts.lead_days,
        "stand_in": facts.stand_in,
        "days": list(facts.own_days),
    }


def _print(kind: "OwnKindView", *, as_json: bool) -> None:
    print_answer(_row(kind), as_json=as_json, plain=f"kind {kind.public_name}: {kind.name}")
