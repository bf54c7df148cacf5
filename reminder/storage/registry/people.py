"""Persons, whose cards are watched."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import Language, Mode
from reminder.storage.db.statements import add_many, among, each, ids_param
from reminder.storage.db.tables import PEOPLE, Card, Person
from reminder.storage.registry import name_index


@dataclass(frozen=True)
class PersonView:
    """A person of a group."""

    id: int
    group_id: int
    label: str
    reference: str | None
    room: str | None
    unit: str | None
    mark: str | None
    office: str
    mode: Mode
    language: Language
    insurance: bool

    @property
    def place(self) -> str:
        """Where the person is found: floor or unit and room; else the group's own reference."""
        return " ".join(said for said in (self.unit, self.room) if said) or self.reference or ""


class PersonBrief(NamedTuple):
    """A person without details, made for thousands at once: a tuple, because it is the quickest to make."""

    id: int
    label: str
    room: str | None
    unit: str | None
    insurance: bool


COLUMNS = (
    Person.id,
    Person.group_id,
    Person.label,
    Person.reference,
    Person.room,
    Person.unit,
    Person.mark,
    Person.office,
    Person.mode,
    Person.language,
    Person.insurance,
)


_FIND = select(*COLUMNS).where(Person.id == bindparam("person"))
_BY_ID = select(*COLUMNS).where(among(Person.id, ids_param("people")))
_EVERY = select(*COLUMNS).order_by(Person.id)
_OF_GROUP = _EVERY.where(Person.group_id == bindparam("group"))
_BRIEF = (
    select(Person.id, Person.label, Person.room, Person.unit, Person.insurance)
    .where(Person.group_id == bindparam("group"))
    .order_by(Person.id)
)
_FIRST_IDS = select(Person.id).where(Person.group_id == bindparam("group")).limit(bindparam("limit"))
_SOME = _OF_GROUP.where(among(Person.id, ids_param("people")))


def view(
    row: tuple[int, int, str, str | None, str | None, str | None, str | None, str, str, str, bool],
) -> PersonView:
    """Return the person of a row."""
    return PersonView(*row[:8], Mode(row[8]), Language(row[9]), row[10])


def add(
    tx: Session,
    *,
    group_id: int,
    label: str,
    mode: Mode,
    language: Language,
    reference: str | None,
    room: str | None = None,
    unit: str | None = None,
    mark: str | None,
    office: str,
    insurance: bool,
    now: datetime,
) -> int:
    """Add a person, and return their id."""
    return add_all(
        tx,
        [
            {
                "group_id": group_id,
                "label": label,
                "mode": mode,
                "language": language,
                "reference": reference,
                "room": room,
                "unit": unit,
                "mark": mark,
                "office": office,
                "insurance": insurance,
                "created_at": now,
            }
        ],
    )[0]


def add_all(tx: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add persons; return their ids, in the order of the rows."""
    return add_many(tx, PEOPLE, rows)


def like(
    tx: Session, group_id: int, *, references: Collection[str], labels: Collection[str], rooms: Collection[str]
) -> list[PersonView]:
    """Return the persons of the group with one of these references, labels or rooms."""
    return some(tx, group_id, name_index.alike(tx, group_id, references=references, labels=labels, rooms=rooms))


def change(tx: Session, person: PersonView) -> None:
    """Store the changed fields of a person."""
    said = {name: value for name, value in vars(person).items() if name not in ("id", "group_id")}
    tx.execute(update(Person).where(Person.id == person.id).values(**said))


def find(tx: Session, person_id: int) -> PersonView | None:
    """Return the person with this id, None where there is none."""
    row = tx.execute(_FIND, {"person": person_id}).one_or_none()
    return None if row is None else view(row)


def by_id(tx: Session, person_ids: Collection[int]) -> dict[int, PersonView]:
    """Return those of these persons that exist, by id."""
    found = tx.execute(_BY_ID, {"people": person_ids})
    return {row.id: view(row) for row in found}


def of_group(tx: Session, group_id: int | None) -> list[PersonView]:
    """Return the persons of a group, or all persons where `group_id` is None."""
    rows = tx.execute(_EVERY) if group_id is None else tx.execute(_OF_GROUP, {"group": group_id})
    return [view(row) for row in rows]


def brief_of_group(tx: Session, group_id: int) -> list[PersonBrief]:
    """Return everybody in the group without details, in the order of their ids."""
    # Plain rows: the session would double the time for thousands.
    return list(map(PersonBrief._make, tx.connection().execute(_BRIEF, {"group": group_id}).all()))


def are_more_than(tx: Session, group_id: int, count: int) -> bool:
    """Return whether the group has more people than that; no more are looked at."""
    return len(tx.scalars(_FIRST_IDS, {"group": group_id, "limit": count + 1}).all()) > count


def each_of_group(tx: Session, group_id: int | None) -> Iterator[PersonView]:
    """Yield the persons that `of_group` returns, in bounded memory."""
    rows = each(tx, _EVERY) if group_id is None else each(tx, _OF_GROUP, {"group": group_id})
    return (view(row) for row in rows)


def some(tx: Session, group_id: int, person_ids: Collection[int]) -> list[PersonView]:
    """Return those of these persons that are in the group, in the order of their ids."""
    return [view(row) for row in tx.execute(_SOME, {"group": group_id, "people": person_ids})]


def has_card(tx: Session, person_id: int) -> bool:
    """Return whether the person has a card."""
    query = select(Card.id).where(Card.person_id == person_id, Card.retired_at.is_(None))
    return tx.execute(query).first() is not None


def some_of_group(tx: Session, group_id: int, *, after: int, limit: int) -> list[PersonView]:
    """Return persons of a group with a higher id than `after`."""
    query = select(*COLUMNS).where(Person.group_id == group_id, Person.id > after).order_by(Person.id).limit(limit)
    return [view(row) for row in tx.execute(query)]
