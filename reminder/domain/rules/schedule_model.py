"""The parts of a schedule: its steps for each audience, and the dates of a card that they are counted from."""

from dataclasses import dataclass
from datetime import date

from reminder.domain.model.people import Mode
from reminder.domain.rules import hours
from reminder.domain.rules.steps import StepRule


@dataclass(frozen=True)
class CardDates:
    """The dates of a card that a plan is computed from.

    `opens_on` is None where no such day is known, `grace_ends_on` where no grace is promised. `over_after`: the last
    day on which it is valid by law, where that moves past holidays. `last_counter_day`: the last open day up to
    the end; the end itself where nothing depends on counters.
    """

    opens_on: date | None
    expires_on: date
    over_after: date
    grace_ends_on: date | None
    last_counter_day: date
    closes_with_counters: bool = True

    @property
    def acts_from(self) -> date | None:
        """The first day on which something can be done: of an opening on a closed day the next open one."""
        if self.opens_on is None or not self.closes_with_counters:
            return self.opens_on
        return hours.counter_day_on_or_after(self.opens_on)


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
