"""The words that people have typed and that stand in messages, by group: for a check of what is stored already."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Executable, bindparam, select
from sqlalchemy.orm import Session

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
_PRINTED = {
    "label": Person.label,
    "mark": Person.mark,
    "room": Person.room,
    "unit": Person.unit,
    "office": Person.office,
}
_OF_PEOPLE = (
    select(Person.group_id, Person.id, *_PRINTED.values())
    .where(among(Person.group_id, ids_param("groups")))
    .order_by(Person.group_id, Person.id)
)
_OF_CARDS: Executable = (
    select(Person.group_id, Person.id, Person.label, Person.room, Person.unit, Card.label)
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
    found = [FreeWord(group_id, "group_name", name) for group_id, name in tx.execute(_OF_GROUPS, asked)]
    for group_id, person_id, *words in tx.execute(_OF_PEOPLE, asked):
        of_person = dict(zip(_PRINTED, words, strict=True))
        place, is_name = _place(of_person["label"], of_person["room"], of_person["unit"])
        found += [
            FreeWord(group_id, field, text, person_id, place, is_name) for field, text in of_person.items() if text
        ]
    found += [
        FreeWord(group_id, "card_label", text, person_id, *_place(label, room, unit))
        for group_id, person_id, label, room, unit, text in tx.execute(_OF_CARDS, asked)
        if text
    ]
    return found


def _place(label: str, room: str | None, unit: str | None) -> tuple[str, bool]:
    """Return the room with its unit; without a room the label, and that it is one."""
    return (" ".join(part for part in (unit, room) if part), False) if room else (label, True)
