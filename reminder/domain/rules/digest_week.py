"""The week of a digest: when the weekly e-mail to a home's staff is made."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from reminder.domain.model.people import Audience, Mode
from reminder.domain.rules import hours


@dataclass(frozen=True)
class Week:
    """A week in Japan, from Monday."""

    monday: date

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the week of a day in Japan."""
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def read(cls, name: str) -> Self:
        """Return the week with this name: 2027-W09, or a day in it; raises ValueError."""
        return cls.of(date.fromisoformat(name))

    @property
    def name(self) -> str:
        """The week's ISO 8601 name: 2027-W09."""
        return f"{self.monday:%G-W%V}"

    @property
    def following(self) -> Self:
        """The next week."""
        return type(self)(self.monday + timedelta(days=7))

    @property
    def begins(self) -> datetime:
        """The first instant of the week in Japan, aware UTC."""
        return hours.instant(self.monday, time(0))

    @property
    def sends_at(self) -> datetime | None:
        """The first instant of the week at which staff may be written to, aware UTC.

        It is on Monday morning, or after the holiday. None for a week of holidays: the next digest covers that week
        too.
        """
        moment = hours.next_allowed(self.begins, Mode.STANDARD, Audience.STAFF)
        return moment if moment < self.following.begins else None


def digest_is_due(now: datetime) -> bool:
    """Return whether the hour of this week's digest has come."""
    at = Week.of(hours.japan(now).date()).sends_at
    return at is not None and at <= now


def next_digest_at(now: datetime, *, is_made: bool) -> datetime:
    """Return when the next digest is to be made, aware UTC; an instant in the past means now.

    `is_made`: this week's digest exists.
    """
    week = Week.of(hours.japan(now).date())
    week = week.following if is_made else week
    while (at := week.sends_at) is None:
        week = week.following
    return at
