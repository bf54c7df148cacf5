"""Receipts: providers' reports about messages, each stored once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, true, update
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ChannelName
from reminder.domain.model.provider_history import ListedFate
from reminder.storage.db.statements import among, in_batches, insert_or_ignore
from reminder.storage.db.tables import Message, Receipt


@dataclass(frozen=True)
class WaitingReceipt:
    """A receipt that was not applied yet."""

    id: int
    provider_id: str
    status: str
    error_code: str | None
    message_id: int | None
    seconds: int | None = None


def keep(
    tx: Session,
    *,
    provider_id: str,
    status: str,
    error_code: str | None,
    message_id: int | None,
    now: datetime,
    seconds: int | None = None,
) -> None:
    """Store a receipt; a repeated one changes nothing. `seconds`: how long a call lasted.

    One that names its message waits again, where the same one was stored before without a name and found nothing.
    """
    is_new = insert_or_ignore(
        tx,
        Receipt,
        provider_id=provider_id,
        status=status,
        error_code=error_code,
        message_id=message_id,
        seconds=seconds,
        received_at=now,
    )
    if not is_new:
        # It has reached us after all, which says that the way is open.
        this = update(Receipt).where(Receipt.provider_id == provider_id, Receipt.status == status)
        tx.execute(
            this.where(Receipt.is_fetched == true())
            .values(is_fetched=False)
            .execution_options(synchronize_session=False)
        )
    if not is_new and message_id is not None:
        tx.execute(
            update(Receipt)
            .where(Receipt.provider_id == provider_id, Receipt.status == status, Receipt.message_id.is_(None))
            .values(message_id=message_id, error_code=error_code, applied_at=None)
            .execution_options(synchronize_session=False)
        )


# What has ended needs no receipt any more.
_OPEN = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED)


def keep_fetched(tx: Session, channel: ChannelName, fates: Collection[ListedFate], now: datetime) -> int:
    """Store as receipts what a provider's list says of messages of ours that have not ended; return how many are new.

    Lists hold other programs' messages, too, and what is known long since.
    """
    open_ids: set[str] = set()
    for some in in_batches({fate.provider_id for fate in fates}):
        query = select(Message.provider_id).where(
            Message.provider_id.in_(some), Message.channel == channel, Message.state.in_(_OPEN)
        )
        open_ids.update(one for one in tx.scalars(query) if one is not None)
    new = 0
    for fate in fates:
        if fate.provider_id in open_ids:
            new += insert_or_ignore(
                tx,
                Receipt,
                provider_id=fate.provider_id,
                status=fate.status,
                error_code=fate.error_code,
                seconds=fate.seconds,
                message_id=None,
                received_at=now,
                is_fetched=True,
            )
    return new


def waiting(tx: Session, limit: int) -> list[WaitingReceipt]:
    """Return receipts that were not applied yet, the oldest first."""
    rows = tx.execute(
        select(Receipt.id, Receipt.provider_id, Receipt.status, Receipt.error_code, Receipt.message_id, Receipt.seconds)
        .where(Receipt.applied_at.is_(None))
        .order_by(Receipt.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [WaitingReceipt(*row) for row in rows]


def first_waiting(tx: Session) -> int | None:
    """Return the id of the next receipt that was not applied yet, locked, without reading what it says."""
    query = select(Receipt.id).where(Receipt.applied_at.is_(None)).order_by(Receipt.id).limit(1)
    return tx.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def mark_applied(tx: Session, receipt_ids: Collection[int], now: datetime) -> None:
    """Record that these receipts were applied."""
    tx.execute(
        update(Receipt)
        .where(among(Receipt.id, receipt_ids))
        .values(applied_at=now)
        .execution_options(synchronize_session=False)
    )


def mark_waiting_of(tx: Session, provider_ids: Collection[str]) -> None:
    """Put the receipts of these ids back into the queue: they belong to other messages than before."""
    these = update(Receipt).where(Receipt.provider_id.in_(list(provider_ids))).values(applied_at=None)
    tx.execute(these.execution_options(synchronize_session=False))


def latest_ends(tx: Session, statuses: Collection[str], limit: int) -> list[str | None]:
    """Return the error codes of the latest receipts with one of these final statuses."""
    rows = tx.execute(
        select(Receipt.error_code).where(Receipt.status.in_(statuses)).order_by(Receipt.id.desc()).limit(limit)
    )
    return list(rows.scalars())


def mark_waiting(tx: Session, receipt_ids: Collection[int]) -> None:
    """Put these receipts back into the queue."""
    these = update(Receipt).where(among(Receipt.id, receipt_ids)).values(applied_at=None)
    tx.execute(these.execution_options(synchronize_session=False))
