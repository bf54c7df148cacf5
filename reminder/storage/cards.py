"""Cards, and the schedule that hangs on them: `next_reminder_on`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from reminder.storage import people
from reminder.storage.people import PersonView
from reminder.storage.tables import CARDS, Card, Group, MessageReminder, Person, Reminder

_CURRENT = Card.retired_at.is_(None)


@dataclass(frozen=True)
class CardView:
    id: int
    person_id: int
    kind: str
    label: str
    expires_on: date
    is_computed: bool
    carried_by: int | None
    next_reminder_on: date | None
    renewed_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True)
class DueCard:
    """A card that planning must look at, with the person whose it is."""

    id: int
    kind: str
    label: str
    expires_on: date
    is_computed: bool
    carrier_ends_on: date | None  # the end of the card this one lives in
    person: PersonView


_COLUMNS = (
    Card.id,
    Card.person_id,
    Card.kind,
    Card.label,
    Card.expires_on,
    Card.is_computed,
    Card.carried_by,
    Card.next_reminder_on,
    Card.renewed_at,
    Card.retired_at,
)


def add(
    tx: Session,
    *,
    person_id: int,
    kind: str,
    label: str,
    expires_on: date,
    is_computed: bool,
    carried_by: int | None,
    next_reminder_on: date | None,
    now: datetime,
) -> int:
    card = Card(
        person_id=person_id,
        kind=kind,
        label=label,
        expires_on=expires_on,
        is_computed=is_computed,
        carried_by=carried_by,
        next_reminder_on=next_reminder_on,
        created_at=now,
    )
    tx.add(card)
    tx.flush()
    return card.id


def find(tx: Session, card_id: int) -> CardView | None:
    row = tx.execute(select(*_COLUMNS).where(Card.id == card_id)).one_or_none()
    return None if row is None else CardView(**row._mapping)


def current_of_person(tx: Session, person_id: int) -> list[CardView]:
    rows = tx.execute(select(*_COLUMNS).where(Card.person_id == person_id, _CURRENT).order_by(Card.id))
    return [CardView(**row._mapping) for row in rows]


def ends_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, dict[str, date]]:
    """When each person's cards end, by kind."""
    ends: dict[int, dict[str, date]] = {person_id: {} for person_id in person_ids}
    rows = tx.execute(
        select(Card.person_id, Card.kind, Card.expires_on).where(Card.person_id.in_(person_ids), _CURRENT)
    )
    for person_id, kind, expires_on in rows:
        ends[person_id][kind] = expires_on
    return ends


def of_group(tx: Session, group_id: int | None) -> list[CardView]:
    """All cards, retired ones too, where `group_id` is None."""
    query = select(*_COLUMNS).order_by(Card.id)
    if group_id is not None:
        query = query.join(Person, Person.id == Card.person_id).where(Person.group_id == group_id)
    return [CardView(**row._mapping) for row in tx.execute(query)]


def renew(
    tx: Session, card_id: int, *, expires_on: date, is_computed: bool, next_on: date | None, now: datetime
) -> None:
    tx.execute(
        update(Card)
        .where(Card.id == card_id)
        .values(expires_on=expires_on, is_computed=is_computed, next_reminder_on=next_on, renewed_at=now)
    )


def retire(tx: Session, card_id: int, now: datetime) -> None:
    tx.execute(update(Card).where(Card.id == card_id, _CURRENT).values(retired_at=now, next_reminder_on=None))


def carry(tx: Session, card_id: int, carried: Collection[int]) -> None:
    """`carried` live in this card and end with it."""
    if carried:
        tx.execute(update(Card).where(Card.id.in_(carried)).values(carried_by=card_id))


def groups_due(tx: Session, today: date, *, limit: int, but_not: Collection[int] = ()) -> list[int]:
    """The groups with a card to look at, longest waiting first, locked so that no other worker plans them too."""
    waiting = (
        select(Person.group_id)
        .join(Card, Card.person_id == Person.id)
        .where(_CURRENT, Card.next_reminder_on <= today, Person.group_id.not_in(but_not))
        .group_by(Person.group_id)
        .order_by(func.min(Card.next_reminder_on), Person.group_id)
        .limit(limit)
    )
    ids = list(tx.scalars(waiting))
    if not ids:
        return []
    return list(tx.scalars(select(Group.id).where(Group.id.in_(ids)).with_for_update(skip_locked=True)))


def due(tx: Session, group_ids: Sequence[int], today: date) -> list[DueCard]:
    """Held until the transaction ends, so that whoever wants them looked at again waits and then has the last word."""
    carrier = aliased(Card)
    rows = tx.execute(
        select(Card.id, Card.kind, Card.label, Card.expires_on, Card.is_computed, carrier.expires_on, *people.COLUMNS)
        .join(Person, Person.id == Card.person_id)
        .outerjoin(carrier, and_(carrier.id == Card.carried_by, carrier.retired_at.is_(None)))
        .where(_CURRENT, Card.next_reminder_on <= today, Person.group_id.in_(group_ids))
        .order_by(Card.id)
        .with_for_update(of=Card)
    )
    return [DueCard(*row[:6], people.view(row[6:])) for row in rows]


def next_due_on(tx: Session) -> date | None:
    return tx.execute(select(func.min(Card.next_reminder_on)).where(_CURRENT)).scalar()


def set_next(tx: Session, next_on: Mapping[int, date | None]) -> None:
    """By card id."""
    if next_on:
        tx.connection().execute(
            update(CARDS).where(CARDS.c.id == bindparam("card")).values(next_reminder_on=bindparam("on")),
            [{"card": card_id, "on": on} for card_id, on in next_on.items()],
        )


def look_again_at_carried(tx: Session, card_id: int, on: date) -> None:
    """What lives in this card may be told otherwise now that it has changed."""
    tx.execute(update(Card).where(Card.carried_by == card_id, _CURRENT).values(next_reminder_on=_no_later_than(on)))


def look_again_at_person(tx: Session, person_id: int, on: date) -> None:
    tx.execute(update(Card).where(Card.person_id == person_id, _CURRENT).values(next_reminder_on=_no_later_than(on)))


def look_again_at_group(tx: Session, group_id: int, on: date) -> None:
    of_group = select(Person.id).where(Person.group_id == group_id)
    tx.execute(update(Card).where(Card.person_id.in_(of_group), _CURRENT).values(next_reminder_on=_no_later_than(on)))


def look_again_at_told(tx: Session, message_ids: Collection[int], on: date) -> None:
    """What these messages were to tell is still to be told, where the card has not changed since."""
    if not message_ids:
        return
    as_told = aliased(Card)
    told = (
        select(Reminder.card_id)
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .join(as_told, and_(as_told.id == Reminder.card_id, as_told.expires_on == Reminder.expires_on))
        .where(MessageReminder.message_id.in_(message_ids))
    )
    tx.execute(update(Card).where(Card.id.in_(told), _CURRENT).values(next_reminder_on=_no_later_than(on)))


def _no_later_than(on: date) -> ColumnElement[date]:
    """Worked out on the row as it stands once it can be changed: planning may be setting a later day at this moment."""
    return case((or_(Card.next_reminder_on.is_(None), Card.next_reminder_on > on), on), else_=Card.next_reminder_on)
