"""What was done for each end date of a card: applied, ready to be collected, booked, done, renewed, ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.card_states import CARD_STATES, STEP_BACK, CardState, EndReason, LifeDays
from reminder.domain.model.state_machine import Move
from reminder.storage.db.statements import among, ids_param, insert_or_ignore
from reminder.storage.db.tables import Card, CardLife, Person
from reminder.storage.db.transitions import staying, transition


@dataclass(frozen=True)
class CardLifeView:
    """What was done for one end date of a card. `before`: what the row was before its last act, None for a new row."""

    id: int
    card_id: int
    expires_on: date
    state: CardState
    since: date
    expected_by: date | None
    collect_by: date | None
    appointment_on: date | None
    renewed_to: date | None
    reason: EndReason | None
    changed_at: datetime
    before: dict[str, Any] | None

    @property
    def days(self) -> LifeDays:
        """Return what lists and plans are made from."""
        return LifeDays(self.state, self.since, self.expected_by, self.collect_by, self.appointment_on)


_COLUMNS = (
    CardLife.id,
    CardLife.card_id,
    CardLife.expires_on,
    CardLife.state,
    CardLife.since,
    CardLife.expected_by,
    CardLife.collect_by,
    CardLife.appointment_on,
    CardLife.renewed_to,
    CardLife.reason,
    CardLife.changed_at,
    CardLife.before,
)
_OF_PRESENT_ENDS = select(*_COLUMNS).join(
    Card, and_(Card.id == CardLife.card_id, Card.expires_on == CardLife.expires_on)
)
_OF_CARDS = _OF_PRESENT_ENDS.where(among(CardLife.card_id, ids_param("cards")))
_OF_GROUP = _OF_PRESENT_ENDS.join(Person, Person.id == Card.person_id).where(
    Person.group_id == bindparam("group"), Card.retired_at.is_(None)
)
_LAST = (
    select(*_COLUMNS)
    .where(CardLife.card_id == bindparam("card"))
    .order_by(CardLife.changed_at.desc(), CardLife.id.desc())
    .limit(1)
)


def of_cards(tx: Session, card_ids: Collection[int]) -> dict[int, CardLifeView]:
    """Return what was done for the present ends of these cards, by card."""
    return _by_card(tx.execute(_OF_CARDS, {"cards": card_ids}).all())


def of_group(tx: Session, group_id: int) -> dict[int, CardLifeView]:
    """Return what was done for the present ends of the group's current cards, by card."""
    # Plain rows: the session would double the time.
    return _by_card(tx.execute(_OF_GROUP, {"group": group_id}).all())


def _by_card(rows: Sequence[Any]) -> dict[int, CardLifeView]:
    return {row.card_id: CardLifeView(*row) for row in rows}


def last_of(tx: Session, card_id: int) -> CardLifeView | None:
    """Return the life of this card that was changed last, whichever end it was for; None where nobody has acted."""
    row = tx.execute(_LAST, {"card": card_id}).one_or_none()
    return None if row is None else CardLifeView(*row)


def move(
    tx: Session,
    card_id: int,
    expires_on: date,
    which: Move[CardState],
    *,
    on: date,
    now: datetime,
    values: Mapping[str, date | EndReason | None] | None = None,
    before: Mapping[str, object] | None = None,
) -> bool:
    """Move the life of this end of a card, and set other columns; return False in a state that the move does not leave.

    `before`: what step_back is to restore besides the row itself.
    """
    was = _find_or_begin(tx, card_id, expires_on, on, now)
    changed = transition(CARD_STATES, which, CardLife.id == was.id).values(
        since=on, changed_at=now, before={**_kept(was), **(before or {})}, **(values or {})
    )
    return bool(tx.execute(changed.returning(CardLife.id)).first())


def make_appointment(
    tx: Session, card_id: int, expires_on: date, appointment_on: date | None, *, on: date, now: datetime
) -> bool:
    """Set or remove the day of an appointment; return False where it is done already."""
    was = _find_or_begin(tx, card_id, expires_on, on, now)
    states = (CardState.OPEN, CardState.APPLIED, CardState.READY_TO_COLLECT)
    changed = staying(CARD_STATES, CardLife.id == was.id, states=states).values(
        appointment_on=appointment_on, changed_at=now, before=_kept(was)
    )
    return bool(tx.execute(changed.returning(CardLife.id)).first())


def forget(tx: Session, card_id: int, expires_on: date) -> None:
    """Forget what was done for this end: it is the present end once more, and nobody has begun."""
    tx.execute(delete(CardLife).where(CardLife.card_id == card_id, CardLife.expires_on == expires_on))


def step_back(tx: Session, life: CardLifeView) -> None:
    """Restore the row as it was before its last act, which cannot be taken back a second time."""
    assert life.before is not None
    kept = life.before
    restored = {name: None if kept[name] is None else date.fromisoformat(kept[name]) for name in _DAYS}
    values = {**restored, "renewed_to": None, "reason": None, "before": None}
    to = CardState(kept["state"])
    if to is life.state:
        tx.execute(update(CardLife).where(CardLife.id == life.id).values(**values))
    else:
        tx.execute(transition(CARD_STATES, STEP_BACK, CardLife.id == life.id, to=to).values(**values))


_DAYS = ("since", "expected_by", "collect_by", "appointment_on")


def _kept(was: CardLifeView) -> dict[str, Any]:
    days = {name: getattr(was, name) for name in _DAYS}
    return {"state": was.state.value, **{name: None if day is None else day.isoformat() for name, day in days.items()}}


def _find_or_begin(tx: Session, card_id: int, expires_on: date, on: date, now: datetime) -> CardLifeView:
    found = select(*_COLUMNS).where(CardLife.card_id == card_id, CardLife.expires_on == expires_on)
    row = tx.execute(found).one_or_none()
    if row is None:
        insert_or_ignore(
            tx, CardLife, card_id=card_id, expires_on=expires_on, state=CardState.OPEN, since=on, changed_at=now
        )
        row = tx.execute(found).one()
    return CardLifeView(*row)
