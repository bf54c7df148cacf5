"""The worker scheduler: APScheduler runs the jobs until the process is stopped."""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Self

from reminder.clock import SystemClock
from reminder.errors import DatabaseNotReadyError
from reminder.storage.maintenance.audit import database_clock
from reminder.wiring import App
from reminder.worker.jobs import PassReport, audit_once, prepare, send, work_on_imports

log = logging.getLogger(__name__)

# How often due messages are looked for, in seconds: the query takes a tenth of a millisecond.
SEND_SECONDS = 1.0
WATCH_SECONDS = 60.0
# By default garbage is collected after every 700 new objects, although the thousands of messages being sent are none:
# that costs a seventh of the sending time.
GARBAGE_AFTER = 10_000
# Less than the time that is left of a lease between two renewals.
MOST_APART = timedelta(minutes=2)


class WorkerScheduler:
    """Runs the jobs every few seconds in threads of its own until it is stopped.

    On a stop, running jobs are finished and messages that have not left are released. `outgrown`: the database belongs
    to a newer program, so this scheduler has stopped by itself.
    """

    def __init__(self, app: App) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        self._app = app
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(4)},
            # The work to do is in the database, not here: the next run makes up for a missed one, and none is ever
            # lost.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        # APScheduler would warn at every run that finds the one before still busy, which is intended.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._stopping = threading.Event()
        self.outgrown = False
        # The scheduler uses the machine's clock even if the program is run with another date.
        at_once = SystemClock().now()
        for job, seconds in ((self._prepare, app.settings.pass_seconds), (self._send, SEND_SECONDS), (self._import, 1)):
            self._scheduler.add_job(job, "interval", seconds=seconds, next_run_time=at_once)
        # Not at once: before the first pass every audit after an outage would report a silent worker.
        self._scheduler.add_job(self._watch, "interval", seconds=WATCH_SECONDS)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _prepare(self) -> None:
        def pass_once() -> None:
            if self._is_clock_wrong():
                return
            report = prepare(self._app, self._app.clock.now())
            if report != PassReport():
                log.info("pass: %s", report)

        self._try(pass_once, "this pass failed; the next one tries again")

    def _send(self) -> None:
        """Send beside the passes, so that a slow provider delays neither answers nor plans."""

        def send_once() -> None:
            if self._is_clock_wrong():
                return
            sent = send(self._app, self._goes_on)
            if sent:
                log.info("sent: %s", sent)

        self._try(send_once, "sending failed; the next run goes on")

    def _import(self) -> None:
        """Work on imports beside both, so that a long sheet delays no text."""
        self._try(
            lambda: work_on_imports(self._app, self._goes_on),
            "a sheet could not be worked on; the next run goes on with it",
        )

    def _watch(self) -> None:
        def watch_once() -> None:
            troubles = audit_once(self._app)
            if troubles:
                log.error("the audit has found: %s; `reminder health` says what to do", ", ".join(troubles))

        self._try(watch_once, "this audit failed, and no heartbeat was sent; the next one tries again")

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

    def _try(self, work: Callable[[], object], otherwise: str) -> None:
        """Run the work and log its failure: a database that restarts must not stop the scheduler.

        /readyz shows how long ago the last pass ended well.
        """
        if self._stopping.is_set():
            return
        try:
            work()
        except DatabaseNotReadyError as not_ready:
            if not_ready.code == "database_ahead":
                self._stop_by_itself()
            else:
                log.warning("%s (%s)", otherwise, not_ready)
        except Exception:
            log.exception(otherwise)

    def _stop_by_itself(self) -> None:
        """Stop the process: the database was upgraded by a newer program, beside which this one must not write."""
        if not self._stopping.is_set():
            log.error("the database is of a newer version: this program stops; start the new one")
            self.outgrown = True
            self._stopping.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def __enter__(self) -> Self:
        self._scheduler.start()
        log.info("worker started: a pass every %s s", self._app.settings.pass_seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        log.info("worker stopped; nothing is leased")


def collect_garbage_less_often() -> None:
    """Set the threshold for the whole process; only the function that runs a process may call this."""
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


def run_until_stopped(app: App) -> None:
    """Run the worker until SIGTERM or SIGINT.

    Raises DatabaseNotReadyError, code database_ahead, if it stopped by itself.
    """
    collect_garbage_less_often()
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with WorkerScheduler(app) as scheduler:
        stopped.wait()
    if scheduler.outgrown:
        raise DatabaseNotReadyError("database_ahead")
