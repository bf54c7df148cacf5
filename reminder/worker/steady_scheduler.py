"""APScheduler with times that a change of the machine's clock does not move, and threads that hold up no end.

APScheduler waits until an instant of the machine's clock. Where that clock is set back, it would wait as long again;
where it is set forward, every run between would be due at once.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler

from reminder.clock import ClockWatch, SystemClock, monotonic

# It looks at the clock this often, in seconds, however far away the next run is.
LOOKS_EVERY = 1.0
# Less is drift, which the next interval makes up for.
LEAST_STEP = timedelta(seconds=1)


class SteadyScheduler(BackgroundScheduler):
    """A scheduler whose jobs keep their distance in time when the machine's clock is set.

    `watch` compares that clock with seconds that only grow. When it has been set, each job's next run is set by as
    much, so that none waits longer, none is run twice, and those of hours that never were are not made up for.
    """

    def __init__(self, *, watch: ClockWatch | None = None, **options: object) -> None:
        self._watch = watch or ClockWatch(SystemClock())
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _process_jobs(self) -> float:
        step = self._watch.step()
        if abs(step) >= LEAST_STEP:
            self._move(step)
        wait: float | None = super()._process_jobs()  # type: ignore[no-untyped-call]
        return LOOKS_EVERY if wait is None else min(wait, LOOKS_EVERY)

    def _move(self, step: timedelta) -> None:
        for job in self.get_jobs():
            if job.next_run_time is not None:
                self.modify_job(job.id, next_run_time=job.next_run_time + step)


class DaemonThreads(BaseExecutor):
    """Runs each job in a thread of its own, which does not keep the process from ending.

    A thread that waits for a database or a provider must not hold up an end for longer than a supervisor waits.
    """

    def __init__(self, ends_within: Callable[[], float]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ends_within = ends_within
        self._threads: set[threading.Thread] = set()

    @property
    def running(self) -> Sequence[str]:
        """Return the names of the jobs that run."""
        return sorted(thread.name for thread in list(self._threads) if thread.is_alive())

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        thread = threading.Thread(target=self._run, args=(job, run_times), name=job.name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except BaseException:  # noqa: BLE001
            self._run_job_error(job.id, *sys.exc_info()[1:])
        else:
            self._run_job_success(job.id, events)
        finally:
            self._threads.discard(threading.current_thread())

    def shutdown(self, wait: bool = True) -> None:
        """Wait for the jobs that run, but no longer than they have to end."""
        stop_by = monotonic() + self._ends_within()
        for thread in list(self._threads) if wait else ():
            thread.join(max(0.0, stop_by - monotonic()))
