"""A member's calendars: made, ended, and read by whoever has the address."""

from collections.abc import Sequence
from datetime import datetime

from reminder.domain.rulebook import Rulebook
from reminder.errors import NotFoundError
from reminder.storage import feeds, groups, journal
from reminder.storage.feeds import FeedView
from reminder.storage.keys import new_token, token_hash
from reminder.storage.session import Database
from reminder.upkeep.calendar import calendar_of


def make_feed(database: Database, now: datetime, *, member_id: int, is_private: bool) -> str:
    """The secret of its address: only now can it be told. Raises NotFoundError for no member."""
    token = new_token()
    with database.writing() as tx:
        group_id = groups.group_of_member(tx, member_id)
        if group_id is None:
            raise NotFoundError(field="member")
        feeds.add(tx, member_id=member_id, token_hash=token_hash(token), is_private=is_private, now=now)
        journal.write(tx, "feed_made", now, group_id=group_id, member_id=member_id)
    return token


def feeds_of(database: Database, member_id: int) -> Sequence[FeedView]:
    with database.reading() as tx:
        return feeds.of_member(tx, member_id)


def revoke_feed(database: Database, now: datetime, *, member_id: int, feed_id: int) -> None:
    """Raises NotFoundError for one that is somebody else's, or over."""
    with database.writing() as tx:
        if not feeds.revoke(tx, member_id=member_id, feed_id=feed_id, now=now):
            raise NotFoundError("page_not_found")
        group_id = groups.group_of_member(tx, member_id)
        journal.write(tx, "feed_revoked", now, group_id=group_id, member_id=member_id)


def read_feed(database: Database, rules: Rulebook, now: datetime, token: str) -> bytes:
    """The calendar as it stands now. Raises NotFoundError for an address that is none, or none any more."""
    with database.reading() as tx:
        found = feeds.find(tx, token_hash(token))
        group = None if found is None else groups.find(tx, found.group_id)
        if found is None or group is None:
            raise NotFoundError("page_not_found")
        return calendar_of(tx, rules, group, language=found.language, is_private=found.is_private, now=now)
