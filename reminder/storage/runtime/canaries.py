"""Canaries: which were sent, and which have come back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageState
from reminder.domain.rules.canary_schedule import CanaryProof, CanaryView
from reminder.storage.crypto.keyring import SealedValue
from reminder.storage.db.statements import insert_or_ignore
from reminder.storage.db.tables import Canary, Message

_VIEW = (
    Canary.channel,
    Canary.due_at,
    Canary.made_at,
    Canary.back_by,
    Canary.returned_at,
    Canary.how,
)


@dataclass(frozen=True)
class SentCanary:
    """A canary whose proof is awaited, and what is known of its message. `needs_arrival`: acceptance proves nothing."""

    channel: str
    due_at: datetime
    needs_arrival: bool
    message_id: int
    provider_id: str | None
    address: SealedValue | None
    state: MessageState
    handed_at: datetime | None
    ended_at: datetime | None
    asked_at: datetime | None


def add(tx: Session, channel: str, due_at: datetime, *, address_index: bytes, now: datetime, back_by: datetime) -> bool:
    """Record that the canary of this instant is made now; return False where it has been."""
    values = {"made_at": now, "back_by": back_by, "address_index": address_index, "needs_arrival": True}
    return insert_or_ignore(tx, Canary, channel=channel, due_at=due_at, **values)


def set_message(tx: Session, channel: str, due_at: datetime, message_id: int, *, needs_arrival: bool) -> None:
    """Record which message a canary is, and whether its acceptance alone proves nothing."""
    this = update(Canary).where(Canary.channel == channel, Canary.due_at == due_at)
    tx.execute(
        this.values(message_id=message_id, needs_arrival=needs_arrival).execution_options(synchronize_session=False)
    )


def has_come_back(tx: Session, channel: str, address_index: bytes, since: datetime) -> bool:
    """Return whether a canary to this address has come back since then."""
    query = select(Canary.due_at).where(
        Canary.channel == channel,
        Canary.address_index == address_index,
        Canary.how == CanaryProof.RETURNED,
        Canary.returned_at >= since,
    )
    return tx.execute(query.limit(1)).first() is not None


def awaited(tx: Session, since: datetime) -> list[SentCanary]:
    """Return the canaries made since then whose proof is awaited."""
    rows = tx.execute(
        select(
            Canary.channel,
            Canary.due_at,
            Canary.needs_arrival,
            Message.id,
            Message.provider_id,
            Message.address_sealed,
            Message.state,
            Message.handed_at,
            Message.ended_at,
            Canary.asked_at,
        )
        .join(Message, Message.id == Canary.message_id)
        .where(Canary.returned_at.is_(None), Canary.made_at >= since)
        .order_by(Canary.channel, Canary.due_at)
    )
    return [
        SentCanary(
            channel,
            due_at,
            needs_arrival,
            message_id,
            provider_id,
            address,
            MessageState(state),
            handed_at,
            ended_at,
            asked,
        )
        for channel, due_at, needs_arrival, message_id, provider_id, address, state, handed_at, ended_at, asked in rows
    ]


def mark_asked(tx: Session, canaries: Collection[SentCanary], now: datetime) -> None:
    """Record that the provider was asked about these."""
    for one in canaries:
        this = update(Canary).where(Canary.channel == one.channel, Canary.due_at == one.due_at)
        tx.execute(this.values(asked_at=now).execution_options(synchronize_session=False))


def prove(tx: Session, channel: str, due_at: datetime, how: CanaryProof, at: datetime) -> None:
    """Record what has proved a canary, once."""
    this = update(Canary).where(Canary.channel == channel, Canary.due_at == due_at, Canary.returned_at.is_(None))
    tx.execute(this.values(returned_at=at, how=how).execution_options(synchronize_session=False))


def record_return(tx: Session, message_id: int, made_at: datetime, now: datetime) -> bool:
    """Record that the mail of a canary has come back; return False where this message is none.

    One that counted by its acceptance alone counts by its return from now on.
    """
    returned = (
        update(Canary)
        .where(
            Canary.message_id == message_id,
            Canary.made_at == made_at,
            or_(Canary.returned_at.is_(None), Canary.how == CanaryProof.ACCEPTED),
        )
        .values(returned_at=now, how=CanaryProof.RETURNED)
        .returning(Canary.due_at)
    )
    return tx.execute(returned.execution_options(synchronize_session=False)).first() is not None


def made_at(tx: Session, message_id: int) -> datetime | None:
    """Return when the canary with this message was made, None for any other message."""
    return tx.execute(select(Canary.made_at).where(Canary.message_id == message_id).limit(1)).scalar_one_or_none()


def latest(tx: Session, channel: str, limit: int) -> list[CanaryView]:
    """Return the newest canaries of a channel, the newest first."""
    query = select(*_VIEW).where(Canary.channel == channel).order_by(Canary.due_at.desc()).limit(limit)
    return [CanaryView(*row[:5], None if row[5] is None else CanaryProof(row[5])) for row in tx.execute(query)]


def delete_old(tx: Session, before: datetime) -> int:
    """Delete the canaries made before then, and return their number."""
    gone = delete(Canary).where(and_(Canary.made_at < before)).returning(Canary.due_at)
    return len(tx.execute(gone.execution_options(synchronize_session=False)).all())
