"""The App of a command: opened from the settings, closed at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from os import W_OK, access
from pathlib import Path

from reminder.clock import Clock, RehearsalClock, SteppedClock, SystemClock
from reminder.errors import SettingsError
from reminder.settings import PREFIX, Settings, former_values
from reminder.storage.crypto import private_files
from reminder.wiring import App, build_app, read_settings


@contextmanager
def opened_app(
    at: datetime | None = None, *, write: Callable[[str], None] = print, for_web: bool = False
) -> Iterator[App]:
    """Yield the App.

    `at`: the instant at which this command runs, instead of now. `write`: where the console channel prints. `for_web`:
    for the web server.
    """
    settings = read_settings()
    if for_web:
        settings = settings.for_web()
    name_former_values()
    require_folders(settings)
    clock = clock_of(settings) if at is None else SteppedClock(at)
    with build_app(settings, clock=clock, write=write, for_web=for_web) as app:
        yield app


def name_former_values() -> None:
    """Say on standard error which settings still have a former value, and what to write instead."""
    for name, value in former_values().items():
        print(f"{name} has a former value, which goes with the next release. Write {value}.", file=sys.stderr)


def clock_of(settings: Settings) -> Clock:
    """Return the clock of the settings."""
    return SystemClock() if settings.clock_override is None else RehearsalClock(settings.clock_override)


def require_folders(settings: Settings) -> None:
    """Raise SettingsError if nothing could be stored; the error of the machine only says that something exists."""
    if not settings.secret_keys:
        _require(settings.data_dir, "DATA_DIR")
    if settings.on_sqlite:
        file = Path(settings.database.removeprefix("sqlite:///"))
        _require(file.parent, "DATABASE_URL" if settings.database_url else "DATA_DIR")


def _require(folder: Path, setting: str) -> None:
    try:
        private_files.make_folder(folder)
        may_write = access(folder, W_OK)
    except OSError:
        may_write = False
    if not may_write:
        raise SettingsError(PREFIX + setting, "it must lie in a folder that this program may write to")
