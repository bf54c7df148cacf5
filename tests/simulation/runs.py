"""Runs of scenarios: each in a fresh database, everything of the machine shut out, and the same every time."""

import gc
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from tests.simulation.scenario import Scenario
from tests.simulation.world import Result, World
from tests.statements import share_compiled

MEMORY = Path("/dev/shm")


@cache
def _folder() -> Path:
    """Return a folder for all runs of this process, in memory where the machine has some."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="kigen-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _migrated() -> Path:
    """Return a SQLite file with every table and no rows."""
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database

    # Each process of a simulation has an engine of its own, and the same statements.
    share_compiled()
    path = _folder() / "migrated.db"
    database = Database(f"sqlite:///{path}", durable=False)
    schema.migrate(database)
    database.close()
    return path


def run(scenario: Scenario, url: str | None = None) -> Result:
    """Run a scenario on SQLite, or on an empty migrated PostgreSQL database."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    try:
        files = count()

        def empty() -> str:
            return f"sqlite:///{shutil.copy(_migrated(), folder / f'kigen{next(files)}.db')}"

        world = World(scenario, folder, url or empty(), empty)
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
