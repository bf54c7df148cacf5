"""What happened around a person, newest first: what was sent and its fate, what was answered, what was done."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from reminder.storage.keys import KeyRing
from reminder.storage.messages import readable
from reminder.storage.replies import text_of
from reminder.storage.tables import Card, Contact, JournalEntry, Message, MessageReminder, Reminder, Reply


@dataclass(frozen=True)
class Sent:
    """`contact_id` None: somebody whose contact is gone. `text` None: its words have been forgotten."""

    at: datetime
    contact_id: int | None
    channel: str
    state: str
    segments: int
    subject: str | None
    text: str | None
    possibly_double: bool


@dataclass(frozen=True)
class Answered:
    """`text` is None where it looked like a number, which is never kept."""

    at: datetime
    contact_id: int
    intent: str | None
    text: str | None


@dataclass(frozen=True)
class Done:
    """An act, by the journal's name for it. `member_id` None: at the console, or by the person."""

    at: datetime
    act: str
    member_id: int | None
    card_id: int | None


Event = Sent | Answered | Done


def of_person(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[Event]:
    events = [*_sent(tx, keys, person_id, limit), *_answered(tx, keys, person_id, limit), *_done(tx, person_id, limit)]
    return sorted(events, key=lambda event: event.at, reverse=True)[:limit]


def _sent(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[Event]:
    about_cards = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(Card.person_id == person_id)
    )
    to_them = select(Contact.id).where(Contact.person_id == person_id)
    rows = tx.scalars(
        select(Message)
        .where(or_(Message.id.in_(about_cards), Message.contact_id.in_(to_them)), Message.handed_at.is_not(None))
        .order_by(Message.id.desc())
        .limit(limit)
    )
    events: list[Event] = []
    for row in rows:
        subject, text = readable(keys, row.body_sealed)
        at = row.handed_at or row.created_at
        events.append(
            Sent(at, row.contact_id, row.channel, row.state, row.segments, subject, text, row.possibly_double)
        )
    return events


def _answered(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[Event]:
    rows = tx.scalars(
        select(Reply)
        .join(Contact, Contact.id == Reply.contact_id)
        .where(Contact.person_id == person_id)
        .order_by(Reply.id.desc())
        .limit(limit)
    )
    return [Answered(row.received_at, row.contact_id, row.intent, text_of(keys, row.body_sealed)) for row in rows]


def _done(tx: Session, person_id: int, limit: int) -> list[Event]:
    rows = tx.scalars(
        select(JournalEntry).where(JournalEntry.person_id == person_id).order_by(JournalEntry.id.desc()).limit(limit)
    )
    return [Done(row.at, row.act, row.member_id, row.card_id) for row in rows]
