"""The App of a command: opened from the settings, closed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from reminder.clock import Clock, SteppedClock
from reminder.settings import read_settings
from reminder.wiring import App, build_app


@contextmanager
def opened(at: datetime | None = None) -> Iterator[App]:
    """`at`: the instant at which this command lives, instead of now."""
    clock: Clock | None = None if at is None else SteppedClock(at)
    with build_app(read_settings(), clock=clock) as app:
        yield app
