"""The activity log: acts and their times, by ids only. Rows are added and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from reminder.storage.db.statements import insert_many
from reminder.storage.db.tables import ACTIVITY_LOG, ActivityEntry


def write(tx: Session, act: str, now: datetime, **ids: int | None) -> None:
    """Add an act. `ids`: group_id, member_id, person_id, contact_id, card_id, message_id."""
    # Nobody reads its id, nor may the web's role where the act is of no group.
    tx.execute(insert(ACTIVITY_LOG).inline(), {"act": act, "at": now, **ids})


def write_all(tx: Session, now: datetime, rows: Sequence[Mapping[str, object]]) -> None:
    """Add many acts at once; each with the same ids."""
    nothing = dict.fromkeys(("group_id", "member_id", "person_id", "contact_id", "card_id", "message_id"))
    insert_many(tx, ACTIVITY_LOG, [{**nothing, "at": now, **row} for row in rows])


@dataclass(frozen=True)
class EntryView:
    """An act. `member_id`: who did it; None for the program itself, or at the console."""

    id: int
    at: datetime
    act: str
    member_id: int | None
    person_id: int | None
    contact_id: int | None
    card_id: int | None
    message_id: int | None


_COLUMNS = (
    ActivityEntry.id,
    ActivityEntry.at,
    ActivityEntry.act,
    ActivityEntry.member_id,
    ActivityEntry.person_id,
    ActivityEntry.contact_id,
    ActivityEntry.card_id,
    ActivityEntry.message_id,
)


def some_of_group(tx: Session, group_id: int, *, after: int, limit: int) -> list[EntryView]:
    """Return acts of a group with a higher id than `after`, oldest first."""
    query = select(*_COLUMNS).where(ActivityEntry.group_id == group_id, ActivityEntry.id > after)
    return [EntryView(*row) for row in tx.execute(query.order_by(ActivityEntry.id).limit(limit))]


def latest_of_group(tx: Session, group_id: int, *, before: int, limit: int) -> list[EntryView]:
    """Return acts of a group, newest first. `before`: only older ones than this; 0 for the newest."""
    query = select(*_COLUMNS).where(ActivityEntry.group_id == group_id)
    if before:
        query = query.where(ActivityEntry.id < before)
    return [EntryView(*row) for row in tx.execute(query.order_by(ActivityEntry.id.desc()).limit(limit))]
