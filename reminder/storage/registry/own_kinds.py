"""Kinds of a group's own: their names and facts, and the cards of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.card_kinds import OTHER, RenewalPlace, StandIn
from reminder.domain.model.own_kinds import OwnKindFacts, name_of, public_name
from reminder.domain.parsing.days_before import days_of, kept_form
from reminder.storage.crypto.keyring import new_row_token
from reminder.storage.db import sealing
from reminder.storage.db.tables import CARDS, Card, OwnKindRow, Person


@dataclass(frozen=True)
class OwnKindView:
    """A kind of a group's own."""

    id: int
    group_id: int
    name: str
    facts: OwnKindFacts

    @property
    def key(self) -> str:
        """The key by which a card of this kind is read."""
        return self.facts.key(self.id)

    @property
    def public_name(self) -> str:
        """How people and programs call it."""
        return name_of(self.id)


_COLUMNS = (
    OwnKindRow.id,
    OwnKindRow.group_id,
    OwnKindRow.name,
    OwnKindRow.place,
    OwnKindRow.opens_days,
    OwnKindRow.lead_days,
    OwnKindRow.stand_in,
    OwnKindRow.own_days,
)


def _views(tx: Session, rows: Iterable[tuple[Any, ...]]) -> list[OwnKindView]:
    read = sealing.reader_of(tx, OwnKindRow.name)
    return [
        OwnKindView(
            kind_id,
            group_id,
            read(name),
            OwnKindFacts(RenewalPlace(place), opens, lead, StandIn(stand_in), days_of(own_days)),
        )
        for kind_id, group_id, name, place, opens, lead, stand_in, own_days in rows
    ]


def of_group(tx: Session, group_id: int) -> list[OwnKindView]:
    """Return the kinds of a group, in the order in which they were added."""
    query = select(*_COLUMNS).where(OwnKindRow.group_id == group_id).order_by(OwnKindRow.id)
    return _views(tx, (tuple(row) for row in tx.execute(query)))


def find(tx: Session, group_id: int, kind_id: int) -> OwnKindView | None:
    """Return a kind of this group, None where it has none with this id."""
    query = select(*_COLUMNS).where(OwnKindRow.group_id == group_id, OwnKindRow.id == kind_id)
    return next(iter(_views(tx, (tuple(row) for row in tx.execute(query)))), None)


def group_of(tx: Session, kind_id: int) -> int | None:
    """Return the group of a kind, None where there is no such kind."""
    return tx.execute(select(OwnKindRow.group_id).where(OwnKindRow.id == kind_id)).scalar_one_or_none()


def add(tx: Session, *, group_id: int, name: str, facts: OwnKindFacts, now: datetime) -> int:
    """Add a kind; return its id."""
    row_token = new_row_token()
    row = insert(OwnKindRow).values(
        group_id=group_id,
        row_token=row_token,
        name=sealing.words(sealing.keys_of(tx), OwnKindRow.name, name, row_token),
        name_plain="",
        created_at=now,
        **_facts(facts),
    )
    return tx.execute(row.returning(OwnKindRow.id)).scalar_one()


def change(tx: Session, kind_id: int, *, name: str, facts: OwnKindFacts) -> None:
    """Change a kind; the cards of it stay as they are until `change_cards`."""
    row_token = sealing.token_of(tx, OwnKindRow, kind_id)
    tx.execute(
        update(OwnKindRow)
        .where(OwnKindRow.id == kind_id)
        .values(
            name=sealing.words(sealing.keys_of(tx), OwnKindRow.name, name, row_token), name_plain="", **_facts(facts)
        )
    )


def _facts(facts: OwnKindFacts) -> dict[str, Any]:
    return {
        "place": str(facts.place),
        "opens_days": facts.opens_days,
        "lead_days": facts.lead_days,
        "stand_in": str(facts.stand_in),
        "own_days": kept_form(facts.own_days),
    }


def remove(tx: Session, kind_id: int) -> None:
    """Remove a kind that no current card has; cards of it that are retired keep its facts."""
    tx.execute(delete(OwnKindRow).where(OwnKindRow.id == kind_id))


def cards_of(tx: Session, kind: OwnKindView) -> dict[int, int]:
    """Return the persons of the kind's current cards, by card id."""
    query = (
        select(Card.id, Card.person_id)
        .join(Person, Person.id == Card.person_id)
        .where(
            Person.group_id == kind.group_id,
            Card.retired_at.is_(None),
            Card.own_kind.like(f"{name_of(kind.id)}:%"),
        )
        .order_by(Card.id)
    )
    return dict(list(tx.execute(query)))


def counts(tx: Session, group_id: int) -> dict[str, int]:
    """Return the number of current cards of each kind of a group, by the name of the kind; without those of none."""
    query = (
        select(Card.own_kind, func.count())
        .join(Person, Person.id == Card.person_id)
        .where(Person.group_id == group_id, Card.retired_at.is_(None), Card.own_kind.is_not(None))
        .group_by(Card.own_kind)
    )
    found: dict[str, int] = {}
    for key, count in tx.execute(query):
        name = public_name(str(key))
        found[name] = found.get(name, 0) + count
    return found


def people_with_label(tx: Session, kind: OwnKindView, label: str) -> bool:
    """Return whether somebody with a card of this kind has another one that is called like this already."""
    keys, theirs = sealing.keys_of(tx), cards_of(tx, kind)
    wanted = {person_id: sealing.card_index(keys, person_id, label) for person_id in theirs.values()}
    others = select(Card.person_id, Card.label_index).where(
        Card.person_id.in_(wanted), Card.kind == OTHER, Card.retired_at.is_(None), Card.id.not_in(theirs)
    )
    return any(wanted[person_id] == index for person_id, index in tx.execute(others))


def change_cards(tx: Session, kind: OwnKindView) -> list[int]:
    """Give the kind's current cards its present name and facts; return their ids."""
    keys, theirs = sealing.keys_of(tx), cards_of(tx, kind)
    for card_id, person_id in theirs.items():
        row_token = sealing.token_of(tx, Card, card_id)
        tx.execute(
            update(CARDS)
            .where(CARDS.c.id == card_id)
            .values(
                own_kind=kind.key,
                label="",
                label_sealed=sealing.words(keys, Card.label, kind.name, row_token),
                label_index=sealing.card_index(keys, person_id, kind.name),
                revision=CARDS.c.revision + 1,
            )
        )
    return list(theirs)
