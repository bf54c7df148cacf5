"""Replies: stored at once, handled by the next pass. Text that looked like a number was never stored."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, bindparam, func, select, union_all, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageKind
from reminder.domain.parsing.replies import Intent
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import among, each, insert_or_ignore
from reminder.storage.db.tables import Contact, Member, Message, Person, Reply

BODY = "replies.body"


@dataclass(frozen=True)
class ReplyView:
    """A reply. `text` is None where it was not stored, or cannot be read any more (`is_unreadable`)."""

    id: int
    contact_id: int
    intent: Intent
    text: str | None
    received_at: datetime
    is_unreadable: bool = False


def keep(
    tx: Session,
    keys: KeyRing,
    *,
    contact_id: int,
    provider_id: str,
    intent: Intent,
    text: str | None,
    now: datetime,
    is_handled: bool = False,
) -> None:
    """Store a reply; a repeated one changes nothing. `is_handled`: nothing is left to do about it."""
    insert_or_ignore(
        tx,
        Reply,
        contact_id=contact_id,
        provider_id=provider_id,
        intent=intent,
        body_sealed=None if text is None else keys.seal(text, BODY),
        received_at=now,
        handled_at=now if is_handled else None,
    )


def is_known(tx: Session, provider_id: str) -> bool:
    """Return whether this text was stored before."""
    return tx.execute(select(Reply.id).where(Reply.provider_id == provider_id)).first() is not None


def id_of(tx: Session, provider_id: str) -> int:
    """Return the id of the reply with the provider's id."""
    return tx.execute(select(Reply.id).where(Reply.provider_id == provider_id)).scalar_one()


def waiting(tx: Session, keys: KeyRing, limit: int) -> list[ReplyView]:
    """Return unhandled replies, locked until the transaction ends, so that no other worker answers them too."""
    rows = tx.execute(
        select(Reply.id, Reply.contact_id, Reply.intent, Reply.body_sealed, Reply.received_at)
        .where(Reply.handled_at.is_(None))
        .order_by(Reply.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [
        ReplyView(row.id, row.contact_id, Intent(row.intent), text_of(keys, row.body_sealed), row.received_at)
        for row in rows
    ]


def next_waiting(tx: Session) -> int | None:
    """Return the id of the next unhandled reply, locked until the transaction ends, without reading what it says."""
    query = select(Reply.id).where(Reply.handled_at.is_(None)).order_by(Reply.id).limit(1)
    return tx.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def waiting_reply(tx: Session, keys: KeyRing, reply_id: int) -> ReplyView:
    """Return a reply. Raises ValueError or KeyError for a row that this program cannot have written."""
    query = select(Reply.id, Reply.contact_id, Reply.intent, Reply.body_sealed, Reply.received_at)
    row = tx.execute(query.where(Reply.id == reply_id)).one()
    text = text_of(keys, row.body_sealed)
    is_unreadable = row.body_sealed is not None and text is None
    return ReplyView(row.id, row.contact_id, Intent(row.intent), text, row.received_at, is_unreadable)


def contact_of(tx: Session, reply_id: int) -> int:
    """Return the id of the contact that a reply was filed with."""
    return tx.execute(select(Reply.contact_id).where(Reply.id == reply_id)).scalar_one()


def text_of(keys: KeyRing, sealed: bytes | None, purpose: str = BODY) -> str | None:
    """Return the text; None also where its key is gone, so that one such reply does not delay the others."""
    try:
        return None if sealed is None else keys.open(sealed, purpose)
    except SettingsError:
        return None


def of_group(tx: Session, keys: KeyRing, group_id: int | None) -> list[ReplyView]:
    """Return the replies of a group, or all replies where `group_id` is None."""
    return list(each_of_group(tx, keys, group_id))


# A contact is a person's or a member's. Each condition has an index; joined with OR they have none.
_OF_PEOPLE = (
    select(Contact.id).join(Person, Person.id == Contact.person_id).where(Person.group_id == bindparam("group"))
)
_OF_MEMBERS = (
    select(Contact.id).join(Member, Member.id == Contact.member_id).where(Member.group_id == bindparam("group"))
)
_THEIRS = union_all(_OF_PEOPLE, _OF_MEMBERS).subquery()
_EVERY = select(Reply.id, Reply.contact_id, Reply.intent, Reply.body_sealed, Reply.received_at).order_by(Reply.id)
_OF_GROUP = _EVERY.join(_THEIRS, _THEIRS.c.id == Reply.contact_id)


def each_of_group(tx: Session, keys: KeyRing, group_id: int | None) -> Iterator[ReplyView]:
    """Yield the replies that `of_group` returns, in bounded memory."""
    rows = each(tx, _EVERY) if group_id is None else each(tx, _OF_GROUP, {"group": group_id})
    for reply_id, contact_id, intent, sealed, received_at in rows:
        yield ReplyView(reply_id, contact_id, Intent(intent or Intent.UNKNOWN), text_of(keys, sealed), received_at)


def text(tx: Session, keys: KeyRing, reply_id: int) -> str | None:
    """Return the text of a reply, None where it was not stored or cannot be opened."""
    return text_of(keys, tx.execute(select(Reply.body_sealed).where(Reply.id == reply_id)).scalar_one_or_none())


def mark_handled(tx: Session, reply_id: int, now: datetime) -> None:
    """Record that a reply was handled."""
    tx.execute(update(Reply).where(Reply.id == reply_id).values(handled_at=now))


_ITSELF = Contact.__table__.alias()
_GROUP = func.coalesce(Person.group_id, Member.group_id)
_IN_GROUP = (
    select(Contact.id)
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Member, Member.id == Contact.member_id)
)


def _group_of(contact: FromClause) -> Select[Any]:
    persons, members = Person.__table__.alias(), Member.__table__.alias()
    return (
        select(func.coalesce(persons.c.group_id, members.c.group_id))
        .select_from(contact)
        .outerjoin(persons, persons.c.id == contact.c.person_id)
        .outerjoin(members, members.c.id == contact.c.member_id)
    )


def answers_since(tx: Session, contact_id: int, since: datetime) -> int:
    """Return how many answers were sent or queued to this phone since then, by the group of this contact.

    Every contact of the group that shares the phone counts. Another group's answers are not taken from this one's.
    """
    of_itself = _group_of(_ITSELF).where(_ITSELF.c.id == contact_id).scalar_subquery()
    phone = select(Contact.address_index).where(Contact.id == contact_id).scalar_subquery()
    sharing = _IN_GROUP.where(Contact.address_index == phone, of_itself == _GROUP)
    query = select(func.count()).where(
        Message.contact_id.in_(sharing), Message.created_at >= since, Message.kind == MessageKind.ANSWER
    )
    return tx.execute(query).scalar_one()


def has_been_thanked(tx: Session, contact_id: int, since: datetime) -> bool:
    """Return whether they have had an answer to a reply that needs none since then."""
    query = select(Reply.id).where(
        Reply.contact_id == contact_id,
        Reply.intent.in_((Intent.THANKS, Intent.DONE)),
        Reply.handled_at.is_not(None),
        Reply.received_at >= since,
    )
    return tx.execute(query.limit(1)).first() is not None


def mark_waiting(tx: Session, reply_ids: Collection[int]) -> None:
    """Put these replies back into the queue."""
    these = update(Reply).where(among(Reply.id, reply_ids)).values(handled_at=None)
    tx.execute(these.execution_options(synchronize_session=False))
