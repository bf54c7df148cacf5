"""How fast a sender may send, and how much left on a day."""

from datetime import timedelta

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import HoldReason
from reminder.storage.outbox import rate_limits
from reminder.storage.runtime import heartbeats
from tests.storage.conftest import DAY, NOW, TODAY, Rows

SMS = ChannelName.SMS
SECOND = timedelta(seconds=1)


def test_turns_follow_each_other_and_nobody_gets_one_that_has_passed(rows: Rows) -> None:
    assert rate_limits.free_at(rows.tx, SMS) is None

    first = rate_limits.reserve(rows.tx, SMS, 3, between=SECOND, now=NOW)
    second = rate_limits.reserve(rows.tx, SMS, 1, between=SECOND, now=NOW)
    later = rate_limits.reserve(rows.tx, SMS, 1, between=SECOND, now=NOW + DAY)

    assert (first, second, later) == (NOW, NOW + 3 * SECOND, NOW + DAY)
    assert rate_limits.free_at(rows.tx, SMS) == NOW + DAY + SECOND


def test_what_left_is_counted_by_the_day_and_the_channel(rows: Rows) -> None:
    for day, handed in ((TODAY - 2 * DAY, 5), (TODAY - DAY, 0), (TODAY, 2), (TODAY, 3)):
        rate_limits.count(rows.tx, SMS, day, handed)
    rate_limits.count(rows.tx, SMS, TODAY, 7, 1)
    rate_limits.count(rows.tx, ChannelName.EMAIL, TODAY, 100)

    days = rate_limits.days(rows.tx, SMS, TODAY)

    assert (days.handed, days.counted, days.before, days.is_lifted) == (12, 6, [5], False)
    assert rate_limits.days(rows.tx, ChannelName.VOICE, TODAY).handed == 0


def test_a_day_that_was_kept_back_is_lifted_by_the_operator(rows: Rows) -> None:
    heartbeats.pause(rows.tx, SMS, HoldReason.UNUSUAL_DAY, now=NOW, until=NOW + DAY)

    assert rate_limits.lift_daily_bound(rows.tx, SMS, TODAY)

    assert rate_limits.days(rows.tx, SMS, TODAY).is_lifted
    assert heartbeats.pause_of(rows.tx, SMS, NOW) is None
    assert not rate_limits.lift_daily_bound(rows.tx, SMS, TODAY)
