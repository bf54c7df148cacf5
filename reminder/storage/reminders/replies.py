"""Replies: stored at once, handled by the next pass. Text that looked like a number was never stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select, union_all, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageKind
from reminder.domain.parsing.replies import Intent
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import each, insert_or_ignore
from reminder.storage.db.tables import Contact, Member, Message, Person, Reply

BODY = "replies.body"


@dataclass(frozen=True)
class ReplyView:
    """A reply. `text` is None where it was not stored."""

    id: int
    contact_id: int
    intent: Intent
    text: str | None
    received_at: datetime


def keep(
    tx: Session,
    keys: KeyRing,
    *,
    contact_id: int,
    provider_id: str,
    intent: Intent,
    text: str | None,
    now: datetime,
) -> None:
    """Store a reply; a repeated one changes nothing."""
    insert_or_ignore(
        tx,
        Reply,
        contact_id=contact_id,
        provider_id=provider_id,
        intent=intent,
        body_sealed=None if text is None else keys.seal(text, BODY),
        received_at=now,
    )


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


def text_of(keys: KeyRing, sealed: bytes | None) -> str | None:
    """Return the text; None also where its key is gone, so that one such reply does not delay the others."""
    try:
        return None if sealed is None else keys.open(sealed, BODY)
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


def answers_since(tx: Session, contact_id: int, since: datetime) -> int:
    """Return how many answers were sent or queued to this phone since then, for every contact that shares it."""
    phone = select(Contact.address_index).where(Contact.id == contact_id)
    sharing = select(Contact.id).where(Contact.address_index.in_(phone))
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
