"""Messages: what was sent to whom, what became of it, and which of it nobody knows of yet."""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Row, and_, bindparam, case, func, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from reminder.clock import japan_date
from reminder.domain.messages import MessageKind, MessageState
from reminder.domain.people import Audience, ChannelName, Language
from reminder.domain.replies import Intent
from reminder.errors import SettingsError
from reminder.storage.keys import KeyRing
from reminder.storage.statements import among, each, ids_param
from reminder.storage.tables import (
    IS_IN_HAND,
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

BODY = "messages.body"


@dataclass(frozen=True)
class MessageView:
    """`contact_id` is None for what went to somebody who is nobody's contact: a code, an invitation."""

    id: int
    key: str
    kind: MessageKind
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


class Body(NamedTuple):
    """What a message says. `language` is that of an e-mail, None of one that was kept before messages knew it."""

    subject: str | None
    text: str
    language: Language | None = None


def seal_body(keys: KeyRing, subject: str | None, text: str, language: Language | None = None) -> bytes:
    body = Body(subject, text, language) if language else (subject, text)
    return keys.seal(json.dumps(body, ensure_ascii=False), BODY)


def open_body(keys: KeyRing, sealed: bytes) -> Body:
    body = Body(*json.loads(keys.open(sealed, BODY)))
    return body if body.language is None else body._replace(language=Language(body.language))


def readable(keys: KeyRing, sealed: bytes | None) -> tuple[str | None, str | None]:
    """A list shows the other rows when one was sealed with a key that is gone."""
    try:
        return (None, None) if sealed is None else open_body(keys, sealed)[:2]
    except SettingsError:
        return None, None


_LABEL = (
    select(Person.label)
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
    Message.send_after,
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
    """Newest first where limited, else oldest first."""
    return list(each_of_group(tx, keys, group_id=group_id, state=state, limit=limit))


def each_of_group(
    tx: Session, keys: KeyRing, *, group_id: int | None = None, state: str | None = None, limit: int | None = None
) -> Iterator[MessageView]:
    """As `of_group`, without holding them all in memory."""
    query = _LISTED.order_by(Message.id.desc() if limit else Message.id).limit(limit)
    if group_id is not None:
        query = query.where(Message.group_id == group_id)
    if state is not None:
        query = query.where(Message.state == state)
    for row in each(tx, query):
        columns: dict[str, Any] = row._asdict()
        subject, text = readable(keys, columns.pop("body_sealed"))
        yield MessageView(**columns, subject=subject, text=text)


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
        query = query.where(Message.id.in_(select(ids_about_person(person_id).subquery())))
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


def ids_about_person(person_id: int) -> CompoundSelect[int]:
    """The ids of messages to the person or their family, about their cards, or that mention them. Each of the ways has
    an index; with OR between them there would be none."""
    return union(
        select(Message.id).join(Contact, Contact.id == Message.contact_id).where(Contact.person_id == person_id),
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(Card.person_id == person_id),
        select(Mention.message_id).where(Mention.person_id == person_id),
    )


def _cards_told(tx: Session, message_ids: Collection[int]) -> Mapping[int, list[int]]:
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


_TOLD_DAYS = (
    select(Message.handed_at, Message.audience)
    .join(MessageReminder, MessageReminder.message_id == Message.id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(Card.id == bindparam("card"), Message.handed_at.is_not(None))
    .distinct()
    .order_by(Message.handed_at)
)


def told_days(tx: Session, card_id: int) -> list[tuple[datetime, Audience]]:
    """When messages about this card's present end date were handed over, and to whom."""
    rows = tx.execute(_TOLD_DAYS, {"card": card_id})
    return [(handed_at, Audience(audience)) for handed_at, audience in rows if handed_at is not None]


@dataclass(frozen=True)
class Waiting:
    """A message that is made and not sent yet, with the step of the card that it tells."""

    step: str
    contact_id: int
    audience: Audience
    channel: ChannelName
    send_after: datetime
    subject: str | None
    text: str
    segments: int


_WAITING_ABOUT = (
    select(
        Reminder.step,
        Message.contact_id,
        Message.audience,
        Message.channel,
        Message.send_after,
        Message.body_sealed,
        Message.segments,
    )
    .join(MessageReminder, MessageReminder.message_id == Message.id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(Card.id == bindparam("card"), IS_QUEUED)
    .order_by(Message.id)
)


def waiting_about(tx: Session, keys: KeyRing, card_id: int) -> list[Waiting]:
    """About this card's present end date."""
    found = []
    for step, contact_id, audience, channel, send_after, sealed, segments in tx.execute(
        _WAITING_ABOUT, {"card": card_id}
    ):
        subject, text = readable(keys, sealed)
        if contact_id is not None and text is not None:
            whom, way = Audience(audience), ChannelName(channel)
            found.append(Waiting(step, contact_id, whom, way, send_after, subject, text, segments))
    return found


def counts(tx: Session) -> Mapping[str, int]:
    """How many messages are in each state."""
    rows = tx.execute(select(Message.state, func.count()).group_by(Message.state).order_by(Message.state))
    return dict(list(rows))


@dataclass(frozen=True)
class NotOver:
    """Messages of one channel and state that wait or are in hand; of those waiting, how many are due, since when."""

    channel: str
    state: str
    count: int
    due: int
    due_since: datetime | None


_IS_DUE = and_(IS_QUEUED, Message.send_after <= bindparam("now"))
_NOT_OVER = [
    select(
        Message.channel,
        Message.state,
        func.count(),
        func.count(case((_IS_DUE, 1))),
        func.min(case((_IS_DUE, Message.send_after))),
    )
    .where(which)
    .group_by(Message.channel, Message.state)
    for which in (IS_QUEUED, IS_IN_HAND)
]


def not_over(tx: Session, now: datetime) -> list[NotOver]:
    """By the indexes that hold only these: what was ever sent costs nothing."""
    found = [NotOver(*row) for query in _NOT_OVER for row in tx.execute(query, {"now": now})]
    return sorted(found, key=lambda one: (one.channel, one.state))


@dataclass(frozen=True)
class MessageDay:
    """Until when (aware UTC) a message could be told."""

    message_id: int
    stale_after: datetime


def days_of(tx: Session, message_ids: Collection[int]) -> list[MessageDay]:
    rows = tx.execute(select(Message.id, Message.stale_after).where(among(Message.id, message_ids)))
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
        select(Message.id, Person.group_id, Person.id, Message.channel, Message.kind == MessageKind.ANSWER)
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


def told_instead(tx: Session, message_ids: Collection[int]) -> Mapping[int, ChannelName]:
    """By message that did not arrive: by which way the person is told the same instead."""
    if not message_ids:
        return {}
    failed, other = aliased(MessageReminder), aliased(MessageReminder)
    rows = tx.execute(
        select(failed.message_id, Message.channel)
        .join(other, and_(other.reminder_id == failed.reminder_id, other.message_id > failed.message_id))
        .join(Message, Message.id == other.message_id)
        .where(
            among(failed.message_id, message_ids),
            Message.audience == Audience.PERSON,
            Message.state.not_in(("cancelled", "stale", "failed", "undelivered")),
        )
        .order_by(Message.id)
    )
    return {message_id: ChannelName(channel) for message_id, channel in rows}


def follow_up(tx: Session, message_ids: Collection[int], now: datetime) -> None:
    these = update(Message).where(among(Message.id, message_ids))
    tx.execute(these.values(followed_up_at=now).execution_options(synchronize_session=False))


@dataclass(frozen=True)
class Named:
    """A message that a receipt speaks of."""

    id: int
    provider_id: str | None
    contact_id: int
    channel: ChannelName


def named(tx: Session, provider_ids: Iterable[str], message_ids: Iterable[int]) -> list[Named]:
    """Locked in the order of their ids: two workers that each applied some of the same messages' receipts would wait
    for each other for ever."""
    rows = tx.execute(
        select(Message.id, Message.provider_id, Message.contact_id, Message.channel)
        .where(or_(Message.provider_id.in_(list(provider_ids)), Message.id.in_(list(message_ids))))
        .order_by(Message.id)
        .with_for_update()
    )
    # Nobody reports on what went to somebody who is no contact: those are e-mails.
    return [Named(row[0], row[1], row[2], ChannelName(row[3])) for row in rows if row[2] is not None]


@dataclass(frozen=True)
class Mail:
    """An e-mail that was handed over at least once."""

    provider_id: str | None


def mail(tx: Session, message_id: int) -> Mail | None:
    row = tx.execute(
        select(Message.provider_id).where(
            Message.id == message_id, Message.channel == ChannelName.EMAIL, Message.handed_at.is_not(None)
        )
    ).one_or_none()
    return None if row is None else Mail(row.provider_id)


@dataclass(frozen=True)
class Earlier:
    """A text to a person about a card, with the first answer that came after it and before the next."""

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
        Message.asks.is_not(None),
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


def earlier(tx: Session, card_ids: Collection[int], latest: int) -> Mapping[int, list[Earlier]]:
    """By card, the latest texts to its person about its present end date, oldest first."""
    return _with_answers(tx, tx.execute(_EARLIER_OF_CARDS, {"cards": card_ids}).all(), latest) if card_ids else {}


def earlier_of_group(tx: Session, group_id: int, latest: int) -> Mapping[int, list[Earlier]]:
    """As `earlier`, of every card that the group's people have now."""
    return _with_answers(tx, tx.execute(_EARLIER_OF_GROUP, {"group": group_id}).all(), latest)


def _with_answers(
    tx: Session, rows: Sequence[Row[int, int, int | None, datetime | None, str, str, bool]], latest: int
) -> Mapping[int, list[Earlier]]:
    if not rows:
        return {}
    since = min(handed_at for _, _, _, handed_at, *_ in rows if handed_at is not None)
    answered: dict[int, list[tuple[datetime, Intent | None]]] = {}
    contact_ids = {contact_id for _, _, contact_id, *_ in rows if contact_id is not None}
    for answered_by, received_at, intent in tx.execute(_ANSWERS, {"contacts": contact_ids, "since": since}):
        answered.setdefault(answered_by, []).append((received_at, intent))
    found: dict[int, list[Earlier]] = {}
    # From the latest back: an answer belongs to the text before it.
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
            of_card.insert(0, Earlier(message_id, handed_at, ChannelName(channel), state, intent, answerable))
    return found


_TOLD_LATELY = (
    select(Contact.person_id, Message.created_at)
    .join(Message, Message.contact_id == Contact.id)
    .where(
        among(Contact.person_id, ids_param("people")),
        Contact.is_family.is_(False),
        Message.created_at >= bindparam("since"),
        Message.state.not_in(("cancelled", "stale")),
        Message.kind != MessageKind.ANSWER,
        Message.state.not_in(("failed", "undelivered")) | (Message.created_at < bindparam("today")),
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


def told_lately(
    tx: Session, person_ids: Collection[int], since: datetime, *, today: datetime | None = None
) -> Mapping[int, list[datetime]]:
    """By person, when messages were made that were sent them unasked, one for each day: by whichever way, whether they
    arrived or not. What failed since `today` began is not counted yet: it is to be told another way."""
    if not person_ids:
        return {}
    rows = tx.execute(_TOLD_LATELY, {"people": person_ids, "since": since, "today": today or since})
    told: dict[int, dict[date, datetime]] = {}
    for person_id, at in rows:
        if person_id is not None:
            told.setdefault(person_id, {}).setdefault(japan_date(at), at)
    return {person_id: list(by_day.values()) for person_id, by_day in told.items()}


def greeted(tx: Session, person_ids: Collection[int], since: datetime) -> set[int]:
    """Those who were sent a greeting."""
    if not person_ids:
        return set()
    found = tx.scalars(_GREETED, {"people": person_ids, "since": since})
    return {person_id for person_id in found if person_id is not None}


@dataclass(frozen=True)
class Called:
    """A message as a call needs it: what it says, to whom."""

    kind: MessageKind
    contact_id: int
    channel: ChannelName
    text: str
    practised_at: datetime | None
    language: Language


def called(tx: Session, keys: KeyRing, message_id: int) -> Called | None:
    row = tx.execute(
        select(
            Message.kind,
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
    text = open_body(keys, row.body_sealed).text
    return Called(row.kind, row.contact_id, ChannelName(row.channel), text, row.practised_at, Language(row.language))


@dataclass(frozen=True)
class NotArrived:
    """What has not reached a contact since something last did: how often, since when, and why the last time."""

    times: int
    since: datetime
    reason: str | None


_ARRIVED = (
    select(Message.contact_id, func.max(Message.id).label("last"))
    .where(
        Message.group_id == bindparam("group"),
        Message.state.in_((MessageState.ACCEPTED, MessageState.DELIVERED)),
    )
    .group_by(Message.contact_id)
    .subquery()
)
_NOT_ARRIVED = (
    select(Message.contact_id, Message.ended_at, Message.created_at, Message.reason)
    .outerjoin(_ARRIVED, _ARRIVED.c.contact_id == Message.contact_id)
    .where(
        Message.group_id == bindparam("group"),
        Message.contact_id.is_not(None),
        Message.state.in_((MessageState.UNDELIVERED, MessageState.FAILED)),
        Message.id > func.coalesce(_ARRIVED.c.last, 0),
    )
    .order_by(Message.id)
)


def not_arrived(tx: Session, group_id: int) -> dict[int, NotArrived]:
    """By contact, of those to whom the latest message did not come."""
    found: dict[int, NotArrived] = {}
    for contact_id, ended_at, created_at, reason in tx.execute(_NOT_ARRIVED, {"group": group_id}):
        assert contact_id is not None
        before = found.get(contact_id)
        since = before.since if before else ended_at or created_at
        found[contact_id] = NotArrived((before.times if before else 0) + 1, since, reason)
    return found
