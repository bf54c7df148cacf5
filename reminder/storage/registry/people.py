"""Persons, whose cards are watched."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import Language, Mode
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db import sealing
from reminder.storage.db.columns import StoredWords
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
    Person.words,
    Person.mode,
    Person.language,
    Person.insurance,
)


_FIND = select(*COLUMNS).where(Person.id == bindparam("person"))
_BY_ID = select(*COLUMNS).where(among(Person.id, ids_param("people")))
_EVERY = select(*COLUMNS).order_by(Person.id)
_OF_GROUP = _EVERY.where(Person.group_id == bindparam("group"))
_BRIEF = (
    select(Person.id, Person.words, Person.insurance).where(Person.group_id == bindparam("group")).order_by(Person.id)
)
_FIRST_IDS = select(Person.id).where(Person.group_id == bindparam("group")).limit(bindparam("limit"))
_SOME = _OF_GROUP.where(among(Person.id, ids_param("people")))


Reader = Callable[[Any], Any]


def reader(tx: Session) -> Reader:
    """Return the function that opens the words of a person, for `view`."""
    return sealing.reader_of(tx, Person.words)


def view(row: Sequence[Any], read: Reader) -> PersonView:
    """Return the person of a row with the columns of `COLUMNS`."""
    label, reference, room, unit, mark, office = read(row[2])
    return PersonView(
        row[0], row[1], label, reference, room, unit, mark, office, Mode(row[3]), Language(row[4]), row[5]
    )


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
    """Add persons; return their ids, in the order of the rows. Raises ForbiddenNumberError for a word with a number."""
    keys = sealing.keys_of(tx)
    return add_many(tx, PEOPLE, [_sealed(keys, row) for row in rows])


def _sealed(keys: KeyRing, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for a new row, with its words sealed."""
    said = StoredWords._make(row[name] for name in StoredWords._fields)
    others = {name: value for name, value in row.items() if name not in StoredWords._fields}
    # What a column without a default must have.
    return others | _words(keys, row["group_id"], said) | {"label": "", "office": ""}


def _words(keys: KeyRing, group_id: int, said: StoredWords) -> dict[str, Any]:
    """Return the columns with the words of a person. Nothing else is sealed in the row, so its token is a new one."""
    row_token = new_row_token()
    sealed = sealing.words(keys, Person.words, said, row_token)
    indexes = sealing.person_indexes(keys, group_id, said)._asdict()
    return {"row_token": row_token, "words_sealed": sealed, **indexes}


def like(
    tx: Session, group_id: int, *, references: Collection[str], labels: Collection[str], rooms: Collection[str]
) -> list[PersonView]:
    """Return the persons of the group with one of these references, labels or rooms."""
    return some(tx, group_id, name_index.alike(tx, group_id, references=references, labels=labels, rooms=rooms))


def change(tx: Session, person: PersonView) -> None:
    """Store the changed fields of a person."""
    said = StoredWords._make(getattr(person, name) for name in StoredWords._fields)
    values = _words(sealing.keys_of(tx), person.group_id, said) | sealing.no_plain_words(PEOPLE)
    values |= {"mode": person.mode, "language": person.language, "insurance": person.insurance}
    tx.execute(update(PEOPLE).where(PEOPLE.c.id == person.id).values(values))


def find(tx: Session, person_id: int) -> PersonView | None:
    """Return the person with this id, None where there is none."""
    row = tx.execute(_FIND, {"person": person_id}).one_or_none()
    return None if row is None else view(row, reader(tx))


def by_id(tx: Session, person_ids: Collection[int]) -> dict[int, PersonView]:
    """Return those of these persons that exist, by id."""
    read = reader(tx)
    return {row.id: view(row, read) for row in tx.execute(_BY_ID, {"people": person_ids})}


def of_group(tx: Session, group_id: int | None) -> list[PersonView]:
    """Return the persons of a group, or all persons where `group_id` is None."""
    rows = tx.execute(_EVERY) if group_id is None else tx.execute(_OF_GROUP, {"group": group_id})
    read = reader(tx)
    return [view(row, read) for row in rows]


def brief_of_group(tx: Session, group_id: int) -> list[PersonBrief]:
    """Return everybody in the group without details, in the order of their ids."""
    # Plain rows: the session would double the time for thousands.
    rows, read, found = tx.connection().execute(_BRIEF, {"group": group_id}).all(), reader(tx), []
    for person_id, unread, insurance in rows:
        said = read(unread)
        found.append(PersonBrief(person_id, said[0], said[2], said[3], insurance))
    return found


def are_more_than(tx: Session, group_id: int, count: int) -> bool:
    """Return whether the group has more people than that; no more are looked at."""
    return len(tx.scalars(_FIRST_IDS, {"group": group_id, "limit": count + 1}).all()) > count


def each_of_group(tx: Session, group_id: int | None) -> Iterator[PersonView]:
    """Yield the persons that `of_group` returns, in bounded memory."""
    rows = each(tx, _EVERY) if group_id is None else each(tx, _OF_GROUP, {"group": group_id})
    read = reader(tx)
    return (view(row, read) for row in rows)


def some(tx: Session, group_id: int, person_ids: Collection[int]) -> list[PersonView]:
    """Return those of these persons that are in the group, in the order of their ids."""
    read = reader(tx)
    return [view(row, read) for row in tx.execute(_SOME, {"group": group_id, "people": person_ids})]


def has_card(tx: Session, person_id: int) -> bool:
    """Return whether the person has a card."""
    query = select(Card.id).where(Card.person_id == person_id, Card.retired_at.is_(None))
    return tx.execute(query).first() is not None


def some_of_group(tx: Session, group_id: int, *, after: int, limit: int) -> list[PersonView]:
    """Return persons of a group with a higher id than `after`."""
    query = select(*COLUMNS).where(Person.group_id == group_id, Person.id > after).order_by(Person.id).limit(limit)
    read = reader(tx)
    return [view(row, read) for row in tx.execute(query)]
