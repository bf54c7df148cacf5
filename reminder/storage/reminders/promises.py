"""Delivery promises: one human is told of one step by the end of one day, or another human is told that not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Executable, and_, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageKind, MessageState, ReminderState
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.model.promise_states import (
    CLOSE,
    PROMISE_STATES,
    WAS_NOT_TOLD,
    WAS_TOLD,
    PromiseState,
    addressee_of,
)
from reminder.domain.rules.promise_checks import PromisedMessage
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import (
    IS_LEFT_TO_OPERATOR,
    IS_OPEN_PROMISE,
    Card,
    Contact,
    Mention,
    Message,
    MessageReminder,
    Person,
    Promise,
    Reminder,
)
from reminder.storage.db.transitions import staying, transition

Addressee = tuple[int, str]  # the id of a reminder, and the addressee of a promise


@dataclass(frozen=True)
class NewPromise:
    """A promise to be made. Instants are aware UTC, `day` is a date in Japan."""

    reminder_id: int
    addressee: str
    audience: Audience
    day: date
    due_at: datetime
    ends_at: datetime
    check_at: datetime
    channel: ChannelName | None = None


_OF_REMINDERS = select(Promise.reminder_id, Promise.addressee, Promise.day).where(
    among(Promise.reminder_id, ids_param("reminders"))
)


def add(tx: Session, promises: Iterable[NewPromise], now: datetime) -> int:
    """Make these promises and return how many are new: a human is promised a step once a day."""
    wanted = {(one.reminder_id, one.addressee, one.day): one for one in promises}
    if not wanted:
        return 0
    made = {tuple(row) for row in tx.execute(_OF_REMINDERS, {"reminders": {key[0] for key in wanted}})}
    rows = [
        {
            "reminder_id": one.reminder_id,
            "addressee": one.addressee,
            "audience": one.audience,
            "channel": one.channel,
            "day": one.day,
            "state": PromiseState.OPEN,
            "due_at": one.due_at,
            "ends_at": one.ends_at,
            "check_at": one.check_at,
            "created_at": now,
        }
        for key, one in wanted.items()
        if key not in made
    ]
    if rows:
        tx.execute(insert(Promise), rows)
    return len(rows)


@dataclass(frozen=True)
class PromiseView:
    """An open promise. `is_wanted`: its step is still true, and nobody has said that it is done."""

    id: int
    reminder_id: int
    card_id: int
    person_id: int
    group_id: int
    addressee: str
    audience: Audience
    mode: Mode
    day: date
    due_at: datetime
    ends_at: datetime
    is_ours: bool  # what it is told by was held up by a fault of the service
    is_wanted: bool

    @property
    def key(self) -> Addressee:
        """Return the reminder and the human."""
        return self.reminder_id, self.addressee


_OVER = (ReminderState.ACKNOWLEDGED, ReminderState.SETTLED)
_IS_WANTED = and_(Card.expires_on == Reminder.expires_on, Card.retired_at.is_(None), Reminder.state.not_in(_OVER))
_TO_BE_CHECKED = (
    select(
        Promise.id,
        Promise.reminder_id,
        Card.id.label("card_id"),
        Person.id.label("person_id"),
        Person.group_id,
        Promise.addressee,
        Promise.audience,
        Person.mode,
        Promise.day,
        Promise.due_at,
        Promise.ends_at,
        Promise.is_ours,
        _IS_WANTED.label("is_wanted"),
    )
    .join(Reminder, Reminder.id == Promise.reminder_id)
    .join(Card, Card.id == Reminder.card_id)
    .join(Person, Person.id == Card.person_id)
    .where(IS_OPEN_PROMISE, Promise.check_at <= bindparam("now"))
    .order_by(Promise.check_at, Promise.id)
    .limit(bindparam("limit"))
    .with_for_update(of=Promise, skip_locked=True)
)


def to_check(tx: Session, now: datetime, limit: int) -> list[PromiseView]:
    """Return open promises that are to be looked at, the longest overdue first, locked until the transaction ends."""
    return [PromiseView(**row._asdict()) for row in tx.execute(_TO_BE_CHECKED, {"now": now, "limit": limit})]


def first_to_check(tx: Session, now: datetime) -> int | None:
    """Return the id of the next promise to be looked at, locked, without reading what it says."""
    query = select(Promise.id).where(IS_OPEN_PROMISE, Promise.check_at <= now).order_by(Promise.check_at, Promise.id)
    return tx.execute(query.limit(1).with_for_update(skip_locked=True)).scalar_one_or_none()


# Two questions: of one that joins them PostgreSQL would read an index of all messages.
_TOLD_BY = select(MessageReminder.message_id, MessageReminder.reminder_id).where(
    among(MessageReminder.reminder_id, ids_param("reminders"))
)
_MESSAGES = (
    select(
        Contact.person_id,
        Contact.member_id,
        Contact.is_family,
        Message.id,
        Message.contact_id,
        Message.channel,
        Message.state,
        Message.reason,
        Message.attempts,
        func.coalesce(Message.due_at, Message.scheduled_at),
        Message.doubted_at.is_not(None),
    )
    .join(Contact, Contact.id == Message.contact_id)
    .where(among(Message.id, ids_param("messages")))
)


def messages_of(
    tx: Session, reminder_ids: Collection[int], proving: Collection[ChannelName]
) -> Mapping[Addressee, list[PromisedMessage]]:
    """Return the messages that tell these reminders, by reminder and human, the oldest first.

    Cancelled messages do not count. `proving`: the channels that can say whether a message arrived.
    """
    tells: dict[int, list[int]] = {}
    for message_id, reminder_id in tx.execute(_TOLD_BY, {"reminders": reminder_ids}):
        tells.setdefault(message_id, []).append(reminder_id)
    found: dict[Addressee, list[PromisedMessage]] = {}
    rows = sorted(tx.execute(_MESSAGES, {"messages": list(tells)}), key=lambda row: row.id)
    for person_id, member_id, is_family, message_id, contact_id, channel, *known in rows:
        assert contact_id is not None
        way = ChannelName(channel)
        state, reason, attempts, due_at, is_doubted = known
        if state == MessageState.CANCELLED:
            continue
        message = PromisedMessage(
            message_id, contact_id, way, state, reason, attempts, due_at, is_doubted, needs_arrival=way in proving
        )
        owner = _owner(contact_id, person_id, member_id, is_family=is_family)
        for reminder_id in tells[message_id]:
            found.setdefault((reminder_id, addressee_of(owner)), []).append(message)
    return found


def _owner(contact_id: int, person_id: int | None, member_id: int | None, *, is_family: bool) -> tuple[str, int]:
    if member_id is not None:
        return "member", member_id
    return ("family", contact_id) if is_family or person_id is None else ("person", person_id)


def check_later(tx: Session, times: Mapping[int, datetime], *, held_up: Collection[int] = ()) -> None:
    """Look at these open promises again then, by id. `held_up`: those held up by a fault of the service: it stays."""
    by_time: dict[tuple[datetime, bool], list[int]] = {}
    for promise_id, at in times.items():
        by_time.setdefault((at, promise_id in held_up), []).append(promise_id)
    for (at, is_ours), ids in by_time.items():
        values: dict[str, object] = {"check_at": at, **({"is_ours": True} if is_ours else {})}
        tx.execute(staying(PROMISE_STATES, among(Promise.id, ids), states=CLOSE.leaves).values(values))


def mark_waiting(tx: Session, promise_ids: Collection[int]) -> None:
    """Look at these open promises again now."""
    these = staying(PROMISE_STATES, among(Promise.id, promise_ids), states=CLOSE.leaves)
    tx.execute(these.values(check_at=Promise.due_at))


@dataclass(frozen=True)
class Closing:
    """How a promise ends.

    `reason`, `is_ours`: why its addressee was not told, and whether that is a fault of the service.
    """

    state: PromiseState
    reason: str | None = None
    is_ours: bool = False


def close(tx: Session, closings: Mapping[int, Closing], now: datetime) -> int:
    """Close these promises, by id, and return how many were open: each is closed once."""
    alike: dict[Closing, list[int]] = {}
    for promise_id, closing in closings.items():
        alike.setdefault(closing, []).append(promise_id)
    closed = 0
    for closing, ids in alike.items():
        values = {"reason": closing.reason, "is_ours": closing.is_ours, "closed_at": now}
        change = transition(PROMISE_STATES, CLOSE, among(Promise.id, ids), to=closing.state).values(values)
        closed += len(tx.execute(change.returning(Promise.id)).all())
    return closed


@dataclass(frozen=True)
class UnprovenMessage:
    """A message that its provider has accepted, of which nobody knows whether it arrived, and its promise."""

    promise_id: int
    message_id: int
    channel: ChannelName
    provider_id: str
    address: str


_UNPROVEN = (
    select(Promise.id, Message.id, Message.channel, Message.provider_id, Contact.address_sealed)
    .join(MessageReminder, MessageReminder.reminder_id == Promise.reminder_id)
    .join(Message, Message.id == MessageReminder.message_id)
    .join(Contact, Contact.id == Message.contact_id)
    .where(
        IS_OPEN_PROMISE,
        Promise.check_at <= bindparam("now"),
        Promise.ends_at <= bindparam("ends_by"),
        Promise.asked_at.is_(None),
        Message.state == MessageState.ACCEPTED,
        Message.doubted_at.is_(None),
        Message.provider_id.is_not(None),
        Message.channel.in_(bindparam("channels", expanding=True)),
        Message.due_at >= Promise.due_at,
    )
    .order_by(Promise.check_at, Promise.id)
    .limit(bindparam("limit"))
)


def unproven(
    tx: Session, keys: KeyRing, channels: Collection[ChannelName], *, now: datetime, ends_by: datetime, limit: int
) -> list[UnprovenMessage]:
    """Return the messages to be asked about, of promises that are to be looked at and end by then.

    `channels`: those whose providers can be asked. One whose address cannot be opened is left out.
    """
    if not channels:
        return []
    asked = {"now": now, "ends_by": ends_by, "channels": list(channels), "limit": limit}
    return [
        UnprovenMessage(promise_id, message_id, ChannelName(channel), provider_id, keys.open(address))
        for promise_id, message_id, channel, provider_id, address in tx.execute(_UNPROVEN, asked)
        if provider_id is not None and keys.can_open(address)
    ]


def mark_asked(tx: Session, promise_ids: Collection[int], now: datetime) -> None:
    """Record that the providers were asked about the messages of these promises."""
    tx.execute(staying(PROMISE_STATES, among(Promise.id, promise_ids), states=CLOSE.leaves).values(asked_at=now))


_TOLD_ABOUT = (
    select(Mention.person_id, Message.audience)
    .join(Message, Message.id == Mention.message_id)
    .where(
        among(Mention.person_id, ids_param("people")),
        Message.kind == MessageKind.FAILURE_NOTICE,
        Message.created_at >= bindparam("since"),
        Message.state.in_((MessageState.ACCEPTED, MessageState.DELIVERED)),
    )
)


def told_of_failures(tx: Session, person_ids: Collection[int], since: datetime) -> Mapping[int, set[Audience]]:
    """Return by person which of those around them were told since then that something has not reached the person."""
    found: dict[int, set[Audience]] = {}
    for person_id, audience in tx.execute(_TOLD_ABOUT, {"people": person_ids, "since": since}):
        found.setdefault(person_id, set()).add(Audience(audience))
    return found


@dataclass(frozen=True)
class Untold:
    """A promise of which its addressee was not told. `state`: who was told of that, if it is closed."""

    id: int
    group_id: int
    person_id: int
    card_id: int
    audience: Audience
    day: date
    state: PromiseState
    reason: str | None


_UNTOLD = (
    select(
        Promise.id,
        Person.group_id,
        Person.id,
        Card.id,
        Promise.audience,
        Promise.day,
        Promise.state,
        Promise.reason,
    )
    .join(Reminder, Reminder.id == Promise.reminder_id)
    .join(Card, Card.id == Reminder.card_id)
    .join(Person, Person.id == Card.person_id)
    .order_by(Promise.id)
)
_LATER = Promise.__table__.alias("later")
_LATER_REMINDER = Reminder.__table__.alias("later_reminder")
_WAS_TOLD_SINCE = exists(
    select(_LATER.c.id)
    .join(_LATER_REMINDER, _LATER_REMINDER.c.id == _LATER.c.reminder_id)
    .where(
        _LATER_REMINDER.c.card_id == Reminder.card_id,
        _LATER.c.addressee == Promise.addressee,
        _LATER.c.state.in_(WAS_TOLD),
        _LATER.c.day > Promise.day,
    )
)


def untold_of_group(
    tx: Session, group_id: int, *, now: datetime, since: date, only: Collection[int] | None = None
) -> list[Untold]:
    """Return the promises of a group, of that day or later, whose addressee was not told, and has not been since.

    `only`: those about the persons with these ids. An open one counts once its day is over. What concerns a card that
    is done, renewed or ended is left out.
    """
    query = _UNTOLD.where(
        Person.group_id == group_id,
        _IS_WANTED,
        Promise.day >= since,
        or_(Promise.state.in_(WAS_NOT_TOLD), and_(IS_OPEN_PROMISE, Promise.ends_at <= now)),
        ~_WAS_TOLD_SINCE,
    )
    if only is not None:
        query = query.where(among(Person.id, only))
    return [Untold(*row) for row in tx.execute(query)]


def left_to_operator(tx: Session, limit: int) -> list[Untold]:
    """Return the promises that were left to the operator, who has not said yet that they have seen to them."""
    return [Untold(*row) for row in tx.execute(_UNTOLD.where(IS_LEFT_TO_OPERATOR).limit(limit))]


def take(tx: Session, promise_ids: Collection[int] | None, now: datetime) -> int:
    """Record that the operator has seen to these (None: to all) that were left to them; return their number."""
    which = [IS_LEFT_TO_OPERATOR] if promise_ids is None else [IS_LEFT_TO_OPERATOR, among(Promise.id, promise_ids)]
    taken = update(Promise).where(*which).values(taken_at=now).returning(Promise.id)
    return len(tx.execute(taken.execution_options(synchronize_session=False)).all())


_NEXT: Executable = select(func.min(Promise.check_at)).where(IS_OPEN_PROMISE)


def next_moment(tx: Session) -> datetime | None:
    """Return when a promise is next to be looked at, None where none is open."""
    return tx.execute(_NEXT).scalar_one_or_none()


def doubt(tx: Session, message_ids: Sequence[int], now: datetime) -> None:
    """Count no longer on these messages: nobody can say whether they have arrived. Their states stay what is known."""
    doubted = update(Message).where(among(Message.id, message_ids), Message.doubted_at.is_(None))
    tx.execute(doubted.values(doubted_at=now).execution_options(synchronize_session=False))
