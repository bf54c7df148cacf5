"""APScheduler on seconds that only grow: no step of the machine's clock holds a job up or runs it again and again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from reminder.clock import ClockWatch, SystemClock
from reminder.worker.steady_scheduler import OwnThreads, SteadyScheduler
from tests.patience import PATIENCE


class SetClock(SystemClock):
    """The machine's clock, which is set by `step`."""

    def __init__(self) -> None:
        self.step = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.step


@contextmanager
def running(
    work: Callable[[], None], *, clock: SetClock, next_run_time: datetime, seconds: float = 3600
) -> Iterator[SteadyScheduler]:
    threads = OwnThreads()
    scheduler = SteadyScheduler(threads, watch=ClockWatch(clock))
    scheduler.add_job(work, "interval", seconds=seconds, next_run_time=next_run_time)
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
        threads.wait(PATIENCE)


@pytest.mark.parametrize("back", [timedelta(seconds=10), timedelta(minutes=8), timedelta(hours=9), timedelta(days=1)])
def test_a_job_runs_when_it_should_although_the_clock_was_set_back(back: timedelta) -> None:
    ran, clock = threading.Event(), SetClock()
    # Where the clock is set back, what was due at once lies as far in the future.
    with running(ran.set, clock=clock, next_run_time=clock.now() + back):
        clock.step = -back

        assert ran.wait(PATIENCE)


def test_a_clock_that_is_set_forward_makes_no_storm() -> None:
    runs, ran, clock = [], threading.Event(), SetClock()

    def work() -> None:
        runs.append(1)
        ran.set()

    with running(work, clock=clock, next_run_time=clock.now() + timedelta(hours=1)) as scheduler:
        clock.step = timedelta(days=3)
        (job,) = scheduler.get_jobs()
        scheduler._process_jobs()
        (moved,) = scheduler.get_jobs()

    assert not runs, "the hour until its next run is still an hour"
    assert moved.next_run_time - clock.now() <= timedelta(hours=1)
    assert moved.next_run_time - clock.now() > timedelta(minutes=59)
    assert job.id == moved.id


def test_drift_moves_nothing() -> None:
    clock = SetClock()
    at = clock.now() + timedelta(hours=1)
    with running(lambda: None, clock=clock, next_run_time=at) as scheduler:
        clock.step = timedelta(milliseconds=30)
        scheduler._process_jobs()
        (job,) = scheduler.get_jobs()

    assert job.next_run_time == at


def test_a_job_that_is_still_busy_is_not_started_again() -> None:
    runs, goes_on, clock = [], threading.Event(), SetClock()
    began = threading.Event()

    def work() -> None:
        runs.append(1)
        began.set()
        goes_on.wait(PATIENCE)

    with running(work, clock=clock, next_run_time=clock.now(), seconds=0.01) as scheduler:
        assert began.wait(PATIENCE)
        for _ in range(3):
            scheduler._process_jobs()
        assert len(runs) == 1
        goes_on.set()


def test_what_hangs_is_named_and_keeps_nobody_waiting() -> None:
    began, goes_on, clock = threading.Event(), threading.Event(), SetClock()

    def hang() -> None:
        began.set()
        goes_on.wait(PATIENCE)

    threads = OwnThreads()
    scheduler = SteadyScheduler(threads, watch=ClockWatch(clock))
    scheduler.add_job(hang, "interval", seconds=3600, next_run_time=clock.now(), name="send by email")
    scheduler.start()
    assert began.wait(PATIENCE)
    scheduler.shutdown(wait=False)

    assert threads.wait(0) == ["job send by email"]

    goes_on.set()
    assert threads.wait(PATIENCE) == []


def test_a_job_that_raises_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    runs, twice, clock = [], threading.Event(), SetClock()

    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("once")
        twice.set()

    with running(work, clock=clock, next_run_time=clock.now(), seconds=0.01):
        assert twice.wait(PATIENCE)

    assert "once" in caplog.text
