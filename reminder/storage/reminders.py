"""Reminders: which rung of which card has come, and whom it has been told to."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.messages import GAVE_UP, NOT_SEEN, UNREADABLE, MessageState, ReminderState
from reminder.storage.tables import Card, Message, MessageReminder, Person, Reminder

# A text that came back is tried again on another day, but not for ever.
MOST_TEXTS_A_RUNG = 3


@dataclass(frozen=True)
class Rung:
    card_id: int
    expires_on: date
    rung: str


@dataclass(frozen=True)
class ReminderView:
    id: int
    card_id: int
    expires_on: date
    rung: str
    due_on: date
    state: ReminderState


def ids_of(tx: Session, rungs: Mapping[Rung, date], now: datetime) -> dict[Rung, int]:
    """The reminders of these rungs (with the day each was due), made where missing; older open ones are superseded."""
    if not rungs:
        return {}
    cards = {rung.card_id for rung in rungs}
    rows = tx.execute(
        select(
            Reminder.id, Reminder.card_id, Reminder.expires_on, Reminder.rung, Reminder.due_on, Reminder.state
        ).where(Reminder.card_id.in_(cards))
    ).all()
    known = {Rung(row.card_id, row.expires_on, row.rung): row.id for row in rows}
    new = [rung for rung in rungs if rung not in known]
    if new:
        latest: dict[tuple[int, date], date] = {}
        for rung in new:
            ladder = (rung.card_id, rung.expires_on)
            latest[ladder] = max(rungs[rung], latest.get(ladder, date.min))
        superseded = [
            row.id
            for row in rows
            if row.state == ReminderState.OPEN and row.due_on < latest.get((row.card_id, row.expires_on), date.min)
        ]
        if superseded:
            tx.execute(update(Reminder).where(Reminder.id.in_(superseded)).values(state=ReminderState.SUPERSEDED))
        made = tx.execute(
            insert(Reminder).returning(Reminder.id, sort_by_parameter_order=True),
            [
                {
                    "card_id": rung.card_id,
                    "expires_on": rung.expires_on,
                    "rung": rung.rung,
                    "due_on": rungs[rung],
                    "state": ReminderState.OPEN,
                    "created_at": now,
                }
                for rung in new
            ],
        )
        known.update(zip(new, made.scalars(), strict=True))
    return {rung: known[rung] for rung in rungs}


@dataclass(frozen=True)
class TellingView:
    """What became of telling one rung to one contact."""

    rung: Rung
    contact_id: int
    reached: bool  # told, or on its way: nobody of this human is told it again
    is_closed: bool  # not by this contact again, whatever became of it
    may_have_arrived: bool  # not known to be told, and not known not to be
    came_back: bool  # it left, and the provider brought it back
    times: int  # how many messages left for it


def tellings(tx: Session, card_ids: Collection[int]) -> list[TellingView]:
    """Of these cards' present end dates. What never left, or was given up by us, told nobody; what came back told
    nobody either, and is closed when it has come back too often."""
    rows = tx.execute(
        select(
            Reminder.card_id,
            Reminder.expires_on,
            Reminder.rung,
            Message.contact_id,
            Message.state,
            Message.reason,
            Message.possibly_double,
            func.count(),
        )
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .join(Message, Message.id == MessageReminder.message_id)
        .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
        .where(Reminder.card_id.in_(card_ids), Message.state != MessageState.CANCELLED)
        .group_by(
            Reminder.card_id,
            Reminder.expires_on,
            Reminder.rung,
            Message.contact_id,
            Message.state,
            Message.reason,
            Message.possibly_double,
        )
    )
    return [
        _telling(Rung(*row[:3]), row[3], *row[4:])
        for row in rows
        if row[3] is not None  # whoever is told of a card is a contact
    ]


def _telling(
    rung: Rung, contact_id: int, state: str, reason: str | None, possibly_double: bool, times: int
) -> TellingView:
    came_back = state == MessageState.UNDELIVERED
    failed = state == MessageState.FAILED
    untold = state == MessageState.STALE or (failed and reason in (GAVE_UP, NOT_SEEN, UNREADABLE))
    return TellingView(
        rung,
        contact_id,
        reached=not (came_back or failed or untold),
        is_closed=times >= MOST_TEXTS_A_RUNG if came_back else not untold,
        may_have_arrived=untold and (possibly_double or reason == NOT_SEEN),
        came_back=came_back,
        times=0 if untold else times,
    )


def settle(tx: Session, card_id: int) -> None:
    """The card has a new date or is gone: nothing of the old one is open any more."""
    tx.execute(
        update(Reminder)
        .where(Reminder.card_id == card_id, Reminder.state == ReminderState.OPEN)
        .values(state=ReminderState.SETTLED)
    )


def acknowledge(tx: Session, card_ids: Collection[int]) -> None:
    """Their person has said that it is done."""
    tx.execute(
        update(Reminder)
        .where(Reminder.card_id.in_(card_ids), Reminder.state == ReminderState.OPEN)
        .values(state=ReminderState.ACKNOWLEDGED)
    )


def of_group(tx: Session, group_id: int | None, state: str | None) -> list[ReminderView]:
    query = (
        select(Reminder.id, Reminder.card_id, Reminder.expires_on, Reminder.rung, Reminder.due_on, Reminder.state)
        .join(Card, Card.id == Reminder.card_id)
        .join(Person, Person.id == Card.person_id)
        .order_by(Reminder.id)
    )
    if group_id is not None:
        query = query.where(Person.group_id == group_id)
    if state is not None:
        query = query.where(Reminder.state == state)
    return [ReminderView(*row[:5], ReminderState(row.state)) for row in tx.execute(query)]


def link(tx: Session, pairs: Iterable[tuple[int, int]]) -> None:
    """(message id, reminder id): which reminders a text tells."""
    rows = [{"message_id": message_id, "reminder_id": reminder_id} for message_id, reminder_id in pairs]
    if rows:
        tx.execute(insert(MessageReminder), rows)
