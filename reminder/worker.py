"""The worker: one pass over all that is due, and the bell that rings for it."""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from types import FrameType
from typing import Self

from reminder.channels.heartbeat import Heartbeat
from reminder.clock import SystemClock, japan_date
from reminder.conversation.inbox import act_on_replies
from reminder.delivery import receipts, rescue
from reminder.delivery.send import Sender
from reminder.domain import hours
from reminder.domain.rules.digest_week import digest_is_due
from reminder.enrolment.imports.service import process_next_batch
from reminder.errors import DatabaseNotReadyError
from reminder.planning.digest import make_digests
from reminder.planning.due import plan_due
from reminder.planning.escalate import climb
from reminder.planning.notices import tell_of_failures, tell_of_notices
from reminder.storage import health
from reminder.storage.audit import database_clock
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.health import Work
from reminder.storage.links import Links
from reminder.storage.session import Tx
from reminder.upkeep.forget import forget_old
from reminder.upkeep.reach import first_moment_of_week, keep_in_touch
from reminder.upkeep.sender import look_at_sender
from reminder.upkeep.watch import keep_watch
from reminder.wiring import App

log = logging.getLogger(__name__)

# How often somebody looks whether a message is due: a look costs a tenth of a millisecond.
SEND_SECONDS = 1.0
WATCH_SECONDS = 60.0
# Of every 700 new objects some would be looked through for garbage, while thousands of messages are on their way that
# are none: a seventh of the time it takes to send them.
GARBAGE_AFTER = 10_000
# Less than what is left of a lease between two renewals.
MOST_APART = timedelta(minutes=2)


@dataclass(frozen=True)
class TickReport:
    """How much each step of one pass did."""

    receipts: int = 0
    asked: int = 0
    answered: int = 0
    planned: int = 0
    escalated: int = 0
    greeted: int = 0  # to see whether they can still be reached
    told: int = 0  # notices to those around a person
    sent: int = 0
    forgotten: int = 0  # words and rows that have had their time
    digests: int = 0  # to the staff of homes, once a week


def tick(app: App, now: datetime) -> TickReport:
    """One pass at one instant. Cheap when nothing is due; what it leaves undone the next one does.

    A step that fails keeps none of the others from their work; at the end its error is raised, and the pass leaves no
    sign of life, so that /readyz shows what the log says.
    """
    report, failed = _prepare(app, now)
    try:
        report = replace(report, sent=sender(app).send_due(app.loop.run))
    except Exception as error:
        log.exception("sending failed")
        failed.append(error)
    if failed:
        raise failed[0]
    _show_life(app, now)
    return report


def prepare(app: App, now: datetime) -> TickReport:
    """A pass without its sending, which goes on beside it: a slow provider keeps nobody's answer waiting."""
    report, failed = _prepare(app, now)
    if failed:
        raise failed[0]
    _show_life(app, now)
    return report


def send(app: App, goes_on: Callable[[], bool]) -> int:
    """What is due; how many were handed over or tried."""
    return sender(app, goes_on).send_due(app.loop.run)


def _show_life(app: App, now: datetime) -> None:
    with app.database.writing() as tx:
        health.passed(tx, app.keys.ids[0], now)


def _prepare(app: App, now: datetime) -> tuple[TickReport, list[Exception]]:
    """Everything but sending; and what failed."""
    with app.database.reading() as tx:
        work = work_waiting(tx, now)
    failed: list[Exception] = []

    def step(is_due: object, work_off: Callable[[], int]) -> int:
        if not is_due:
            return 0
        try:
            return work_off()
        except Exception as error:
            log.exception("a step of this pass failed; the others go on")
            failed.append(error)
            return 0

    applied = step(work.receipts, lambda: receipts.apply_waiting(app.database, now))
    asked = step(
        work.unknown,
        lambda: rescue.settle_unknown(app.database, app.keys, app.clock, app.channels, app.loop.run),
    )
    is_week_s_look = work.reach and app.settings.can_look_after_reach
    if is_week_s_look:
        with app.database.writing() as tx:
            health.beat(tx, health.REACH, now)
    links = links_of(app)

    def in_one_unit(act: Callable[[UnitOfWork], int]) -> Callable[[], int]:
        def work_off() -> int:
            with app.units.writing(now) as uow:
                return act(uow)

        return work_off

    answered = step(work.replies, lambda: act_on_replies(app.units, now))
    planned = step(work.cards or applied or asked or answered, lambda: plan_due(app.units, now, links))
    escalated = step(work.silences, in_one_unit(lambda uow: climb(uow, links)))
    sender_now = app.settings.twilio_from or app.settings.twilio_messaging_service_sid
    if is_week_s_look and sender_now:
        step(True, in_one_unit(lambda uow: look_at_sender(uow, sender_now)))
    can_prove = is_week_s_look and app.settings.public_url is not None
    greeted = step(can_prove, in_one_unit(lambda uow: keep_in_touch(uow, links)))
    told = step(work.failures or applied, in_one_unit(tell_of_failures))
    told += step(work.notices or applied or answered or is_week_s_look, in_one_unit(tell_of_notices))
    digests = step(work.digest and digest_is_due(now), lambda: make_digests(app.units, now, links))
    forgotten = step(work.forget, lambda: forget_old(app.database, now, app.settings.keep_messages_days))
    done = TickReport(applied, asked, answered, planned, escalated, greeted, told, 0, forgotten, digests)
    return done, failed


def work_waiting(tx: Tx, now: datetime) -> Work:
    today = japan_date(now)
    day, week = hours.instant(today, time(0)), first_moment_of_week(today)
    return health.work_waiting(tx, now, today, day=day, week=week)


def links_of(app: App) -> Links:
    return Links(app.keys, app.settings.public_url, app.settings.links_in_carer_mail)


def sender(app: App, goes_on: Callable[[], bool] = lambda: True) -> Sender:
    return Sender(
        app.database,
        app.keys,
        app.clock,
        app.channels,
        per_second=app.settings.sms_per_second if app.settings.has_twilio else None,
        stop_url=links_of(app).stop,
        goes_on=goes_on,
    )


def work_on_sheets(app: App, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Checks and saves what homes have sent in, a batch of rows at a time; how many batches."""
    batches = 0
    while goes_on() and process_next_batch(app.units, app.clock.now()):
        batches += 1
    return batches


def watch(app: App) -> tuple[str, ...]:
    """The auditor's round; the codes of what it has found, none where it was another worker's turn."""
    heartbeat = Heartbeat(app.settings.heartbeat_url, app.settings.heartbeat_fail_url)
    found = keep_watch(app.units, app.clock.now(), heartbeat, keeps_time=app.keeps_time)
    return found.troubles if found else ()


class Bell:
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
        for ring, seconds in ((self._prepare, app.settings.tick_seconds), (self._send, SEND_SECONDS), (self._enrol, 1)):
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
            if report != TickReport():
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
            lambda: work_on_sheets(self._app, self._goes_on),
            "a sheet could not be worked on; the next ring goes on with it",
        )

    def _watch(self) -> None:
        def watch_once() -> None:
            troubles = watch(self._app)
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
        log.info("worker started: a pass every %s s", self._app.settings.tick_seconds)
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
    with Bell(app) as bell:
        stopped.wait()
    if bell.outgrown:
        raise DatabaseNotReadyError("database_ahead")
