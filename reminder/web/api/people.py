"""Persons in the API: the owners of cards."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.model.people import Mode
from reminder.domain.model.person_states import HERE, PersonState
from reminder.enrolment import person_acts, register
from reminder.enrolment.person_acts import PersonAct
from reminder.enrolment.register import PersonChanges
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import people, person_lives
from reminder.storage.registry.people import PersonView
from reminder.upkeep.privacy import erasure
from reminder.web.api.operation import PREFIX, Caller, Changes, Operation, Owns, Sees
from reminder.web.api.shapes import GUARDED, Id, In, Instant, Listed, Out, Paged, TypedDate, part
from reminder.web.declared import declares

router = APIRouter(prefix=PREFIX, tags=["people"], route_class=Operation)

Label = Annotated[str, Field(min_length=1, max_length=20, description="What the family calls them."), GUARDED]
Mark = Annotated[str, Field(min_length=1, max_length=10, description="The family's mark word."), GUARDED]
Reference = Annotated[str, Field(min_length=1, max_length=20, description="Your own number for them."), GUARDED]
Room = Annotated[str, Field(min_length=1, max_length=20, description="Where they live in a home."), GUARDED]
Unit = Annotated[str, Field(min_length=1, max_length=20, description="Its floor or unit."), GUARDED]
Office = Annotated[str, Field(min_length=1, max_length=10, description="市役所, 区役所, 町役場 or 村役場."), GUARDED]
HowSpoken = Annotated[Mode, Field(strict=False, description="How they are spoken to, and when.")]
LanguageIn = Annotated[
    str, Field(min_length=1, max_length=10, description="A language of the service: ja, ja-easy, en …"), GUARDED
]
Insurance = Annotated[bool, Field(description="They use the card as a health-insurance card.")]


class PersonIn(In):
    """A new person. Without `mode` a home's resident is addressed as `home`, anyone else as `standard`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"label": "母", "mode": "elderly", "mark": "つばめ", "reference": "203"}]}
    )
    label: Label
    mode: HowSpoken | None = None
    language: LanguageIn = "ja"
    mark: Mark | None = None
    reference: Reference | None = None
    room: Room | None = None
    unit: Unit | None = None
    office: Office | None = None
    insurance: Insurance = True


class PersonChange(In):
    """The changes to a person.

    null removes the mark word, the reference, the room or the unit, and leaves anything else as it is.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"mark": "ひまわり", "reference": None}]})
    label: Label | None = None
    mode: HowSpoken | None = None
    language: LanguageIn | None = None
    mark: Mark | None = None
    reference: Reference | None = None
    room: Room | None = None
    unit: Unit | None = None
    office: Office | None = None
    insurance: Insurance | None = None


class PersonOut(Out):
    """A person who owns cards. There is no birth date and no full name."""

    id: int
    label: str
    mode: Mode
    language: str
    mark: str | None
    reference: str | None
    room: str | None
    unit: str | None
    office: str
    insurance: bool


class PersonActIn(In):
    """Where a person is; `until`: the last day of a pause, if it is known."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"act": "pause", "until": "2027-02-10"}]})
    act: Annotated[PersonAct, Field(strict=False)]
    until: TypedDate | None = None


class PersonLifeOut(Out):
    """Where a person is. `taken_back_until`: until when `step_back` undoes the last act."""

    person_id: int
    state: PersonState
    since: date | None
    until: date | None
    taken_back_until: Instant | None


@router.get("/people")
def list_people(caller: Sees, page: Paged) -> Listed[PersonOut]:
    """List the persons of the group."""
    with caller.reading() as uow:
        found = people.some_of_group(uow.tx, caller.who.group_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[shown(row) for row in rows], next=after)


@router.post("/people", status_code=201)
@declares(logs=["person_added"])
def add_person(caller: Changes, given: PersonIn) -> PersonOut:
    """Add a person whose cards are to be watched."""
    with caller.writing() as uow:
        person_id = register.add_person(
            uow,
            group_id=caller.who.group_id,
            label=given.label,
            mode=given.mode,
            language=uow.rules.language(given.language),
            mark=given.mark,
            reference=given.reference,
            room=given.room,
            unit=given.unit,
            office=given.office,
            insurance=given.insurance,
            by=caller.who.member_id,
        )
        return shown(authorized.person(uow.tx, caller.who, person_id))


@router.get("/people/{person_id}")
def get_person(caller: Sees, person_id: Id) -> PersonOut:
    """Get one person."""
    with caller.reading() as uow:
        return shown(authorized.person(uow.tx, caller.who, person_id))


@router.patch("/people/{person_id}")
@declares(logs=["person_changed"])
def change_person(caller: Changes, person_id: Id, given: PersonChange) -> PersonOut:
    """Change a person; waiting messages are planned again in the new words."""
    named = given.model_dump(exclude_unset=True)
    # The use case takes an empty word as a removal.
    named |= {name: named[name] or "" for name in ("mark", "reference", "room", "unit") if name in named}
    with caller.writing() as uow:
        authorized.person(uow.tx, caller.who, person_id)
        if "language" in named:
            named["language"] = uow.rules.language(named["language"])
        register.edit_person(uow, person_id=person_id, changes=PersonChanges(**named), by=caller.who.member_id)
        return shown(authorized.person(uow.tx, caller.who, person_id))


@router.get("/people/{person_id}/life")
def get_person_life(caller: Sees, person_id: Id) -> PersonLifeOut:
    """Get where a person is: here, away for a time, moved out, or dead."""
    with caller.reading() as uow:
        return _life(uow, caller, person_id)


@router.post("/people/{person_id}/life")
@declares(
    logs=[
        *("person_pause", "person_return", "person_move_out", "person_died", "person_step_back"),
        *("card_retired", "card_taken_back"),
    ]
)
def act_on_person(caller: Changes, person_id: Id, given: PersonActIn) -> PersonLifeOut:
    """Record that a person is away or back, has moved out or died: then their cards are retired, and nothing is told.

    `step_back` undoes the last act within 24 hours, with the cards that it retired.
    """
    with caller.writing() as uow:
        authorized.person(uow.tx, caller.who, person_id)
        person_acts.act_on_person(uow, person_id=person_id, act=given.act, until=given.until, by=caller.who.member_id)
        return _life(uow, caller, person_id)


def _life(uow: UnitOfWork, caller: Caller, person_id: int) -> PersonLifeOut:
    authorized.person(uow.tx, caller.who, person_id)
    life = person_lives.of_people(uow.tx, [person_id]).get(person_id)
    where = HERE if life is None else life.where
    return PersonLifeOut(
        person_id=person_id,
        state=where.state,
        since=where.since,
        until=where.until,
        taken_back_until=person_acts.taken_back_until(life, uow.now),
    )


@router.delete("/people/{person_id}", status_code=204)
@declares(logs=["person_erased"])
def erase_person(caller: Owns, person_id: Id) -> None:
    """Erase a person with all their contacts, cards and texts. This cannot be undone."""
    with caller.reading() as uow:
        authorized.person(uow.tx, caller.who, person_id)
    erasure.erase_person(caller.app.units, caller.app.clock.now(), person_id=person_id, by=caller.who.member_id)


def shown(person: PersonView) -> PersonOut:
    """Return the person as the API shows them."""
    return PersonOut(
        id=person.id,
        label=person.label,
        mode=person.mode,
        language=person.language,
        mark=person.mark,
        reference=person.reference,
        room=person.room,
        unit=person.unit,
        office=person.office,
        insurance=person.insurance,
    )
