"""Words that went to an address today: nobody is told the same twice, whatever was entered again since.

A contact may be entered twice in a group, under a relative and under a member, or be erased and entered again. Erasure
leaves a trace for a day: see db/tables.SentTrace.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from reminder.domain.model.messages import (
    ADOPT,
    CANCEL,
    HAND_OVER,
    MESSAGE_STATES,
    CancelReason,
    MessageState,
)
from reminder.domain.model.people import ChannelName, ContactState
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import Contact, Mention, Message, MessageReminder, SentTrace
from reminder.storage.db.transitions import staying, transition

TRACE_BYTES = 16
_TAKEN = (MessageState.ACCEPTED, MessageState.DELIVERED)
_MAY_HAVE_LEFT = (MessageState.SENDING, MessageState.UNKNOWN, *_TAKEN)


@dataclass(frozen=True)
class Said:
    """The words of one message, by their fingerprint, and where they go."""

    message_id: int
    group_id: int | None
    address_index: bytes
    body_fingerprint: bytes


@dataclass(frozen=True)
class ToldBefore:
    """Messages that need not be sent, by ids.

    `adopted`: the same words went to the address today, to a contact that was erased since; the message is that text
    now. `cancelled`: another message has said the same to the address. `waiting`: another one is about to.
    `doubtful`: the words may have arrived; they are sent, and marked.
    """

    adopted: Collection[int] = ()
    cancelled: Collection[int] = ()
    waiting: Collection[int] = ()
    doubtful: Collection[int] = ()


def keep_traces(tx: Session, keys: KeyRing, message_ids: Collection[int], since: datetime) -> None:
    """Keep the traces of those of these messages that were handed over since then, before they are deleted.

    Whoever has said stop and then start asks to be written to anew.
    """
    query = (
        select(Message, Contact.address_index)
        .join(Contact, Contact.id == Message.contact_id)
        .where(
            among(Message.id, message_ids),
            Message.handed_at >= since,
            Message.body_fingerprint.is_not(None),
            Message.state.in_(_MAY_HAVE_LEFT),
            Contact.state != ContactState.OPTED_OUT,
        )
        .order_by(Message.id)
    )
    rows = [
        {
            "trace_index": _trace(keys, one.channel, Said(one.id, one.group_id, index, one.body_fingerprint or b"")),
            "channel": one.channel,
            "provider_id": one.provider_id,
            "is_certain": one.state in _TAKEN,
            "is_delivered": one.state == MessageState.DELIVERED,
            "handed_at": one.handed_at,
        }
        for one, index in tx.execute(query)
    ]
    if rows:
        tx.execute(insert(SentTrace), rows)


def _trace(keys: KeyRing, channel: str, said: Said) -> bytes:
    about = f"sent\0{said.group_id}\0{channel}\0{said.address_index.hex()}\0{said.body_fingerprint.hex()}"
    return keys.blind_index(about)[:TRACE_BYTES]


def has_traces(tx: Session, since: datetime) -> bool:
    """Return whether a contact was erased that had a message since then; on most days none was."""
    return tx.execute(select(SentTrace.id).where(SentTrace.handed_at >= since).limit(1)).first() is not None


def by_traces(
    tx: Session, keys: KeyRing, channel: ChannelName, said: Sequence[Said], since: datetime, now: datetime
) -> ToldBefore:
    """Let messages be the texts that erased contacts got since then; each trace counts once."""
    wanted = {one.message_id: _trace(keys, channel, one) for one in said}
    query = (
        select(SentTrace)
        .where(
            SentTrace.trace_index.in_(set(wanted.values())), SentTrace.handed_at >= since, SentTrace.used_at.is_(None)
        )
        .order_by(SentTrace.id)
        .with_for_update()
    )
    free: dict[bytes, list[SentTrace]] = {}
    for trace in tx.scalars(query):
        free.setdefault(trace.trace_index, []).append(trace)
    adopted, doubtful = list[int](), list[int]()
    for message_id, mark in wanted.items():
        if not free.get(mark):
            continue
        trace = free[mark].pop(0)
        tx.execute(update(SentTrace).where(SentTrace.id == trace.id).values(used_at=now))
        if trace.is_certain:
            to = MessageState.DELIVERED if trace.is_delivered else MessageState.ACCEPTED
            values = {"provider_id": trace.provider_id, "handed_at": trace.handed_at, "reason": None}
            values |= {"ended_at": now} if trace.is_delivered else {}
            these = transition(MESSAGE_STATES, ADOPT, Message.id == message_id, to=to).values(
                lease_until=None, **values
            )
            tx.execute(these)
            adopted.append(message_id)
        else:
            doubtful.append(message_id)
    if doubtful:
        marked = staying(MESSAGE_STATES, among(Message.id, doubtful), states=HAND_OVER.leaves)
        tx.execute(marked.values(possibly_double=True))
    return ToldBefore(adopted=adopted, doubtful=doubtful)


_ITSELF, _TWIN_CONTACT = aliased(Message, name="itself"), aliased(Contact, name="twin_contact")
_OWN, _TWIN = aliased(MessageReminder), aliased(MessageReminder)
_OWN_MENTION, _TWIN_MENTION = aliased(Mention), aliased(Mention)
# Two persons with one telephone are each told of their own: only of one thing nobody is told twice.
_IS_OF_THE_SAME = or_(
    exists().where(
        _OWN.message_id == _ITSELF.id, _TWIN.message_id == Message.id, _OWN.reminder_id == _TWIN.reminder_id
    ),
    exists().where(
        _OWN_MENTION.message_id == _ITSELF.id,
        _TWIN_MENTION.message_id == Message.id,
        _OWN_MENTION.person_id == _TWIN_MENTION.person_id,
    ),
)
_TWINS = (
    select(_ITSELF.id, Message.state)
    .select_from(_ITSELF)
    .join(Contact, Contact.id == _ITSELF.contact_id)
    .join(_TWIN_CONTACT, _TWIN_CONTACT.address_index == Contact.address_index)
    .join(Message, Message.contact_id == _TWIN_CONTACT.id)
    .where(
        among(_ITSELF.id, ids_param("ids")),
        Message.id != _ITSELF.id,
        Message.contact_id != _ITSELF.contact_id,
        Message.channel == _ITSELF.channel,
        Message.group_id == _ITSELF.group_id,
        Message.body_fingerprint == _ITSELF.body_fingerprint,
        or_(
            and_(Message.state.in_(_MAY_HAVE_LEFT), Message.handed_at >= bindparam("since")),
            # Of two that wait the first goes.
            and_(Message.state == MessageState.QUEUED, Message.id < _ITSELF.id, Message.expires_at > bindparam("now")),
        ),
        _IS_OF_THE_SAME,
    )
)


def by_twins(tx: Session, message_ids: Collection[int], since: datetime, now: datetime) -> ToldBefore:
    """Cancel messages whose words another contact's message has said to the address since then, of the same cards."""
    states: dict[int, set[MessageState]] = {}
    for message_id, state in tx.execute(_TWINS, {"ids": message_ids, "since": since, "now": now}):
        states.setdefault(message_id, set()).add(state)
    cancelled = [message_id for message_id, found in states.items() if found & set(_TAKEN)]
    if cancelled:
        ended = transition(MESSAGE_STATES, CANCEL, among(Message.id, cancelled))
        tx.execute(ended.values(reason=CancelReason.TOLD_BEFORE, ended_at=now, lease_until=None))
    return ToldBefore(cancelled=cancelled, waiting=[one for one in states if one not in set(cancelled)])


def delete_traces(tx: Session, before: datetime) -> int:
    """Delete the traces of messages that were handed over before then; return how many were deleted."""
    old = delete(SentTrace).where(SentTrace.handed_at < before).returning(SentTrace.id)
    return len(tx.execute(old.execution_options(synchronize_session=False)).all())
