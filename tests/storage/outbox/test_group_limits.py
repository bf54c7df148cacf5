"""What each group sends on a day, and which groups have reached a limit."""

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import HoldReason
from reminder.storage.db import statements
from reminder.storage.db.tables import GroupDayTotal, GroupHold, Message
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import group_limits
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows

SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL


def test_what_left_is_counted_by_the_group_the_day_and_the_channel(rows: Rows) -> None:
    assert group_limits.count(rows.tx, SMS, TODAY, {7: 2, 3: 5}) == {3: 5, 7: 2}
    assert group_limits.count(rows.tx, SMS, TODAY, {7: 4, 0: 1}) == {0: 1, 7: 6}
    assert group_limits.count(rows.tx, SMS, TODAY, {7: -1}) == {7: 5}
    group_limits.count(rows.tx, EMAIL, TODAY, {7: 100})
    group_limits.count(rows.tx, SMS, TODAY - DAY, {7: 9})
    group_limits.count(rows.tx, SMS, TODAY - 2 * DAY, {7: 0})

    days = group_limits.days(rows.tx, SMS, 7, TODAY)

    assert (days.before, days.is_lifted) == ([9], False)
    assert group_limits.count(rows.tx, SMS, TODAY, {}) == {}


def test_more_groups_than_fit_a_statement_are_counted(rows: Rows) -> None:
    many = dict.fromkeys(range(1, 2500), 1)

    assert group_limits.count(rows.tx, SMS, TODAY, many) == many
    assert group_limits.count(rows.tx, SMS, TODAY, many) == dict.fromkeys(many, 2)


def test_values_are_added_to_each_row_of_a_table(rows: Rows) -> None:
    row = {"group_id": 1, "channel": "sms", "day": TODAY, "handed": 2}
    for expected in (2, 4):
        added = statements.add_each(rows.tx, GroupDayTotal, ("group_id", "channel", "day"), "handed", [row])
        assert added == {1: expected}


def test_a_hold_is_told_once_until_it_is_over(rows: Rows) -> None:
    group = rows.group()
    for at in (NOW, NOW + HOUR):
        group_limits.hold(rows.tx, SMS, group, HoldReason.DAILY_CAP, now=at, until=at + DAY)
    assert group_limits.untold_groups(rows.tx, 9) == [group]
    assert group_limits.untold_groups(rows.tx, 9, aside=[group]) == []
    (untold,) = group_limits.untold(rows.tx, [group])
    assert (untold.group_id, untold.channel, untold.reason, untold.since) == (group, SMS, HoldReason.DAILY_CAP, NOW)
    assert group_limits.holds(rows.tx, NOW, 9) == [untold]

    group_limits.mark_told(rows.tx, [untold], NOW)
    group_limits.hold(rows.tx, SMS, group, HoldReason.DAILY_CAP, now=NOW + 2 * HOUR, until=NOW + DAY)
    assert group_limits.untold(rows.tx, [group]) == []

    group_limits.hold(rows.tx, SMS, group, HoldReason.DAILY_CAP, now=NOW + 2 * DAY, until=NOW + 3 * DAY)
    assert [one.since for one in group_limits.untold(rows.tx, [group])] == [NOW + 2 * DAY]
    assert group_limits.holds(rows.tx, NOW + 3 * DAY, 9) == []


def test_the_operator_confirms_a_group_s_day_and_its_messages_leave(rows: Rows) -> None:
    group = rows.group()
    phone = rows.contact(person_id=rows.person(group))
    held = rows.message(phone, group_id=group, scheduled_at=NOW + DAY)
    other = rows.message(phone, group_id=group, scheduled_at=NOW + DAY)
    rows.change(Message, held, reason=HoldReason.UNUSUAL_DAY)
    group_limits.hold(rows.tx, SMS, group, HoldReason.UNUSUAL_DAY, now=NOW, until=NOW + DAY)

    group_limits.lift_daily_bound(rows.tx, SMS, group, TODAY)
    assert group_limits.release(rows.tx, SMS, group, NOW) == 1

    assert group_limits.days(rows.tx, SMS, group, TODAY).is_lifted
    assert rows.column(Message.scheduled_at) == [NOW, NOW + DAY]
    assert rows.column(GroupHold.group_id) == []
    assert other


def test_totals_of_long_ago_are_deleted(rows: Rows) -> None:
    for day in (TODAY - 2 * DAY, TODAY - DAY, TODAY):
        group_limits.count(rows.tx, SMS, day, {1: 1})

    assert erasure.old_day_totals(rows.tx, TODAY - DAY) == 1
    assert len(rows.column(GroupDayTotal.day)) == 2
