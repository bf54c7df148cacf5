"""The journal: what was done, by ids, from either end."""

from reminder.storage.runtime import activity_log
from tests.storage.conftest import HOUR, NOW, Rows


def test_what_was_done_is_read_from_either_end_page_by_page(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")

    activity_log.write(rows.tx, "group_added", NOW, group_id=group, member_id=7)
    activity_log.write_all(
        rows.tx,
        NOW + HOUR,
        [
            {"act": "person_added", "group_id": group, "person_id": 1},
            {"act": "card_added", "group_id": group, "person_id": 2},
        ],
    )
    activity_log.write_all(rows.tx, NOW, [])
    activity_log.write(rows.tx, "group_added", NOW, group_id=other)

    entries = activity_log.some_of_group(rows.tx, group, after=0, limit=9)
    assert [(one.act, one.at, one.member_id, one.person_id) for one in entries] == [
        ("group_added", NOW, 7, None),
        ("person_added", NOW + HOUR, None, 1),
        ("card_added", NOW + HOUR, None, 2),
    ]
    first, second, third = (one.id for one in entries)
    assert [one.id for one in activity_log.some_of_group(rows.tx, group, after=first, limit=1)] == [second]
    assert [one.id for one in activity_log.latest_of_group(rows.tx, group, before=0, limit=2)] == [third, second]
    assert [one.id for one in activity_log.latest_of_group(rows.tx, group, before=second, limit=2)] == [first]
