"""Fitting of steps: those before an end are pulled forward until no gap is longer than the one before it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import pairwise, product

from reminder.domain.rules.schedule_model import CardDates, SendingDays
from reminder.domain.rules.steps import Anchor, StepRule

# How far a step may be pulled forward so that gaps never grow; beyond it a step is left out instead.
FURTHEST_PULL = 21
# The same for the first and the last of a group's own days.
FURTHEST_PULL_OF_FIRST, FURTHEST_PULL_OF_LAST = timedelta(days=7), timedelta(days=3)


def shrinking_gaps(
    day_of: Mapping[StepRule, date], dates: CardDates, days: SendingDays, *, on_own_days: bool
) -> dict[StepRule, date]:
    """Return the days of the steps, pulled forward, the far ones first, until no gap grows.

    A step that cannot fit is left out. Of a group's own days the first and the last may be pulled too, and the opening
    gives way to them: the group chose them.
    """
    before = [(rule, day) for rule, day in day_of.items() if day <= dates.expires_on]
    after = {rule: day for rule, day in day_of.items() if day > dates.expires_on}
    while len(before) > 2 and not _shrinking([day for _, day in before]):
        ends = _ends_of_own_days(before, dates, days) if on_own_days else [(before[0][1], before[-1][1])]
        fitted = next((fit for first, last in ends if (fit := _fit(before, first, last, days)) is not None), None)
        if fitted is not None:
            before = fitted
        else:
            del before[0 if on_own_days and before[0][0].anchor is Anchor.OPENS else 1]
    return {**dict(before), **after}


def _ends_of_own_days(
    steps: Sequence[tuple[StepRule, date]], dates: CardDates, days: SendingDays
) -> Iterator[tuple[date, date]]:
    """Yield the days for the first and the last step: as chosen, or a little earlier.

    A step about the end itself does not move, nor does the opening.
    """
    (opening, first), (closing, last) = steps[0], steps[-1]
    firsts, lasts = [first], [last]
    if opening.is_dated:
        earliest = max(dates.opens_on or date.min, first - FURTHEST_PULL_OF_FIRST)
        firsts += [day for day in _days_back(first - timedelta(days=1), first, days) if day >= earliest]
    if closing.is_dated and timedelta(days=-closing.days) > FURTHEST_PULL_OF_LAST:
        earliest = last - FURTHEST_PULL_OF_LAST
        lasts += [day for day in _days_back(last - timedelta(days=1), last, days) if day >= earliest]
    return ((first, last) for last, first in product(lasts, firsts))


def _shrinking(days: Sequence[date]) -> bool:
    gaps = [later - earlier for earlier, later in pairwise(days)]
    return all(one >= next_one for one, next_one in pairwise(gaps))


def _fit(
    steps: Sequence[tuple[StepRule, date]], first: date, last: date, days: SendingDays
) -> list[tuple[StepRule, date]] | None:
    """Return the fitted days, each step as late as possible, by backtracking from the end; None where none fit.

    The first step stays: before it people are turned away.
    """
    gaps = len(steps) - 1
    # Later gaps are at most the average of those before them: where even that does not reach the end, none fits.
    if any((last - wanted) * at > (gaps - at) * (wanted - first) for at, (_, wanted) in enumerate(steps[:-1]) if at):
        return None

    # Memoised: without that a long schedule takes seconds.
    @cache
    def place(index: int, later: date, gap: timedelta) -> list[date] | None:
        """Return days for steps[1..index], given the day and the gap of the step after them."""
        if index == 0:
            return [first] if later - first >= gap else None
        rule, wanted = steps[index]
        candidates = [wanted] if rule.anchor is Anchor.COUNTER else _days_back(min(wanted, later - gap), wanted, days)
        for day in candidates:
            own_gap = later - day
            if day <= first or own_gap < gap:
                continue
            # Every gap still to come towards the first step must be at least this one.
            if day - first < own_gap * index:
                break
            found = place(index - 1, day, own_gap)
            if found is not None:
                return [*found, day]
        return None

    found = place(len(steps) - 2, last, timedelta(days=1))
    if found is None:
        return None
    return [(rule, day) for (rule, _), day in zip(steps, [*found, last], strict=True)]


def _days_back(latest: date, wanted: date, days: SendingDays) -> Iterator[date]:
    day = days.on_or_before(latest)
    while wanted - day <= timedelta(days=FURTHEST_PULL):
        yield day
        day = days.on_or_before(day - timedelta(days=1))
