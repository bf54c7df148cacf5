"""What follows a text: who is asked next when nobody answers, and how a plan changes by what was said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reminder.domain import hours
from reminder.domain.people import Audience, Copies, Mode, Role
from reminder.domain.rules.preferences import NEAR_FROM
from reminder.domain.rules.recipients import Circle, Recipient
from reminder.domain.rules.schedule import Plan, Step
from reminder.domain.text.catalog import spoken

# What a step is called that no schedule has. A number behind the name tells one from the next.
ASKED_AGAIN, TAKEN, AGAIN = "done", "taken", "again"

# How often a carer is asked for the new date of what is said to be done.
BETWEEN_ASKING = timedelta(days=14)

# Who says "I will go" is reminded again after a week, if no new date came of it.
AFTER_GOING = timedelta(days=7)
AFTER_LATER = timedelta(days=3)

# In `asked`: the last human has been asked, and nobody has answered. It stands in red until somebody does.
NOBODY_LEFT = 99

# While more days are left, a silence of everybody is nothing to stand in red for: their reminders go on.
RED_WITHIN = timedelta(days=14)

# Days of silence before the next human is asked: (days left to the end, days of silence).
_PATIENCE = ((60, 30), (30, 14), (14, 7), (7, 4), (2, 2), (0, 1))
_PATIENCE_AFTER_THE_END = timedelta(days=7)

# An elder gets one text a day and eight a month; the last two are kept for the days before an end.
MOST_TEXTS_A_MONTH, MOST_EARLY_TEXTS_A_MONTH = 8, 6
MONTH = timedelta(days=31)
NEAR_THE_END = timedelta(days=7)

# The steps from `NEAR_FROM` on.
_NEAR = frozenset({"d30", "d14", "d7", "d3", "d1", "d0", "lastopen"})

_OUT = frozenset({Audience.CARER, Audience.STAFF})


@dataclass(frozen=True)
class Course:
    """What has been said of a card's present end date, each on a date in Japan."""

    done_on: date | None = None
    remind_on: date | None = None
    asked: int = 0
    taken_on: date | None = None
    taken_by: int | None = None  # a contact's id


def patience(expires_on: date, today: date) -> timedelta:
    """How long nobody's answer is waited for: the nearer the end, the shorter."""
    left = (expires_on - today).days
    days = next((days for above, days in _PATIENCE if left > above), None)
    if days is not None:
        return timedelta(days=days)
    return timedelta(days=1) if left == 0 else _PATIENCE_AFTER_THE_END


def followed(plan: Plan, course: Course, expires_on: date, mode: Mode, on_holidays: bool = False) -> Plan:
    """The plan as what was said changes it. `on_holidays`: the group wants to be told on Sundays and holidays too.

    What is done is not told of before its end; its new date is asked for every fortnight. After the end the schedule
    goes on, whose texts then ask whether it was renewed: an answer may have been a mistake.
    """
    if course.done_on is not None:
        asking, day = [], course.done_on + BETWEEN_ASKING
        while day <= expires_on:
            name = f"{ASKED_AGAIN}{(day - course.done_on).days}"
            asking.append(Step(name, hours.sending_day_on_or_after(day, mode, on_holidays), _OUT))
            day += BETWEEN_ASKING
        return (*asking, *(step for step in plan if step.on > expires_on))
    extra = []
    if course.remind_on is not None:
        extra.append(Step(f"{AGAIN}{course.remind_on:%Y%m%d}", course.remind_on, frozenset({Audience.PERSON})))
    if course.taken_on is not None:
        day = hours.sending_day_on_or_after(course.taken_on + patience(expires_on, course.taken_on), mode, on_holidays)
        if day <= expires_on:
            extra.append(Step(TAKEN, day, _OUT))
    # On one day the schedule's own step comes last, and so is the one that is told.
    return tuple(sorted((*extra, *plan), key=lambda step: step.on)) if extra else plan


def says(step: Step, plan: Plan) -> str:
    """Under which name the words of a step are found: a group's own day takes those of the step above it; who is
    reminded again reads what was said last."""
    if not step.name.startswith(AGAIN):
        return spoken(step.name)
    own = [one for one in plan if Audience.PERSON in one.audiences and not one.name.startswith(AGAIN)]
    before = [one for one in own if one.on <= step.on]
    return spoken((before[-1] if before else own[0]).name) if own else "d30"


def is_wanted(copies: Copies, step: Step, said: str, expires_on: date) -> bool:
    """Whether who wants these copies is sent what is told at a step; the asking for a new date always. `said`: the step
    whose words it takes: one that holidays have pulled forward is as near as its words say."""
    if copies is Copies.ALL or step.name.startswith((ASKED_AGAIN, TAKEN)):
        return True
    return copies is Copies.NEAR and (step.on >= expires_on - NEAR_FROM or said in _NEAR)


def remind_again_on(expires_on: date, today: date, mode: Mode, after: timedelta, on_holidays: bool = False) -> date:
    """Three days later, or a week; sooner near the end; on a day on which the person may be told."""
    left = max((expires_on - today).days, 0)
    days = max(min(after.days, left // 2), 1)
    return hours.sending_day_on_or_after(today + timedelta(days=days), mode, on_holidays)


def listening(circle: Circle, course: Course, mode: Mode) -> Circle:
    """Who is told at once: of several carers of an elder the first, then as many more as silence has brought in; and
    where one has taken it on, that one alone."""
    if mode is Mode.STANDARD:
        return circle
    taker = [recipient for recipient in (*circle.carers, *circle.staff) if recipient.contact_id == course.taken_by]
    if taker:
        is_carer = taker[0] in circle.carers
        return replace(circle, carers=tuple(taker) if is_carer else (), staff=() if is_carer else tuple(taker))
    return replace(circle, carers=circle.carers[: 1 + course.asked])


def to_ask(circle: Circle) -> Sequence[Recipient]:
    """Who is asked, one after the other: the carers in their order, the home's staff, its owners."""
    owners = [recipient for recipient in circle.staff if recipient.role is Role.OWNER]
    others = [recipient for recipient in circle.staff if recipient not in owners]
    return (*circle.carers, *others, *owners)
