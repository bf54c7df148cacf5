"""Calendars that are read by a secret address."""

from reminder.domain.model.people import Language
from reminder.storage.auth import calendar_feeds
from reminder.storage.auth.calendar_feeds import FeedReader, FeedView
from tests.storage.conftest import NOW, Rows


def test_a_calendar_is_read_by_its_secret_until_its_member_ends_it(rows: Rows) -> None:
    group = rows.group()
    member, other = rows.member(group), rows.member(group)
    added = calendar_feeds.add(rows.tx, rows.keys, member_id=member, token_hash=b"secret", is_private=True, now=NOW)

    assert calendar_feeds.of_member(rows.tx, member) == [FeedView(added, True, NOW)]
    assert calendar_feeds.find(rows.tx, rows.keys, b"secret") == FeedReader(group, Language.JAPANESE, True)
    assert calendar_feeds.find(rows.tx, rows.keys, b"guess") is None
    assert not calendar_feeds.revoke(rows.tx, member_id=other, feed_id=added, now=NOW)
    assert calendar_feeds.revoke(rows.tx, member_id=member, feed_id=added, now=NOW)
    assert not calendar_feeds.revoke(rows.tx, member_id=member, feed_id=added, now=NOW)
    assert calendar_feeds.find(rows.tx, rows.keys, b"secret") is None
    assert calendar_feeds.of_member(rows.tx, member) == []
