"""Messages that did not arrive, and whether a human was notified of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, exists, select, update
from sqlalchemy.orm import Session, aliased

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName
from reminder.storage.db.statements import among
from reminder.storage.db.tables import DID_NOT_ARRIVE, IS_UNREPORTED_FAILURE, Contact, Message, MessageReminder, Person


@dataclass(frozen=True)
class Failure:
    """A message to a person that reached nobody."""

    message_id: int
    group_id: int
    person_id: int
    channel: ChannelName
    is_answer: bool


def unreported_failures(tx: Session, limit: int) -> list[Failure]:
    """Return failures that no human was notified of, the oldest first."""
    rows = tx.execute(
        select(Message.id, Person.group_id, Person.id, Message.channel, Message.kind == MessageKind.ANSWER)
        .join(Contact, Contact.id == Message.contact_id)
        .join(Person, Person.id == Contact.person_id)
        .where(
            IS_UNREPORTED_FAILURE,
        )
        .order_by(Message.id)
        .limit(limit)
        .with_for_update(of=Message, skip_locked=True)
    )
    return [Failure(*row[:3], ChannelName(row[3]), row[4]) for row in rows]


def first_unreported(tx: Session) -> int | None:
    """Return the id of the oldest failed message that no human was notified of, locked."""
    query = (
        select(Message.id)
        .join(Contact, Contact.id == Message.contact_id)
        .join(Person, Person.id == Contact.person_id)
        .where(IS_UNREPORTED_FAILURE)
        .order_by(Message.id)
        .limit(1)
    )
    return tx.execute(query.with_for_update(of=Message, skip_locked=True)).scalar_one_or_none()


def failover_channels(tx: Session, message_ids: Collection[int]) -> Mapping[int, ChannelName]:
    """Return the failover channel of each failed message, by message id."""
    if not message_ids:
        return {}
    failed, other = aliased(MessageReminder), aliased(MessageReminder)
    rows = tx.execute(
        select(failed.message_id, Message.channel)
        .join(other, and_(other.reminder_id == failed.reminder_id, other.message_id > failed.message_id))
        .join(Message, Message.id == other.message_id)
        .where(
            among(failed.message_id, message_ids),
            Message.audience == Audience.PERSON,
            Message.state.not_in(("cancelled", "stale", "failed", "undelivered")),
        )
        .order_by(Message.id)
    )
    return {message_id: ChannelName(channel) for message_id, channel in rows}


def follow_up(tx: Session, message_ids: Collection[int], now: datetime) -> None:
    """Record that a human was notified of these failures."""
    these = update(Message).where(among(Message.id, message_ids))
    tx.execute(these.values(followed_up_at=now).execution_options(synchronize_session=False))


@dataclass(frozen=True)
class ContactFailures:
    """The failures of a contact since the last message that arrived: how many, since when, and the last reason."""

    times: int
    since: datetime
    reason: str | None


_LATER = aliased(Message)
_NOT_ARRIVED = (
    select(Message.contact_id, Message.ended_at, Message.created_at, Message.reason)
    .where(
        Message.group_id == bindparam("group"),
        Message.contact_id.is_not(None),
        DID_NOT_ARRIVE,
        # One look-up a failure: the last arrival of everybody would be read from all that was ever sent.
        ~exists().where(
            _LATER.contact_id == Message.contact_id,
            _LATER.id > Message.id,
            _LATER.state.in_((MessageState.ACCEPTED, MessageState.DELIVERED)),
        ),
    )
    .order_by(Message.id)
)


def failures_by_contact(tx: Session, group_id: int) -> dict[int, ContactFailures]:
    """Return the failures by contact, of the contacts whose latest message failed."""
    found: dict[int, ContactFailures] = {}
    for contact_id, ended_at, created_at, reason in tx.execute(_NOT_ARRIVED, {"group": group_id}):
        assert contact_id is not None
        before = found.get(contact_id)
        since = before.since if before else ended_at or created_at
        found[contact_id] = ContactFailures((before.times if before else 0) + 1, since, reason)
    return found


def mark_unreported(tx: Session, message_ids: Collection[int]) -> None:
    """Put these failures back into the queue."""
    these = update(Message).where(among(Message.id, message_ids)).values(followed_up_at=None)
    tx.execute(these.execution_options(synchronize_session=False))
