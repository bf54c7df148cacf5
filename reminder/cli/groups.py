"""Commands for groups and their members."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Id, storable_id
from reminder.cli.output import AsJson, print_answer, print_rows, terminal_language
from reminder.cli.preferences import OnHolidays, OwnDays, Preset, SendHour, preferences_row, typed_preferences
from reminder.domain.model.people import Copies, GroupKind, Language, Role
from reminder.errors import NotFoundError

if TYPE_CHECKING:
    from reminder.storage.db.unit_of_work import UnitOfWork
    from reminder.storage.registry.groups import GroupView


def add_group(
    name: Annotated[str, typer.Option(help="What its members call it.")],
    kind: Annotated[GroupKind, typer.Option(help="household: members are carers; home: members are staff.")],
    as_json: bool = AsJson,
) -> None:
    """Add a family or a care home.

    Example: reminder group add --name 田中家 --kind household
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import register

    with opened_app() as app, app.writing() as uow:
        group_id = register.add_group(uow, name=name, kind=kind)
    print_answer({"id": group_id}, as_json=as_json, plain=f"group {group_id}")


def set_group(
    group: Id,
    days: OwnDays = None,
    hour: SendHour = None,
    holidays: OnHolidays = None,
    preset: Preset = None,
    organisation: Annotated[str | None, typer.Option(help="Whose home it is, where that has several homes.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Set the preferences of a group; what is not given stays as it is, an empty --days "" is removed.

    Example: reminder group set 1 --days "60 30 7" --hour 10 --no-holidays
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import preferences as preference_settings
    from reminder.enrolment.identity import membership
    from reminder.storage.registry import groups

    with opened_app() as app, app.writing() as uow:
        if organisation is not None:
            membership.set_organisation(uow, group_id=group, organisation=organisation)
        found = groups.find(uow.tx, group)
        if found is None:
            raise NotFoundError(field="group")
        preferences = typed_preferences(found.preferences, days, hour, holidays, preset)
        preference_settings.set_preferences(uow, group_id=group, preferences=preferences)
        named = app.rules.wording.of(terminal_language()).section("presets")[preferences.preset or "usual"]
    row = {**preferences_row(preferences), "organisation": found.organisation}
    chosen = " ".join(f"{name}={value}" for name, value in row.items() if value)
    print_answer({"id": group, **row}, as_json=as_json, plain=f"group {group}: {named} {chosen}".rstrip())


def add_member(
    group: Annotated[int, typer.Option(callback=storable_id)],
    email: Annotated[str, typer.Option(help="The address they sign in with and are written to.")],
    role: Annotated[Role, typer.Option()] = Role.OWNER,
    lang: Annotated[
        str, typer.Option(help="ja, ja-easy, en, or a file of yours in config/wording.")
    ] = Language.JAPANESE,
    as_json: bool = AsJson,
) -> None:
    """Add a family carer or a member of staff.

    Example: reminder member add --group 1 --email musume@example.jp
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.account_acts import OPERATORS_TERMINAL
    from reminder.enrolment import register
    from reminder.enrolment.identity import membership

    with opened_app() as app, app.writing() as uow:
        member_id = register.add_member(uow, group_id=group, email=email, role=role, language=app.rules.language(lang))
        membership.tell_of_new_member(uow, group, member_id, device=OPERATORS_TERMINAL)
    print_answer({"id": member_id}, as_json=as_json, plain=f"member {member_id}")


def set_member(
    member: Id,
    copies: Annotated[
        Copies, typer.Option(help="near: only from 30 days before an end. none: only what somebody must act on.")
    ],
    as_json: bool = AsJson,
) -> None:
    """Set which reminders about the persons of their group a member gets.

    Example: reminder member set 1 --copies near
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import preferences as preference_settings

    with opened_app() as app, app.writing() as uow:
        preference_settings.set_copies(uow, member_id=member, copies=copies)
    print_answer({"id": member, "copies": copies}, as_json=as_json, plain=f"member {member} gets copies: {copies}")


def list_groups(
    usage: Annotated[
        bool, typer.Option("--usage", help="With what each holds and uses, and its limits: held/limit.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """List the groups with their state: active, trial or suspended.

    Example: reminder group list --usage
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.registry import groups

    with opened_app() as app, app.reading() as uow:
        found = groups.everyone(uow.tx)
        print_rows((_group_row(uow, one, with_usage=usage, as_json=as_json) for one in found), as_json=as_json)


def _group_row(uow: "UnitOfWork", group: "GroupView", *, with_usage: bool, as_json: bool) -> dict[str, object]:
    """Return a group for the operator; for programs each quota is an object, for people held/limit."""
    from reminder.domain.rules.quotas import Quota
    from reminder.storage.registry import group_standing, quotas

    state = "suspended" if group.is_suspended else "trial" if group.is_on_trial else "active"
    row: dict[str, object] = {"id": group.id, "name": group.name, "kind": group.kind, "state": state}
    standing = group_standing.find(uow.tx, group.id)
    if not with_usage or standing is None:
        return row
    row["why"] = standing.suspended_why
    used = quotas.usage(uow.tx, group.id, uow.now)
    for quota in Quota:
        limit, there = quotas.limit_of(uow.rules.quotas, standing, quota), used.used.get(quota)
        if as_json:
            row[quota] = {"limit": limit} if there is None else {"used": there, "limit": limit}
        else:
            row[quota] = str(limit) if there is None else f"{there}/{limit}"
    row["messages_this_month"] = used.messages_this_month
    return row


def approve_group(group: Id, as_json: bool = AsJson) -> None:
    """Approve a group on trial: the usual limits apply, and the consents that it has recorded count.

    Example: reminder group approve 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import standing

    with opened_app() as app, app.writing() as uow:
        confirmed = standing.approve(uow, group_id=group)
    plain = f"group {group} is approved; contacts that may be told from now on: {confirmed}"
    print_answer({"id": group, "state": "active", "confirmed": confirmed}, as_json=as_json, plain=plain)


def suspend_group(
    group: Id,
    why: Annotated[str, typer.Option(help="What its members read, in a few words.")],
    as_json: bool = AsJson,
) -> None:
    """Suspend a group: nothing is sent for it but confirmations of a stop, and nobody may change it. Nothing is lost.

    Example: reminder group suspend 1 --why 問い合わせのため
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import standing

    with opened_app() as app, app.writing() as uow:
        standing.suspend(uow, group_id=group, why=why)
    print_answer({"id": group, "state": "suspended"}, as_json=as_json, plain=f"group {group} is suspended")


def resume_group(group: Id, as_json: bool = AsJson) -> None:
    """Resume a suspended group: what waited is sent, and what is due is planned.

    Example: reminder group resume 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import standing

    with opened_app() as app, app.writing() as uow:
        standing.resume(uow, group_id=group)
    print_answer({"id": group, "resumed": True}, as_json=as_json, plain=f"group {group} goes on")


def set_group_quotas(
    group: Id,
    limits: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="people=500; people= for the usual limit.")
    ],
    as_json: bool = AsJson,
) -> None:
    """Set limits of one group. The names are those of `reminder group list --usage`.

    Example: reminder group quota 1 people=500 cards=100000
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.rules.quotas import read_changes
    from reminder.enrolment import standing

    changes = read_changes({name: value for name, _, value in (limit.partition("=") for limit in limits)})
    with opened_app() as app, app.writing() as uow:
        kept = standing.set_quotas(uow, group_id=group, changes=changes)
    plain = f"group {group}: " + (" ".join(f"{name}={limit}" for name, limit in kept.items()) or "the usual limits")
    print_answer({"id": group, "quotas": kept}, as_json=as_json, plain=plain)
