"""The weekly digest: how far through the homes it has come."""

from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import GroupKind
from reminder.storage.reminders import digests
from reminder.storage.runtime import heartbeats
from tests.storage.conftest import DAY, NOW, Rows

WEEK = "2026-11-30"


def left(rows: Rows, week: str = WEEK) -> list[int]:
    return digests.next_homes(rows.tx, week, founded_before=NOW + DAY, limit=9)


def test_each_home_has_its_digest_once_a_week(rows: Rows) -> None:
    first, second = (rows.group(name, GroupKind.HOME) for name in ("ひまわり苑", "さくら苑"))
    rows.group()

    assert digests.next_homes(rows.tx, WEEK, founded_before=NOW + DAY, limit=1) == [first]
    digests.record_progress(rows.tx, WEEK, first)

    assert left(rows) == [second]
    assert left(rows, "2026-12-07") == [first, second]
    digests.finish(rows.tx, NOW)
    assert heartbeats.last(rows.tx, heartbeats.DIGEST) == NOW


def test_a_digest_that_was_forgotten_before_it_was_sent_is_made_again(rows: Rows) -> None:
    home = rows.group("ひまわり苑", GroupKind.HOME)
    mail = rows.contact(member_id=rows.member(home))
    digest, other = rows.message(mail, kind=MessageKind.DIGEST), rows.message(mail)
    digests.record_progress(rows.tx, WEEK, home)
    digests.finish(rows.tx, NOW)

    digests.restart_if_lost(rows.tx, [other])
    digests.restart_if_lost(rows.tx, [])
    assert left(rows) == []

    digests.restart_if_lost(rows.tx, [digest])
    assert left(rows) == [home]
    assert heartbeats.last(rows.tx, heartbeats.DIGEST) is None
