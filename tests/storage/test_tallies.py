"""What is counted for those who measure the service."""

from datetime import timedelta

from reminder.domain.messages import MessageState
from reminder.storage import tallies
from tests.storage.conftest import HOUR, NOW, Rows

MINUTE = timedelta(minutes=1)


def test_what_was_handed_over_since_the_last_time_is_counted_once(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    tallies.fold(rows.tx, NOW)
    assert tallies.all_of(rows.tx) == {}
    rows.handed(rows.message(phone), handed_at=NOW + MINUTE)
    rows.handed(rows.message(phone), MessageState.DELIVERED, handed_at=NOW + MINUTE)

    tallies.fold(rows.tx, NOW + 5 * MINUTE)
    counted = tallies.all_of(rows.tx)

    assert sum(count for name, count in counted.items() if name.startswith(tallies.HANDED)) == 2
    tallies.fold(rows.tx, NOW + HOUR)
    assert tallies.all_of(rows.tx) == counted
