"""The ids of texts that were heard: each is acted on once, whether the provider has sent it or was asked for it."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reminder.storage.db.statements import insert_or_ignore
from reminder.storage.db.tables import InboundTextId


def note(tx: Session, provider_id: str, now: datetime) -> bool:
    """Record that a text was heard; return False for one that had been heard before.

    Of two transactions that hear the same text one waits for the other.
    """
    return insert_or_ignore(tx, InboundTextId, provider_id=provider_id, heard_at=now)


def delete_old(tx: Session, before: datetime) -> int:
    """Forget the ids of texts that were heard before then; return how many were forgotten."""
    old = delete(InboundTextId).where(InboundTextId.heard_at < before).returning(InboundTextId.id)
    return len(tx.execute(old.execution_options(synchronize_session=False)).all())
