"""Floods of requests: the operator is told once of each cause, and a quiet service says nothing."""

import logging
from collections.abc import Mapping
from datetime import timedelta

import pytest

from reminder.channels.heartbeat import HeartbeatClient
from reminder.storage.maintenance import counters
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.health import Trouble, assess
from reminder.upkeep.metrics import exposition
from reminder.upkeep.request_floods import MANY, SAME_WITHIN, SHOWN_FOR, WINDOW, fact_of
from reminder.web.support.refused_requests import Cause
from tests.village import Village

MINUTE = timedelta(minutes=1)


def come(village: Village, **counts: int) -> None:
    with village.app.writing() as uow:
        counters.count_requests(uow.tx, counts)


def after(village: Village, passed: timedelta) -> Trouble | None:
    """What the operator is told when the auditor has looked once a minute, so long."""
    until = village.now + passed
    while village.now < until:
        village.clock.move_to(min(village.now + MINUTE, until))
        run_audit(village.app.units, village.now, HeartbeatClient(None, None))
    found = assess(village.app.units, village.now)
    assert "request_flood" not in found.troubles, "strangers must not make the service look broken"
    return next((one for one in found.concerns if one.code == "request_flood"), None)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "many requests" in one.getMessage()]


def test_many_refusals_within_ten_minutes_are_told_with_their_cause(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    come(village, wrong_tokens=2, forged_messages=MANY)

    told = after(village, MINUTE)

    assert told is not None
    assert (told.count, told.name) == (MANY, f"forged_messages {MANY}")
    assert told.since is not None
    assert logged(caplog) == [
        f"many requests of strangers within ten minutes: forged_messages {MANY}; `reminder health` says more"
    ]


def test_they_are_told_before_the_auditor_has_looked(village: Village) -> None:
    come(village, too_slow=MANY)

    assert "request_flood" in {one.code for one in assess(village.app.units, village.now).concerns}


def test_more_over_an_hour_are_what_honest_people_cause(village: Village, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(12):
        come(village, too_many_requests=MANY // 4)
        assert after(village, WINDOW / 2) is None

    assert logged(caplog) == []


def test_a_flood_that_goes_on_is_logged_once_and_one_that_begins_again_once_more(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(10):
        come(village, wrong_tokens=MANY)
        assert after(village, 5 * MINUTE) is not None
    assert len(logged(caplog)) == 1

    assert after(village, SAME_WITHIN + WINDOW) is not None, "shown for a day"
    come(village, wrong_tokens=MANY)
    assert after(village, MINUTE) is not None
    assert len(logged(caplog)) == 2


def test_after_a_day_it_is_over(village: Village) -> None:
    come(village, malformed=MANY)
    assert after(village, MINUTE) is not None

    village.clock.move_to(village.now + SHOWN_FOR)

    assert after(village, MINUTE) is None


def test_all_causes_at_once_are_told_on_every_database(village: Village) -> None:
    come(village, **dict.fromkeys(Cause, 10**9))

    told = after(village, MINUTE)
    village.clock.move_to(village.now + 3 * WINDOW)
    again = after(village, MINUTE)

    assert told is not None
    assert again is not None
    assert len({fact_of(cause) for cause in Cause}) == len(Cause)
    assert told.count == again.count == len(Cause) * 10**9


@pytest.mark.parametrize(
    "counts", [{"hidden_numbers": MANY, "too_large": 2 * MANY}, {"too_large": 2 * MANY, "hidden_numbers": MANY}]
)
def test_the_largest_is_named_first_and_metrics_have_all(village: Village, counts: Mapping[str, int]) -> None:
    come(village, **counts, wrong_tokens=1)

    told = after(village, MINUTE)

    assert told is not None
    assert told.name == f"too_large {2 * MANY}, hidden_numbers {MANY}"
    measured = exposition(village.app.units, village.now)
    for cause, count in {**counts, "wrong_tokens": 1}.items():
        assert f'kigen_requests_refused_total{{cause="{cause}"}} {count}.0'.encode() in measured
