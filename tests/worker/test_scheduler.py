"""The worker scheduler: it starts at once, outlives a run that fails, and finishes what runs when it is stopped."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from reminder.clock import SystemClock
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Accepted, Outgoing
from reminder.domain.model.people import ChannelName
from reminder.errors import DatabaseNotReadyError
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db.session import SCHEMA_LOCK, Database
from reminder.storage.runtime import heartbeats
from reminder.wiring import App
from reminder.worker.scheduler import INTERVAL_JOBS, IntervalJob, WorkerScheduler
from tests.patience import PATIENCE
from tests.program import Program, until
from tests.village import Village

END = date(2027, 3, 31)


class Provider:
    """Takes texts, and calls `meanwhile` while it holds one."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile, self.took, self.taken = meanwhile, threading.Event(), 0

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.taken += 1
        self.took.set()
        self.meanwhile()
        return Accepted(f"sms-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:
        raise AssertionError("nothing is unknown here")

    async def close(self) -> None:
        """Nothing was opened."""


class WrongClock(SystemClock):
    """A machine's clock that is years behind."""

    def now(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def due(village: Village) -> Village:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 09:00")
    return village


def test_the_scheduler_sends_as_soon_as_it_is_started(due: Village) -> None:
    provider = Provider(lambda: None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]

    with WorkerScheduler(due.app):
        assert provider.took.wait(PATIENCE)

    assert due.states() == ["accepted"]


def test_a_mail_server_that_never_answers_delays_no_text_not_even_one_that_is_due_later(due: Village) -> None:
    may_answer = threading.Event()
    mail, texts = Waits(may_answer), Provider(lambda: None)
    due.app.channels[ChannelName.EMAIL] = mail  # type: ignore[index]
    due.app.channels[ChannelName.SMS] = texts  # type: ignore[index]
    due.person("母")
    due.contact("母", ChannelName.EMAIL, "haha@example.jp")
    due.card("母", END)
    often = replace(due.app, settings=due.app.settings.model_copy(update={"pass_seconds": 0.05}))

    with WorkerScheduler(often):
        assert mail.took.wait(PATIENCE)
        assert texts.took.wait(PATIENCE)
        texts.took.clear()
        due.person("祖父", phone="090-0000-0003")
        due.card("祖父", END)
        assert texts.took.wait(PATIENCE), "while the mail is still held"
        may_answer.set()

    assert due.states() == ["accepted"] * 3


class Waits(Provider):
    """Holds each message until it may answer, and keeps nobody else in its loop waiting."""

    def __init__(self, may_answer: threading.Event) -> None:
        super().__init__(lambda: None)
        self.may_answer = may_answer

    async def send(self, outgoing: Outgoing) -> Accepted:
        accepted = await super().send(outgoing)
        await asyncio.to_thread(self.may_answer.wait, PATIENCE)
        return accepted


def test_whoever_stops_the_scheduler_waits_for_the_text_that_is_leaving(due: Village) -> None:
    may_answer = threading.Event()
    provider = Provider(lambda: may_answer.wait(PATIENCE) and None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]
    scheduler = WorkerScheduler(due.app)
    scheduler.__enter__()
    assert provider.took.wait(PATIENCE)

    stopping = threading.Thread(target=scheduler.__exit__, args=(None, None, None))
    stopping.start()
    assert due.states() == ["sending"]
    may_answer.set()
    stopping.join(PATIENCE)

    assert due.states() == ["accepted"]


def test_a_pass_that_fails_is_followed_by_one_that_works(due: Village, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider(lambda: None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]
    often = replace(due.app, settings=due.app.settings.model_copy(update={"pass_seconds": 0.05}))
    rename(due, "heartbeats", "heartbeats_away")

    with WorkerScheduler(often):
        until(lambda: "each job tries again" in caplog.text, "a pass has failed")
        rename(due, "heartbeats_away", "heartbeats")
        until(lambda: has_passed(due) and due.states() == ["accepted"], "a pass has ended well and the text has left")

    assert provider.taken == 1


def test_a_job_is_added_to_the_scheduler_as_one_row_and_runs_beside_the_others(due: Village) -> None:
    provider = Provider(lambda: None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]
    ran, may_end = threading.Event(), threading.Event()

    def run(app: App, goes_on: Callable[[], bool]) -> None:
        assert app is due.app
        ran.set()
        until(lambda: not goes_on() or may_end.is_set(), "it is told to end")

    fifth = IntervalJob("fifth", lambda settings: settings.pass_seconds, run, failure="the fifth failed")

    with WorkerScheduler(due.app, (fifth, *INTERVAL_JOBS)):
        assert ran.wait(PATIENCE)
        assert provider.took.wait(PATIENCE), "a job that goes on keeps none of the others waiting"
        may_end.set()


def test_a_job_that_fails_is_logged_in_its_own_words_and_runs_again(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    def run(_app: App, _goes_on: Callable[[], bool]) -> None:
        runs.append(1)
        raise ValueError

    failing = IntervalJob("failing", lambda _: 0.05, run, failure="counting failed; the next run goes on")

    with WorkerScheduler(village.app, (failing,)):
        until(lambda: len(runs) > 1, "it runs again")

    assert "counting failed; the next run goes on" in caplog.text


@pytest.mark.parametrize(
    ("name", "needs_right_clock", "starts_at_once", "why"),
    [
        ("prepare", True, True, "a wrong clock would plan for another day"),
        *((f"send by {name}", True, True, "a wrong clock would send at night") for name in registered()),
        ("send codes", True, True, "a code is valid for ten minutes of the right clock"),
        ("import", False, True, "a sheet is read at any hour"),
        ("audit", False, False, "before the first pass after an outage it would find a silent worker"),
    ],
)
def test_each_job_says_whether_it_needs_the_right_clock_and_whether_it_starts_at_once(
    name: str, needs_right_clock: bool, starts_at_once: bool, why: str
) -> None:
    [job] = [job for job in INTERVAL_JOBS if job.name == name]

    assert (job.needs_right_clock, job.starts_at_once) == (needs_right_clock, starts_at_once), why


def test_while_the_clocks_are_apart_only_jobs_that_need_no_clock_run(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    app = replace(village.app, clock=WrongClock())
    ran = {True: threading.Event(), False: threading.Event()}

    def job(needs_right_clock: bool) -> IntervalJob:
        def run(_app: App, _goes_on: Callable[[], bool]) -> None:
            ran[needs_right_clock].set()

        return IntervalJob("one", lambda _: 0.05, run, failure="it failed", needs_right_clock=needs_right_clock)

    with WorkerScheduler(app, (job(True), job(False))):
        assert ran[False].wait(PATIENCE)
        until(lambda: "nothing is done here" in caplog.text, "the other was refused")

    assert not ran[True].is_set()


def rename(village: Village, table: str, to: str) -> None:
    with village.app.database.writing() as tx:
        tx.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))


def has_passed(village: Village) -> bool:
    with village.app.database.reading() as tx:
        return heartbeats.last(tx, heartbeats.PASS) is not None


def test_an_old_program_stops_by_itself_once_the_database_is_a_newer_ones(database_url: str, tmp_path: Path) -> None:
    program = Program(tmp_path, REMINDER_DATABASE_URL=database_url, REMINDER_SECRET_KEYS=new_key())
    worker = program.start("worker")
    database = Database(database_url)
    until(lambda: last_pass(database) is not None, "it has passed once")

    with database.writing() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert worker.wait(PATIENCE) == 1
    assert "this program stops; start the new one" in (tmp_path / "server.log").read_text()
    database.close()


def test_a_stop_that_another_thread_takes_ends_the_worker_too(sqlite_url: str, tmp_path: Path) -> None:
    """The kernel may give the signal of a process to any of its threads."""
    program = Program(tmp_path, REMINDER_DATABASE_URL=sqlite_url, REMINDER_SECRET_KEYS=new_key())
    worker = program.start("worker")
    database = Database(sqlite_url)
    until(lambda: last_pass(database) is not None, "it has passed once")
    database.close()

    # One that stays: the scheduler's own is older than those of its jobs.
    other = min(int(task.name) for task in Path(f"/proc/{worker.pid}/task").iterdir() if int(task.name) != worker.pid)
    os.kill(other, signal.SIGTERM)

    assert worker.wait(PATIENCE) == 0


def last_pass(database: Database) -> datetime | None:
    with database.reading() as tx:
        return heartbeats.last(tx, heartbeats.PASS)


def test_whoever_writes_while_the_tables_change_waits_and_then_writes_nothing(village: Village) -> None:
    database = Database(village.app.database.url)
    if database.is_sqlite:
        return  # there the file has one writer anyway
    changed = threading.Event()

    def write() -> str:
        assert changed.wait(PATIENCE)
        try:
            with village.app.database.writing():
                return "written"
        except DatabaseNotReadyError as refused:
            return refused.code

    with ThreadPoolExecutor() as others, database.writing() as tx:
        tx.execute(text(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        writing = others.submit(write)
        changed.set()
        until(lambda: waits_for_lock(database), "the writer waits")
        tx.commit()
        assert writing.result(PATIENCE) == "database_ahead"
    database.close()


def waits_for_lock(database: Database) -> bool:
    with database.reading() as tx:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(tx.execute(text(query)).scalar_one())
