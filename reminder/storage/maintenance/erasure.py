"""Erasure of a person, a contact, a card, a group, and the text of every message that mentions them.

A message to somebody who stays keeps its row, so that nobody is reminded twice in a day; its text is erased.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

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

from reminder.domain.model.imports import RowStatus
from reminder.domain.model.messages import (
    CANCEL,
    FORGET_WORDS,
    MESSAGE_STATES,
    NOT_FOUND,
    CancelReason,
    MessageKind,
    MessageState,
)
from reminder.domain.model.state_machine import Move
from reminder.storage.auth import sessions
from reminder.storage.db import row_security
from reminder.storage.db.columns import Instant
from reminder.storage.db.row_security import AccessScope
from reminder.storage.db.tables import (
    HAS_BODY,
    HAS_OLD_BODY,
    IS_LIVE,
    IS_QUEUED,
    IS_TO_A_STRANGER,
    Account,
    AddressUsage,
    Base,
    Card,
    Challenge,
    Contact,
    Group,
    GroupDayTotal,
    GroupUsage,
    IdempotencyKey,
    Import,
    ImportRow,
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
    ReplyChoice,
    RequestRate,
    UnclearReply,
)
from reminder.storage.db.tables import Session as SignedIn
from reminder.storage.db.transitions import transition
from reminder.storage.outbox.queue import login_code_key
from reminder.storage.registry import consents
from reminder.storage.registry.imports import delete_imports
from reminder.storage.reminders.unclear_replies import question_key

# The most numbers in one statement: SQLite accepts 32766, PostgreSQL 65535.
_AT_ONCE = 10_000


def about(
    tx: Session, *, person_id: int | None = None, card_ids: Collection[int] = (), contact_ids: Collection[int] = ()
) -> set[int]:
    """Return the ids of the messages that mention any of these."""
    reminding = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id.in_(card_ids))
    )
    mentioning = select(Mention.message_id).where(
        or_(Mention.person_id == person_id, Mention.card_id.in_(card_ids), Mention.contact_id.in_(contact_ids))
    )
    return {*tx.scalars(reminding), *tx.scalars(mentioning)}


def to_contacts(tx: Session, contact_ids: Collection[int]) -> set[int]:
    """Return the ids of the messages to these contacts."""
    return set(tx.scalars(select(Message.id).where(Message.contact_id.in_(contact_ids))))


def cards_of(tx: Session, person_id: int) -> list[int]:
    """Return the ids of a person's cards, retired ones too."""
    return list(tx.scalars(select(Card.id).where(Card.person_id == person_id)))


def contacts_of(tx: Session, person_id: int) -> list[int]:
    """Return the ids of a person's contacts."""
    return list(tx.scalars(select(Contact.id).where(Contact.person_id == person_id)))


# The fingerprint is erased too: a holder of the key could otherwise guess the text.
NO_WORDS = {"body_sealed": None, "body_fingerprint": None}


@dataclass(frozen=True)
class ErasedMessages:
    """The cancelled messages, and the messages whose outcome can no longer be found out."""

    cancelled: list[int]
    uncertain: list[int]


def erase_bodies(tx: Session, message_ids: Collection[int], now: datetime) -> ErasedMessages:
    """Erase the text of these messages, and end those that wait.

    One of unknown outcome can no longer be repeated, so it ends as one that may have arrived. One that is being sent at
    this moment ends with the result of its sender.
    """
    ended = ErasedMessages([], [])
    for ids in _portions(message_ids):
        cancelled, uncertain = {"reason": CancelReason.ERASED}, {"reason": NOT_FOUND, "lease_until": None}
        ended.cancelled.extend(_end(tx, ids, CANCEL, now, cancelled))
        ended.uncertain.extend(_end(tx, ids, FORGET_WORDS, now, uncertain))
        tx.execute(
            update(Message).where(Message.id.in_(ids)).values(NO_WORDS).execution_options(synchronize_session=False)
        )
    return ended


def _end(
    tx: Session, ids: Collection[int], move: Move[MessageState], now: datetime, values: Mapping[str, object]
) -> Sequence[int]:
    ended = tx.execute(
        transition(MESSAGE_STATES, move, Message.id.in_(ids)).values(ended_at=now, **values).returning(Message.id)
    )
    return ended.scalars().all()


def escalated_cards(tx: Session, message_ids: Collection[int]) -> list[int]:
    """Return the ids of the cards that these messages escalate."""
    asked = select(Mention.card_id).join(Message, Message.id == Mention.message_id)
    asked = asked.where(Mention.message_id.in_(message_ids), Message.kind == MessageKind.ESCALATION)
    return [card_id for card_id in tx.scalars(asked) if card_id is not None]


def waiting(tx: Session, message_ids: Collection[int]) -> list[int]:
    """Return those of these messages that are queued."""
    return list(tx.scalars(select(Message.id).where(Message.id.in_(message_ids), IS_QUEUED)))


def delete_messages(tx: Session, message_ids: Collection[int]) -> None:
    """Delete these messages with their receipts."""
    for some in _portions(message_ids):
        names = select(Message.provider_id).where(Message.id.in_(some), Message.provider_id.is_not(None))
        _delete(tx, Receipt, Receipt.provider_id.in_(names))
        _delete(tx, Message, Message.id.in_(some))


def delete_unclear_replies(tx: Session, contact_ids: Collection[int]) -> None:
    """Delete the replies that may be about any of these contacts and are not filed with one yet.

    The texts that were sent about them name the persons, and go too.
    """
    _delete_unclear(tx, ReplyChoice.contact_id.in_(contact_ids))


def _delete_unclear(tx: Session, which: ColumnElement[bool]) -> None:
    for some in _portions(set(tx.scalars(select(ReplyChoice.reply_id).where(which)))):
        asked = select(Message.id).where(Message.key.in_([question_key(reply_id) for reply_id in some]), IS_LIVE)
        with row_security.in_scope(tx, AccessScope.SIGN_IN):
            delete_messages(tx, list(tx.scalars(asked)))
        # Such a reply is no group's to see, also where one of them may delete it.
        with row_security.in_scope(tx, AccessScope.PROVIDER):
            _delete(tx, UnclearReply, UnclearReply.id.in_(some))


def person(tx: Session, person_id: int) -> None:
    """Delete a person."""
    delete_unclear_replies(tx, contacts_of(tx, person_id))
    # A saved row keeps its cells where one of them is to be returned.
    of_person = (ImportRow.person_id == person_id, ImportRow.status == RowStatus.SAVED)
    tx.execute(update(ImportRow).where(*of_person).values(cells_sealed=None))
    _delete(tx, Person, Person.id == person_id)


def contact(tx: Session, contact_id: int) -> None:
    """Delete a contact."""
    delete_unclear_replies(tx, [contact_id])
    _delete(tx, Contact, Contact.id == contact_id)


def card(tx: Session, card_id: int) -> None:
    """Delete a card."""
    _delete(tx, Card, Card.id == card_id)


def group(tx: Session, group_id: int) -> None:
    """Delete a group with everything in it, and the accounts that are then in no group."""
    accounts = set(
        tx.scalars(select(Member.account_id).where(Member.group_id == group_id, Member.account_id.is_not(None)))
    )
    # Whether they are in another group cannot be seen from this one.
    row_security.include_accounts(tx, {one for one in accounts if one is not None})
    delete_messages(tx, set(tx.scalars(_messages_of_group(group_id))))
    _delete_unclear(tx, ReplyChoice.contact_id.in_(_contacts_of_group(group_id)))
    _delete(tx, GroupDayTotal, GroupDayTotal.group_id == group_id)
    consents.forget_group(tx, group_id)
    _delete(tx, Group, Group.id == group_id)
    elsewhere = select(Member.id).where(Member.account_id == Account.id).exists()
    with row_security.in_scope(tx, AccessScope.SIGN_IN):
        gone = tx.execute(select(Account.id, Account.address_index).where(Account.id.in_(accounts), ~elsewhere)).all()
        _delete_codes(tx, LoginCode.address_index.in_([index for _, index in gone]))
        _delete(tx, Account, Account.id.in_([account_id for account_id, _ in gone]))


def _contacts_of_group(group_id: int) -> Select[int]:
    return (
        select(Contact.id)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(or_(Person.group_id == group_id, Member.group_id == group_id))
    )


def _messages_of_group(group_id: int) -> Select[int]:
    theirs = _contacts_of_group(group_id)
    return select(Message.id).where(or_(Message.group_id == group_id, Message.contact_id.in_(theirs)))


def _delete_codes(tx: Session, which: ColumnElement[bool]) -> None:
    """Delete login codes, with the e-mails that carried them."""
    asked = list(tx.scalars(select(LoginCode.id).where(which)))
    brought = select(Message.id).where(Message.key.in_([login_code_key(sign_in) for sign_in in asked]), IS_LIVE)
    delete_messages(tx, list(tx.scalars(brought)))
    _delete(tx, LoginCode, LoginCode.id.in_(asked))


# These are final, and nobody needs their text.
_IS_OVER = Message.state.not_in((MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN))


def _was_over(before: ColumnElement[datetime]) -> ColumnElement[bool]:
    since = func.coalesce(Message.ended_at, Message.handed_at, Message.created_at)
    return since < before


@dataclass(frozen=True)
class Expired:
    """One kind of expired rows: a query for their ids, and how they are erased.

    The query has one parameter: the instant before which a row is old.
    """

    ids: Select[int]
    forget: Callable[[Session, Collection[int]], None]


def _without_words(table: type[Message] | type[Reply]) -> Callable[[Session, Collection[int]], None]:
    def forget(tx: Session, ids: Collection[int]) -> None:
        values = NO_WORDS if table is Message else {"body_sealed": None}
        wordless = update(table).where(table.id.in_(ids)).values(values)
        tx.execute(wordless.execution_options(synchronize_session=False))

    return forget


def _without_held_form(tx: Session, ids: Collection[int]) -> None:
    for session_id in ids:
        sessions.release(tx, session_id)


def _deleted(table: type[Base], its_id: InstrumentedAttribute[int]) -> Callable[[Session, Collection[int]], None]:
    return lambda tx, ids: _delete(tx, table, its_id.in_(ids))


def _before(kind: str) -> BindParameter[datetime]:
    return bindparam(kind)


# A message that ended before then was created before then, which the index can find.
OLD: Mapping[str, Expired] = {
    # The texts of messages that have ended.
    "words": Expired(
        select(Message.id)
        .where(HAS_OLD_BODY, Message.created_at < _before("words"), _was_over(_before("words")))
        .order_by(Message.created_at),
        _without_words(Message),
    ),
    # The texts of replies.
    "answers": Expired(
        select(Reply.id)
        .where(HAS_BODY, Reply.received_at < _before("answers"), Reply.handled_at.is_not(None))
        .order_by(Reply.received_at),
        _without_words(Reply),
    ),
    # Replies that were filed elsewhere since, or that nobody could ask about.
    "unclear_replies": Expired(
        select(UnclearReply.id).where(UnclearReply.received_at < _before("unclear_replies")),
        _deleted(UnclearReply, UnclearReply.id),
    ),
    # Codes and invitations, with their addresses.
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
    # Sheets without changes since then, with all their rows.
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
    "request_rates": Expired(
        select(RequestRate.id).where(RequestRate.asked_at < _before("request_rates")),
        _deleted(RequestRate, RequestRate.id),
    ),
    # Answered, withdrawn or expired invitations.
    "invitations": Expired(
        select(Invitation.id).where(
            or_(Invitation.ended_at < _before("invitations"), Invitation.expires_at < _before("invitations"))
        ),
        _deleted(Invitation, Invitation.id),
    ),
    # What was counted for quotas.
    "group_usage": Expired(
        select(GroupUsage.id).where(GroupUsage.day < _before("group_usage")), _deleted(GroupUsage, GroupUsage.id)
    ),
    "address_usage": Expired(
        select(AddressUsage.id).where(AddressUsage.hour < _before("address_usage")),
        _deleted(AddressUsage, AddressUsage.id),
    ),
    # Forms that waited for a fresh proof, and nobody came back to.
    "held_forms": Expired(
        select(SignedIn.id).where(SignedIn.held_at < _before("held_forms")),
        _without_held_form,
    ),
    # Ended or expired sessions.
    "sessions": Expired(
        select(SignedIn.id).where(
            or_(SignedIn.revoked_at < _before("sessions"), SignedIn.expires_at < _before("sessions"))
        ),
        _deleted(SignedIn, SignedIn.id),
    ),
}
# On most days nothing is old, which one query finds out.
_ANY_OLD = select(*(exists(old.ids.order_by(None)) for old in OLD.values()))


def retention_rules(tx: Session, before: Mapping[str, datetime]) -> list[str]:
    """Return the kinds with any row older than the instant in `before` for the kind."""
    row = tx.execute(_ANY_OLD, dict(before)).one()
    return [kind for kind, is_any in zip(OLD, row, strict=True) if is_any]


def delete_old(tx: Session, kind: str, before: datetime, limit: int) -> int:
    """Erase at most `limit` old rows of a kind; return how many were erased."""
    old = OLD[kind]
    ids = list(tx.scalars(old.ids.limit(limit).with_for_update(skip_locked=True), {kind: before}))
    if ids:
        old.forget(tx, ids)
    return len(ids)


def old_day_totals(tx: Session, before: date) -> int:
    """Delete the totals of groups of days before this one; return how many were deleted."""
    old = delete(GroupDayTotal).where(GroupDayTotal.day < before).returning(GroupDayTotal.group_id)
    return len(tx.execute(old.execution_options(synchronize_session=False)).all())


def old_messages(tx: Session, before: datetime, limit: int) -> int:
    """Delete messages that had ended before then, with their receipts; return how many were deleted.

    Ids grow with time, so only the oldest are read: one that has not ended yet keeps its place, and a table of a
    thousand million rows is not scanned for it.
    """
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
