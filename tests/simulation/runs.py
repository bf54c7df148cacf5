"""Runs of scenarios: each in a fresh database, everything of the machine shut out, and the same every time."""

import gc
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from unittest import mock

from reminder.clock import SteppedClock
from reminder.wiring import build_app
from tests.databases import Server, begin_run, end_run, running_server
from tests.simulation.machines import settings_for
from tests.simulation.scenario import Scenario
from tests.simulation.world import Result, World
from tests.statements import share_compiled

MEMORY = Path("/dev/shm")
# Before every simulated day.
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _folder() -> Path:
    """Return a folder for all runs of this process, in memory where the machine has some."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="kigen-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _migrate(url: str) -> None:
    """Make every table."""
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database

    # Each process of a simulation has an engine of its own, and the same statements.
    _share_compiled()
    database = Database(url, durable=False)
    schema.migrate(database)
    database.close()


@cache
def _share_compiled() -> None:
    share_compiled()


def _open(url: str) -> None:
    """Let a process of ours open the database: it knows its keys then, and that nothing is to be sealed.

    Each start of a process would look through every table. The secrets are the same in every run.
    """
    with mock.patch.object(os, "urandom", Random("opened").randbytes):
        for _ in range(2):
            app = build_app(settings_for(_folder(), url), clock=SteppedClock(BEFORE), durable=False)
            app.loop.close()
            app.database.close()


@cache
def _migrated() -> Path:
    """Return a SQLite file with every table and no rows."""
    path = _folder() / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@cache
def _opened() -> Path:
    """Return a SQLite file that was opened, and is not in use."""
    path = Path(shutil.copy(_migrated(), _folder() / "opened.db"))
    _open(f"sqlite:///{path}")
    return path


def _migrate_and_open(url: str) -> None:
    _migrate(url)
    _open(url)


# The databases of one run: the first, and further ones without rows, to restore into.
Places = tuple[str, Callable[[], str]]


@contextmanager
def _on_sqlite(folder: Path) -> Iterator[Places]:
    files = count()

    def copy_of(file: Path) -> str:
        return f"sqlite:///{shutil.copy(file, folder / f'kigen{next(files)}.db')}"

    yield copy_of(_opened()), lambda: copy_of(_migrated())


@contextmanager
def _on_postgresql(server: Server) -> Iterator[Places]:
    opened = server.template("opened", _migrate_and_open)
    migrated = server.template("migrated_alone", _migrate)
    with ExitStack() as stack:
        yield (
            stack.enter_context(server.database(opened)),
            lambda: stack.enter_context(server.database(migrated)),
        )


@contextmanager
def postgresql() -> Iterator[Server]:
    """Yield a PostgreSQL server of the tests, which ends with this process if it has started it."""
    lock = begin_run()
    try:
        yield running_server()
    finally:
        end_run(lock)


def run(scenario: Scenario, server: Server | None = None) -> Result:
    """Run a scenario on SQLite, or on databases of a PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    try:
        with _on_sqlite(folder) if server is None else _on_postgresql(server) as (url, empty):
            world = World(scenario, folder, url, empty)
            with _quiet(world):
                return world.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet(world: World) -> Iterator[None]:
    """Let the watcher read the log, and nobody else; what is torn down at the end says nothing.

    Garbage is collected between two runs only: what its destructors do must not happen in the middle of one.
    """
    root, asynchronous = logging.getLogger(), logging.getLogger("asyncio")
    handlers, level = root.handlers[:], root.level
    hook = sys.unraisablehook
    root.handlers = [world.watcher]
    asynchronous.setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda _: None
    gc.disable()
    try:
        yield
    finally:
        del world
        gc.collect()
        # What stays is not looked at again after the next run.
        gc.freeze()
        gc.enable()
        root.handlers, sys.unraisablehook = handlers, hook
        root.setLevel(level)
        asynchronous.setLevel(logging.NOTSET)
