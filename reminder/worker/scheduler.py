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

# How often somebody looks whether a message is due: a look costs a tenth of a millisecond.
SEND_SECONDS = 1.0
WATCH_SECONDS = 60.0
# Of every 700 new objects some would be looked through for garbage, while thousands of messages are on their way that
# are none: a seventh of the time it takes to send them.
GARBAGE_AFTER = 10_000
# Less than what is left of a lease between two renewals.
MOST_APART = timedelta(minutes=2)


class WorkerScheduler:
    """Rings every few seconds in threads of its own until it is stopped; what runs then is finished, and what has not
    left yet is given back. `outgrown`: the database is of a newer program, so this one has stopped by itself."""

    def __init__(self, app: App) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        self._app = app
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(4)},
            # Jobs live in the database, not here: a missed ring is made up for by the next one, and none is ever lost.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        # It would warn at every ring that finds the one before still at work, which is how it is meant to be.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._stopping = threading.Event()
        self.outgrown = False
        # The bell itself keeps the machine's time, even in a rehearsal of another day.
        at_once = SystemClock().now()
        for ring, seconds in ((self._prepare, app.settings.pass_seconds), (self._send, SEND_SECONDS), (self._enrol, 1)):
            self._scheduler.add_job(ring, "interval", seconds=seconds, next_run_time=at_once)
        # Not at once: before the first pass every audit after an outage would find a silent worker.
        self._scheduler.add_job(self._watch, "interval", seconds=WATCH_SECONDS)

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _prepare(self) -> None:
        def pass_once() -> None:
            if self._is_out_of_time():
                return
            report = prepare(self._app, self._app.clock.now())
            if report != PassReport():
                log.info("pass: %s", report)

        self._try(pass_once, "this pass failed; the next one tries again")

    def _send(self) -> None:
        """Beside the passes: a slow provider keeps no answer and no plan waiting."""

        def send_once() -> None:
            if self._is_out_of_time():
                return
            sent = send(self._app, self._goes_on)
            if sent:
                log.info("sent: %s", sent)

        self._try(send_once, "sending failed; the next ring goes on")

    def _enrol(self) -> None:
        """Beside both: a long sheet keeps no text waiting."""
        self._try(
            lambda: work_on_imports(self._app, self._goes_on),
            "a sheet could not be worked on; the next ring goes on with it",
        )

    def _watch(self) -> None:
        def watch_once() -> None:
            troubles = audit_once(self._app)
            if troubles:
                log.error("the audit has found: %s; `reminder health` says what to do", ", ".join(troubles))

        self._try(watch_once, "this audit failed, and no heartbeat was sent; the next one tries again")

    def _is_out_of_time(self) -> bool:
        """A machine whose clock has gone astray would write at night, and take for lost what another has in hand."""
        with self._app.database.reading() as tx:
            apart = abs(database_clock(tx) - self._app.clock.now())
        is_out = self._app.keeps_time and apart > MOST_APART
        if is_out:
            log.error("this machine's clock and the database's are %s apart: nothing is done here", apart)
        return is_out

    def _try(self, work: Callable[[], object], otherwise: str) -> None:
        """A database that restarts must not silence the bell; /readyz shows how long no pass has ended well."""
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
        """Somebody has brought the database up to a newer program, beside which this one must not write."""
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
        log.info("worker stopped; nothing is in hand")


def collect_garbage_less_often() -> None:
    """For the whole process: only who runs one may ask for it."""
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


def run_until_stopped(app: App) -> None:
    """Until SIGTERM or SIGINT. Raises DatabaseNotReadyError, code database_ahead, where it stopped by itself."""
    collect_garbage_less_often()
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with WorkerScheduler(app) as bell:
        stopped.wait()
    if bell.outgrown:
        raise DatabaseNotReadyError("database_ahead")
