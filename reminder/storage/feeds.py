"""Calendars that members' programs read by a secret address, of which only a hash is kept."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reminder.domain.people import Language
from reminder.storage.tables import Feed, Member


@dataclass(frozen=True)
class FeedView:
    id: int
    is_private: bool
    created_at: datetime


@dataclass(frozen=True)
class ReadBy:
    """For whom a calendar is written, and of which group."""

    group_id: int
    language: Language
    is_private: bool


def add(tx: Session, *, member_id: int, token_hash: bytes, is_private: bool, now: datetime) -> int:
    feed = Feed(member_id=member_id, token_hash=token_hash, is_private=is_private, created_at=now)
    tx.add(feed)
    tx.flush()
    return feed.id


def of_member(tx: Session, member_id: int) -> list[FeedView]:
    """Those that can still be read."""
    rows = tx.execute(
        select(Feed.id, Feed.is_private, Feed.created_at)
        .where(Feed.member_id == member_id, Feed.revoked_at.is_(None))
        .order_by(Feed.id)
    )
    return [FeedView(*row) for row in rows]


def revoke(tx: Session, *, member_id: int, feed_id: int, now: datetime) -> bool:
    """False for one of another member, or one that is over."""
    revoked = tx.execute(
        update(Feed)
        .where(Feed.id == feed_id, Feed.member_id == member_id, Feed.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Feed.id)
        .execution_options(synchronize_session=False)
    )
    return revoked.first() is not None


def find(tx: Session, token_hash: bytes) -> ReadBy | None:
    row = tx.execute(
        select(Member.group_id, Member.language, Feed.is_private)
        .join(Member, Member.id == Feed.member_id)
        .where(Feed.token_hash == token_hash, Feed.revoked_at.is_(None))
    ).one_or_none()
    return None if row is None else ReadBy(row[0], Language(row[1]), row[2])
