"""The words that people have typed and that stand in messages, by group: for a check of what is stored already."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Executable, bindparam, select
from sqlalchemy.orm import Session

from reminder.storage.db import sealing
from reminder.storage.db.columns import StoredWords
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import Card, Group, Person


@dataclass(frozen=True)
class FreeWord:
    """A word that somebody has typed; `field` as refusals name it. Of a person's words `place` says whose it is.

    `place`: the room with its unit, or the label of a person without a room (`is_name`); "" for the group's own name.
    """

    group_id: int
    field: str
    text: str
    person_id: int | None = None
    place: str = ""
    is_name: bool = False


_NEXT = select(Group.id).where(Group.id > bindparam("after")).order_by(Group.id).limit(bindparam("limit"))
_OF_GROUPS = select(Group.id, Group.name).where(among(Group.id, ids_param("groups"))).order_by(Group.id)
_PRINTED = ("label", "mark", "room", "unit", "office")
_OF_PEOPLE = (
    select(Person.group_id, Person.id, Person.words)
    .where(among(Person.group_id, ids_param("groups")))
    .order_by(Person.group_id, Person.id)
)
_OF_CARDS: Executable = (
    select(Person.group_id, Person.id, Person.words, Card.label)
    .join(Card, Card.person_id == Person.id)
    .where(among(Person.group_id, ids_param("groups")), Card.retired_at.is_(None))
    .order_by(Person.group_id, Person.id, Card.id)
)


def groups_after(tx: Session, group_id: int, *, limit: int) -> list[int]:
    """Return the ids of the groups that follow this one, in order."""
    return list(tx.scalars(_NEXT, {"after": group_id, "limit": limit}))


def of_groups(tx: Session, group_ids: Sequence[int]) -> list[FreeWord]:
    """Return the words of these groups that stand in messages: names of groups, words of persons, labels of cards."""
    asked = {"groups": group_ids}
    read, label_of = sealing.reader_of(tx, Person.words), sealing.reader_of(tx, Card.label)
    name_of = sealing.reader_of(tx, Group.name)
    found = [FreeWord(group_id, "group_name", name_of(name)) for group_id, name in tx.execute(_OF_GROUPS, asked)]
    for group_id, person_id, unread in tx.execute(_OF_PEOPLE, asked):
        said = read(unread)
        place, is_name = _place(said)
        of_person = {field: getattr(said, field) for field in _PRINTED}
        found += [
            FreeWord(group_id, field, text, person_id, place, is_name) for field, text in of_person.items() if text
        ]
    found += [
        FreeWord(group_id, "card_label", text, person_id, *_place(read(unread)))
        for group_id, person_id, unread, label in tx.execute(_OF_CARDS, asked)
        if (text := label_of(label))
    ]
    return found


def _place(said: StoredWords) -> tuple[str, bool]:
    """Return the room with its unit; without a room the label, and that it is one."""
    return (" ".join(part for part in (said.unit, said.room) if part), False) if said.room else (said.label, True)
