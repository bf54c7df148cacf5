"""The escalation policy: who is asked next when nobody answers, and how an answer changes a plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reminder.domain.model.card_states import NOT_BEGUN, CardState, LifeDays
from reminder.domain.model.people import Audience, Copies, Mode, Role
from reminder.domain.rules import hours
from reminder.domain.rules.next_step import EXPECTED_AFTER
from reminder.domain.rules.preferences import NEAR_FROM, Preferences
from reminder.domain.rules.recipients import Recipient, RecipientSet
from reminder.domain.rules.schedule_model import SendingDays
from reminder.domain.rules.steps import AddedStep, Plan, Step, StepText, rule_for_text

# The interval at which a carer is asked for the new date of an acknowledged card.
BETWEEN_ASKING = timedelta(days=14)

# A person who says "I will go" is reminded again after a week, if no new date came.
AFTER_GOING = timedelta(days=7)
AFTER_LATER = timedelta(days=3)

# What was to come, or to be collected, is asked about for so long.
ASKED_FOR = timedelta(days=28)
# Before the last day on which something can be collected, and before an appointment, in days.
_BEFORE_COLLECTING, _BEFORE_VISIT = (7, 1), (7, 1)
# So long after an appointment somebody may record what came of it, before the schedule goes on.
AFTER_VISIT = timedelta(days=3)

# The escalation level once the last human was asked without an answer. The card is red until somebody answers.
NOBODY_LEFT = 99

# While more days are left, silence of everybody is not shown in red: their reminders go on.
RED_WITHIN = timedelta(days=14)

# Days of silence before the next human is asked: (days left to the end, days of silence).
_PATIENCE = ((60, 30), (30, 14), (14, 7), (7, 4), (2, 2), (0, 1))
_PATIENCE_AFTER_THE_END = timedelta(days=7)

# An elderly person gets one text a day and eight a month; the last two are reserved for the days before an end.
MOST_TEXTS_A_MONTH, MOST_EARLY_TEXTS_A_MONTH = 8, 6
MONTH = timedelta(days=31)
NEAR_THE_END = timedelta(days=7)

# The most calls for one end date to a person without another channel.
MOST_CALLS = 3

_OUT = frozenset({Audience.CARER, Audience.STAFF})


@dataclass(frozen=True)
class Progress:
    """The answers about a card's present end date, each with its date in Japan."""

    acknowledged_on: date | None = None
    remind_on: date | None = None
    escalation_level: int = 0
    assigned_on: date | None = None
    assigned_to: int | None = None  # a contact's id
    life: LifeDays = NOT_BEGUN

    @property
    def is_under_way(self) -> bool:
        """Whether somebody has begun: nobody is asked why nothing happens."""
        return self.life.state.is_waiting or self.life.appointment_on is not None


def patience(expires_on: date, today: date) -> timedelta:
    """Return how long an answer is waited for before the next human is asked: the nearer the end, the shorter."""
    left = (expires_on - today).days
    days = next((days for above, days in _PATIENCE if left > above), None)
    if days is not None:
        return timedelta(days=days)
    return timedelta(days=1) if left == 0 else _PATIENCE_AFTER_THE_END


def plan_after_answers(plan: Plan, progress: Progress, expires_on: date, mode: Mode, on_holidays: bool = False) -> Plan:
    """Return the plan as the answers change it.

    An acknowledged card has no reminders before its end; its new date is asked for every fortnight. After the end the
    schedule goes on, and its texts ask whether the card was renewed: an answer may have been a mistake. Where somebody
    has applied, or has an appointment, the next act is reminded of, and not the one that is done. `on_holidays`:
    the group wants reminders on Sundays and holidays too.
    """
    if progress.acknowledged_on is not None:
        asking, day = [], progress.acknowledged_on + BETWEEN_ASKING
        while day <= expires_on:
            name = f"{AddedStep.DONE}{(day - progress.acknowledged_on).days}"
            on = hours.sending_day_on_or_after(day, mode, on_holidays)
            asking.append(Step(name, on, _OUT, added=AddedStep.DONE))
            day += BETWEEN_ASKING
        return (*asking, *(step for step in plan if step.on > expires_on))
    plan = _plan_under_way(plan, progress.life, expires_on, SendingDays(mode, on_holidays))
    extra = []
    if progress.remind_on is not None:
        name = f"{AddedStep.AGAIN}{progress.remind_on:%Y%m%d}"
        extra.append(Step(name, progress.remind_on, frozenset({Audience.PERSON}), added=AddedStep.AGAIN))
    if progress.assigned_on is not None:
        day = hours.sending_day_on_or_after(
            progress.assigned_on + patience(expires_on, progress.assigned_on), mode, on_holidays
        )
        if day <= expires_on:
            extra.append(Step(AddedStep.TAKEN.value, day, _OUT, added=AddedStep.TAKEN))
    # On one day the schedule's own step comes last, and so is the one that is sent.
    return tuple(sorted((*extra, *plan), key=lambda step: step.on)) if extra else plan


def _plan_under_way(plan: Plan, life: LifeDays, expires_on: date, days: SendingDays) -> Plan:
    """Return the plan with the steps of what has begun in place of those that ask for what is done."""
    steps, until = list(plan), date.min
    if life.state is CardState.APPLIED:
        assert life.since is not None
        asked = life.expected_by or life.since + EXPECTED_AFTER
        until = max(expires_on, asked + ASKED_FOR)
        steps = [_added(AddedStep.COME, day, days.on_or_after(day)) for day in _every_fortnight(asked, until)]
    elif life.state is CardState.READY_TO_COLLECT:
        assert life.since is not None
        until = life.collect_by or max(expires_on, life.since + ASKED_FOR)
        last = [until - timedelta(days=before) for before in _BEFORE_COLLECTING if life.collect_by is not None]
        asked_on = {*_every_fortnight(life.since + timedelta(days=7), until), *last}
        steps = [_added(AddedStep.COLLECT, day, days.on_or_before(day)) for day in sorted(asked_on) if day > life.since]
    # What is asked again and again may have been a mistake, or forgotten: after that the schedule goes on.
    steps += [step for step in plan if until < step.on] if until > date.min else []
    if life.appointment_on is not None:
        booked = life.appointment_on
        visit = [booked - timedelta(days=before) for before in _BEFORE_VISIT]
        after = [step for step in steps if step.on > booked + AFTER_VISIT]
        steps = [_added(AddedStep.VISIT, day, days.on_or_before(day)) for day in visit]
        steps = [step for step in steps if life.since is None or step.on > life.since] + after
    return tuple(sorted(steps, key=lambda step: step.on))


def _every_fortnight(first: date, until: date) -> Iterator[date]:
    day = first
    while day <= until:
        yield day
        day += BETWEEN_ASKING


def _added(which: AddedStep, day: date, on: date) -> Step:
    return Step(f"{which}{day:%Y%m%d}", on, frozenset(Audience), added=which)


def is_wanted(copies: Copies, step: Step, said: StepText, expires_on: date) -> bool:
    """Return whether a member with this choice of copies is sent this step. The question for a new date always is.

    `said`: the text of the step. A text that holidays pulled forward is as near the end as its words say.
    """
    if copies is Copies.ALL or step.added not in (None, AddedStep.AGAIN):
        return True
    return copies is Copies.NEAR and (step.on >= expires_on - NEAR_FROM or said.is_near_end)


def is_called_at(step: Step, plan: Plan, preferences: Preferences) -> bool:
    """Return whether a person without another channel is called at this step.

    Of a group's own days these are the last.
    """
    if step.rule is not None and preferences.own_days and step.rule.is_dated:
        return step.rule.days_before in preferences.own_days[-MOST_CALLS:]
    rule = rule_for_text(step, plan)
    return rule.calls if rule is not None else step.added is AddedStep.AGAIN


def remind_again_on(expires_on: date, today: date, mode: Mode, after: timedelta, on_holidays: bool = False) -> date:
    """Return a day `after` today, sooner near the end, on which the person may be reminded."""
    left = max((expires_on - today).days, 0)
    days = max(min(after.days, left // 2), 1)
    return hours.sending_day_on_or_after(today + timedelta(days=days), mode, on_holidays)


def recipients_now(recipient_set: RecipientSet, progress: Progress, mode: Mode) -> RecipientSet:
    """Return the recipients who are reminded at once.

    Of several carers of an elderly person it is the first, then one more for each escalation level; where one is
    assigned, that one alone.
    """
    if mode is Mode.STANDARD:
        return recipient_set
    taker = [
        recipient
        for recipient in (*recipient_set.carers, *recipient_set.staff)
        if recipient.contact_id == progress.assigned_to
    ]
    if taker:
        is_carer = taker[0] in recipient_set.carers
        return replace(recipient_set, carers=tuple(taker) if is_carer else (), staff=() if is_carer else tuple(taker))
    return replace(recipient_set, carers=recipient_set.carers[: 1 + progress.escalation_level])


def escalation_order(recipient_set: RecipientSet) -> Sequence[Recipient]:
    """Return who is asked, one after the other: the carers in their order, the home's staff, its owners."""
    owners = [recipient for recipient in recipient_set.staff if recipient.role is Role.OWNER]
    others = [recipient for recipient in recipient_set.staff if recipient not in owners]
    return (*recipient_set.carers, *others, *owners)
