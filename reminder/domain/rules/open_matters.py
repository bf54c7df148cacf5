"""The open matters of a card: what every list says of it, from the day on which it can be begun until it is done.

A list is made of states that are open, never of days on which something happens to fall: what was not done on its day
stays in the list.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from reminder.domain.rules.next_step import NextAct, NextStep
from reminder.domain.rules.schedule_model import CardDates


class MatterState(StrEnum):
    """The state of an open matter, the most pressing first. `day` says which day each comes with."""

    UNANSWERED = "unanswered"  # everybody was asked and nobody has answered: the latest day to begin
    ENDED = "ended"  # the end
    LATE = "late"  # the latest day to begin, which has passed
    COLLECT = "collect"  # ready: the day until which it is to be collected
    VISIT = "visit"  # the day of an appointment
    ASK = "ask"  # applied for: the day by which it was to come
    BEGIN = "begin"  # a new one takes its time: the latest day to begin
    COUNTER = "counter"  # done at once: the last day on which a counter is open
    LAST_DAY = "last_day"  # done at once, and not only where counters are: the end
    ARRIVES = "arrives"  # comes by itself: the end, by which it must have come
    WAIT = "wait"  # applied for: the day by which it is expected
    FORM = "form"  # the day by which the sealed form of the office must be there
    OPENS = "opens"  # the day from which somebody can act


class OpenMatter(NamedTuple):
    """One matter of a card, with its day in Japan."""

    state: MatterState
    day: date


def open_matters(
    dates: CardDates, step: NextStep, first: date, last: date, today: date, *, is_silent: bool, form_on: date | None
) -> list[OpenMatter]:
    """Return the matters of a card that are open between these days, both included. A done card has none.

    `step`: its next step as of `today`. `is_silent`: everybody was asked about it and nobody has answered. `form_on`:
    the day by which the form of the office must be there, where there is one.

    What is open today stands among the matters of these days whatever its own day is, unless it has ended before them.
    What has ended, and what nobody has answered, stands there if today is one of these days.
    """
    if step.act is NextAct.NEW_DATE:
        return []
    is_today = first <= today <= last
    if step.act.is_under_way:
        # What has begun is not begun once more: it is waited for, collected, or kept as an appointment.
        return [OpenMatter(MatterState(step.act.value), step.day)] if is_today or first <= step.day <= last else []
    if step.act.is_after_end:
        return [OpenMatter(MatterState.ENDED, dates.expires_on)] if is_today else []
    found = []
    if is_silent and is_today:
        found.append(OpenMatter(MatterState.UNANSWERED, dates.begin_by))
    if _is_open(dates, step, first, last):
        found.append(OpenMatter(_state_of(dates, step), dates.begin_by))
    if dates.opens_on is not None and _is_to_come(dates.opens_on, first, last, today):
        found.append(OpenMatter(MatterState.OPENS, dates.opens_on))
    if form_on is not None and _is_to_come(form_on, first, last, today):
        found.append(OpenMatter(MatterState.FORM, form_on))
    return found


def _is_open(dates: CardDates, step: NextStep, first: date, last: date) -> bool:
    """Return whether the matter is open before these days or on one of them, or is to be begun on one of them."""
    if not (dates.asked_from <= last and first <= dates.over_after):
        return False
    # What opens within these days is named as such; its latest day to begin may lie far behind them.
    is_named = dates.opens_on is not None and first <= dates.opens_on and last < dates.begin_by
    return step.act.is_undone or not is_named


def _state_of(dates: CardDates, step: NextStep) -> MatterState:
    if dates.arrives:
        return MatterState.ARRIVES
    if step.act in (NextAct.LATE, NextAct.CLOSED):
        return MatterState.LATE
    if dates.lead_days:
        return MatterState.BEGIN
    return MatterState.COUNTER if dates.closes_with_counters else MatterState.LAST_DAY


def _is_to_come(day: date, first: date, last: date, today: date) -> bool:
    return max(first, today) <= day <= last
