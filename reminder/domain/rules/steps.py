"""One step of a schedule: the day on which somebody is reminded, and the texts that are true on that day."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

from reminder.domain.model.people import Audience


class Anchor(StrEnum):
    """The day from which the days of a step are counted."""

    OPENS = "opens"  # the first day on which the renewal is accepted
    EXPIRES = "expires"  # the last valid day
    COUNTER = "counter"  # the last day on which a counter is open, where that is earlier than the end
    GRACE = "grace"  # the last day of the health-insurance grace


class Stage(StrEnum):
    """The nearness of an end. A text of one stage is true on each of its days; a text of another stage may not be."""

    OPENS = "opens"
    FAR = "far"  # more than six weeks before the end: something can be prepared
    MONTH = "month"  # the last six weeks: it is time to go
    NEAR = "near"  # the last week
    LAST = "last"  # the day before the end, and the end itself
    LAST_OPEN = "lastopen"
    AFTER = "after"
    GRACE = "grace"
    GRACE_NEAR = "grace_near"  # the last week of the grace
    POST = "post"  # the grace has ended
    DONE = "done"  # the card was acknowledged: the new date is asked for
    TAKEN = "taken"  # somebody is assigned, and no new date has come
    COME = "come"  # somebody has applied: has the new one, or the word that it can be collected, come?
    COLLECT = "collect"  # it can be collected
    VISIT = "visit"  # there is an appointment

    @property
    def is_of_life(self) -> bool:
        """Whether it is about an act after the first one, and not about the end."""
        return self in (Stage.COME, Stage.COLLECT, Stage.VISIT)

    @property
    def is_after_end(self) -> bool:
        """Whether the end date has passed on the days of this stage."""
        return self in (Stage.AFTER, Stage.GRACE, Stage.GRACE_NEAR, Stage.POST)

    @property
    def is_of_grace(self) -> bool:
        """Whether its texts name the end of a grace, and so exist only where one is promised."""
        return self in (Stage.GRACE, Stage.GRACE_NEAR, Stage.POST)


# The first day of each stage before the end, in days left.
_FAR_FROM, _MONTH_FROM, _NEAR_FROM = 46, 8, 2

# The day whose text represents a whole stage. A language has at least these, without those of `_FALLBACK_STAGES`.
_REFERENCE = {
    Stage.OPENS: 0,
    Stage.FAR: 60,
    Stage.MONTH: 30,
    Stage.NEAR: 7,
    Stage.LAST: 0,
    Stage.LAST_OPEN: 0,
    Stage.AFTER: 7,
    Stage.GRACE: 30,
    Stage.GRACE_NEAR: 7,
    Stage.POST: 1,
}

# The fallback of a stage without any text: the next stages, whose texts are true before their days as well.
_FALLBACK_STAGES: dict[Stage, tuple[Stage, ...]] = {
    Stage.OPENS: (Stage.FAR, Stage.MONTH),
    Stage.FAR: (Stage.MONTH,),
    Stage.LAST_OPEN: (Stage.NEAR,),
}

# The stages for which every voice and family needs a text of its own.
NEEDED_STAGES = (Stage.MONTH, Stage.NEAR, Stage.LAST, Stage.AFTER)
NEEDED_STAGES_OF_GRACE = (Stage.GRACE, Stage.GRACE_NEAR, Stage.POST)

_TEXT_KEY = re.compile(r"([dag])(0|[1-9][0-9]{0,2})")
_NAMED_KEYS = {Stage.OPENS: "opens", Stage.LAST_OPEN: "lastopen", Stage.POST: "post"}

# A step's name is stored with its reminder, in a column of 20 characters, as are those that a plan adds.
LONGEST_NAME = 20
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def stage_of(anchor: Anchor, days: int) -> Stage | None:
    """Return the stage of the day that is `days` after the anchor (before it where negative).

    None where nothing true can be said: before the opening, and after the last open day.
    """
    left = -days
    match anchor:
        case Anchor.OPENS:
            return Stage.OPENS if days >= 0 else None
        case Anchor.COUNTER:
            return Stage.LAST_OPEN if days <= 0 else None
        case Anchor.GRACE if days > 0:
            return Stage.POST
        case Anchor.GRACE:
            return Stage.GRACE if left >= _MONTH_FROM else Stage.GRACE_NEAR
        case _ if days > 0:
            return Stage.AFTER
        case _:
            bounds = ((_FAR_FROM, Stage.FAR), (_MONTH_FROM, Stage.MONTH), (_NEAR_FROM, Stage.NEAR))
            return next((stage for bound, stage in bounds if left >= bound), Stage.LAST)


@dataclass(frozen=True)
class StepText:
    """The text of a step: that of the key `name`, else the nearest of the same stage. `days`: from the anchor, >= 0."""

    name: str
    stage: Stage
    days: int

    @classmethod
    def of_stage(cls, stage: Stage) -> Self:
        """Return the text that represents a whole stage, such as d30 for the last six weeks."""
        days = _REFERENCE.get(stage, 0)
        letter = "a" if stage is Stage.AFTER else "g" if stage.is_of_grace else "d"
        named = _NAMED_KEYS.get(stage, stage.value if stage not in _REFERENCE else f"{letter}{days}")
        return cls(named, stage, days)

    @classmethod
    def read(cls, key: str) -> Self | None:
        """Return the stage and day of a key of [texts] in config/wording/: opens, d60, lastopen, a7, g30 or post.

        None for any other key, which is the text of the step of that name alone.
        """
        for stage, name in _NAMED_KEYS.items():
            if key == name:
                return cls(key, stage, _REFERENCE[stage])
        found = _TEXT_KEY.fullmatch(key)
        if found is None:
            return None
        days = int(found[2])
        anchor = Anchor.GRACE if found[1] == "g" else Anchor.EXPIRES
        stage_found = stage_of(anchor, days if found[1] == "a" else -days)
        return None if stage_found is None else cls(key, stage_found, days)

    @property
    def is_near_end(self) -> bool:
        """Whether it is about the last thirty days before an end."""
        if self.stage is Stage.MONTH:
            return self.days <= _REFERENCE[Stage.MONTH]
        return self.stage in (Stage.NEAR, Stage.LAST, Stage.LAST_OPEN)


def by_fitness(wanted: StepText, written: Iterable[str]) -> list[str]:
    """Return those of the keys `written` that may be used for `wanted`, the best first.

    The key of its own name comes first. Of its stage follow the nearest day farther from the anchor, then the day that
    represents the stage, then the nearest below; then the fallback stages.
    """
    stages = (wanted.stage, *_FALLBACK_STAGES.get(wanted.stage, ()))
    fitting = []
    for key in written:
        text = StepText.read(key)
        if key == wanted.name:
            fitting.append(((-1, 0, 0), key))
        elif text is not None and text.stage in stages:
            place = stages.index(text.stage)
            days = wanted.days if place == 0 else _REFERENCE[text.stage]
            fitting.append(((place, *_distance(text, days)), key))
    return [key for _, key in sorted(fitting)]


def _distance(text: StepText, days: int) -> tuple[int, int]:
    if text.days == days or (text.days > days and text.stage is not Stage.AFTER):
        return 0, text.days - days
    return (1, 0) if text.days == _REFERENCE[text.stage] else (2, abs(days - text.days))


@dataclass(frozen=True)
class StepRule:
    """A step of config/schedules.toml: `days` after its anchor, before it where negative.

    `rank` is its place in the file, and behind that the rank of a group's own day: of two steps on one day the later is
    sent. `calls`: a person without another channel is called by telephone. `asks_for_form`: carers are asked whether
    the office's form has come, without which a proxy goes twice.
    """

    name: str
    anchor: Anchor
    days: int
    moves_after: bool
    rank: tuple[int, int]
    calls: bool = False
    asks_for_form: bool = False

    @property
    def is_dated(self) -> bool:
        """Whether it is counted in days before the end, and so is replaced by a group's own days."""
        return self.anchor is Anchor.EXPIRES and self.days <= 0

    @property
    def days_before(self) -> int:
        """The number of days before its anchor; negative after it."""
        return -self.days

    @property
    def text(self) -> StepText:
        """The text of the step."""
        stage = stage_of(self.anchor, self.days)
        if stage is None:
            raise ValueError(f"nothing can be said at {self.name}")
        return StepText(self.name, stage, abs(self.days))


class AddedStep(StrEnum):
    """A step that an answer adds to a plan. The step's name begins with it, followed by a part that makes it unique."""

    DONE = "done"  # the new date is asked for
    TAKEN = "taken"  # the assigned contact is asked for the result
    AGAIN = "again"  # the person is reminded once more
    COME = "come"  # it was applied for: has it come?
    COLLECT = "collect"  # it can be collected
    VISIT = "visit"  # there is an appointment


def is_allowed_name(name: str) -> bool:
    """Return whether a step of config/schedules.toml may have this name: no name that a plan may add itself."""
    return (
        _NAME.fullmatch(name) is not None
        and len(name) <= LONGEST_NAME
        and not name.startswith(tuple(AddedStep))
        and name not in ("computed", "a7_without_insurance")
    )


@dataclass(frozen=True)
class Step:
    """One day of a plan: `audiences` are reminded on `on`, a date in Japan.

    It has a rule, or was added by an answer.
    """

    name: str
    on: date
    audiences: frozenset[Audience]
    rule: StepRule | None = None
    added: AddedStep | None = None


Plan = tuple[Step, ...]


def step_due(plan: Plan, audiences: Collection[Audience], expires_on: date, today: date) -> Step | None:
    """Return the latest due step of a recipient who receives the steps of these audiences.

    After an outage only that one is sent: four texts in a morning frighten people. Once the end has passed, a step from
    before it is no longer true and is not sent.
    """
    due = [step for step in plan if step.on <= today and not step.audiences.isdisjoint(audiences)]
    if not due or (due[-1].on <= expires_on < today):
        return None
    return due[-1]


def step_missed(plan: Plan, audiences: Collection[Audience], over_after: date, today: date) -> tuple[Step, Step] | None:
    """Return the last step before an end that has passed, and the first one after it, whose day has not come yet.

    Who was not told the one, because nothing ran meanwhile or nothing arrived, is told the other at once. `over_after`:
    the last day on which the card was valid. None where there are no such steps.
    """
    theirs = [step for step in plan if not step.audiences.isdisjoint(audiences)]
    due = [step for step in theirs if step.on <= today]
    if not due or not due[-1].on <= over_after < today:
        return None
    after = next((step for step in theirs if step.on > today and step.rule is not None), None)
    return None if after is None else (due[-1], after)


def next_day(plan: Plan, after: date) -> date | None:
    """Return the day of the first step later than `after`."""
    return next((step.on for step in plan if step.on > after), None)


def first_planning_day(plan: Plan, expires_on: date, today: date) -> date | None:
    """Return the first planning day of a new or changed card: today if a step is overdue, else the next step's day."""
    return today if step_due(plan, frozenset(Audience), expires_on, today) else next_day(plan, today)


def rule_for_text(step: Step, plan: Plan) -> StepRule | None:
    """Return the rule that gives a step its text: its own, or that of the step before it for a repeated reminder.

    None for a question about a new date, and where the person has no step of their own.
    """
    if step.added is not AddedStep.AGAIN:
        return step.rule
    own = [one for one in plan if Audience.PERSON in one.audiences and one.rule is not None]
    before = [one for one in own if one.on <= step.on]
    return (before[-1] if before else own[0]).rule if own else None


def text_at(step: Step, plan: Plan) -> StepText:
    """Return the text of a step of a plan; a repeated reminder takes the text before it."""
    if step.added is not None and step.added is not AddedStep.AGAIN:
        return StepText(step.name, Stage(step.added.value), 0)
    rule = rule_for_text(step, plan)
    return StepText.of_stage(Stage.MONTH) if rule is None else rule.text
