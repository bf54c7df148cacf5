"""What a home's sheet said of its people when it was last saved, and the answers that were given to its questions.

Both are kept as fingerprints: equal ones can be recognised, and nothing can be read. Their key is made of the secret of
the installation and outlives a rotation of keys: otherwise the first sheet after one would undo what was renewed here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reminder.domain.model.imports import SheetAnswer
from reminder.storage.crypto.keyring import KeyRing, letters
from reminder.storage.db.statements import among, in_batches, insert_many, put
from reminder.storage.db.tables import SHEET_PEOPLE, SheetAnswerGiven, SheetPerson

# A cell is compared with that of one person only; a person and a question are looked for in the whole group.
_CELL_BYTES, _GROUP_BYTES = 8, 32


@dataclass(frozen=True)
class LastSaid:
    """What the sheet said of a person: fingerprints by field."""

    person_id: int
    cells: Mapping[str, str]

    def said(self, keys: KeyRing, field: str, value: str) -> bool | None:
        """Return whether the sheet said this in the field; None where nobody knows what it said."""
        kept = self.cells.get(field)
        return None if kept is None else kept == _cell_fingerprint(keys, self.person_id, field, value)


def _cell_fingerprint(keys: KeyRing, person_id: int, field: str, value: str) -> str:
    # Of each person their own: equal dates of two people have nothing in common.
    return letters(keys.sheet_fingerprint(f"sheet cell\0{person_id}\0{field}\0{value}", _CELL_BYTES))


def _identity_fingerprint(keys: KeyRing, group_id: int, identity: str) -> bytes:
    return keys.sheet_fingerprint(f"sheet person\0{group_id}\0{identity}", _GROUP_BYTES)


_COLUMNS = (SheetPerson.person_id, SheetPerson.cells_fingerprint)


def of_people(tx: Session, person_ids: Collection[int]) -> dict[int, LastSaid]:
    """Return what the sheet said of these people, by id, without those whom no sheet has named."""
    rows = tx.execute(select(*_COLUMNS).where(among(SheetPerson.person_id, person_ids)))
    return {row.person_id: LastSaid(*row) for row in rows}


def by_identity(tx: Session, keys: KeyRing, group_id: int, identities: Collection[str]) -> dict[str, int]:
    """Return the person whom a sheet named so when it was last saved, by identity (`resident_rows.identity_of`)."""
    named = {_identity_fingerprint(keys, group_id, one): one for one in identities}
    found: dict[str, int] = {}
    for some in in_batches(named):
        query = select(SheetPerson.identity_fingerprint, SheetPerson.person_id).where(
            SheetPerson.group_id == group_id, SheetPerson.identity_fingerprint.in_(some)
        )
        found |= {named[bytes(identity)]: person_id for identity, person_id in tx.execute(query)}
    return found


@dataclass(frozen=True)
class SaidOfPerson:
    """What a row of a sheet says of a person: its words by field. Cells that it leaves out stay known."""

    person_id: int
    identity: str
    cells: Mapping[str, str]


def remember(tx: Session, keys: KeyRing, group_id: int, said: Sequence[SaidOfPerson], now: datetime) -> None:
    """Keep what rows of a sheet say of people, for the next sheet of the group."""
    before = of_people(tx, [one.person_id for one in said])
    rows = []
    for one in said:
        was = before.get(one.person_id)
        kept = {} if was is None else was.cells
        new = {field: _cell_fingerprint(keys, one.person_id, field, value) for field, value in one.cells.items()}
        rows.append(
            {
                "person_id": one.person_id,
                "group_id": group_id,
                "identity_fingerprint": _identity_fingerprint(keys, group_id, one.identity),
                "cells_fingerprint": {**kept, **new},
                "saved_at": now,
            }
        )
    tx.execute(delete(SheetPerson).where(among(SheetPerson.person_id, before)))
    insert_many(tx, SHEET_PEOPLE, rows)


# ---- answers


def _question_fingerprint(keys: KeyRing, group_id: int, question: str) -> bytes:
    return keys.sheet_fingerprint(f"sheet question\0{group_id}\0{question}", _GROUP_BYTES)


def answers(tx: Session, keys: KeyRing, group_id: int, questions: Collection[str]) -> dict[str, SheetAnswer]:
    """Return the answers that were given to these questions, by question."""
    asked = {_question_fingerprint(keys, group_id, one): one for one in questions}
    found: dict[str, SheetAnswer] = {}
    for some in in_batches(asked):
        query = select(SheetAnswerGiven.question_fingerprint, SheetAnswerGiven.answer).where(
            SheetAnswerGiven.group_id == group_id, SheetAnswerGiven.question_fingerprint.in_(some)
        )
        found |= {asked[bytes(question)]: SheetAnswer(answer) for question, answer in tx.execute(query)}
    return found


def answer(
    tx: Session,
    keys: KeyRing,
    group_id: int,
    given: Mapping[str, tuple[SheetAnswer, int | None]],
    now: datetime,
) -> None:
    """Keep answers for the next sheets of the group: by question the answer, and the person it is about, if any."""
    rows = [
        {
            "group_id": group_id,
            "person_id": person_id,
            "question_fingerprint": _question_fingerprint(keys, group_id, question),
            "answer": said,
            "answered_at": now,
        }
        for question, (said, person_id) in given.items()
    ]
    for row in rows:
        key = {name: row.pop(name) for name in ("group_id", "question_fingerprint")}
        put(tx, SheetAnswerGiven, key, row)
