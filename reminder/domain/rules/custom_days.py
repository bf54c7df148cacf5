"""A schedule on the days that a group has chosen in place of those of config/schedules.toml."""

from collections.abc import Collection, Sequence
from functools import lru_cache

from reminder.domain.parsing.days_before import FURTHEST_DAY
from reminder.domain.rules.schedule_model import Schedule
from reminder.domain.rules.steps import Anchor, StepRule


@lru_cache(maxsize=1024)
def on_own_days(
    schedule: Schedule, own_days: tuple[int, ...], rules: tuple[StepRule, ...], comes_by_itself: bool
) -> Schedule:
    """Return the schedule on a group's own days before the end.

    The opening, the last open day and the steps after the end stay. Carers' steps on the person's days are copies, and
    move with them; carers' own calls to act keep their days. A home's staff are reminded on the days that the home has
    chosen.
    """
    own = [_own_rule(day, rules) for day in own_days]
    persons = [rule for rule in schedule.person if rule.is_dated]
    copied = [rule for rule in schedule.carer if rule in persons]
    calls = [rule for rule in schedule.carer if rule.is_dated and rule not in persons]
    if comes_by_itself:
        # Nobody is asked whether the new card has come before it can have come.
        own = _no_earlier(own, persons) or persons
    is_copied_early = max(copied, default=None, key=_ahead) == max(persons, default=None, key=_ahead)
    copies = own if is_copied_early else _no_earlier(own, copied) or own[-1:]
    return Schedule(
        _with_dated(schedule.person, own if persons else []),
        _with_dated(schedule.carer, [*(copies if copied else []), *calls]),
        _with_dated(schedule.staff, own if any(rule.is_dated for rule in schedule.staff) else []),
        on_own_days=True,
    )


def _own_rule(day: int, rules: Sequence[StepRule]) -> StepRule:
    """Return the step of that day, or a new one ranked after the nearest above, which also decides whether it calls."""
    dated = sorted((rule for rule in rules if rule.is_dated), key=_ahead)
    same = next((rule for rule in dated if _ahead(rule) == day), None)
    if same is not None:
        return same
    above = next((rule for rule in dated if _ahead(rule) > day), None)
    place = dated[-1].rank[0] - 1 if above is None else above.rank[0]
    alike = above or dated[-1]
    rank = (place, 1 + FURTHEST_DAY - day)
    return StepRule(f"d{day}", Anchor.EXPIRES, -day, moves_after=False, rank=rank, calls=alike.calls)


def _ahead(rule: StepRule) -> int:
    return rule.days_before


def _no_earlier(own: Sequence[StepRule], present: Collection[StepRule]) -> list[StepRule]:
    """Return the own days that are no farther from the end than the present steps."""
    farthest = max(map(_ahead, present), default=-1)
    return [rule for rule in own if _ahead(rule) <= farthest]


def _with_dated(rules: Sequence[StepRule], dated: Collection[StepRule]) -> tuple[StepRule, ...]:
    kept = {rule for rule in rules if not rule.is_dated}
    return tuple(sorted({*kept, *dated}, key=lambda rule: rule.rank))
