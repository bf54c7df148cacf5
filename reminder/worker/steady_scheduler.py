"""APScheduler on seconds that only grow, extended as its manual describes (custom schedulers and executors).

APScheduler keeps the next run of a job as an instant of the machine's clock. Where the clock is set back by an hour,
nothing would run for an hour. Here the next runs move with the clock: the seconds until each stay what they are.
"""

import sys
import threading
from datetime import timedelta

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler

from reminder.clock import ClockWatch, SystemClock, monotonic

# How often, in seconds, it looks whether the clock was set: at the most as long does a step delay anything.
LOOKS_EVERY = 1.0
# A smaller step is drift, which changes no interval that matters.
LEAST_STEP = timedelta(milliseconds=100)


class OwnThreads(BaseExecutor):
    """Runs each job in a thread of its own, which ends with the process.

    The threads of APScheduler's pools are waited for when a process ends, also those that a provider holds.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._running: set[threading.Thread] = set()

    def _do_submit_job(self, job: Job, run_times: list[object]) -> None:
        thread = threading.Thread(target=self._work, args=(job, run_times), name=f"job {job.name}", daemon=True)
        self._running.add(thread)
        thread.start()

    def _work(self, job: Job, run_times: list[object]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except BaseException as failure:  # noqa: BLE001  # APScheduler counts the job as running until it hears of it
            self._run_job_error(job.id, failure, sys.exc_info()[2])
        else:
            self._run_job_success(job.id, events)
        finally:
            self._running.discard(threading.current_thread())

    def wait(self, seconds: float) -> list[str]:
        """Wait so long for what runs; return the names of the threads that have not ended."""
        until = monotonic() + seconds
        for thread in list(self._running):
            thread.join(max(0.0, until - monotonic()))
        return sorted(thread.name for thread in list(self._running) if thread.is_alive())


class SteadyScheduler(BackgroundScheduler):
    """APScheduler's background scheduler, whose jobs keep their intervals however the machine's clock is set.

    `watch`: notices that the clock was set.
    """

    def __init__(self, executor: OwnThreads, *, watch: ClockWatch | None = None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            executors={"default": executor},
            # The work to do is in the database, not here: the next run makes up for a missed one.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        # The jobs are timed by the machine's clock even if the program is run with another date.
        self._watch = watch or ClockWatch(SystemClock())

    def _process_jobs(self) -> float:
        """Start the jobs that are due; return in how many seconds to look again."""
        step = self._watch.step()
        if abs(step) >= LEAST_STEP:
            for job in self.get_jobs():
                job.modify(next_run_time=job.next_run_time + step)
        waits: float | None = super()._process_jobs()  # type: ignore[no-untyped-call]
        return LOOKS_EVERY if waits is None else min(waits, LOOKS_EVERY)
