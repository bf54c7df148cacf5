"""The App of a command: opened from the settings, closed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from reminder.clock import Clock, RehearsalClock, SteppedClock, SystemClock
from reminder.settings import read_settings
from reminder.wiring import App, build_app


@contextmanager
def opened(at: datetime | None = None) -> Iterator[App]:
    """`at`: the instant at which this command lives, instead of now."""
    settings = read_settings()
    clock: Clock = SystemClock()
    if at is not None:
        clock = SteppedClock(at)
    elif settings.as_if is not None:
        clock = RehearsalClock(settings.as_if)
    with build_app(settings, clock=clock) as app:
        yield app
