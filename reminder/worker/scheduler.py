"""The worker scheduler: APScheduler runs the jobs of INTERVAL_JOBS until the process is stopped.

However the machine's clock is set, the next run comes when it should.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import FrameType
from typing import Self

from reminder import garbage
from reminder.clock import ClockWatch, SystemClock
from reminder.domain.model.channels import ChannelName, registered
from reminder.errors import DatabaseNotReadyError
from reminder.settings import Settings
from reminder.storage.maintenance.audit import database_clock
from reminder.upkeep import clock_step
from reminder.wiring import App
from reminder.worker.fetching import fetch_due
from reminder.worker.jobs import audit_once, prepare, send, try_mail_server, work_on_imports

log = logging.getLogger(__name__)

# How often due messages are looked for, in seconds: the query takes a tenth of a millisecond.
SEND_SECONDS = 1.0
# Somebody sits before a page and waits for a code.
CODE_SECONDS = 0.5
IMPORT_SECONDS = 1.0
AUDIT_SECONDS = 60.0
FETCH_SECONDS = 15.0
# Less than the time that is left of a lease between two renewals.
MOST_APART = timedelta(minutes=2)
# Less is drift, or a machine that was busy.
LEAST_STEP = timedelta(seconds=5)
# How many seconds running jobs have to end; hand-overs take up to twelve of them. What holds a thread for longer ends
# with the process. With the requests before and the connections after it, the process ends within 25 seconds.
STOPS_WITHIN = 17.0

# How often, in seconds, the main thread looks whether it was told to stop.
WAKES_EVERY = 1.0

# False once a job is to end: what it has not done, its next run does.
GoesOn = Callable[[], bool]


@dataclass(frozen=True)
class IntervalJob:
    """What the scheduler runs again and again, in a thread of its own.

    `seconds`: how many lie between two runs. `run` ends early once the function it is given returns False. `failure`:
    what the log says of a run that failed; the next one comes all the same. `needs_right_clock`: it does nothing while
    this machine's clock and the database's are apart. `starts_at_once`: the first run does not wait for `seconds`.
    """

    name: str
    seconds: Callable[[Settings], float]
    run: Callable[[App, GoesOn], None]
    failure: str
    needs_right_clock: bool = False
    starts_at_once: bool = True


def _prepare(app: App, goes_on: GoesOn) -> None:
    report = prepare(replace(app, goes_on=goes_on), app.clock.now())
    if report.total:
        log.info("pass: %s", report)


def _sending(channel: ChannelName) -> IntervalJob:
    """Return the job that sends what is due by one channel: a slow or silent provider delays no other channel."""

    def run(app: App, goes_on: GoesOn) -> None:
        accepted = send(app, goes_on, [channel], codes=False)
        if accepted:
            log.info("sent by %s: %s", channel, accepted)

    return IntervalJob(
        f"send by {channel}",
        lambda _: SEND_SECONDS,
        run,
        failure=f"sending by {channel} failed; the next run goes on",
        needs_right_clock=True,
    )


def _send_codes(app: App, goes_on: GoesOn) -> None:
    send(app, goes_on, codes=True)


def _try_mail(app: App, _goes_on: GoesOn) -> None:
    try_mail_server(app)


def _import(app: App, goes_on: GoesOn) -> None:
    work_on_imports(app, goes_on)


def _fetch(app: App, _goes_on: GoesOn) -> None:
    fetch_due(app)


def _audit(app: App, _goes_on: GoesOn) -> None:
    troubles = audit_once(app)
    if troubles:
        log.error("the audit has found: %s; `reminder health` says what to do", ", ".join(troubles))


INTERVAL_JOBS = (
    IntervalJob(
        "prepare",
        lambda settings: settings.pass_seconds,
        _prepare,
        failure="this pass failed; the next one tries again",
        needs_right_clock=True,
    ),
    # Beside the passes, so that a slow provider delays neither answers nor plans.
    *map(_sending, registered()),
    # Beside them, so that login codes wait for no other mail.
    IntervalJob(
        "send codes",
        lambda _: CODE_SECONDS,
        _send_codes,
        failure="sending codes failed; the next run goes on",
        needs_right_clock=True,
    ),
    # Beside them, so that a mail server that does not answer delays no code that may leave.
    IntervalJob(
        "try mail",
        lambda _: CODE_SECONDS,
        _try_mail,
        failure="the mail server could not be tried; the next run tries it",
    ),
    # Beside them, so that a long sheet delays no text.
    IntervalJob(
        "import",
        lambda _: IMPORT_SECONDS,
        _import,
        failure="a sheet could not be worked on; the next run goes on with it",
    ),
    # What providers have said while we, or the way to us, were away.
    IntervalJob(
        "fetch",
        lambda _: FETCH_SECONDS,
        _fetch,
        failure="the lists of providers could not be read; the next run reads them",
        needs_right_clock=True,
    ),
    # Not at once: before the first pass every audit after an outage would report a silent worker.
    IntervalJob(
        "audit",
        lambda _: AUDIT_SECONDS,
        _audit,
        failure="this audit failed, and no heartbeat was sent; the next one tries again",
        starts_at_once=False,
    ),
)


_WHY_STOPPED = {"database_ahead": "of a newer version", "database_moved": "closed, its data are elsewhere"}


class WorkerScheduler:
    """Runs every job at its interval, in a thread of its own, until it is stopped.

    On a stop, running jobs are finished and messages that have not left are released. `outgrown`: why this scheduler
    has stopped by itself: the database belongs to a newer program, or its data are elsewhere now. `watch` notices that
    the clock was set.
    """

    def __init__(
        self, app: App, jobs: Sequence[IntervalJob] = INTERVAL_JOBS, *, watch: ClockWatch | None = None
    ) -> None:
        from reminder.worker.steady_scheduler import OwnThreads, SteadyScheduler

        self._app = app
        self._stopping = threading.Event()
        self.outgrown: DatabaseNotReadyError | None = None
        self._watch = watch or (ClockWatch(app.clock) if app.keeps_time else None)
        self._stepped = timedelta(0)
        self._step_lock = threading.Lock()
        self._threads = OwnThreads()
        self._scheduler = SteadyScheduler(self._threads)
        # APScheduler would tell of every run, and warn at each that finds the one before still busy, which is intended.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        at_once = SystemClock().now()
        for job in jobs:
            first = {"next_run_time": at_once} if job.starts_at_once else {}
            seconds = job.seconds(app.settings)
            self._scheduler.add_job(self._run, "interval", args=(job,), name=job.name, seconds=seconds, **first)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _is_clock_wrong(self) -> bool:
        """Return whether this machine's clock is too far from the database's.

        A wrong clock would make it send at night, and take for lost what another worker has leased.
        """
        with self._app.database.reading() as tx:
            apart = abs(database_clock(tx) - self._app.clock.now())
        is_out = self._app.keeps_time and apart > MOST_APART
        if is_out:
            log.error("this machine's clock and the database's are %s apart: nothing is done here", apart)
        return is_out

    def _look_at_clock(self) -> None:
        """Record that the clock was set, once, and mend what it has put into the future."""
        # Another job looks at it: a database that is slow to write the step must not hold up all of them.
        if self._watch is None or not self._step_lock.acquire(blocking=False):
            return
        try:
            step = self._watch.step()
            if abs(step) >= LEAST_STEP:
                log.error("this machine's clock was set by %s", step)
                self._stepped += step
            if self._stepped:
                # A failure is raised, and the step is recorded with the next run.
                clock_step.note(self._app.units, self._app.clock.now(), self._stepped)
                self._stepped = timedelta(0)
        finally:
            self._step_lock.release()

    def _run(self, job: IntervalJob) -> None:
        """Run a job once and log its failure: a database that restarts must not stop the scheduler.

        /readyz shows how long ago the last pass ended well.
        """
        if self._stopping.is_set():
            return
        try:
            self._look_at_clock()
            if not (job.needs_right_clock and self._is_clock_wrong()):
                job.run(self._app, self._goes_on)
        except DatabaseNotReadyError as not_ready:
            if not_ready.is_final:
                self._stop_by_itself(not_ready)
            else:
                # One line for all jobs: they fail for one cause.
                log.warning("the database cannot be used (%s); each job tries again", not_ready)
        except Exception:
            log.exception(job.failure)

    def _stop_by_itself(self, reason: DatabaseNotReadyError) -> None:
        """Stop the process: a newer program has upgraded the database, or its data are elsewhere now."""
        if not self._stopping.is_set():
            log.error("the database is %s: this program stops; start the new one", _WHY_STOPPED[reason.code])
            self.outgrown = reason
            self._stopping.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def __enter__(self) -> Self:
        self._scheduler.start()
        log.info("worker started: a pass every %s s", self._app.settings.pass_seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        if held := self._threads.wait(STOPS_WITHIN):
            log.error("worker stopped, although these have not ended: %s", ", ".join(held))
        else:
            log.info("worker stopped; nothing is leased")


def run_until_stopped(app: App) -> None:
    """Run the worker until SIGTERM or SIGINT.

    Raises DatabaseNotReadyError, code database_ahead or database_moved, if it stopped by itself.
    """
    garbage.collect_less_often()
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with WorkerScheduler(app) as scheduler:
        # A signal that another thread takes, or that comes just before the wait, does not wake this thread.
        while not stopped.wait(WAKES_EVERY):
            pass
    if scheduler.outgrown is not None:
        raise scheduler.outgrown
