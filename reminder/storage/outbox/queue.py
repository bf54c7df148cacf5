"""The queue of the outbox: messages are added, cancelled and ended.

A transition names the state it leaves; one changed row proves it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Executable,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from reminder.domain.model.channels import registered
from reminder.domain.model.messages import (
    ACCEPT_BY_RECEIPT,
    CANCEL,
    END_BY_RECEIPT,
    HAND_OVER,
    LOSE_ID,
    MESSAGE_STATES,
    CancelReason,
    MessageKind,
    MessageState,
    ProviderAnswer,
    Urgency,
)
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db import row_security
from reminder.storage.db.row_security import AccessScope
from reminder.storage.db.statements import among, in_batches
from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    IS_LEASED,
    IS_LIVE,
    IS_QUEUED,
    MESSAGE_ADDRESS,
    Card,
    Contact,
    Mention,
    Message,
    MessageReminder,
    Reminder,
)
from reminder.storage.db.transitions import staying, transition
from reminder.storage.outbox.sealed_body import seal_body
from reminder.storage.registry import quotas

# Enough to distinguish the texts to one address.
FINGERPRINT_BYTES = 16


@dataclass(frozen=True)
class MentionDraft:
    """The person, card or contact that a message mentions without one of their reminders.

    The message is erased with any of these.
    """

    person_id: int
    card_id: int | None = None
    contact_id: int | None = None


@dataclass(frozen=True)
class MessageDraft:
    """A message to be queued."""

    key: str  # a second message with the same key is impossible
    kind: MessageKind
    group_id: int | None
    contact_id: int | None
    audience: Audience
    channel: ChannelName
    subject: str | None
    text: str
    segments: int
    scheduled_at: datetime
    expires_at: datetime
    possibly_double: bool = False  # it repeats one that may have arrived
    reply_code: int | None = None  # the digit that answers "done" to it
    address: str | None = None  # of somebody who is no contact yet; then `contact_id` is None
    speaks_of: tuple[MentionDraft, ...] = ()
    urgency: Urgency = Urgency.USUAL
    language: Language | None = None  # of an e-mail


def login_code_key(sign_in: int) -> str:
    """Return the key of the message with the code of this sign-in."""
    return f"code:{sign_in}"


# What is not counted on any more is planned for as what did not arrive.
_COUNTED_AS = case((Message.doubted_at.is_not(None), MessageState.UNDELIVERED.value), else_=Message.state)
_TAKEN = select(Message.key, _COUNTED_AS).where(Message.key.in_(bindparam("keys", expanding=True)), IS_LIVE)


def taken(tx: Session, keys: Collection[str]) -> Mapping[str, MessageState]:
    """Return those of these message keys that are in use, with the state of their message.

    One that is not counted on any more counts as undelivered.
    """
    found: dict[str, MessageState] = {}
    for some in in_batches(keys):
        found |= {key: MessageState(state) for key, state in tx.execute(_TAKEN, {"keys": some})}
    return found


def add_new(tx: Session, keys: KeyRing, drafts: Sequence[MessageDraft], now: datetime) -> list[int]:
    """Queue those messages whose key is not in use and return their ids; of several with one key the last counts."""
    by_key = {draft.key: draft for draft in drafts}
    with _reaching(tx, drafts):
        in_use = taken(tx, by_key.keys())
    return add(tx, keys, [draft for key, draft in by_key.items() if key not in in_use], now)


def add(tx: Session, keys: KeyRing, drafts: Sequence[MessageDraft], now: datetime) -> list[int]:
    """Queue messages; return their ids, in order. The unique key refuses a second message."""
    if not drafts:
        return []
    with _reaching(tx, drafts):
        ids = _insert(tx, keys, drafts, now)
    quotas.record_messages(tx, Counter(draft.group_id for draft in drafts if draft.group_id is not None), now)
    mentions = [
        {"message_id": message_id, "person_id": one.person_id, "card_id": one.card_id, "contact_id": one.contact_id}
        for message_id, draft in zip(ids, drafts, strict=True)
        for one in draft.speaks_of
    ]
    if mentions:
        tx.execute(insert(Mention), mentions)
    return ids


def _reaching(tx: Session, drafts: Sequence[MessageDraft]) -> AbstractContextManager[None]:
    """Reach messages of no group and to no contact, such as a mail to an account, where there are any among these."""
    of_nobody = any(draft.group_id is None and draft.contact_id is None for draft in drafts)
    return row_security.in_scope(tx, AccessScope.SIGN_IN) if of_nobody else nullcontext()


def fingerprints(keys: KeyRing, subject: str | None, text: str) -> list[bytes]:
    """Return the fingerprints that messages with these words may have, first the one of a new message."""
    return [index[:FINGERPRINT_BYTES] for index in keys.blind_indexes(f"words\0{subject}\0{text}")]


def _insert(tx: Session, keys: KeyRing, drafts: Sequence[MessageDraft], now: datetime) -> list[int]:
    ranks, tokens = _fairness_ranks(drafts), [new_row_token() for _ in drafts]
    made = tx.execute(
        insert(Message).returning(Message.id, sort_by_parameter_order=True),
        [
            {
                "key": draft.key,
                "kind": draft.kind,
                "group_id": draft.group_id,
                "contact_id": draft.contact_id,
                "row_token": row_token,
                "address_sealed": None
                if draft.address is None
                else keys.seal(draft.address, MESSAGE_ADDRESS, row_token),
                "audience": draft.audience,
                "channel": draft.channel,
                "body_sealed": seal_body(keys, draft.subject, draft.text, draft.language, row_token=row_token),
                "body_fingerprint": fingerprints(keys, draft.subject, draft.text)[0],
                "segments": draft.segments,
                "reply_code": draft.reply_code,
                "state": MessageState.QUEUED,
                "urgency": draft.urgency,
                "fairness_rank": fairness_rank,
                "due_at": draft.scheduled_at,
                "scheduled_at": draft.scheduled_at,
                "expires_at": draft.expires_at,
                "attempts": 0,
                "not_found_count": 0,
                "possibly_double": draft.possibly_double,
                "created_at": now,
            }
            for draft, fairness_rank, row_token in zip(drafts, ranks, tokens, strict=True)
        ],
    )
    return list(made.scalars())


def _fairness_ranks(drafts: Sequence[MessageDraft]) -> list[int]:
    """Return the position of each message within its group.

    A group is planned at once. The first message of a large home is sent with the first messages of the other groups,
    and its thousandth after all of theirs.
    """
    ranks, so_far = [], Counter[tuple[int | None, ChannelName, Urgency]]()
    for draft in drafts:
        of = (draft.group_id, draft.channel, draft.urgency)
        ranks.append(so_far[of])
        so_far[of] += 1
    return ranks


def cancel_for_card(tx: Session, card_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the queued messages about this card, and return their ids: they may be about other cards too."""
    about = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id == card_id)
    )
    return _cancel(tx, Message.id.in_(about), reason, now)


def cancel_for_person(tx: Session, person_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the queued messages about any card of this person, and return their ids."""
    about = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(Card.person_id == person_id)
    )
    return _cancel(tx, Message.id.in_(about), reason, now)


def cancel_for_contact(tx: Session, contact_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the queued messages to this contact, and return their ids."""
    return _cancel(tx, Message.contact_id == contact_id, reason, now)


_REMINDS = exists().where(MessageReminder.message_id == Message.id)


def cancel_reminders_of_group(tx: Session, group_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the group's queued reminders that were never attempted, and return their ids.

    An attempted one stays, because it may have arrived.
    """
    return _cancel(tx, and_(Message.group_id == group_id, Message.attempts == 0, _REMINDS), reason, now)


def cancel_reminders_of_card(tx: Session, card_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the queued reminders about this card that were never attempted, and return their ids.

    They may be about other cards too.
    """
    about = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id == card_id)
    )
    return _cancel(tx, and_(Message.id.in_(about), Message.attempts == 0, _REMINDS), reason, now)


def cancel_reminders_of_member(tx: Session, member_id: int, reason: CancelReason, now: datetime) -> list[int]:
    """Cancel the member's queued reminders that were never attempted, and return their ids."""
    theirs = Message.contact_id.in_(select(Contact.id).where(Contact.member_id == member_id))
    return _cancel(tx, and_(theirs, Message.attempts == 0, _REMINDS), reason, now)


def release_suspended(tx: Session, group_id: int, now: datetime) -> None:
    """Let the messages that waited for their group to be resumed be sent now."""
    which = and_(Message.group_id == group_id, Message.reason == "suspended")
    tx.execute(staying(MESSAGE_STATES, which, states=HAND_OVER.leaves).values(scheduled_at=now, reason=None))


def _cancel(tx: Session, where: ColumnElement[bool], reason: CancelReason, now: datetime) -> list[int]:
    cancelled = tx.execute(
        transition(MESSAGE_STATES, CANCEL, where).values(reason=reason, ended_at=now).returning(Message.id)
    )
    return list(cancelled.scalars())


# One look-up per channel, with which the index begins.
@cache
def _next(channels: Sequence[ChannelName]) -> Executable:
    """Return the statement, built once for the channels of this process."""
    to_send = [
        select(func.min(Message.scheduled_at)).where(IS_QUEUED, Message.lease_until.is_(None), Message.channel == name)
        for name in channels
    ]
    is_later = Message.lease_until > Message.scheduled_at
    leased = select(func.min(case((is_later, Message.lease_until), else_=Message.scheduled_at))).where(IS_LEASED)
    to_ask = select(func.min(Message.lease_until)).where(AWAITS_OUTCOME)
    return select(*(one.scalar_subquery() for one in (*to_send, leased, to_ask)))


def next_moment(tx: Session) -> datetime | None:
    """Return when a message is next to be sent or asked about, None where there is none."""
    moments = tx.execute(_next(registered())).one()
    return min((moment for moment in moments if moment is not None), default=None)


# Until it is accepted, a receipt counts only for what was handed over at least once.
_WAS_HANDED = or_(Message.state == MessageState.ACCEPTED, Message.handed_at.is_not(None))


def end(
    tx: Session, message_id: int, state: MessageState, *, provider_id: str, reason: str | None, now: datetime
) -> bool:
    """Record the final state that a receipt reports; return False where the message had ended already."""
    ended = tx.execute(
        transition(MESSAGE_STATES, END_BY_RECEIPT, Message.id == message_id, _WAS_HANDED, to=state)
        .values(
            provider_id=func.coalesce(Message.provider_id, provider_id), reason=reason, lease_until=None, ended_at=now
        )
        .returning(Message.id)
    )
    return ended.first() is not None


def take_ids_back(tx: Session, message_ids: Collection[int], now: datetime) -> bool:
    """Take the provider's ids from messages that were matched with them: a receipt shows that they are others'.

    The provider is asked again about them. Return False, and change nothing, where the provider itself has given one of
    the ids, or one of the messages has ended. The messages must be locked.
    """
    these = and_(among(Message.id, message_ids), Message.is_matched == true())
    count = select(func.count()).select_from(Message).where(these, Message.state.in_(LOSE_ID.leaves))
    if tx.scalar(count) != len(message_ids):
        return False
    tx.execute(
        transition(MESSAGE_STATES, LOSE_ID, these).values(
            provider_id=None,
            is_matched=False,
            reason=ProviderAnswer.NOT_TOLD_APART,
            not_found_count=0,
            lease_until=now,
        )
    )
    return True


def mark_doubled(tx: Session, message_ids: Collection[int]) -> None:
    """Record that the provider has taken these messages more than once, or one of them."""
    if message_ids:
        these = update(Message).where(among(Message.id, message_ids), Message.possibly_double == false())
        tx.execute(these.values(possibly_double=True).execution_options(synchronize_session=False))


def settle_by_receipt(tx: Session, message_id: int, provider_id: str) -> None:
    """Record that the provider has a message whose answer was lost or is still on its way.

    The first callback that names the message is the proof.
    """
    tx.execute(
        transition(MESSAGE_STATES, ACCEPT_BY_RECEIPT, Message.id == message_id, Message.handed_at.is_not(None)).values(
            provider_id=provider_id, reason=None, lease_until=None
        )
    )
