"""What a home's sheet said of its people when it was last saved, and the answers that were given to its questions.

Both are kept as keyed fingerprints: equal ones can be recognised, and nothing can be read. A fingerprint that was made
by a key which has left the ring is as unknown as one that was never made.
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


@dataclass(frozen=True)
class LastSaid:
    """What the sheet said of a person: fingerprints by field, and the name of the key that made them."""

    person_id: int
    key_name: str
    cells: Mapping[str, str]

    def said(self, keys: KeyRing, field: str, value: str) -> bool | None:
        """Return whether the sheet said this in the field; None where nobody knows what it said."""
        kept = self.cells.get(field)
        if kept is None or not keys.has(self.key_name):
            return None
        return kept in _cell_fingerprints(keys, self.person_id, field, value)

    def knows(self, keys: KeyRing, field: str) -> bool:
        """Return whether it is known what the sheet said in the field."""
        return field in self.cells and keys.has(self.key_name)


def _cell_text(person_id: int, field: str, value: str) -> str:
    # Of each person their own: equal dates of two people have nothing in common.
    return f"sheet cell\0{person_id}\0{field}\0{value}"


def _cell_fingerprints(keys: KeyRing, person_id: int, field: str, value: str) -> list[str]:
    return [letters(index) for index in keys.word_indexes(_cell_text(person_id, field, value))]


def _identity_text(group_id: int, identity: str) -> str:
    return f"sheet person\0{group_id}\0{identity}"


_COLUMNS = (SheetPerson.person_id, SheetPerson.key_name, SheetPerson.cells_fingerprint)


def of_people(tx: Session, person_ids: Collection[int]) -> dict[int, LastSaid]:
    """Return what the sheet said of these people, by id, without those whom no sheet has named."""
    rows = tx.execute(select(*_COLUMNS).where(among(SheetPerson.person_id, person_ids)))
    return {row.person_id: LastSaid(*row) for row in rows}


def by_identity(tx: Session, keys: KeyRing, group_id: int, identities: Collection[str]) -> dict[str, int]:
    """Return the person whom a sheet named so when it was last saved, by identity (`resident_rows.identity_of`)."""
    named = {index: one for one in identities for index in keys.blind_indexes(_identity_text(group_id, one))}
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
    newest = keys.ids[0]
    rows = []
    for one in said:
        was = before.get(one.person_id)
        kept = was.cells if was is not None and was.key_name == newest else {}
        new = {
            field: letters(keys.word_index(_cell_text(one.person_id, field, value)))
            for field, value in one.cells.items()
        }
        rows.append(
            {
                "person_id": one.person_id,
                "group_id": group_id,
                "identity_fingerprint": keys.blind_index(_identity_text(group_id, one.identity)),
                "key_name": newest,
                "cells_fingerprint": {**kept, **new},
                "saved_at": now,
            }
        )
    tx.execute(delete(SheetPerson).where(among(SheetPerson.person_id, before)))
    insert_many(tx, SHEET_PEOPLE, rows)


# ---- answers


def _question_text(group_id: int, question: str) -> str:
    return f"sheet question\0{group_id}\0{question}"


def answers(tx: Session, keys: KeyRing, group_id: int, questions: Collection[str]) -> dict[str, SheetAnswer]:
    """Return the answers that were given to these questions, by question."""
    asked = {index: one for one in questions for index in keys.blind_indexes(_question_text(group_id, one))}
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
            "question_fingerprint": keys.blind_index(_question_text(group_id, question)),
            "answer": said,
            "answered_at": now,
        }
        for question, (said, person_id) in given.items()
    ]
    for row in rows:
        key = {name: row.pop(name) for name in ("group_id", "question_fingerprint")}
        put(tx, SheetAnswerGiven, key, row)
