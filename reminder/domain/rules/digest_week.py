"""The week of a digest: when the weekly e-mail to a home's staff is made."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from reminder.domain.model.people import Audience, Mode
from reminder.domain.rules import hours


@dataclass(frozen=True)
class Week:
    """A week as Japan counts it, from Monday."""

    monday: date

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the week of a day in Japan."""
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def read(cls, name: str) -> Self:
        """Return the week that is named so: 2027-W09, or a day in it. Raises ValueError."""
        return cls.of(date.fromisoformat(name))

    @property
    def name(self) -> str:
        """The week as ISO 8601 names it: 2027-W09."""
        return f"{self.monday:%G-W%V}"

    @property
    def following(self) -> Self:
        """The next week."""
        return type(self)(self.monday + timedelta(days=7))

    @property
    def begins(self) -> datetime:
        """Its first moment in Japan, aware UTC."""
        return hours.instant(self.monday, time(0))

    @property
    def sends_at(self) -> datetime | None:
        """The first moment of it at which staff may be written to: on Monday morning, or after the holiday. None for a
        week of holidays: the next one speaks of all that it would have said.
        """
        moment = hours.next_allowed(self.begins, Mode.STANDARD, Audience.STAFF)
        return moment if moment < self.following.begins else None


def digest_is_due(now: datetime) -> bool:
    """Return whether the hour of this week's digest has come."""
    at = Week.of(hours.japan(now).date()).sends_at
    return at is not None and at <= now


def next_digest_at(now: datetime, *, is_made: bool) -> datetime:
    """Return when it is next to be made, aware UTC; `is_made`: this week's was. A moment that is past has come."""
    week = Week.of(hours.japan(now).date())
    week = week.following if is_made else week
    while (at := week.sends_at) is None:
        week = week.following
    return at
