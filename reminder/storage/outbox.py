"""The outbox: messages waiting, in hand and done. A move names the state it leaves; one changed row is the proof."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, and_, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.messages import CancelReason, MessageState, Outgoing, Verdict
from reminder.domain.people import Audience, ChannelName, ContactState
from reminder.storage import contacts
from reminder.storage.keys import KeyRing
from reminder.storage.messages import open_body, seal_body
from reminder.storage.tables import (
    IS_IN_HAND,
    IS_LIVE,
    IS_QUEUED,
    MESSAGES,
    Card,
    Contact,
    Message,
    MessageReminder,
    Pause,
    Reminder,
)


@dataclass(frozen=True)
class Draft:
    """A message as it is planned."""

    key: str
    group_id: int
    contact_id: int
    audience: Audience
    channel: ChannelName
    subject: str | None
    text: str
    segments: int
    send_after: datetime
    stale_after: datetime


@dataclass(frozen=True)
class InHand:
    """A message this worker has claimed; `attempts` fences it off from a later claim of the same message."""

    outgoing: Outgoing
    channel: ChannelName
    contact_id: int
    attempts: int
    asked: int
    stale_after: datetime


def taken(tx: Session, keys: Collection[str]) -> set[str]:
    """Which of these message keys are in use."""
    if not keys:
        return set()
    query = select(Message.key).where(Message.key.in_(keys), IS_LIVE)
    return set(tx.scalars(query))


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
                "audience": draft.audience,
                "channel": draft.channel,
                "body_sealed": seal_body(keys, draft.subject, draft.text),
                "segments": draft.segments,
                "state": MessageState.QUEUED,
                "send_after": draft.send_after,
                "stale_after": draft.stale_after,
                "attempts": 0,
                "asked": 0,
                "possibly_double": False,
                "created_at": now,
            }
            for draft in drafts
        ],
    )
    return list(made.scalars())


@dataclass(frozen=True)
class Claim:
    """What was taken, and the ids of what cannot be told: any more today (`stale`), or to this contact (`refused`)."""

    in_hand: list[InHand]
    stale: list[int]
    refused: list[int]


_REMINDS = exists().where(MessageReminder.message_id == Message.id)
_STILL_TRUE = exists(
    select(Card.id)
    .join(Reminder, Reminder.card_id == Card.id)
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .where(MessageReminder.message_id == Message.id, Card.expires_on == Reminder.expires_on, Card.retired_at.is_(None))
)
_IN_HAND = select(
    Message.id,
    Message.channel,
    Message.contact_id,
    Message.attempts,
    Message.asked,
    Message.body_sealed,
    Message.created_at,
    Message.handed_at,
    Message.stale_after,
    Contact.address_sealed,
).join(Contact, Contact.id == Message.contact_id)
_DUE = (
    _IN_HAND.add_columns(
        (Contact.state == ContactState.CONFIRMED).label("may_be_told"),
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
    untrue = [row.id for row in fresh if row.may_be_told and not row.is_true]
    taken = [row for row in fresh if row.may_be_told and row.is_true]
    _end_queued(tx, stale, MessageState.STALE, None, now)
    _end_queued(tx, refused, MessageState.CANCELLED, CancelReason.OPTED_OUT, now)
    _end_queued(tx, untrue, MessageState.CANCELLED, CancelReason.RENEWED, now)
    if taken:
        tx.execute(
            _move(Message.id.in_([row.id for row in taken]), MessageState.QUEUED).values(
                state=MessageState.SENDING, lease_until=now + lease, handed_at=now, attempts=Message.attempts + 1
            )
        )
    return Claim([_opened(keys, row, attempts=row.attempts + 1, handed_at=now) for row in taken], stale, refused)


def _end_queued(
    tx: Session, ids: Sequence[int], state: MessageState, reason: CancelReason | None, now: datetime
) -> None:
    if ids:
        values = {"state": state, "ended_at": now} | ({"reason": reason} if reason else {})
        tx.execute(_move(Message.id.in_(ids), MessageState.QUEUED).values(values))


def _move(which: ColumnElement[bool], leaving: MessageState) -> Update:
    return update(Message).where(which, Message.state == leaving).execution_options(synchronize_session=False)


def take_expired_leases(tx: Session, now: datetime) -> list[int]:
    """Whoever was sending these is gone: nobody knows whether they went out."""
    lost = tx.execute(
        _move(and_(IS_IN_HAND, Message.lease_until <= now), MessageState.SENDING)
        .values(state=MessageState.UNKNOWN, reason="lease_ran_out", asked=0)
        .returning(Message.id)
    )
    return list(lost.scalars())


def claim_unknown(tx: Session, keys: KeyRing, *, now: datetime, lease: timedelta, limit: int) -> list[InHand]:
    """Messages of unknown fate whose time to be asked about has come."""
    askable = tx.execute(_ASKABLE, {"now": now, "limit": limit}).all()
    if askable:
        tx.execute(
            _move(Message.id.in_([row.id for row in askable]), MessageState.UNKNOWN).values(
                lease_until=now + lease, asked=Message.asked + 1
            )
        )
    return [_opened(keys, row, asked=row.asked + 1) for row in askable]


def provider_ids_at_same_addresses(tx: Session, contact_ids: Collection[int]) -> list[str]:
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
    keys: KeyRing,
    row: Row[*tuple[Any, ...]],
    *,
    attempts: int | None = None,
    asked: int | None = None,
    handed_at: datetime | None = None,
) -> InHand:
    """As the row stands after the claim."""
    subject, text = open_body(keys, row.body_sealed)
    outgoing = Outgoing(
        message_id=row.id,
        address=keys.open(row.address_sealed, contacts.ADDRESS),
        text=text,
        subject=subject,
        created_at=row.created_at,
        handed_at=handed_at or row.handed_at,
    )
    return InHand(
        outgoing=outgoing,
        channel=ChannelName(row.channel),
        contact_id=row.contact_id,
        attempts=row.attempts if attempts is None else attempts,
        asked=row.asked if asked is None else asked,
        stale_after=row.stale_after,
    )


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
        send_after=func.coalesce(bindparam("again_at"), MESSAGES.c.send_after),
        lease_until=bindparam("ask_at"),
        possibly_double=or_(MESSAGES.c.possibly_double, bindparam("double")),
        ended_at=bindparam("ended"),
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


def cancel_for_contact(tx: Session, contact_id: int, reason: CancelReason, now: datetime) -> list[int]:
    return _cancel(tx, Message.contact_id == contact_id, reason, now)


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


def end(
    tx: Session, message_id: int, state: MessageState, *, provider_id: str, reason: str | None, now: datetime
) -> bool:
    """What a receipt says became of it. False where it had come to an end already."""
    open_states = (MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED)
    ended = tx.execute(
        update(Message)
        .where(Message.id == message_id, Message.state.in_(open_states))
        .values(state=state, provider_id=provider_id, reason=reason, lease_until=None, ended_at=now)
        .execution_options(synchronize_session=False)
        .returning(Message.id)
    )
    return ended.first() is not None


def settle_by_receipt(tx: Session, message_id: int, provider_id: str) -> None:
    """A first callback names a message whose answer was lost: the provider has it after all."""
    tx.execute(
        _move(Message.id == message_id, MessageState.UNKNOWN).values(
            state=MessageState.ACCEPTED, provider_id=provider_id, reason=None, lease_until=None
        )
    )
