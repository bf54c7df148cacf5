"""The timeline of a person, newest first: messages with their outcomes, replies, and acts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, union
from sqlalchemy.orm import Session

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.tables import ActivityEntry, Card, Contact, Message, MessageReminder, Reminder, Reply
from reminder.storage.outbox.sealed_body import readable
from reminder.storage.reminders.replies import text_of


@dataclass(frozen=True)
class SentEntry:
    """A message. `contact_id` None: its contact is gone. `text` None: its text was erased."""

    at: datetime
    contact_id: int | None
    channel: str
    state: str
    segments: int
    subject: str | None
    text: str | None
    possibly_double: bool


@dataclass(frozen=True)
class ReplyEntry:
    """A reply. `text` is None where it looked like a number, which is never stored."""

    at: datetime
    contact_id: int
    intent: str | None
    text: str | None


@dataclass(frozen=True)
class ActEntry:
    """An act, by its name in the activity log. `member_id` None: at the console, or by the person."""

    at: datetime
    act: str
    member_id: int | None
    card_id: int | None


TimelineEntry = SentEntry | ReplyEntry | ActEntry


def of_person(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[TimelineEntry]:
    """Return the latest entries of a person's timeline."""
    events = [*_sent(tx, keys, person_id, limit), *_answered(tx, keys, person_id, limit), *_done(tx, person_id, limit)]
    return sorted(events, key=lambda event: event.at, reverse=True)[:limit]


# Each of the two conditions has an index. Joined with OR they would have none in common, and every message
# in the table would be read.
_ABOUT_THEIR_CARDS = (
    select(MessageReminder.message_id.label("id"))
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, Card.id == Reminder.card_id)
    .where(Card.person_id == bindparam("person"))
)
_TO_THEM = (
    select(Message.id)
    .join(Contact, Contact.id == Message.contact_id)
    .where(Contact.person_id == bindparam("person"), Message.handed_at.is_not(None))
)
_THEIRS = union(_ABOUT_THEIR_CARDS, _TO_THEM).subquery()
_SENT = (
    select(
        Message.handed_at,
        Message.contact_id,
        Message.channel,
        Message.state,
        Message.segments,
        Message.body_sealed,
        Message.possibly_double,
    )
    .join(_THEIRS, _THEIRS.c.id == Message.id)
    .where(Message.handed_at.is_not(None))
    .order_by(Message.id.desc())
    .limit(bindparam("limit"))
)
_ANSWERED = (
    select(Reply.received_at, Reply.contact_id, Reply.intent, Reply.body_sealed)
    .join(Contact, Contact.id == Reply.contact_id)
    .where(Contact.person_id == bindparam("person"))
    .order_by(Reply.id.desc())
    .limit(bindparam("limit"))
)
_DONE = (
    select(ActivityEntry.at, ActivityEntry.act, ActivityEntry.member_id, ActivityEntry.card_id)
    .where(ActivityEntry.person_id == bindparam("person"))
    .order_by(ActivityEntry.id.desc())
    .limit(bindparam("limit"))
)


def _sent(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[TimelineEntry]:
    return [
        SentEntry(
            row.handed_at,
            row.contact_id,
            row.channel,
            row.state,
            row.segments,
            *readable(keys, row.body_sealed),
            row.possibly_double,
        )
        for row in tx.execute(_SENT, {"person": person_id, "limit": limit})
    ]


def _answered(tx: Session, keys: KeyRing, person_id: int, limit: int) -> list[TimelineEntry]:
    rows = tx.execute(_ANSWERED, {"person": person_id, "limit": limit})
    return [ReplyEntry(row.received_at, row.contact_id, row.intent, text_of(keys, row.body_sealed)) for row in rows]


def _done(tx: Session, person_id: int, limit: int) -> list[TimelineEntry]:
    return [ActEntry(*row) for row in tx.execute(_DONE, {"person": person_id, "limit": limit})]
