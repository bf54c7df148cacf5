"""Conversations: what the contacts at one telephone number have been sent and have answered, in every group."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.orm import Session

from reminder.domain.model.channels import AddressKind, registered
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName, ContactState
from reminder.domain.rules.reply_routing import Conversation
from reminder.storage.crypto.address_index import address_indexes
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import Contact, Member, Message, Person, Reply
from reminder.storage.reminders import open_questions
from reminder.storage.reminders.open_questions import CLOCKS_APART, OPEN_FOR

# What may have arrived: nobody answers a message that did not.
_MAY_HAVE_ARRIVED = (MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED, MessageState.DELIVERED)

_AT_NUMBER = (
    select(
        Contact.id,
        Contact.person_id,
        func.coalesce(Person.group_id, Member.group_id),
        Contact.is_family,
        Contact.state,
        Contact.channel,
    )
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Member, Member.id == Contact.member_id)
    .where(
        Contact.channel.in_(bindparam("channels", expanding=True)),
        Contact.address_index.in_(bindparam("indexes", expanding=True)),
    )
    .order_by(Contact.id)
)
# Our answers and test calls are no messages that somebody may answer.
_IS_ANSWERABLE = Message.kind.not_in((MessageKind.ANSWER, MessageKind.TEST_CALL))
_SENT = (
    select(
        Message.contact_id,
        func.max(Message.handed_at),
        func.max(case((_IS_ANSWERABLE, Message.handed_at))),
        func.max(case((Message.kind == MessageKind.CONSENT_REQUEST, Message.handed_at))),
    )
    .where(
        among(Message.contact_id, ids_param("contacts")),
        Message.handed_at <= bindparam("until"),
        Message.state.in_(_MAY_HAVE_ARRIVED),
    )
    .group_by(Message.contact_id)
)
_ANSWERED = (
    select(Reply.contact_id, func.max(Reply.received_at))
    .where(among(Reply.contact_id, ids_param("contacts")))
    .group_by(Reply.contact_id)
)


def at_number(tx: Session, keys: KeyRing, address: str, now: datetime) -> list[Conversation]:
    """Return every contact with this telephone number, for texts or calls, with what it had been sent by then.

    Only texts count as sent: a telephone cannot answer a call by a text. `address`: E.164.
    """
    until = now + CLOCKS_APART
    phones = [name for name in registered() if name.can.address is AddressKind.PHONE]
    indexes = address_indexes(keys, address)
    row_security.include_address(tx, indexes)
    rows = tx.execute(_AT_NUMBER, {"channels": phones, "indexes": indexes}).all()
    texted = [row[0] for row in rows if ChannelName(row[5]).can.is_two_way]
    sent = (
        {contact_id: moments for contact_id, *moments in tx.execute(_SENT, {"contacts": texted, "until": until})}
        if texted
        else {}
    )
    answered: Mapping[int, datetime] = dict(list(tx.execute(_ANSWERED, {"contacts": texted}))) if texted else {}
    codes = _codes(tx, texted, now)
    found = []
    for contact_id, person_id, group_id, is_family, state, _ in rows:
        written_at, asked_at, consent_at = sent.get(contact_id, (None, None, None))
        is_recent = asked_at is not None and asked_at >= now - OPEN_FOR
        replied_at = answered.get(contact_id)
        found.append(
            Conversation(
                contact_id=contact_id,
                group_id=group_id,
                person_id=person_id,
                is_own=person_id is not None and not is_family,
                codes=codes.get(contact_id, frozenset()),
                is_asked_for_consent=consent_at is not None and state == ContactState.UNCONFIRMED,
                is_stopped=state == ContactState.OPTED_OUT,
                written_at=written_at,
                is_unanswered=is_recent and (replied_at is None or (asked_at is not None and replied_at < asked_at)),
            )
        )
    return found


def groups_that_wrote(tx: Session, contact_ids: Collection[int]) -> set[int]:
    """Return the groups whose texts to any of these contacts may have arrived."""
    query = (
        select(func.coalesce(Person.group_id, Member.group_id))
        .select_from(Message)
        .join(Contact, Contact.id == Message.contact_id)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(
            among(Message.contact_id, contact_ids),
            Message.channel == Contact.channel,
            Message.handed_at.is_not(None),
            Message.state.in_(_MAY_HAVE_ARRIVED),
        )
        .distinct()
    )
    return {group_id for group_id in tx.scalars(query) if group_id is not None}


def _codes(tx: Session, contact_ids: Collection[int], now: datetime) -> Mapping[int, frozenset[int]]:
    found: dict[int, frozenset[int]] = {}
    for question in open_questions.open_at(tx, contact_ids, now) if contact_ids else ():
        found[question.contact_id] = found.get(question.contact_id, frozenset()) | {question.code}
    return found
