"""Commands for groups and their members."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Id, storable_id
from reminder.cli.output import AsJson, print_answer, terminal_language
from reminder.cli.preferences import OnHolidays, OwnDays, Preset, SendHour, preferences_row, typed_preferences
from reminder.domain.model.people import Copies, GroupKind, Language, Role
from reminder.errors import NotFoundError

if TYPE_CHECKING:
    pass


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
    from reminder.enrolment import register

    with opened_app() as app, app.writing() as uow:
        member_id = register.add_member(uow, group_id=group, email=email, role=role, language=app.rules.language(lang))
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
