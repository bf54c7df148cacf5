"""The next step for a card: one act and one date, for its holder or carer. Every list and page is made from it."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from reminder.domain.model.card_states import NOT_BEGUN, CardState, LifeDays
from reminder.domain.rules.schedule_model import CardDates

# What is applied for is expected after so many days where nobody has named a day.
EXPECTED_AFTER = timedelta(days=30)


class NextAct(StrEnum):
    """The next act, the most urgent first."""

    OVER = "over"  # it has ended
    GRACE = "grace"  # it has ended, and hospitals accept it until the day
    CLOSED = "closed"  # it ends before a counter opens again
    LATE = "late"  # a new one takes longer than is left; a counter is open until the day
    COLLECT = "collect"  # the new one is ready, and is to be collected until the day
    BEGIN = "begin"  # a new one takes its time: it is to be begun until the day
    GO = "go"  # a counter is open for it until the day, and it is done there at once
    ARRIVES = "arrives"  # the new one comes by itself until the day
    VISIT = "visit"  # there is an appointment on the day
    ASK = "ask"  # it was applied for, and was to come by the day: has it?
    NEW_DATE = "new_date"  # somebody says that it is done: the new date is not known
    WAIT = "wait"  # it is applied for, and expected by the day
    OPENS = "opens"  # renewal opens on the day
    LATER = "later"  # it is valid until the day

    @property
    def is_after_end(self) -> bool:
        """Whether the card has ended and nobody has said that it is renewed."""
        return self in (NextAct.OVER, NextAct.GRACE)

    @property
    def is_under_way(self) -> bool:
        """Whether somebody has begun, and something is left to do or to wait for."""
        return self in (NextAct.COLLECT, NextAct.VISIT, NextAct.ASK, NextAct.WAIT)

    @property
    def is_undone(self) -> bool:
        """Whether somebody can act before the end, and has not."""
        return self in (NextAct.CLOSED, NextAct.LATE, NextAct.BEGIN, NextAct.GO, NextAct.ARRIVES)


@dataclass(frozen=True)
class NextStep:
    """The next act for a card, and until or from which day in Japan. `first`: the first day on which one can act."""

    act: NextAct
    day: date
    first: date

    @property
    def is_now(self) -> bool:
        """Whether somebody can act today."""
        return self.act not in (NextAct.WAIT, NextAct.OPENS, NextAct.LATER)


def next_step(dates: CardDates, acknowledged_on: date | None, today: date, life: LifeDays = NOT_BEGUN) -> NextStep:
    """Return the next step.

    `acknowledged_on`: the day on which somebody said that the card is renewed. `life`: how far it is otherwise.
    """
    if acknowledged_on is not None:
        return NextStep(NextAct.NEW_DATE, dates.expires_on, today)
    if (step := _under_way(dates, today, life)) is not None:
        return step
    if today > dates.over_after:
        if dates.grace_ends_on is not None and today <= dates.grace_ends_on:
            return NextStep(NextAct.GRACE, dates.grace_ends_on, dates.open_from(today))
        return NextStep(NextAct.OVER, dates.expires_on, dates.open_from(today))
    if today < dates.asked_from:
        if dates.opens_on is None:
            return NextStep(NextAct.LATER, dates.expires_on, dates.asked_from)
        return NextStep(NextAct.OPENS, dates.opens_on, dates.open_from(dates.opens_on))
    return _before_end(dates, today)


def _under_way(dates: CardDates, today: date, life: LifeDays) -> NextStep | None:
    """Return the next step for a card for which somebody has begun, None for any other."""
    first = dates.open_from(today)
    if life.appointment_on is not None and today <= life.appointment_on:
        return NextStep(NextAct.VISIT, life.appointment_on, life.appointment_on)
    if life.state is CardState.READY_TO_COLLECT:
        return NextStep(NextAct.COLLECT, life.collect_by or max(dates.last_counter_day, first), first)
    if life.state is CardState.APPLIED:
        assert life.since is not None
        expected = life.expected_by or life.since + EXPECTED_AFTER
        return NextStep(NextAct.WAIT if today < expected else NextAct.ASK, expected, first)
    return None


def _before_end(dates: CardDates, today: date) -> NextStep:
    """Return the next step for a card that somebody can renew, and that has not ended."""
    if dates.arrives:
        return NextStep(NextAct.ARRIVES, dates.expires_on, today)
    first = dates.open_from(today)
    last = dates.last_counter_day if dates.closes_with_counters else dates.over_after
    if today > last:
        return NextStep(NextAct.CLOSED, dates.over_after, first)
    if dates.lead_days == 0:
        return NextStep(NextAct.GO, last, first)
    if today > dates.begin_by:
        return NextStep(NextAct.LATE, last, first)
    return NextStep(NextAct.BEGIN, dates.begin_by, first)


_RANK = {act: rank for rank, act in enumerate(NextAct)}
# What takes weeks and what takes an hour are put in one order, by the latest day to begin.
_RANK[NextAct.GO] = _RANK[NextAct.BEGIN]


def urgency(step: NextStep) -> tuple[int, date]:
    """Return a sort key: the most urgent step comes first."""
    return _RANK[step.act], step.day
