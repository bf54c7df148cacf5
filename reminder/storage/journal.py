"""The journal: what was done and when, by ids only. It is added to and never changed."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from reminder.storage.tables import JournalEntry


def write(tx: Session, act: str, now: datetime, **ids: int | None) -> None:
    """`ids`: group_id, member_id, person_id, contact_id, card_id, message_id."""
    tx.execute(insert(JournalEntry), [{"act": act, "at": now, **ids}])
