"""A clock that is set, back or forward: planning and sending go on, without a storm, and the operator reads of it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from reminder.clock import ClockWatch, SystemClock
from reminder.domain.model.people import ChannelName
from reminder.storage.outbox import leases, rate_limits
from reminder.storage.runtime import heartbeats
from reminder.upkeep import clock_step
from reminder.upkeep.health import assess
from reminder.worker.jobs import run_once
from reminder.worker.scheduler import IntervalJob, WorkerScheduler
from reminder.worker.steady_scheduler import OwnThreads, SteadyScheduler
from tests.patience import PATIENCE
from tests.program import until
from tests.village import Village

END = date(2027, 3, 31)
STEPS = [timedelta(minutes=-8), timedelta(hours=-9), timedelta(days=-1), timedelta(minutes=8), timedelta(days=3)]


class SetClock(SystemClock):
    """A machine's clock that somebody sets; `seconds` grow all the while."""

    def __init__(self, now: datetime) -> None:
        self.at, self.seconds = now, 0.0

    def now(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_is_told_from_time_that_passes(step: timedelta) -> None:
    clock = SetClock(datetime(2027, 3, 24, tzinfo=UTC))
    watch = ClockWatch(clock, lambda: clock.seconds)
    clock.passes(5)
    assert watch.step() == timedelta(0)

    clock.passes(5)
    clock.at += step

    assert watch.step() == step
    assert watch.step() == timedelta(0), "once"


class Steps(ClockWatch):
    """A watch that finds these steps, one at each look."""

    def __init__(self, *steps: timedelta) -> None:
        super().__init__(SystemClock())
        self._steps: Iterator[timedelta] = iter(steps)

    def step(self) -> timedelta:
        return next(self._steps, timedelta(0))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_after_a_step_each_job_runs_when_it_would_have_and_once(step: timedelta) -> None:
    ran = threading.Semaphore(0)
    scheduler = SteadyScheduler(OwnThreads(), watch=Steps(step))
    # As the clock's step has left it: so far from now.
    scheduler.add_job(ran.release, "interval", hours=1, next_run_time=SystemClock().now() - step)
    scheduler.start()
    try:
        assert ran.acquire(timeout=PATIENCE)
        [job] = scheduler.get_jobs()
        assert timedelta(minutes=50) < job.next_run_time - SystemClock().now() <= timedelta(hours=1)
        assert not ran.acquire(blocking=False), "not once for each hour that never was"
    finally:
        scheduler.shutdown()


@pytest.fixture
def due(village: Village) -> Village:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-24 09:00")
    return village


@pytest.mark.parametrize("back", [timedelta(minutes=8), timedelta(hours=9), timedelta(days=1)], ids=str)
def test_what_a_clock_that_was_ahead_has_put_off_goes_on_with_the_first_pass(due: Village, back: timedelta) -> None:
    app, now = due.app, due.now
    ahead = now + back
    with app.database.writing() as tx:
        heartbeats.record_pass(tx, app.keys.ids[0], ahead)
        assert heartbeats.take_turn(tx, heartbeats.AUDIT, ahead, timedelta(seconds=55))
        rate_limits.reserve(tx, ChannelName.SMS, 1, between=timedelta(seconds=1), now=ahead)
    assert "pass_in_future" in assess(app.units, now).troubles

    run_once(app, now)
    with app.database.writing() as tx:
        message = due.messages()[0]
        assert message.state == "accepted", "it was planned and sent at once"
        assert heartbeats.take_turn(tx, heartbeats.AUDIT, now + timedelta(minutes=1), timedelta(seconds=55))
        free_at = rate_limits.free_at(tx, ChannelName.SMS)
        assert free_at is not None
        assert free_at <= now

    found = {one.code: one for one in assess(app.units, now).found}
    assert "pass_in_future" not in found
    assert found["clock_stepped"].count == back // timedelta(minutes=1)
    assert "clock_stepped" not in assess(app.units, now + timedelta(hours=2)).troubles


def test_what_was_leased_before_the_step_is_sent_and_never_twice(due: Village) -> None:
    app, now = due.app, due.now
    due.sms.fail_when(None)
    run_once(app, now)
    assert due.states() == ["accepted"]
    due.person("母", phone="090-0000-0003")
    due.card("母", END)
    due.app.channels.pop(ChannelName.EMAIL, None)  # type: ignore[attr-defined]
    from reminder.worker.jobs import prepare

    prepare(app, now)
    waiting = due.messages(state="queued")
    with app.database.writing() as tx:
        leases.lease(tx, [one.id for one in waiting], until=now + timedelta(hours=9))
        heartbeats.record_pass(tx, app.keys.ids[0], now + timedelta(hours=9))

    run_once(app, now)

    assert due.states() == ["accepted", "accepted"]
    assert len(due.sms.sent) == 2


@pytest.mark.parametrize(
    ("step", "is_told"),
    [(timedelta(minutes=-8), True), (timedelta(days=3), True), (timedelta(seconds=-20), False)],
    ids=str,
)
def test_the_scheduler_records_a_step_once_and_goes_on(village: Village, step: timedelta, is_told: bool) -> None:
    runs = threading.Semaphore(0)
    job = IntervalJob("one", lambda _: 0.05, lambda _app, _goes_on: runs.release(), failure="it failed")
    app = replace(village.app, clock=SystemClock())

    with WorkerScheduler(app, (job,), watch=Steps(step)):
        for _ in range(3):
            assert runs.acquire(timeout=PATIENCE)

        def is_recorded() -> bool:
            with app.database.reading() as tx:
                return clock_step.lately(tx, app.clock.now()) is not None

        if is_told:
            until(is_recorded, "the step is in the database")
    with app.database.reading() as tx:
        found = clock_step.lately(tx, app.clock.now())
    assert (None if found is None else found[1]) == (step if is_told else None)
