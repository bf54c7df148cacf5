"""The next step for a card: one act and one date, for its holder or carer."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from reminder.domain.rules.schedule_model import CardDates

# Where the opening of renewal is unknown, asking begins this long before the end.
SOON = timedelta(days=90)


class NextAct(StrEnum):
    """The next act, the most urgent first."""

    OVER = "over"  # it has ended
    GRACE = "grace"  # it has ended, and hospitals accept it until the day
    CLOSED = "closed"  # it ends before a counter opens again
    GO = "go"  # a counter is open for it until the day
    NEW_DATE = "new_date"  # somebody says that it is done: the new date is not known
    OPENS = "opens"  # renewal opens on the day
    LATER = "later"  # it is valid until the day


@dataclass(frozen=True)
class NextStep:
    """The next act for a card, and until or from which day in Japan."""

    act: NextAct
    day: date

    @property
    def is_now(self) -> bool:
        """Whether somebody can act today."""
        return self.act in (NextAct.OVER, NextAct.GRACE, NextAct.CLOSED, NextAct.GO, NextAct.NEW_DATE)


def next_step(dates: CardDates, acknowledged_on: date | None, today: date) -> NextStep:
    """Return the next step. `acknowledged_on`: the day on which somebody said that the card is renewed."""
    if acknowledged_on is not None:
        return NextStep(NextAct.NEW_DATE, dates.expires_on)
    if today > dates.over_after:
        if dates.grace_ends_on is not None and today <= dates.grace_ends_on:
            return NextStep(NextAct.GRACE, dates.grace_ends_on)
        return NextStep(NextAct.OVER, dates.expires_on)
    if dates.acts_from is not None and today < dates.acts_from <= dates.over_after:
        return NextStep(NextAct.OPENS, dates.acts_from)
    if dates.opens_on is None and today < dates.expires_on - SOON:
        return NextStep(NextAct.LATER, dates.expires_on)
    if not dates.closes_with_counters:
        return NextStep(NextAct.GO, dates.over_after)
    if today > dates.last_counter_day:
        return NextStep(NextAct.CLOSED, dates.over_after)
    return NextStep(NextAct.GO, dates.last_counter_day)


_RANK = {act: rank for rank, act in enumerate(NextAct)}


def urgency(step: NextStep) -> tuple[int, date]:
    """Return a sort key: the most urgent step comes first."""
    return _RANK[step.act], step.day
