"""Calendar feeds, which members' programs read at a secret address. Only a hash of the address is stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import Language
from reminder.storage.auth.proofs import CALENDAR_FEED, is_proved, prove
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.tables import CalendarFeed, Member


@dataclass(frozen=True)
class FeedView:
    """A calendar feed of a member."""

    id: int
    is_private: bool
    created_at: datetime


@dataclass(frozen=True)
class FeedReader:
    """The member that a calendar is written for, and their group."""

    group_id: int
    language: Language
    is_private: bool


def add(tx: Session, keys: KeyRing, *, member_id: int, token_hash: bytes, is_private: bool, now: datetime) -> int:
    """Add a calendar feed, and return its id."""
    feed = CalendarFeed(
        member_id=member_id,
        token_hash=token_hash,
        token_proof=prove(keys, CALENDAR_FEED, token_hash, member_id),
        is_private=is_private,
        created_at=now,
    )
    tx.add(feed)
    tx.flush()
    return feed.id


def of_member(tx: Session, member_id: int) -> list[FeedView]:
    """Return the feeds of a member that can still be read."""
    rows = tx.execute(
        select(CalendarFeed.id, CalendarFeed.is_private, CalendarFeed.created_at)
        .where(CalendarFeed.member_id == member_id, CalendarFeed.revoked_at.is_(None))
        .order_by(CalendarFeed.id)
    )
    return [FeedView(*row) for row in rows]


def revoke(tx: Session, *, member_id: int, feed_id: int, now: datetime) -> bool:
    """Revoke a feed; return False for one of another member, or one that is revoked already."""
    revoked = tx.execute(
        update(CalendarFeed)
        .where(CalendarFeed.id == feed_id, CalendarFeed.member_id == member_id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(CalendarFeed.id)
        .execution_options(synchronize_session=False)
    )
    return revoked.first() is not None


def find(tx: Session, keys: KeyRing, token_hash: bytes) -> FeedReader | None:
    """Return the reader of a feed, None where there is no such feed, or none that the key ring proves."""
    row_security.include_token(tx, token_hash)
    row = tx.execute(
        select(Member.group_id, Member.language, CalendarFeed.is_private, Member.id, CalendarFeed.token_proof)
        .join(Member, Member.id == CalendarFeed.member_id)
        .where(CalendarFeed.token_hash == token_hash, CalendarFeed.revoked_at.is_(None))
    ).one_or_none()
    if row is None or not is_proved(keys, CALENDAR_FEED, row[4], token_hash, row[3]):
        return None
    return FeedReader(row[0], Language(row[1]), row[2])
