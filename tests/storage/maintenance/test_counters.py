"""What is counted for those who measure the service."""

from datetime import timedelta

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageState
from reminder.storage.maintenance import counters
from tests.storage.conftest import HOUR, NOW, Rows

MINUTE = timedelta(minutes=1)


def test_what_was_handed_over_since_the_last_time_is_counted_once(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    counters.rollup(rows.tx, NOW)
    assert counters.all_of(rows.tx) == {}
    rows.handed(rows.message(phone), handed_at=NOW + MINUTE)
    rows.handed(rows.message(phone), MessageState.DELIVERED, handed_at=NOW + MINUTE)

    counters.rollup(rows.tx, NOW + 5 * MINUTE)
    counted = counters.all_of(rows.tx)

    assert sum(count for name, count in counted.items() if name.startswith(counters.HANDED)) == 2
    counters.rollup(rows.tx, NOW + HOUR)
    assert counters.all_of(rows.tx) == counted


def test_refused_bounces_are_counted_for_ever_and_of_the_present_day(rows: Rows) -> None:
    assert counters.bounces_refused_on(rows.tx, japan_date(NOW)) == 0
    for _ in range(2):
        counters.count_refused_bounce(rows.tx, NOW)
    assert counters.bounces_refused_on(rows.tx, japan_date(NOW)) == 2

    counters.count_refused_bounce(rows.tx, NOW + 24 * HOUR)

    assert counters.bounces_refused_on(rows.tx, japan_date(NOW + 24 * HOUR)) == 1
    assert counters.bounces_refused_on(rows.tx, japan_date(NOW)) == 0
    assert counters.all_of(rows.tx) == {f"{counters.BOUNCES}.email.{counters.REFUSED}": 3}


def test_requests_of_strangers_are_counted_by_cause_and_nothing_else_is_among_them(rows: Rows) -> None:
    counters.count_refused_bounce(rows.tx, NOW)
    counters.count_requests(rows.tx, {"too_slow": 2, "malformed": 1})

    counters.count_requests(rows.tx, {"too_slow": 3})

    assert counters.requests(rows.tx) == {"too_slow": 5, "malformed": 1}
