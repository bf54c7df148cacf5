"""Our own processes: a worker and a web server, each with the real App on the simulated loop, clock and network.

Threads give way to each other around transactions and calls of providers. There a process may be killed too.
"""

import logging
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from unittest import mock

from sqlalchemy import event

from reminder import wiring
from reminder.clock import ClockWatch
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.row_security import NOBODY, Access
from reminder.storage.db.session import Database, reachable
from reminder.wiring import App, build_app
from reminder.worker import scheduler
from reminder.worker.scheduler import IntervalJob, WorkerScheduler
from tests.simulation.loop import OWNER, SimLoop

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
# The job that a thread of the worker does.
JOB: ContextVar[str] = ContextVar("job", default="")
log = logging.getLogger("reminder.simulated")


class InjectedError(Exception):
    """A fault of a job or of a statement that the simulation has made."""


class MachineClock:
    """The clock of one machine. `offset`: how far it is ahead of the true time."""

    def __init__(self, loop: SimLoop, began: datetime) -> None:
        self._loop, self._began = loop, began
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return what this machine takes for the present instant, aware UTC."""
        return (self._began + timedelta(seconds=self._loop.time()) + self.offset).astimezone(UTC)


class WatchedDatabase(Database):
    """The database of one process: others may run before each transaction and after it, and the watcher looks."""

    def __init__(self, process: "Machine", url: str) -> None:
        super().__init__(url, durable=False)
        self._process = process
        self.depth = 0
        if self.is_sqlite:
            # Nobody else is there whom it would be worth to wait for.
            event.listen(self.engine, "connect", lambda connection, _: self._prepare(connection))

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 0").close()

    @contextmanager
    def writing(self, access: Access = NOBODY) -> Iterator[Any]:
        """Yield a session, as Database does."""
        if self.depth:
            self._process.world.watcher.wrong("nested", f"{self._process.name} opens a writing unit inside another")
        with self._entered("write"), super().writing(access) as tx:
            yield tx
        self._process.world.committed(self._process)
        self._process.pass_through("committed")

    @contextmanager
    def reading(self, access: Access = NOBODY) -> Iterator[Any]:
        """Yield a session, as Database does."""
        with self._entered("read"), super().reading(access) as tx:
            yield tx

    @contextmanager
    def _entered(self, why: str) -> Iterator[None]:
        if not self.depth:
            self._process.pass_through(why)
            if JOB.get() and self._process.world.weather.now("statements")[0] == "raise":
                raise InjectedError(why)
        with reachable():
            self._process.storage.refuse(self._process.name, why)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


class ThreadsLoop:
    """What an App calls providers by: the caller's thread waits, and others run meanwhile."""

    def __init__(self, process: "Machine", database: WatchedDatabase) -> None:
        self._process, self._database = process, database

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine and return its result."""
        if self._database.depth:
            self._process.world.watcher.wrong("provider in transaction", self._process.name)
        return self._process.world.loop.wait_for(work)

    def close(self) -> None:
        """Nothing is to be closed."""


class Machine:
    """A process on a machine. It is killed by being left alone for ever."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.storage = world.storage
        self.clock = MachineClock(world.loop, world.began)
        self.is_alive = False
        self.app: App
        self.dies_after: int | None = None  # so many commits more
        self._left: list[Any] = []

    def start(self) -> Self:
        """Start a new process of the same kind on the same machine; the one before must be dead."""
        started = type(self)(self.world, self.name)
        started.clock = self.clock
        started.is_alive = True
        started.begin()
        return started

    def begin(self) -> None:
        """Begin to work."""
        raise NotImplementedError

    def build(self, *, for_web: bool = False) -> App:
        """Return the real App, with the real clients."""
        made: list[WatchedDatabase] = []

        def database(url: str, **_: Any) -> WatchedDatabase:
            made.append(WatchedDatabase(self, url))
            return made[0]

        with mock.patch("reminder.storage.db.session.Database", database):
            app = build_app(self.world.settings_of(self.storage), clock=self.clock, for_web=for_web)
        app.loop.close()
        return replace(app, loop=ThreadsLoop(self, made[0]))  # type: ignore[arg-type]

    def in_thread(self, work: Callable[[], T], *, after: float = 0.0) -> None:
        """Run something in a thread of this process."""

        def begin() -> None:
            self.world.loop.run_in_executor(None, self._guarded, work)

        token = OWNER.set(self)
        try:
            self.world.loop.call_later(after, begin)
        finally:
            OWNER.reset(token)

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except DatabaseNotReadyError as not_ready:
            self.world.note(f"{self.name}: {not_ready.code}")
        except Exception:
            log.exception("%s: a thread failed", self.name)

    def pass_through(self, why: str) -> None:
        """Let others run, and die if it is time to."""
        if not self.world.loop.is_in_thread:
            return
        if not self.is_alive:
            self.world.loop.stay_for_ever()
        if why == "committed" and self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.world.note(f"{self.name} dies behind a commit")
                self.kill()
                self.world.loop.stay_for_ever()
        self.world.loop.wait(self.world.draw("transactions wait", 0.0, 0.02))

    def kill(self) -> None:
        """Kill the process: nothing of it runs any more, and its connections close."""
        if self.is_alive:
            self.is_alive = False
            self.world.network.cut_lines_of(self)
            self.world.is_dead(self)


class Worker(Machine):
    """`reminder worker`: every job of the scheduler, each in a thread of its own."""

    scheduler: "_Scheduler"

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end, or ends by itself."""
        return hasattr(self, "scheduler") and not self.scheduler._goes_on()

    def stop(self) -> None:
        """Tell it to end: it has 25 seconds."""
        if hasattr(self, "scheduler"):
            self.scheduler._stopping.set()
        self.world.later(25.0, self.kill)

    def begin(self) -> None:
        """Start the jobs, once the App is built."""
        self.in_thread(self._live)

    def _live(self) -> None:
        try:
            self.app = self.build()
        except DatabaseNotReadyError as not_ready:
            self.world.note(f"{self.name} does not start: {not_ready.code}")
            self.kill()
            return
        if self.world.references is None:
            self.world.settle(self.app)
        self.scheduler = _Scheduler(self)
        for job in scheduler.INTERVAL_JOBS:
            if job.name not in self.world.jobs_left_out:
                self.in_thread(lambda job=job: self._repeat(job), after=self.world.draw("jobs begin", 0, 1))

    def _repeat(self, job: IntervalJob) -> None:
        JOB.set(job.name)
        while not self.is_stopping:
            self._run(job)
            self.world.wait_for_work(self, job.name)

    def _run(self, job: IntervalJob) -> None:
        """Run a job as the scheduler does, if nothing is wrong with the scheduler."""
        kind, *how = self.world.weather.now("jobs", job.name)
        if kind == "late":
            self.world.loop.wait(float(how[0]))
        run = job.run if kind != "raise" else _raise
        self.scheduler._run(replace(job, run=run))


def _raise(*_: object) -> None:
    raise InjectedError


class _Scheduler(WorkerScheduler):
    """The real scheduler, whose threads are the simulation's: it is asked to run each job."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.app, (), watch=ClockWatch(worker.clock, worker.world.loop.time))
        self._worker = worker

    def _is_clock_wrong(self) -> bool:
        """Return False: the database has no clock of its own here."""
        return False

    def _stop_by_itself(self, reason: DatabaseNotReadyError) -> None:
        """Stop, as the real one does with a signal to its process."""
        if not self._stopping.is_set():
            self._worker.world.note(f"{self._worker.name} stops by itself: {reason.code}")
            self.outgrown = reason
            self._worker.stop()


class Operator(Machine):
    """Who makes back-ups and restores them, on a machine that nothing befalls."""

    def begin(self) -> None:
        """Wait for something to do."""


class Web(Machine):
    """`reminder web`: the real application, called in the same process."""

    is_ready = False

    def begin(self) -> None:
        """Build the App."""
        self.in_thread(self._live)

    def _live(self) -> None:
        try:
            self.app = self.build(for_web=True)
        except DatabaseNotReadyError as not_ready:
            self.world.note(f"{self.name} does not start: {not_ready.code}")
            self.kill()
            return
        self.is_ready = True

    async def ask(self, method: str, target: str, body: bytes, headers: Sequence[tuple[str, str]]) -> int:
        """Return the status of the answer to one request, 0 where none comes."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"kigen.example.jp"), (b"content-length", str(len(body)).encode())]
            + [(name.encode(), value.encode()) for name, value in headers],
            "client": ("192.0.2.50", 1),
            "server": ("192.0.2.60", 443),
            "state": {},
        }
        status, sent = 0, False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        web = _web()
        web.state.app = self.app
        await web(scope, receive, send)
        return status


@cache
def _web() -> Any:
    """Return the application. It is made once, which takes long; it keeps nothing but counters of its own."""
    from reminder.web.app import create_web

    class Unset:
        settings = None

    return create_web(Unset(), local_pages=False)  # type: ignore[arg-type]


def settings_for(folder: Path, url: str, **given: Any) -> Any:
    """Return the settings of every process."""
    from tests.simulation.providers import ACCOUNT, TOKEN

    fixed = {
        "secret_keys": ("A" * 43 + "=",),
        "database_url": url,
        "data_dir": folder,
        "public_url": "https://kigen.example.jp",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": (TOKEN,),
        "twilio_from": "+815000000001",
        "twilio_base_url": "http://192.0.2.1",
        "twilio_voice_base_url": "http://192.0.2.1",
        "twilio_voice_from": "+81300000001",
        "two_way_sms": True,
        "voice_enabled": True,
        "smtp_url": "smtp://127.0.0.1:25",
        "mail_from": "otayori@example.jp",
        "bounce_address": "bounces@example.jp",
        "links_in_carer_mail": True,
        "line_token": "t",
        "line_base_url": "http://192.0.2.2",
        "sms_per_second": 100,
    }
    return wiring.read_settings(**{**fixed, **given})
