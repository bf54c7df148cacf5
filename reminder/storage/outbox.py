"""The outbox: messages waiting, in hand and done. A move names the state it leaves; one changed row is the proof."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from reminder.domain.messages import NOT_SEEN, UNREADABLE, CancelReason, MessageState, Outgoing, Verdict
from reminder.domain.people import Audience, ChannelName, ContactState, Mode
from reminder.errors import SettingsError
from reminder.storage import contacts, restored
from reminder.storage.keys import KeyRing
from reminder.storage.messages import open_body, seal_body
from reminder.storage.tables import (
    IS_IN_HAND,
    IS_LIVE,
    IS_QUEUED,
    MESSAGES,
    Card,
    Contact,
    Group,
    Mention,
    Message,
    MessageReminder,
    Pause,
    Person,
    Reminder,
)

# How the keys of messages begin that are not reminders.
ANSWER, CONSENT, PRACTICE, CODE, INVITATION = "answer:", "consent:", "practice:", "code:", "invitation:"
_ASKED_FOR = (ANSWER, CONSENT, PRACTICE, CODE, INVITATION)


@dataclass(frozen=True)
class SpeaksOf:
    """Whom a message speaks of that tells none of their reminders: it is forgotten with any of these."""

    person_id: int
    card_id: int | None = None
    contact_id: int | None = None


@dataclass(frozen=True)
class Draft:
    """A message as it is planned."""

    key: str
    group_id: int | None
    contact_id: int | None
    audience: Audience
    channel: ChannelName
    subject: str | None
    text: str
    segments: int
    send_after: datetime
    stale_after: datetime
    possibly_double: bool = False  # it repeats one that may have arrived
    asks: int | None = None  # the digit that answers "done" to it
    address: str | None = None  # of who is nobody's contact yet; then `contact_id` is None
    speaks_of: tuple[SpeaksOf, ...] = ()


@dataclass(frozen=True)
class InHand:
    """A message this worker has claimed; `attempts` fences it off from a later claim of the same message."""

    key: str
    outgoing: Outgoing
    channel: ChannelName
    contact_id: int | None
    audience: Audience
    attempts: int
    not_seen: int
    possibly_double: bool
    stale_after: datetime
    lease_until: datetime  # whoever holds it longer must not hand it over any more
    on_holidays: bool = False  # may be sent on a Sunday or holiday

    @property
    def is_answer(self) -> bool:
        """To what somebody has just said or done: at any hour, and also to who has just said that nothing more is
        wanted."""
        return self.key.startswith((ANSWER, CODE))


def taken(tx: Session, keys: Collection[str]) -> Mapping[str, MessageState]:
    """Which of these message keys are in use, and by a message in what state."""
    if not keys:
        return {}
    query = select(Message.key, Message.state).where(Message.key.in_(keys), IS_LIVE)
    return {key: MessageState(state) for key, state in tx.execute(query)}


def add(tx: Session, keys: KeyRing, drafts: Sequence[Draft], now: datetime) -> list[int]:
    """Their ids, in order. The unique key refuses a second one."""
    if not drafts:
        return []
    made = tx.execute(
        insert(Message).returning(Message.id, sort_by_parameter_order=True),
        [
            {
                "key": draft.key,
                "group_id": draft.group_id,
                "contact_id": draft.contact_id,
                "address_sealed": None if draft.address is None else keys.seal(draft.address, contacts.ADDRESS),
                "audience": draft.audience,
                "channel": draft.channel,
                "body_sealed": seal_body(keys, draft.subject, draft.text),
                "segments": draft.segments,
                "asks": draft.asks,
                "state": MessageState.QUEUED,
                "send_after": draft.send_after,
                "stale_after": draft.stale_after,
                "attempts": 0,
                "not_seen": 0,
                "possibly_double": draft.possibly_double,
                "created_at": now,
            }
            for draft in drafts
        ],
    )
    ids = list(made.scalars())
    mentions = [
        {"message_id": message_id, "person_id": one.person_id, "card_id": one.card_id, "contact_id": one.contact_id}
        for message_id, draft in zip(ids, drafts, strict=True)
        for one in draft.speaks_of
    ]
    if mentions:
        tx.execute(insert(Mention), mentions)
    return ids


@dataclass(frozen=True)
class Claim:
    """What was taken, and the ids of what cannot be told: any more today (`stale`), or to this contact (`refused`),
    or in these words (`forgotten`: they spoke of somebody who is erased), or at all (`unreadable`: sealed with a key
    that is gone)."""

    in_hand: list[InHand]
    stale: list[int]
    refused: list[int]
    forgotten: list[int]
    unreadable: list[int]


_REMINDS = exists().where(MessageReminder.message_id == Message.id)
_STILL_TRUE = exists(
    select(Card.id)
    .join(Reminder, Reminder.card_id == Card.id)
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .where(MessageReminder.message_id == Message.id, Card.expires_on == Reminder.expires_on, Card.retired_at.is_(None))
)
_IN_HAND = (
    select(
        Message.id,
        Message.key,
        Message.channel,
        Message.contact_id,
        Message.audience,
        Message.attempts,
        Message.not_seen,
        Message.possibly_double,
        Message.body_sealed,
        Message.created_at,
        Message.handed_at,
        Message.stale_after,
        func.coalesce(Message.address_sealed, Contact.address_sealed).label("address_sealed"),
        # A group may want it so; but elders themselves are written to only when counters are open.
        and_(
            func.coalesce(Group.on_holidays, false()),
            or_(Message.audience != Audience.PERSON, func.coalesce(Person.mode, Mode.STANDARD) == Mode.STANDARD),
        ).label("on_holidays"),
    )
    .select_from(Message)
    .outerjoin(Contact, Contact.id == Message.contact_id)
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Group, Group.id == Message.group_id)
)
_DUE = (
    _IN_HAND.add_columns(
        or_(
            Contact.state == ContactState.CONFIRMED,
            Message.contact_id.is_(None),
            Message.key.startswith(ANSWER),
            and_(Message.key.startswith(CONSENT), Contact.state == ContactState.UNCONFIRMED),
        ).label("may_be_told"),
        or_(~_REMINDS, _STILL_TRUE).label("is_true"),
    )
    .where(
        IS_QUEUED,
        Message.send_after <= bindparam("now"),
        or_(
            Message.stale_after <= bindparam("now"),
            Message.channel.not_in(select(Pause.channel).where(Pause.until > bindparam("now"))),
        ),
    )
    .order_by(Message.send_after, Message.id)
    .limit(bindparam("limit"))
    .with_for_update(of=Message, skip_locked=True)
)
_ASKABLE = (
    _IN_HAND.where(IS_IN_HAND, Message.state == MessageState.UNKNOWN, Message.lease_until <= bindparam("now"))
    .order_by(Message.lease_until)
    .limit(bindparam("limit"))
    .with_for_update(of=Message, skip_locked=True)
)


def claim(tx: Session, keys: KeyRing, *, now: datetime, lease: timedelta, limit: int) -> Claim:
    """Takes up to `limit` messages that are due, longest waiting first, passing over channels that pause.

    Looks once more before anything is sent: what is stale, or no longer true, or for someone who said no, ends here.
    On PostgreSQL rows that another worker is taking are skipped; on SQLite the transaction holds the file.
    """
    due = tx.execute(_DUE, {"now": now, "limit": limit}).all()
    stale = [row.id for row in due if row.stale_after <= now]
    fresh = [row for row in due if row.stale_after > now]
    refused = [row.id for row in fresh if not row.may_be_told]
    forgotten = [row.id for row in fresh if row.may_be_told and row.body_sealed is None]
    readable = [row for row in fresh if row.may_be_told and row.body_sealed is not None]
    untrue = [row.id for row in readable if not row.is_true]
    true = [row for row in readable if row.is_true]
    doubtful = restored.in_doubt(tx, [row.id for row in true], _ASKED_FOR, now)
    taken = [row for row in true if row.id not in doubtful]
    in_hand, unreadable = _opened(keys, taken, now, now + lease)
    taken_ids = [message.outgoing.message_id for message in in_hand]
    _end_queued(tx, stale, MessageState.STALE, None, now)
    _end_queued(tx, unreadable, MessageState.FAILED, UNREADABLE, now)
    _end_queued(tx, refused, MessageState.CANCELLED, CancelReason.OPTED_OUT, now)
    _end_queued(tx, untrue, MessageState.CANCELLED, CancelReason.RENEWED, now)
    _end_queued(tx, forgotten, MessageState.CANCELLED, CancelReason.ERASED, now)
    if taken_ids:
        tx.execute(
            _move(Message.id.in_(taken_ids), MessageState.QUEUED).values(
                state=MessageState.SENDING, lease_until=now + lease, handed_at=now, attempts=Message.attempts + 1
            )
        )
    return Claim(in_hand, stale, refused, forgotten, unreadable)


def _end_queued(tx: Session, ids: Sequence[int], state: MessageState, reason: str | None, now: datetime) -> None:
    if ids:
        values = {"state": state, "ended_at": now} | ({"reason": reason} if reason else {})
        tx.execute(_move(Message.id.in_(ids), MessageState.QUEUED).values(values))


def _move(which: ColumnElement[bool], leaving: MessageState) -> Update:
    return update(Message).where(which, Message.state == leaving).execution_options(synchronize_session=False)


def take_expired_leases(tx: Session, now: datetime) -> list[int]:
    """Whoever was sending these is gone: nobody knows whether they went out."""
    lost = tx.execute(
        _move(and_(IS_IN_HAND, Message.lease_until <= now), MessageState.SENDING)
        .values(state=MessageState.UNKNOWN, reason="lease_ran_out", not_seen=0)
        .returning(Message.id)
    )
    return list(lost.scalars())


def claim_unknown(
    tx: Session, keys: KeyRing, *, now: datetime, lease: timedelta, limit: int
) -> tuple[list[InHand], list[int]]:
    """Messages of unknown fate whose time to be asked about has come, and the ids of those whose words were forgotten
    meanwhile: they may have arrived. What cannot be read cannot be asked about."""
    askable = tx.execute(_ASKABLE, {"now": now, "limit": limit}).all()
    forgotten = [row.id for row in askable if row.body_sealed is None]
    in_hand, unreadable = _opened(keys, [row for row in askable if row.body_sealed is not None], None, now + lease)
    failed = {"state": MessageState.FAILED, "lease_until": None, "ended_at": now}
    for ids, values in (
        ([message.outgoing.message_id for message in in_hand], {"lease_until": now + lease}),
        (forgotten, failed | {"reason": NOT_SEEN}),
        (unreadable, failed | {"reason": UNREADABLE}),
    ):
        if ids:
            tx.execute(_move(Message.id.in_(ids), MessageState.UNKNOWN).values(values))
    return in_hand, forgotten


def provider_ids_at_same_addresses(tx: Session, contact_ids: Collection[int | None]) -> list[str]:
    """What the provider calls the messages to these phones and addresses, whoever's they are."""
    if not contact_ids:
        return []
    addresses = select(Contact.address_index).where(Contact.id.in_(contact_ids))
    sharing = select(Contact.id).where(Contact.address_index.in_(addresses))
    known = tx.execute(
        select(Message.provider_id).where(Message.contact_id.in_(sharing), Message.provider_id.is_not(None))
    )
    return [provider_id for provider_id in known.scalars() if provider_id is not None]


def _opened(
    keys: KeyRing, rows: Sequence[Row[*tuple[Any, ...]]], claimed_at: datetime | None, lease_until: datetime
) -> tuple[list[InHand], list[int]]:
    """As the rows stand after the claim, for sending (`claimed_at`) or for asking; and the ids of those whose key is
    gone, for one of them must not keep all others waiting."""
    in_hand, unreadable = [], []
    for row in rows:
        try:
            subject, text = open_body(keys, row.body_sealed)
            address = keys.open(row.address_sealed, contacts.ADDRESS)
        except SettingsError:
            unreadable.append(row.id)
            continue
        in_hand.append(
            InHand(
                key=row.key,
                outgoing=Outgoing(
                    message_id=row.id,
                    address=address,
                    text=text,
                    subject=subject,
                    created_at=row.created_at,
                    handed_at=claimed_at or row.handed_at,
                ),
                channel=ChannelName(row.channel),
                contact_id=row.contact_id,
                audience=Audience(row.audience),
                attempts=row.attempts + (1 if claimed_at else 0),
                not_seen=row.not_seen,
                possibly_double=row.possibly_double,
                stale_after=row.stale_after,
                lease_until=lease_until,
                on_holidays=row.on_holidays,
            )
        )
    return in_hand, unreadable


_STILL_NEEDED = (MessageState.QUEUED, MessageState.UNKNOWN)
_RECORD = (
    update(MESSAGES)
    .where(
        MESSAGES.c.id == bindparam("message"),
        MESSAGES.c.state == bindparam("leaving"),
        MESSAGES.c.attempts == bindparam("in_attempt"),
    )
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        provider_id=func.coalesce(bindparam("known_as"), MESSAGES.c.provider_id),
        not_seen=bindparam("seen_not"),
        send_after=func.coalesce(bindparam("again_at"), MESSAGES.c.send_after),
        lease_until=bindparam("ask_at"),
        possibly_double=or_(MESSAGES.c.possibly_double, bindparam("double")),
        ended_at=bindparam("ended"),
        # A code is forgotten as soon as it is handed over, or never will be.
        body_sealed=case((bindparam("forget"), None), else_=MESSAGES.c.body_sealed),
    )
)


def record(tx: Session, verdicts: Sequence[tuple[InHand, Verdict]], leaving: MessageState, now: datetime) -> None:
    """What became of messages this worker had in hand. What a receipt or another worker moved on stays there."""
    if not verdicts:
        return
    tx.connection().execute(
        _RECORD,
        [
            {
                "message": in_hand.outgoing.message_id,
                "leaving": leaving,
                "in_attempt": in_hand.attempts,
                "to": verdict.state,
                "why": verdict.reason,
                "known_as": verdict.provider_id,
                "again_at": verdict.wait_until if verdict.state is MessageState.QUEUED else None,
                "ask_at": verdict.wait_until if verdict.state is MessageState.UNKNOWN else None,
                "double": verdict.possibly_double,
                "seen_not": verdict.not_seen,
                "forget": in_hand.key.startswith(CODE) and verdict.state not in _STILL_NEEDED,
                "ended": now if verdict.state in (MessageState.FAILED, MessageState.STALE) else None,
            }
            for in_hand, verdict in verdicts
        ],
    )


def cancel_for_card(tx: Session, card_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancels what is queued about this card; the cancelled ids, since such a text may speak of other cards too."""
    about = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id == card_id)
    )
    return _cancel(tx, Message.id.in_(about), reason, now)


def cancel_for_person(tx: Session, person_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """What is queued about any card of this person."""
    about = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(Card.person_id == person_id)
    )
    return _cancel(tx, Message.id.in_(about), reason, now)


def cancel_for_contact(tx: Session, contact_id: int, reason: CancelReason, now: datetime) -> list[int]:
    return _cancel(tx, Message.contact_id == contact_id, reason, now)


def cancel_reminders_of_group(tx: Session, group_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Those that nobody has tried to send yet: what was tried goes on, for it may have arrived."""
    return _cancel(tx, and_(Message.group_id == group_id, Message.attempts == 0, _REMINDS), reason, now)


def cancel_reminders_of_member(tx: Session, member_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """As cancel_reminders_of_group."""
    theirs = Message.contact_id.in_(select(Contact.id).where(Contact.member_id == member_id))
    return _cancel(tx, and_(theirs, Message.attempts == 0, _REMINDS), reason, now)


def _cancel(tx: Session, where: ColumnElement[bool], reason: CancelReason, now: datetime) -> list[int]:
    cancelled = tx.execute(
        _move(where, MessageState.QUEUED)
        .values(state=MessageState.CANCELLED, reason=reason, ended_at=now)
        .returning(Message.id)
    )
    return list(cancelled.scalars())


_NEXT_TO_SEND = select(func.min(Message.send_after)).where(IS_QUEUED)
_NEXT_TO_ASK = select(func.min(Message.lease_until)).where(IS_IN_HAND)


def next_moment(tx: Session) -> datetime | None:
    """When a message is next to be sent or asked about."""
    moments = (tx.execute(_NEXT_TO_SEND).scalar(), tx.execute(_NEXT_TO_ASK).scalar())
    return min((moment for moment in moments if moment is not None), default=None)


# Handed over at least once, and no answer kept: it waits for one, or for another try.
_MAY_HAVE_ARRIVED = and_(
    Message.state.in_((MessageState.SENDING, MessageState.UNKNOWN, MessageState.QUEUED)), Message.handed_at.is_not(None)
)


def end(
    tx: Session, message_id: int, state: MessageState, *, provider_id: str, reason: str | None, now: datetime
) -> bool:
    """What a receipt says became of it. False where it had come to an end already."""
    ended = tx.execute(
        update(Message)
        .where(Message.id == message_id, or_(Message.state == MessageState.ACCEPTED, _MAY_HAVE_ARRIVED))
        .values(state=state, provider_id=provider_id, reason=reason, lease_until=None, ended_at=now)
        .execution_options(synchronize_session=False)
        .returning(Message.id)
    )
    return ended.first() is not None


def settle_by_receipt(tx: Session, message_id: int, provider_id: str) -> None:
    """A first callback names a message whose answer was lost, or is still on its way: the provider has it."""
    tx.execute(
        update(Message)
        .where(Message.id == message_id, _MAY_HAVE_ARRIVED)
        .values(state=MessageState.ACCEPTED, provider_id=provider_id, reason=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )
