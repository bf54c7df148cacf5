"""Queries about messages: recipients, contents, outcomes."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, and_, bindparam, func, or_, select, union, update
from sqlalchemy.orm import Session

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db import row_security, sealing
from reminder.storage.db.columns import unread
from reminder.storage.db.statements import among, each, ids_param
from reminder.storage.db.tables import (
    IS_QUEUED,
    Card,
    Contact,
    Mention,
    Message,
    MessageReminder,
    Person,
    Reminder,
    Reply,
)
from reminder.storage.outbox.sealed_body import open_body, readable


@dataclass(frozen=True)
class MessageView:
    """A message. `contact_id` is None for a code or an invitation to somebody who is no contact."""

    id: int
    key: str
    kind: MessageKind
    group_id: int | None
    contact_id: int | None
    audience: str
    channel: str
    state: str
    reason: str | None
    scheduled_at: datetime
    handed_at: datetime | None
    attempts: int
    possibly_double: bool
    provider_id: str | None
    segments: int
    subject: str | None
    text: str | None
    label: str | None  # of the person whose card it is about


_LABEL = (
    select(unread(Person.words))
    .join(Card, Card.person_id == Person.id)
    .join(Reminder, Reminder.card_id == Card.id)
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .where(MessageReminder.message_id == Message.id)
    .limit(1)
    .scalar_subquery()
)
_LISTED = select(
    Message.id,
    Message.key,
    Message.kind,
    Message.group_id,
    Message.contact_id,
    Message.audience,
    Message.channel,
    Message.state,
    Message.reason,
    Message.scheduled_at,
    Message.handed_at,
    Message.attempts,
    Message.possibly_double,
    Message.provider_id,
    Message.segments,
    Message.body_sealed,
    _LABEL.label("label"),
)


def of_group(
    tx: Session, keys: KeyRing, *, group_id: int | None = None, state: str | None = None, limit: int | None = None
) -> list[MessageView]:
    """Return messages, newest first where limited, else oldest first."""
    return list(each_of_group(tx, keys, group_id=group_id, state=state, limit=limit))


def each_of_group(
    tx: Session, keys: KeyRing, *, group_id: int | None = None, state: str | None = None, limit: int | None = None
) -> Iterator[MessageView]:
    """Yield messages as `of_group` returns them, in bounded memory."""
    query = _LISTED.order_by(Message.id.desc() if limit else Message.id).limit(limit)
    if group_id is not None:
        query = query.where(Message.group_id == group_id)
    if state is not None:
        query = query.where(Message.state == state)
    words_of = sealing.reader(keys, Person.words)
    for row in each(tx, query):
        columns: dict[str, Any] = row._asdict()
        subject, text = readable(keys, columns.pop("body_sealed"))
        about = words_of(columns.pop("label"))
        yield MessageView(**columns, subject=subject, text=text, label=None if about is None else about.label)


@dataclass(frozen=True)
class SentMessage:
    """A message with the cards whose reminders it contains."""

    id: int
    contact_id: int | None
    audience: str
    channel: str
    state: str
    reason: str | None
    created_at: datetime
    scheduled_at: datetime
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
) -> list[SentMessage]:
    """Return messages of a group with a higher id than `after`, oldest first.

    `person_id`: only messages to this person or their family, or about them.
    """
    query = select(Message).where(Message.group_id == group_id, Message.id > after).order_by(Message.id).limit(limit)
    if state is not None:
        query = query.where(Message.state == state)
    if since is not None:
        query = query.where(Message.created_at >= since)
    if person_id is not None:
        query = query.where(Message.id.in_(select(ids_about_person(person_id).subquery())))
    rows = list(tx.scalars(query))
    card_ids = _card_ids_of(tx, [row.id for row in rows])
    return [
        SentMessage(
            row.id,
            row.contact_id,
            row.audience,
            row.channel,
            row.state,
            row.reason,
            row.created_at,
            row.scheduled_at,
            row.handed_at,
            row.ended_at,
            row.segments,
            *readable(keys, row.body_sealed),
            tuple(card_ids.get(row.id, ())),
        )
        for row in rows
    ]


def ids_about_person(person_id: int) -> CompoundSelect[int]:
    """Return a query for the ids of messages to a person or their family, about their cards, or mentioning them.

    Each of these conditions has an index; joined with OR they would have none.
    """
    return union(
        select(Message.id).join(Contact, Contact.id == Message.contact_id).where(Contact.person_id == person_id),
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(Card.person_id == person_id),
        select(Mention.message_id).where(Mention.person_id == person_id),
    )


def _card_ids_of(tx: Session, message_ids: Collection[int]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    rows = tx.execute(
        select(MessageReminder.message_id, Reminder.card_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(among(MessageReminder.message_id, message_ids))
        .order_by(Reminder.card_id)
    )
    for message_id, card_id in rows:
        found.setdefault(message_id, []).append(card_id)
    return found


# Told means accepted: neither planned, nor tried, nor what nobody counts on any more.
_WAS_TOLD = and_(
    Message.state.in_((MessageState.ACCEPTED, MessageState.DELIVERED)),
    Message.doubted_at.is_(None),
)
_DAYS_SENT = (
    select(Card.id, Message.handed_at, Message.audience)
    .join(MessageReminder, MessageReminder.message_id == Message.id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(among(Card.id, ids_param("cards")), _WAS_TOLD, Message.handed_at.is_not(None))
    .distinct()
    .order_by(Message.handed_at)
)


def days_sent(tx: Session, card_ids: Collection[int]) -> Mapping[int, list[tuple[datetime, Audience]]]:
    """Return by card id when its present end date was told, and to which audience: what was accepted counts."""
    found: dict[int, list[tuple[datetime, Audience]]] = {card_id: [] for card_id in card_ids}
    for card_id, handed_at, audience in tx.execute(_DAYS_SENT, {"cards": card_ids}):
        assert handed_at is not None
        found[card_id].append((handed_at, Audience(audience)))
    return found


_FIRST_TOLD = (
    select(Card.id, Message.audience, func.min(Message.handed_at))
    .join(Reminder, and_(Reminder.card_id == Card.id, Reminder.expires_on == Card.expires_on))
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .join(Message, Message.id == MessageReminder.message_id)
    .where(
        among(Card.id, ids_param("cards")),
        _WAS_TOLD,
    )
    .group_by(Card.id, Message.audience)
)


def first_told(tx: Session, card_ids: Collection[int]) -> Mapping[int, Mapping[Audience, datetime]]:
    """Return by card when each audience was first told of its present end date: what left and was accepted counts."""
    found: dict[int, dict[Audience, datetime]] = {}
    for card_id, audience, at in tx.execute(_FIRST_TOLD, {"cards": card_ids}):
        if at is not None:
            found.setdefault(card_id, {})[Audience(audience)] = at
    return found


@dataclass(frozen=True)
class WaitingMessage:
    """A queued message, with the step of the card that it contains."""

    card_id: int
    step: str
    contact_id: int
    audience: Audience
    channel: ChannelName
    scheduled_at: datetime
    subject: str | None
    text: str
    segments: int


_WAITING_ABOUT = (
    select(
        Card.id,
        Reminder.step,
        Message.contact_id,
        Message.audience,
        Message.channel,
        Message.scheduled_at,
        Message.body_sealed,
        Message.segments,
    )
    .join(MessageReminder, MessageReminder.message_id == Message.id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(among(Card.id, ids_param("cards")), IS_QUEUED)
    .order_by(Message.id)
)


def queued_about(tx: Session, keys: KeyRing, card_ids: Collection[int]) -> list[WaitingMessage]:
    """Return the queued messages about the present end dates of these cards: one for each card that it speaks of."""
    found = []
    for card_id, step, contact_id, audience, channel, scheduled_at, sealed, segments in tx.execute(
        _WAITING_ABOUT, {"cards": card_ids}
    ):
        subject, text = readable(keys, sealed)
        if contact_id is not None and text is not None:
            whom, way = Audience(audience), ChannelName(channel)
            found.append(WaitingMessage(card_id, step, contact_id, whom, way, scheduled_at, subject, text, segments))
    return found


@dataclass(frozen=True)
class MessageDay:
    """The last instant (aware UTC) at which a message could be sent."""

    message_id: int
    expires_at: datetime


def days_of(tx: Session, message_ids: Collection[int]) -> list[MessageDay]:
    """Return the last instants of these messages."""
    rows = tx.execute(select(Message.id, Message.expires_at).where(among(Message.id, message_ids)))
    return [MessageDay(*row) for row in rows]


@dataclass(frozen=True)
class NamedMessage:
    """A message that a receipt is about. `contact_id` is None for one to somebody who is no contact."""

    id: int
    provider_id: str | None
    contact_id: int | None
    channel: ChannelName
    is_matched: bool = False
    is_practice: bool = False  # a call in which somebody tries the keys out
    answered_by: str | None = None  # of a call, whose words were fetched
    date_after: int | None = None
    created_at: datetime | None = None
    handed_at: datetime | None = None
    attempts: int = 0
    possibly_double: bool = False


def named_by_receipts(tx: Session, provider_ids: Iterable[str], message_ids: Iterable[int]) -> list[NamedMessage]:
    """Return the messages that receipts are about, locked in the order of their ids.

    Without this order, two workers that each applied some of the same messages' receipts would deadlock.
    """
    rows = tx.execute(
        select(
            Message.id,
            Message.provider_id,
            Message.contact_id,
            Message.channel,
            Message.is_matched,
            Message.kind == MessageKind.TEST_CALL,
            Message.answered_by,
            Message.date_after,
            Message.created_at,
            Message.handed_at,
            Message.attempts,
            Message.possibly_double,
        )
        .where(or_(Message.provider_id.in_(list(provider_ids)), Message.id.in_(list(message_ids))))
        .order_by(Message.id)
        .with_for_update()
    )
    return [NamedMessage(row[0], row[1], row[2], ChannelName(row[3]), *row[4:]) for row in rows]


@dataclass(frozen=True)
class ReferredMessage:
    """A message that something from outside names."""

    id: int
    channel: ChannelName
    state: MessageState
    provider_id: str | None
    was_handed_over: bool
    created_at: datetime
    is_matched: bool


_REFERRED = select(
    Message.id,
    Message.channel,
    Message.state,
    Message.provider_id,
    Message.handed_at.is_not(None),
    Message.created_at,
    Message.is_matched,
)


def referred(tx: Session, keys: KeyRing, reference: str) -> ReferredMessage | None:
    """Return the message with this reference, None for one that we did not make."""
    found = keys.references.read(MESSAGE, reference)
    message = None if found is None else by_id(tx, found.ids[0])
    return message if found is not None and message is not None and found.was_made(message.created_at) else None


def by_id(tx: Session, message_id: int) -> ReferredMessage | None:
    """Return the message with this id."""
    row_security.include_message(tx, message_id=message_id)
    return _one_referred(tx, Message.id == message_id)


def by_provider_id(tx: Session, provider_id: str) -> ReferredMessage | None:
    """Return the message that the provider knows by this id."""
    row_security.include_message(tx, provider_id=provider_id)
    return _one_referred(tx, Message.provider_id == provider_id)


def _one_referred(tx: Session, which: ColumnElement[bool]) -> ReferredMessage | None:
    row = tx.execute(_REFERRED.where(which).order_by(Message.id).limit(1)).first()
    return None if row is None else ReferredMessage(row[0], ChannelName(row[1]), row[2], *row[3:])


@dataclass(frozen=True)
class EarlierMessage:
    """A message to a person about a card, with the first answer between it and the next message.

    `was_answerable`: they can have answered it, because it has a digit for that and was accepted.
    """

    message_id: int
    handed_at: datetime
    channel: ChannelName
    state: str
    intent: Intent | None
    was_answerable: bool


_EARLIER = (
    select(
        Card.id,
        Message.id,
        Message.contact_id,
        Message.handed_at,
        Message.channel,
        Message.state,
        and_(Message.reply_code.is_not(None), _WAS_TOLD),
    )
    .join(Reminder, and_(Reminder.card_id == Card.id, Reminder.expires_on == Card.expires_on))
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .join(Message, Message.id == MessageReminder.message_id)
    .where(Message.audience == Audience.PERSON, Message.handed_at.is_not(None))
    .order_by(Message.id)
)
_EARLIER_OF_CARDS = _EARLIER.where(among(Card.id, ids_param("cards")))
_EARLIER_OF_GROUP = _EARLIER.join(Person, Person.id == Card.person_id).where(
    Person.group_id == bindparam("group"), Card.retired_at.is_(None)
)
_ANSWERS = (
    select(Reply.contact_id, Reply.received_at, Reply.intent)
    .where(among(Reply.contact_id, ids_param("contacts")), Reply.received_at >= bindparam("since"))
    .order_by(Reply.received_at, Reply.id)
)


def earlier_messages(tx: Session, card_ids: Collection[int], latest: int) -> Mapping[int, list[EarlierMessage]]:
    """Return the latest messages to each card's person about its present end date, oldest first, by card."""
    return _with_answers(tx, tx.execute(_EARLIER_OF_CARDS, {"cards": card_ids}).all(), latest) if card_ids else {}


def earlier_of_group(tx: Session, group_id: int, latest: int) -> Mapping[int, list[EarlierMessage]]:
    """Return the same as `earlier_messages`, of every current card of the group."""
    return _with_answers(tx, tx.execute(_EARLIER_OF_GROUP, {"group": group_id}).all(), latest)


def _with_answers(
    tx: Session, rows: Sequence[Row[int, int, int | None, datetime | None, str, str, bool]], latest: int
) -> Mapping[int, list[EarlierMessage]]:
    if not rows:
        return {}
    since = min(handed_at for _, _, _, handed_at, *_ in rows if handed_at is not None)
    answered: dict[int, list[tuple[datetime, Intent | None]]] = {}
    contact_ids = {contact_id for _, _, contact_id, *_ in rows if contact_id is not None}
    for answered_by, received_at, intent in tx.execute(_ANSWERS, {"contacts": contact_ids, "since": since}):
        answered.setdefault(answered_by, []).append((received_at, intent))
    found: dict[int, list[EarlierMessage]] = {}
    # From the latest backwards: an answer belongs to the message before it.
    later: dict[tuple[int, int | None], datetime] = {}
    for card_id, message_id, to, handed_at, channel, state, answerable in reversed(rows):
        assert handed_at is not None
        until = later.get((card_id, to))
        later[card_id, to] = handed_at
        of_card = found.setdefault(card_id, [])
        if len(of_card) < latest:
            answers = [] if to is None else answered.get(to, [])
            first = bisect_left(answers, handed_at, key=itemgetter(0))
            is_answered = first < len(answers) and (until is None or answers[first][0] < until)
            intent = answers[first][1] if is_answered else None
            of_card.insert(0, EarlierMessage(message_id, handed_at, ChannelName(channel), state, intent, answerable))
    return found


_SENT_RECENTLY = (
    select(Contact.person_id, Message.created_at)
    .join(Message, Message.contact_id == Contact.id)
    .where(
        among(Contact.person_id, ids_param("people")),
        Contact.is_family.is_(False),
        Message.created_at >= bindparam("since"),
        Message.state.not_in(("cancelled", "stale")),
        Message.kind != MessageKind.ANSWER,
        and_(Message.state.not_in(("failed", "undelivered")), Message.doubted_at.is_(None))
        | (Message.created_at < bindparam("today")),
    )
    .order_by(Message.id)
)
_GREETED = (
    select(Contact.person_id)
    .join(Message, Message.contact_id == Contact.id)
    .where(
        among(Contact.person_id, ids_param("people")),
        Message.created_at >= bindparam("since"),
        Message.kind == MessageKind.VERIFICATION,
    )
)


def sent_recently(
    tx: Session, person_ids: Collection[int], since: datetime, *, today: datetime | None = None
) -> Mapping[int, list[datetime]]:
    """Return when unrequested messages to each person were made, one for each day, by person.

    Every channel counts, and every outcome. A failure since `today` began does not count yet: failover is still to
    come.
    """
    if not person_ids:
        return {}
    rows = tx.execute(_SENT_RECENTLY, {"people": person_ids, "since": since, "today": today or since})
    days_of_person: dict[int, dict[date, datetime]] = {}
    for person_id, at in rows:
        if person_id is not None:
            days_of_person.setdefault(person_id, {}).setdefault(japan_date(at), at)
    return {person_id: list(by_day.values()) for person_id, by_day in days_of_person.items()}


def verified_today(tx: Session, person_ids: Collection[int], since: datetime) -> set[int]:
    """Return those of these persons who were sent a greeting since then."""
    if not person_ids:
        return set()
    found = tx.scalars(_GREETED, {"people": person_ids, "since": since})
    return {person_id for person_id in found if person_id is not None}


@dataclass(frozen=True)
class CallMessage:
    """A message for a call: its script and its recipient."""

    kind: MessageKind
    contact_id: int
    channel: ChannelName
    text: str
    test_called_at: datetime | None
    language: Language


def record_answer(tx: Session, message_id: int, *, answered_by: str, date_after: int | None) -> None:
    """Record who has answered a call, as its first turn is fetched; what was recorded before stays.

    `date_after`: after so many seconds, at the earliest, the date has been heard; None where it is not said.
    """
    first = update(Message).where(Message.id == message_id, Message.answered_by.is_(None))
    values = {"answered_by": answered_by, "date_after": date_after}
    tx.execute(first.values(values).execution_options(synchronize_session=False))


def call_message(tx: Session, keys: KeyRing, message_id: int) -> CallMessage | None:
    """Return the message of a call, None where there is none."""
    row = tx.execute(
        select(
            Message.kind,
            Message.contact_id,
            Message.channel,
            Message.body_sealed,
            Contact.test_called_at,
            Person.language,
        )
        .join(Contact, Contact.id == Message.contact_id)
        .join(Person, Person.id == Contact.person_id)
        .where(Message.id == message_id)
    ).one_or_none()
    if row is None or row.body_sealed is None:
        return None
    text = open_body(keys, row.body_sealed).text
    return CallMessage(
        row.kind, row.contact_id, ChannelName(row.channel), text, row.test_called_at, Language(row.language)
    )
