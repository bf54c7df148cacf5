"""Calendars that are read by a secret address."""

from reminder.domain.people import Language
from reminder.storage import feeds
from reminder.storage.feeds import FeedView, ReadBy
from tests.storage.conftest import NOW, Rows


def test_a_calendar_is_read_by_its_secret_until_its_member_ends_it(rows: Rows) -> None:
    group = rows.group()
    member, other = rows.member(group), rows.member(group)
    added = feeds.add(rows.tx, member_id=member, token_hash=b"secret", is_private=True, now=NOW)

    assert feeds.of_member(rows.tx, member) == [FeedView(added, True, NOW)]
    assert feeds.find(rows.tx, b"secret") == ReadBy(group, Language.JAPANESE, True)
    assert feeds.find(rows.tx, b"guess") is None
    assert not feeds.revoke(rows.tx, member_id=other, feed_id=added, now=NOW)
    assert feeds.revoke(rows.tx, member_id=member, feed_id=added, now=NOW)
    assert not feeds.revoke(rows.tx, member_id=member, feed_id=added, now=NOW)
    assert feeds.find(rows.tx, b"secret") is None
    assert feeds.of_member(rows.tx, member) == []
