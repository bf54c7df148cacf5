"""Rates of requests and claims of tasks, as all processes share them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from reminder.storage.db.session import Database
from reminder.storage.runtime import request_rates
from reminder.storage.runtime.request_rates import Allowance
from tests.storage.conftest import NOW, Rows

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def take(rows: Rows, count: int = 1, later: timedelta = timedelta(0), name: str = "a") -> Allowance:
    return request_rates.take(rows.tx, name, count, most=6, within=MINUTE, now=NOW + later)


def test_all_of_a_rate_may_come_at_once_and_then_one_by_one(rows: Rows) -> None:
    assert [take(rows).left for _ in range(6)] == [5, 4, 3, 2, 1, 0]

    assert take(rows) == Allowance(False, 0, 10 * SECOND)
    assert take(rows, later=9 * SECOND) == Allowance(False, 0, SECOND)
    assert take(rows, later=10 * SECOND) == Allowance(True, 0, timedelta(0))
    assert not take(rows, later=11 * SECOND).is_allowed
    assert take(rows, later=11 * SECOND, name="b").is_allowed


def test_nothing_is_saved_up_beyond_a_burst(rows: Rows) -> None:
    take(rows, 6)

    assert take(rows, 6, later=60 * MINUTE) == Allowance(True, 0, timedelta(0))
    assert not take(rows, later=60 * MINUTE).is_allowed


def test_many_are_taken_together_or_not_at_all(rows: Rows) -> None:
    take(rows, 4)

    assert take(rows, 3) == Allowance(False, 2, 10 * SECOND)
    assert take(rows, 2).is_allowed


def test_processes_that_ask_at_the_same_time_get_no_more_than_there_is(database_url: str) -> None:
    database = Database(database_url)

    def ask(_: int) -> bool:
        with database.writing() as tx:
            return request_rates.take(tx, "a", 1, most=6, within=MINUTE, now=NOW).is_allowed

    with ThreadPoolExecutor(4) as threads:
        allowed = list(threads.map(ask, range(24)))

    database.close()
    assert sum(allowed) == 6


def test_a_task_belongs_to_whoever_claims_it_until_it_is_released_or_its_time_is_over(rows: Rows) -> None:
    assert request_rates.claimed_until(rows.tx, "sheet") is None
    assert request_rates.claim(rows.tx, "sheet", NOW, until=NOW + MINUTE)
    assert request_rates.claimed_until(rows.tx, "sheet") == NOW + MINUTE
    assert not request_rates.claim(rows.tx, "sheet", NOW, until=NOW + 2 * MINUTE)
    assert request_rates.claim(rows.tx, "another", NOW, until=NOW + MINUTE)

    request_rates.release(rows.tx, "sheet", NOW + SECOND, until=NOW + MINUTE)
    assert request_rates.claim(rows.tx, "sheet", NOW + SECOND, until=NOW + 5 * SECOND)
    assert request_rates.claim(rows.tx, "sheet", NOW + 5 * SECOND, until=NOW + MINUTE)
    # Whoever was too slow releases nothing of another's.
    request_rates.release(rows.tx, "sheet", NOW + 6 * SECOND, until=NOW + 5 * SECOND)
    assert not request_rates.claim(rows.tx, "sheet", NOW + 6 * SECOND, until=NOW + 2 * MINUTE)
