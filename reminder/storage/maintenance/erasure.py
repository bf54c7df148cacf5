"""What is forgotten: a person, a contact, a card, a group, and the words of every message that speaks of them.

A message to somebody who stays keeps its row, so that nobody is told twice in a day; its words go.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from reminder.domain.model.messages import (
    CANCEL,
    FORGET_WORDS,
    MESSAGE_STATES,
    NOT_SEEN,
    CancelReason,
    MessageKind,
    MessageState,
)
from reminder.domain.model.state_machine import Move
from reminder.storage.db.columns import Instant
from reminder.storage.db.tables import (
    HAS_BODY,
    HAS_OLD_BODY,
    IS_LIVE,
    IS_QUEUED,
    IS_TO_A_STRANGER,
    Account,
    Base,
    Card,
    Challenge,
    Contact,
    Group,
    IdempotencyKey,
    Import,
    Invitation,
    LoginCode,
    Member,
    Mention,
    Message,
    MessageReminder,
    Person,
    Receipt,
    Reminder,
    Reply,
)
from reminder.storage.db.tables import Session as SignedIn
from reminder.storage.db.transitions import transition
from reminder.storage.outbox.queue import login_code_key
from reminder.storage.registry.imports import delete_imports

# How many numbers one statement names: SQLite takes 32766, PostgreSQL 65535.
_AT_ONCE = 10_000


def about(
    tx: Session, *, person_id: int | None = None, card_ids: Collection[int] = (), contact_ids: Collection[int] = ()
) -> set[int]:
    """The messages that speak of any of these."""
    told = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id.in_(card_ids))
    )
    spoken = select(Mention.message_id).where(
        or_(Mention.person_id == person_id, Mention.card_id.in_(card_ids), Mention.contact_id.in_(contact_ids))
    )
    return {*tx.scalars(told), *tx.scalars(spoken)}


def to_contacts(tx: Session, contact_ids: Collection[int]) -> set[int]:
    return set(tx.scalars(select(Message.id).where(Message.contact_id.in_(contact_ids))))


def cards_of(tx: Session, person_id: int) -> list[int]:
    """Retired ones too."""
    return list(tx.scalars(select(Card.id).where(Card.person_id == person_id)))


def contacts_of(tx: Session, person_id: int) -> list[int]:
    return list(tx.scalars(select(Contact.id).where(Contact.person_id == person_id)))


# The index of the words goes with them: whoever holds the key could otherwise guess at them.
NO_WORDS = {"body_sealed": None, "body_fingerprint": None}


@dataclass(frozen=True)
class ErasedMessages:
    """Messages that do not go out any more, and messages of which nobody will know any more whether they did."""

    cancelled: list[int]
    uncertain: list[int]


def erase_bodies(tx: Session, message_ids: Collection[int], now: datetime) -> ErasedMessages:
    """One of unknown fate can no longer be repeated as it was, so it ends as one that may have arrived; one that is
    being sent at this moment ends as its sender says."""
    untold = ErasedMessages([], [])
    for ids in _portions(message_ids):
        cancelled, uncertain = {"reason": CancelReason.ERASED}, {"reason": NOT_SEEN, "lease_until": None}
        untold.cancelled.extend(_end(tx, ids, CANCEL, now, cancelled))
        untold.uncertain.extend(_end(tx, ids, FORGET_WORDS, now, uncertain))
        tx.execute(
            update(Message).where(Message.id.in_(ids)).values(NO_WORDS).execution_options(synchronize_session=False)
        )
    return untold


def _end(
    tx: Session, ids: Collection[int], move: Move[MessageState], now: datetime, values: Mapping[str, object]
) -> Sequence[int]:
    ended = tx.execute(
        transition(MESSAGE_STATES, move, Message.id.in_(ids)).values(ended_at=now, **values).returning(Message.id)
    )
    return ended.scalars().all()


def cards_asked_about(tx: Session, message_ids: Collection[int]) -> list[int]:
    """Of which these messages ask the next human."""
    asked = select(Mention.card_id).join(Message, Message.id == Mention.message_id)
    asked = asked.where(Mention.message_id.in_(message_ids), Message.kind == MessageKind.ESCALATION)
    return [card_id for card_id in tx.scalars(asked) if card_id is not None]


def waiting(tx: Session, message_ids: Collection[int]) -> list[int]:
    return list(tx.scalars(select(Message.id).where(Message.id.in_(message_ids), IS_QUEUED)))


def delete_messages(tx: Session, message_ids: Collection[int]) -> None:
    """With what their providers said of them."""
    for some in _portions(message_ids):
        names = select(Message.provider_id).where(Message.id.in_(some), Message.provider_id.is_not(None))
        _delete(tx, Receipt, Receipt.provider_id.in_(names))
        _delete(tx, Message, Message.id.in_(some))


def person(tx: Session, person_id: int) -> None:
    _delete(tx, Person, Person.id == person_id)


def contact(tx: Session, contact_id: int) -> None:
    _delete(tx, Contact, Contact.id == contact_id)


def card(tx: Session, card_id: int) -> None:
    _delete(tx, Card, Card.id == card_id)


def group(tx: Session, group_id: int) -> None:
    """With everybody and everything in it, and the accounts that are in no group then."""
    accounts = set(
        tx.scalars(select(Member.account_id).where(Member.group_id == group_id, Member.account_id.is_not(None)))
    )
    delete_messages(tx, set(tx.scalars(_messages_of_group(group_id))))
    _delete(tx, Group, Group.id == group_id)
    elsewhere = select(Member.id).where(Member.account_id == Account.id).exists()
    gone = tx.execute(select(Account.id, Account.address_index).where(Account.id.in_(accounts), ~elsewhere)).all()
    _forget_codes(tx, LoginCode.address_index.in_([index for _, index in gone]))
    _delete(tx, Account, Account.id.in_([account_id for account_id, _ in gone]))


def _messages_of_group(group_id: int) -> Select[int]:
    theirs = (
        select(Contact.id)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(or_(Person.group_id == group_id, Member.group_id == group_id))
    )
    return select(Message.id).where(or_(Message.group_id == group_id, Message.contact_id.in_(theirs)))


def _forget_codes(tx: Session, which: ColumnElement[bool]) -> None:
    """Codes that were asked for, with the e-mails that brought them."""
    asked = list(tx.scalars(select(LoginCode.id).where(which)))
    brought = select(Message.id).where(Message.key.in_([login_code_key(sign_in) for sign_in in asked]), IS_LIVE)
    delete_messages(tx, list(tx.scalars(brought)))
    _delete(tx, LoginCode, LoginCode.id.in_(asked))


# Nothing more becomes of these, and nobody needs their words.
_IS_OVER = Message.state.not_in((MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN))


def _was_over(before: ColumnElement[datetime]) -> ColumnElement[bool]:
    since = func.coalesce(Message.ended_at, Message.handed_at, Message.created_at)
    return since < before


@dataclass(frozen=True)
class Expired:
    """What has had its time, as a question for its ids with one open place: the instant before which it is old. And how
    it is forgotten."""

    ids: Select[int]
    forget: Callable[[Session, Collection[int]], None]


def _without_words(table: type[Message] | type[Reply]) -> Callable[[Session, Collection[int]], None]:
    def forget(tx: Session, ids: Collection[int]) -> None:
        values = NO_WORDS if table is Message else {"body_sealed": None}
        wordless = update(table).where(table.id.in_(ids)).values(values)
        tx.execute(wordless.execution_options(synchronize_session=False))

    return forget


def _deleted(table: type[Base], its_id: InstrumentedAttribute[int]) -> Callable[[Session, Collection[int]], None]:
    return lambda tx, ids: _delete(tx, table, its_id.in_(ids))


def _before(kind: str) -> BindParameter[datetime]:
    return bindparam(kind)


# What was over before then was made before then: that the index can find.
OLD: Mapping[str, Expired] = {
    # Of messages that were over.
    "words": Expired(
        select(Message.id)
        .where(HAS_OLD_BODY, Message.created_at < _before("words"), _was_over(_before("words")))
        .order_by(Message.created_at),
        _without_words(Message),
    ),
    # The words of what people answered.
    "answers": Expired(
        select(Reply.id)
        .where(HAS_BODY, Reply.received_at < _before("answers"), Reply.handled_at.is_not(None))
        .order_by(Reply.received_at),
        _without_words(Reply),
    ),
    # Codes and invitations, with the address they went to.
    "to_strangers": Expired(
        select(Message.id)
        .where(
            IS_TO_A_STRANGER,
            Message.created_at < _before("to_strangers"),
            _IS_OVER,
            _was_over(_before("to_strangers")),
        )
        .order_by(Message.created_at),
        delete_messages,
    ),
    # Sheets that nobody has touched since: with all their rows.
    "sheets": Expired(select(Import.id).where(Import.changed_at < _before("sheets")), delete_imports),
    "codes": Expired(
        select(LoginCode.id).where(LoginCode.created_at < _before("codes")), _deleted(LoginCode, LoginCode.id)
    ),
    "challenges": Expired(
        select(Challenge.id).where(Challenge.expires_at < _before("challenges")), _deleted(Challenge, Challenge.id)
    ),
    "idempotency_keys": Expired(
        select(IdempotencyKey.id).where(IdempotencyKey.created_at < _before("idempotency_keys")),
        _deleted(IdempotencyKey, IdempotencyKey.id),
    ),
    # That were answered or taken back, or ran out.
    "invitations": Expired(
        select(Invitation.id).where(
            or_(Invitation.ended_at < _before("invitations"), Invitation.expires_at < _before("invitations"))
        ),
        _deleted(Invitation, Invitation.id),
    ),
    # That were ended, or ran out.
    "sessions": Expired(
        select(SignedIn.id).where(
            or_(SignedIn.revoked_at < _before("sessions"), SignedIn.expires_at < _before("sessions"))
        ),
        _deleted(SignedIn, SignedIn.id),
    ),
}
# On most days there is nothing, and one look says so.
_ANY_OLD = select(*(exists(old.ids.order_by(None)) for old in OLD.values()))


def retention_rules(tx: Session, before: Mapping[str, datetime]) -> list[str]:
    """Of which kinds anything is older than `before` says for its kind."""
    row = tx.execute(_ANY_OLD, dict(before)).one()
    return [kind for kind, is_any in zip(OLD, row, strict=True) if is_any]


def delete_old(tx: Session, kind: str, before: datetime, limit: int) -> int:
    """How many, `limit` at most."""
    old = OLD[kind]
    ids = list(tx.scalars(old.ids.limit(limit).with_for_update(skip_locked=True), {kind: before}))
    if ids:
        old.forget(tx, ids)
    return len(ids)


def old_messages(tx: Session, before: datetime, limit: int) -> int:
    """Messages that were over before then, with their receipts. Ids grow with time, so only the oldest are looked at:
    one that is not over yet keeps its place, and a table of a thousand million is not read for it."""
    oldest = select(Message.id).order_by(Message.id).limit(limit).subquery()
    old = select(Message.id).where(Message.id.in_(select(oldest.c.id)), Message.created_at < before, _IS_OVER)
    ids = list(tx.scalars(old.where(_was_over(literal(before, Instant()))).with_for_update(skip_locked=True)))
    delete_messages(tx, ids)
    return len(ids)


def _delete(tx: Session, table: type[Base], which: ColumnElement[bool]) -> None:
    tx.execute(delete(table).where(which).execution_options(synchronize_session=False))


def _portions(ids: Collection[int]) -> list[list[int]]:
    in_order = sorted(ids)
    return [in_order[at : at + _AT_ONCE] for at in range(0, len(in_order), _AT_ONCE)]
