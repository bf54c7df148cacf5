"""The processes of a run: the real worker and the real web server, on a fast clock, killed and started again at once."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from reminder.web.server import listen, run
from reminder.wiring import App, build_app, read_settings
from reminder.worker.scheduler import run_until_stopped
from tests.chaos.clocks import FastClock, FastLoop

# Every process is a fork of one that has loaded all of ours: to load it anew would take longer than a worker lives here.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "reminder.channels.sms.client", "apscheduler.schedulers.background"])
STOP_SECONDS = 20

Given = Mapping[str, object]  # settings by name


def work(given: Given, clock: FastClock, log: Path) -> None:
    """As `reminder worker`, which differs only in its clock."""
    _live_as_one_of_many(log)
    # Whatever loop is begun here lives as fast as the clock.
    asyncio.new_event_loop = lambda: FastLoop(clock.factor)
    with _opened(given, clock) as app:
        run_until_stopped(app)


def serve(given: Given, clock: FastClock, log: Path, port: int) -> None:
    """As `reminder web`."""
    _live_as_one_of_many(log)
    with _opened(given, clock) as app, listen("127.0.0.1", port) as listening:
        run(app, listening)


def _opened(given: Given, clock: FastClock) -> App:
    return build_app(read_settings(**given), clock=clock, write=lambda _: None)


def _live_as_one_of_many(log: Path) -> None:
    """What it says goes into the run's log, and it ends with the run, in whatever way that ends."""
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.close(written)
    run = multiprocessing.parent_process()
    assert run is not None

    def follow() -> None:
        run.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Workers:
    """So many worker processes. `kill_one()` kills the one that has lived longest and starts another in its place."""

    def __init__(self, count: int, given: Given, clock: FastClock, log: Path) -> None:
        self._given, self._clock, self._log = given, clock, log
        self._started = 0
        self.kills = 0
        self._running = [self._start() for _ in range(count)]

    def kill_one(self) -> None:
        dying = self._running.pop(0)
        dying.kill()
        dying.join()
        self.kills += dying.exitcode == -signal.SIGKILL
        self._running.append(self._start())

    def start_again_those_that_ended(self) -> int:
        """As whoever looks after processes does; how many had ended by themselves."""
        ended = [process for process in self._running if not process.is_alive()]
        for process in ended:
            self._running.remove(process)
            self._running.append(self._start())
        return len(ended)

    def start_elsewhere(self) -> list[ForkServerProcess]:
        """Start as many by what `given` says now, and return those of before, which go on."""
        before, self._running = self._running, []
        self._running = [self._start() for _ in before]
        return before

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def _start(self) -> ForkServerProcess:
        self._started += 1
        # Machines' clocks never agree: each is up to ten seconds ahead or behind.
        skewed = replace(self._clock, skew=float(self._started * 7 % 21 - 10))
        return started(work, self._given, skewed, self._log)


def started(target: Callable[..., None], *given: object) -> ForkServerProcess:
    process = CONTEXT.Process(target=target, args=given, daemon=True)
    process.start()
    return process


@contextmanager
def workers(count: int, given: Given, clock: FastClock, log: Path) -> Iterator[Workers]:
    running = Workers(count, given, clock, log)
    try:
        yield running
    finally:
        running.stop()


class Web:
    """The web server. `kill()` leaves the port to nobody until `start()`."""

    def __init__(self, given: Given, clock: FastClock, log: Path, port: int) -> None:
        self._serves = (given, clock, log, port)
        self._process: ForkServerProcess | None = None
        self.kills = 0
        self.start()

    @property
    def is_away(self) -> bool:
        return self._process is None

    def start(self) -> None:
        self._process = started(serve, *self._serves)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            self.kills += 1

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)


@contextmanager
def web(given: Given, clock: FastClock, log: Path, port: int) -> Iterator[Web]:
    running = Web(given, clock, log, port)
    try:
        yield running
    finally:
        running.stop()


def stop(process: ForkServerProcess) -> None:
    process.terminate()
    process.join(STOP_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
