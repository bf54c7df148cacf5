"""Commands for people."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Id, storable_id
from reminder.cli.output import AsJson, print_answer
from reminder.domain.model.people import Language, Mode

if TYPE_CHECKING:
    pass


def add_person(
    group: Annotated[int, typer.Option(callback=storable_id)],
    label: Annotated[str, typer.Option(help="What the family calls them, at most 20 characters: 母, 花子さん.")],
    mode: Annotated[Mode | None, typer.Option(help="Default: home in a care home, else standard.")] = None,
    lang: Annotated[
        str, typer.Option(help="ja, ja-easy, en, or a file of yours in config/wording.")
    ] = Language.JAPANESE,
    mark: Annotated[str | None, typer.Option(help="The family's mark word, shown in every text.")] = None,
    ref: Annotated[str | None, typer.Option(help="Your own number for them.")] = None,
    room: Annotated[str | None, typer.Option(help="Where they live in a home.")] = None,
    unit: Annotated[str | None, typer.Option(help="Its floor or unit.")] = None,
    office: Annotated[str | None, typer.Option(help="市役所, 区役所, 町役場 or 村役場.")] = None,
    insurance: Annotated[
        bool, typer.Option("--insurance/--no-insurance", help="Uses the card as a health-insurance card.")
    ] = True,
    as_json: bool = AsJson,
) -> None:
    """Add a person whose cards are to be watched.

    Example: reminder person add --group 1 --label 母 --mode elderly --mark つばめ
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment import register

    with opened_app() as app, app.writing() as uow:
        person_id = register.add_person(
            uow,
            group_id=group,
            label=label,
            mode=mode,
            language=app.rules.language(lang),
            mark=mark,
            reference=ref,
            room=room,
            unit=unit,
            office=office,
            insurance=insurance,
        )
    print_answer({"id": person_id}, as_json=as_json, plain=f"person {person_id}")


def act_on_person(
    person: Id,
    act: Annotated[str, typer.Argument(metavar="pause|return|move-out|died|step-back")],
    until: Annotated[str | None, typer.Option(help="The last day of a pause, as typed.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Record where a person is. Who is away is not written to; about who has moved out or died nothing is told.

    `step-back` undoes the last of these within 24 hours.

    Example: reminder person life 2 pause
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.person_acts import PersonAct, act_on_person
    from reminder.errors import UnknownChoiceError
    from reminder.storage.registry import person_lives

    known = {one.value.replace("_", "-"): one for one in PersonAct}
    if act not in known:
        raise UnknownChoiceError(field="act", choices=list(known))
    with opened_app() as app, app.writing() as uow:
        act_on_person(uow, person_id=person, act=known[act], until=until)
        where = person_lives.of_people(uow.tx, [person])[person].where
    shown = {"id": person, "state": where.state, "since": where.since, "until": where.until}
    print_answer(shown, as_json=as_json, plain=f"person {person}: {where.state}")
