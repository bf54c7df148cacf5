"""The parts of a schedule: its steps for each audience, and the dates of a card that they are counted from."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from reminder.domain.model.people import Mode
from reminder.domain.rules import hours
from reminder.domain.rules.steps import StepRule

# Where the opening of renewal is unknown, asking begins this long before the end, or before the last day to begin.
SOON, SOON_TO_BEGIN = timedelta(days=90), timedelta(days=30)
# What comes by itself is looked out for from the day on which carers are first asked whether it has.
SOON_TO_ARRIVE = timedelta(days=30)


@dataclass(frozen=True)
class CardDates:
    """The dates of a card that a plan is computed from.

    `opens_on` is None where no such day is known, `grace_ends_on` where no grace is promised. `over_after`: the last
    day on which it is valid by law, where that moves past holidays. `last_counter_day`: the last open day up to the
    end; the end itself where nothing depends on counters. `lead_days`: how long a new one takes from the day on which
    somebody begins. `arrives`: it comes without an application.
    """

    opens_on: date | None
    expires_on: date
    over_after: date
    grace_ends_on: date | None
    last_counter_day: date
    lead_days: int = 0
    arrives: bool = False
    closes_with_counters: bool = True

    def open_from(self, day: date) -> date:
        """Return the first day from this one on which something can be done at the place of its renewal."""
        return hours.counter_day_on_or_after(day) if self.closes_with_counters else day

    @property
    def acts_from(self) -> date | None:
        """The first day on which something can be done: of an opening on a closed day the next open one."""
        return None if self.opens_on is None else self.open_from(self.opens_on)

    @cached_property
    def begin_by(self) -> date:
        """The latest day to begin: an open day, as many days before the last open day as a new one takes.

        Where renewal opens later than that, it is the first open day after the opening. Of what comes by itself it is
        the end, by which it must have come.
        """
        if self.arrives:
            return self.expires_on
        if self.lead_days == 0:
            return self.last_counter_day
        day = self.last_counter_day - timedelta(days=self.lead_days)
        day = hours.last_counter_day(day) if self.closes_with_counters else day
        if self.opens_on is not None and day < self.opens_on:
            return min(self.open_from(self.opens_on), self.last_counter_day)
        return day

    def begin_on(self, today: date) -> date | None:
        """Return the latest day to begin, None where a new one takes no time or the day has passed."""
        return self.begin_by if self.lead_days and today <= self.begin_by else None

    @cached_property
    def asked_from(self) -> date:
        """The day from which the matter is open: somebody can begin, or is asked whether the new one has come."""
        if self.arrives:
            return self.expires_on - SOON_TO_ARRIVE
        if self.opens_on is not None:
            return self.opens_on
        return min(self.expires_on - SOON, self.begin_by - SOON_TO_BEGIN)


@dataclass(frozen=True)
class Schedule:
    """The steps of each audience, in the order of config/schedules.toml. `on_own_days`: the group has chosen them."""

    person: tuple[StepRule, ...]
    carer: tuple[StepRule, ...]
    staff: tuple[StepRule, ...]
    on_own_days: bool = False


@dataclass(frozen=True)
class SendingDays:
    """The days on which messages may be sent."""

    mode: Mode
    on_holidays: bool

    def on_or_before(self, day: date) -> date:
        """Return the last allowed day up to this one."""
        return hours.sending_day_on_or_before(day, self.mode, self.on_holidays)

    def on_or_after(self, day: date) -> date:
        """Return the first allowed day from this one on."""
        return hours.sending_day_on_or_after(day, self.mode, self.on_holidays)
