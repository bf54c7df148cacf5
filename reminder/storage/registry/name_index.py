"""The only search and order by typed text: names, rooms, units, references, names of groups and cards.

They are sealed. A reference, a label or a room is found by its short keyed index; parts of words are compared, and
lists are sorted, on the opened rows of one group, in Python. No other module has SQL that compares or sorts them.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from reminder.storage.db import sealing
from reminder.storage.db.statements import in_batches
from reminder.storage.db.tables import Person


@dataclass(frozen=True)
class NamePage:
    """A page of a list of persons, as ids in order, of `total`."""

    person_ids: Sequence[int]
    total: int


def alike(
    tx: Session, group_id: int, *, references: Collection[str], labels: Collection[str], rooms: Collection[str]
) -> list[int]:
    """Return the ids of the group's people who have one of these references, labels or rooms, in their order."""
    keys = sealing.keys_of(tx)
    found: set[int] = set()
    for column, name, values in (
        (Person.reference_index, "reference", references),
        (Person.label_index, "label", labels),
        (Person.room_index, "room", rooms),
    ):
        indexes = (index for word in values for index in keys.word_indexes(sealing.index_text(group_id, name, word)))
        for some in in_batches(indexes):
            found.update(tx.scalars(select(Person.id).where(Person.group_id == group_id, column.in_(some))))
    plain = _plainly_alike(tx, group_id, references, labels, rooms)
    return sorted(found | plain)


def _plainly_alike(
    tx: Session, group_id: int, references: Collection[str], labels: Collection[str], rooms: Collection[str]
) -> set[int]:
    """Return those whose words are not sealed yet: there are some only during the deploy of a version.

    Everybody has a label, and so, once it is sealed, its index.
    """
    unsealed = select(Person.id, Person.words).where(Person.group_id == group_id, Person.label_index.is_(None))
    read = sealing.reader_of(tx, Person.words)
    return {
        person_id
        for person_id, said in ((person_id, read(unread)) for person_id, unread in tx.execute(unsealed))
        if said.reference in references or said.label in labels or said.room in rooms
    }


_NAMES = select(Person.id, Person.words).where(Person.group_id == bindparam("group"))


def page(
    tx: Session, group_id: int, *, words: str = "", unit: str | None = None, skip: int = 0, limit: int = 100
) -> NamePage:
    """Return the group's persons by unit and room, 9 before 10; persons without a room come last in each unit.

    `words`: only persons whose label, unit, room or reference contains each of them, in any spelling (full or half
    width, large or small letters). `unit`: only this one.
    """
    found = matching(tx, group_id, words=words, unit=unit)
    return NamePage(found[skip : skip + limit], len(found))


def matching(tx: Session, group_id: int, *, words: str = "", unit: str | None = None) -> list[int]:
    """Return the ids of all that `page` pages through, in its order."""
    wanted = [_plain(word) for word in words.split()]
    found = []
    read = sealing.reader_of(tx, Person.words)
    for person_id, unread in tx.connection().execute(_NAMES, {"group": group_id}):
        label, reference, room, its_unit = read(unread)[:4]
        if unit is not None and unit != (its_unit or ""):
            continue
        written = _plain(" ".join(part for part in (label, its_unit, room, reference) if part))
        if all(word in written for word in wanted):
            found.append((_natural(its_unit), room is None, _natural(room), label, person_id))
    found.sort()
    return [person_id for *_, person_id in found]


def units(tx: Session, group_id: int) -> list[str]:
    """Return the units or floors of the group, in their order; none where nobody has one."""
    read = sealing.reader_of(tx, Person.words)
    found = {unit for _, unread in tx.execute(_NAMES, {"group": group_id}) if (unit := read(unread).unit)}
    return sorted(found, key=_natural)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


_DIGITS = re.compile(r"(\d+)")


def _natural(place: str | None) -> list[tuple[bool, int, str]]:
    """Return a key that sorts numbers by their value."""
    parts = _DIGITS.split(place or "")
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
