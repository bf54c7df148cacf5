"""The auditor's round: one worker a minute, a heartbeat only when nothing was found, counters that count once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from reminder.channels.heartbeat import HeartbeatClient
from reminder.errors import TemporaryChannelError
from reminder.storage.maintenance import counters
from reminder.storage.runtime import heartbeats
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.health import Health
from reminder.worker.jobs import audit_once
from reminder.worker.scheduler import WorkerScheduler
from tests.fakes.listener import Listener
from tests.program import until
from tests.village import Village

END = date(2027, 3, 31)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as opened:
        yield opened


def go_round(village: Village, listener: Listener) -> Health | None:
    heartbeat = HeartbeatClient(listener.url, f"{listener.url}/fail")
    return run_audit(village.app.units, village.now, heartbeat)


def wait(village: Village, **time: float) -> None:
    village.clock.move_to(village.now + timedelta(**time))


def test_the_heartbeat_follows_a_pass_that_ended_well_and_an_audit_that_found_nothing(
    village: Village, listener: Listener
) -> None:
    go_round(village, listener)
    assert listener.heard == ["/himitsu/fail"], "before the first pass nothing is known"

    wait(village, minutes=1)
    village.pass_once()
    go_round(village, listener)

    assert listener.heard == ["/himitsu/fail", "/himitsu"]


def test_a_lost_reminder_stops_the_heartbeat_until_it_is_mended(village: Village, listener: Listener) -> None:
    village.person("父", phone="090-0000-0002")
    card = village.card("父", END)
    village.pass_once()
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE cards SET next_reminder_on = NULL"))
    go_round(village, listener)
    assert listener.heard == ["/himitsu/fail"]

    wait(village, minutes=1)
    village.renew(card, date(2027, 4, 1))
    village.pass_once()
    go_round(village, listener)

    assert listener.heard == ["/himitsu/fail", "/himitsu"]


def test_of_all_workers_one_looks_in_a_minute(village: Village, listener: Listener) -> None:
    village.pass_once()

    contexts = [go_round(village, listener) is not None for _ in range(3)]
    wait(village, minutes=1)
    contexts += [go_round(village, listener) is not None for _ in range(3)]

    assert contexts == [True, False, False, True, False, False]
    assert listener.heard == ["/himitsu", "/himitsu"]


def test_a_group_that_cannot_be_planned_is_found_within_two_rounds(village: Village, listener: Listener) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-01-04 00:00")
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE groups SET own_days = 'many'"))  # no number: planning gives the group up
    found = []
    for _ in range(2):
        village.pass_once()
        found.append(go_round(village, listener))
        wait(village, minutes=1)

    assert [one.troubles for one in found if one] == [(), ("cards_overdue",)]


def test_without_its_database_it_says_so_where_somebody_listens(village: Village, listener: Listener) -> None:
    with village.app.database.writing() as tx:
        tx.execute(text("ALTER TABLE heartbeats RENAME TO beats_away"))

    found = go_round(village, listener)

    assert found is not None
    assert found.troubles == ("database_behind",)
    assert listener.heard == ["/himitsu/fail"]


# ── counters ──


def counted(village: Village) -> dict[str, int]:
    with village.app.database.reading() as tx:
        return dict(counters.all_of(tx))


def fold(village: Village) -> None:
    with village.app.database.writing() as tx:
        counters.rollup(tx, village.now)


@pytest.fixture
def counting(village: Village) -> Village:
    """It has begun to count, a minute before the first text is due."""
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-01-04 08:59")
    fold(village)
    return village


def counted_until(village: Village) -> datetime | None:
    with village.app.database.reading() as tx:
        return heartbeats.last(tx, heartbeats.COUNTED)


def fold_up(village: Village) -> None:
    """Minute after minute until nothing is left to fold."""
    before = None
    while before != (before := counted_until(village)):
        fold(village)


def test_what_is_handed_over_is_counted_once_and_with_how_long_it_was_due(counting: Village) -> None:
    counting.sleep_until("2027-01-04 09:00:07")
    counting.pass_once()
    wait(counting, minutes=3)

    fold_up(counting)
    fold_up(counting)

    assert counted(counting) == {"handed.sms.accepted": 1, "waited.sms.3": 1, "waited.sms.seconds": 7}


def test_a_try_that_failed_is_counted_as_such_and_the_next_one_again(counting: Village) -> None:
    counting.sms.fail_next(TemporaryChannelError("503", retry_after=600))
    counting.run_until("2027-01-04 09:03")
    fold_up(counting)
    assert counted(counting) == {"handed.sms.queued": 1}

    counting.run_until("2027-01-04 09:20")
    fold_up(counting)

    assert counted(counting) == {
        "handed.sms.accepted": 1,
        "handed.sms.queued": 1,
        "waited.sms.0": 1,
        "waited.sms.seconds": 0,
    }


# ── the bell ──


def test_beside_sending_the_worker_audits(village: Village, listener: Listener) -> None:
    settings = village.app.settings.model_copy(update={"heartbeat_url": listener.url, "pass_seconds": 0.05})
    app = replace(village.app, settings=settings)

    with WorkerScheduler(app):
        until(lambda: has_passed(village), "a pass has ended well")
        assert audit_once(app) == ()

    assert listener.heard == ["/himitsu"]


def has_passed(village: Village) -> bool:
    with village.app.database.reading() as tx:
        return heartbeats.last(tx, heartbeats.PASS) is not None
