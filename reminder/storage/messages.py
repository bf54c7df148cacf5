"""Messages: what was sent to whom, what became of it, and which of it nobody knows of yet."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.people import Audience, ChannelName, Language
from reminder.errors import SettingsError
from reminder.storage.keys import KeyRing
from reminder.storage.tables import (
    IS_QUEUED,
    IS_UNHEARD_FAILURE,
    Card,
    Contact,
    Mention,
    Message,
    MessageReminder,
    Person,
    Reminder,
    Reply,
)

_BODY = "messages.body"


@dataclass(frozen=True)
class MessageView:
    """`contact_id` is None for what went to somebody who is nobody's contact: a code, an invitation."""

    id: int
    key: str
    group_id: int | None
    contact_id: int | None
    audience: str
    channel: str
    state: str
    reason: str | None
    send_after: datetime
    handed_at: datetime | None
    attempts: int
    possibly_double: bool
    provider_id: str | None
    segments: int
    subject: str | None
    text: str | None
    label: str | None  # whose card it speaks of


def seal_body(keys: KeyRing, subject: str | None, text: str) -> bytes:
    return keys.seal(json.dumps([subject, text], ensure_ascii=False), _BODY)


def open_body(keys: KeyRing, sealed: bytes) -> tuple[str | None, str]:
    subject, text = json.loads(keys.open(sealed, _BODY))
    return subject, text


def readable(keys: KeyRing, sealed: bytes | None) -> tuple[str | None, str | None]:
    """A list shows the other rows when one was sealed with a key that is gone."""
    try:
        return (None, None) if sealed is None else open_body(keys, sealed)
    except SettingsError:
        return None, None


def of_group(
    tx: Session, keys: KeyRing, *, group_id: int | None = None, state: str | None = None, limit: int | None = None
) -> list[MessageView]:
    """Newest first where limited, else oldest first."""
    label = (
        select(Person.label)
        .join(Card, Card.person_id == Person.id)
        .join(Reminder, Reminder.card_id == Card.id)
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .where(MessageReminder.message_id == Message.id)
        .limit(1)
        .scalar_subquery()
    )
    query = select(Message, label.label("label")).order_by(Message.id.desc() if limit else Message.id).limit(limit)
    if group_id is not None:
        query = query.where(Message.group_id == group_id)
    if state is not None:
        query = query.where(Message.state == state)
    views = []
    for row, whose in tx.execute(query):
        subject, text = readable(keys, row.body_sealed)
        views.append(
            MessageView(
                id=row.id,
                key=row.key,
                group_id=row.group_id,
                contact_id=row.contact_id,
                audience=row.audience,
                channel=row.channel,
                state=row.state,
                reason=row.reason,
                send_after=row.send_after,
                handed_at=row.handed_at,
                attempts=row.attempts,
                possibly_double=row.possibly_double,
                provider_id=row.provider_id,
                segments=row.segments,
                subject=subject,
                text=text,
                label=whose,
            )
        )
    return views


@dataclass(frozen=True)
class Told:
    """A message with the cards whose reminders it told."""

    id: int
    contact_id: int | None
    audience: str
    channel: str
    state: str
    reason: str | None
    created_at: datetime
    send_after: datetime
    handed_at: datetime | None
    ended_at: datetime | None
    segments: int
    subject: str | None
    text: str | None
    card_ids: tuple[int, ...]


def some_of_group(
    tx: Session,
    keys: KeyRing,
    group_id: int,
    *,
    state: str | None,
    person_id: int | None,
    since: datetime | None,
    after: int,
    limit: int,
) -> list[Told]:
    """Oldest first. `person_id`: to them or their family, or about them."""
    query = select(Message).where(Message.group_id == group_id, Message.id > after).order_by(Message.id).limit(limit)
    if state is not None:
        query = query.where(Message.state == state)
    if since is not None:
        query = query.where(Message.created_at >= since)
    if person_id is not None:
        theirs = select(Contact.id).where(Contact.person_id == person_id)
        about = (
            select(MessageReminder.message_id)
            .join(Reminder, Reminder.id == MessageReminder.reminder_id)
            .join(Card, Card.id == Reminder.card_id)
            .where(Card.person_id == person_id)
        )
        mentioned = select(Mention.message_id).where(Mention.person_id == person_id)
        query = query.where(or_(Message.contact_id.in_(theirs), Message.id.in_(about), Message.id.in_(mentioned)))
    rows = list(tx.scalars(query))
    told = _cards_told(tx, [row.id for row in rows])
    return [
        Told(
            row.id,
            row.contact_id,
            row.audience,
            row.channel,
            row.state,
            row.reason,
            row.created_at,
            row.send_after,
            row.handed_at,
            row.ended_at,
            row.segments,
            *readable(keys, row.body_sealed),
            tuple(told.get(row.id, ())),
        )
        for row in rows
    ]


def _cards_told(tx: Session, message_ids: Collection[int]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    rows = tx.execute(
        select(MessageReminder.message_id, Reminder.card_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(MessageReminder.message_id.in_(message_ids))
        .order_by(Reminder.card_id)
    )
    for message_id, card_id in rows:
        found.setdefault(message_id, []).append(card_id)
    return found


def told_days(tx: Session, card_id: int) -> list[tuple[datetime, Audience]]:
    """When messages about this card's present end date were handed over, and to whom."""
    rows = tx.execute(
        select(Message.handed_at, Message.audience)
        .join(MessageReminder, MessageReminder.message_id == Message.id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
        .where(Card.id == card_id, Message.handed_at.is_not(None))
        .distinct()
        .order_by(Message.handed_at)
    )
    return [(handed_at, Audience(audience)) for handed_at, audience in rows if handed_at is not None]


@dataclass(frozen=True)
class Waiting:
    """A message that is made and not sent yet, with the rung of the card that it tells."""

    rung: str
    contact_id: int
    audience: Audience
    channel: ChannelName
    send_after: datetime
    subject: str | None
    text: str
    segments: int


def waiting_about(tx: Session, keys: KeyRing, card_id: int) -> list[Waiting]:
    """About this card's present end date."""
    rows = tx.execute(
        select(Reminder.rung, Message)
        .join(MessageReminder, MessageReminder.message_id == Message.id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
        .where(Card.id == card_id, IS_QUEUED)
        .order_by(Message.id)
    )
    found = []
    for rung, row in rows:
        subject, text = readable(keys, row.body_sealed)
        if row.contact_id is not None and text is not None:
            found.append(
                Waiting(
                    rung,
                    row.contact_id,
                    Audience(row.audience),
                    ChannelName(row.channel),
                    row.send_after,
                    subject,
                    text,
                    row.segments,
                )
            )
    return found


def counts(tx: Session) -> Mapping[str, int]:
    """How many messages are in each state."""
    rows = tx.execute(select(Message.state, func.count()).group_by(Message.state).order_by(Message.state))
    return dict(list(rows))


@dataclass(frozen=True)
class MessageDay:
    """Until when (aware UTC) a message could be told."""

    message_id: int
    stale_after: datetime


def days_of(tx: Session, message_ids: Collection[int]) -> list[MessageDay]:
    rows = tx.execute(select(Message.id, Message.stale_after).where(Message.id.in_(message_ids)))
    return [MessageDay(*row) for row in rows]


@dataclass(frozen=True)
class Failure:
    """A text to a person that nobody received."""

    message_id: int
    group_id: int
    person_id: int
    channel: ChannelName
    is_answer: bool


def failures_nobody_knows_of(tx: Session, limit: int) -> list[Failure]:
    rows = tx.execute(
        select(Message.id, Person.group_id, Person.id, Message.channel, Message.key.startswith("answer:"))
        .join(Contact, Contact.id == Message.contact_id)
        .join(Person, Person.id == Contact.person_id)
        .where(
            IS_UNHEARD_FAILURE,
        )
        .order_by(Message.id)
        .limit(limit)
        .with_for_update(of=Message, skip_locked=True)
    )
    return [Failure(*row[:3], ChannelName(row[3]), row[4]) for row in rows]


def follow_up(tx: Session, message_ids: Collection[int], now: datetime) -> None:
    tx.execute(update(Message).where(Message.id.in_(message_ids)).values(followed_up_at=now))


def named(
    tx: Session, provider_ids: Iterable[str], message_ids: Iterable[int]
) -> list[tuple[int, str | None, int, str]]:
    """(message id, provider id, contact id, state) of the messages that receipts speak of. Locked in the order of their
    ids: two workers that each applied some of the same messages' receipts would wait for each other for ever."""
    rows = tx.execute(
        select(Message.id, Message.provider_id, Message.contact_id, Message.state)
        .where(or_(Message.provider_id.in_(list(provider_ids)), Message.id.in_(list(message_ids))))
        .order_by(Message.id)
        .with_for_update()
    )
    # Nobody reports on what went to somebody who is no contact: those are e-mails.
    return [(row[0], row[1], row[2], row[3]) for row in rows if row[2] is not None]


@dataclass(frozen=True)
class Earlier:
    """A text to a person about a card, with the first answer that came after it and before the next."""

    message_id: int
    handed_at: datetime
    channel: ChannelName
    state: str
    intent: str | None
    was_answerable: bool


def earlier(tx: Session, card_ids: Collection[int], latest: int) -> Mapping[int, list[Earlier]]:
    """By card, the latest texts to its person about its present end date, oldest first."""
    if not card_ids:
        return {}
    rows = tx.execute(
        select(
            Card.id,
            Message.id,
            Message.contact_id,
            Message.handed_at,
            Message.channel,
            Message.state,
            Message.asks.is_not(None),
        )
        .join(Reminder, and_(Reminder.card_id == Card.id, Reminder.expires_on == Card.expires_on))
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .join(Message, Message.id == MessageReminder.message_id)
        .where(Card.id.in_(card_ids), Message.audience == Audience.PERSON, Message.handed_at.is_not(None))
        .order_by(Message.id)
    ).all()
    answered = tx.execute(
        select(Reply.contact_id, Reply.received_at, Reply.intent)
        .where(Reply.contact_id.in_({row.contact_id for row in rows}))
        .order_by(Reply.id)
    ).all()
    found: dict[int, list[Earlier]] = {}
    # From the latest back: an answer belongs to the text before it.
    later: dict[tuple[int, int | None], datetime] = {}
    for card_id, message_id, contact_id, handed_at, channel, state, answerable in reversed(rows):
        assert handed_at is not None
        until = later.get((card_id, contact_id))
        intents = (
            answer.intent
            for answer in answered
            if answer.contact_id == contact_id
            and answer.received_at >= handed_at
            and (until is None or answer.received_at < until)
        )
        later[card_id, contact_id] = handed_at
        if len(found.setdefault(card_id, [])) < latest:
            found[card_id].insert(
                0, Earlier(message_id, handed_at, ChannelName(channel), state, next(intents, None), answerable)
            )
    return found


def told_lately(tx: Session, person_ids: Collection[int], since: datetime) -> Mapping[int, list[datetime]]:
    """By person, when messages were made that were sent them unasked: by whichever way, whether they arrived or not."""
    if not person_ids:
        return {}
    rows = tx.execute(
        select(Contact.person_id, Message.created_at)
        .join(Message, Message.contact_id == Contact.id)
        .where(
            Contact.person_id.in_(person_ids),
            Contact.is_family.is_(False),
            Message.created_at >= since,
            Message.state.not_in(("cancelled", "stale")),
            Message.key.not_like("answer:%"),
        )
    )
    told: dict[int, list[datetime]] = {}
    for person_id, at in rows:
        if person_id is not None:
            told.setdefault(person_id, []).append(at)
    return told


def greeted(tx: Session, person_ids: Collection[int], since: datetime) -> set[int]:
    """Those who were sent a greeting."""
    if not person_ids:
        return set()
    query = (
        select(Contact.person_id)
        .join(Message, Message.contact_id == Contact.id)
        .where(Contact.person_id.in_(person_ids), Message.created_at >= since, Message.key.startswith("reach:"))
    )
    return {person_id for person_id in tx.scalars(query) if person_id is not None}


@dataclass(frozen=True)
class Called:
    """A message as a call needs it: what it says, to whom."""

    key: str
    contact_id: int
    channel: ChannelName
    text: str
    practised_at: datetime | None
    language: Language


def called(tx: Session, keys: KeyRing, message_id: int) -> Called | None:
    row = tx.execute(
        select(
            Message.key,
            Message.contact_id,
            Message.channel,
            Message.body_sealed,
            Contact.practised_at,
            Person.language,
        )
        .join(Contact, Contact.id == Message.contact_id)
        .join(Person, Person.id == Contact.person_id)
        .where(Message.id == message_id)
    ).one_or_none()
    if row is None or row.body_sealed is None:
        return None
    text = open_body(keys, row.body_sealed)[1]
    return Called(row.key, row.contact_id, ChannelName(row.channel), text, row.practised_at, Language(row.language))
