"""Proof of effect: what became of each end date, and what was told last before somebody acted.

An end is counted from the day after it. Until then only what was renewed early would be known of it, and a rate over
such ends would be a rate of the successes alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from reminder.domain.model.card_states import CardState, EndReason
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.people import Audience, GroupKind, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.steps import AddedStep

# Before anything was ever counted: what lies further back is left out.
FARTHEST_BACK = timedelta(days=400)
# An end that moves past holidays is over so many days later at most.
MOVES_AT_MOST = timedelta(days=14)
# An act can be taken back for a day, which leaves the instant of the act as it was.
ACTS_COMPARED_FOR = timedelta(days=3)
# On these days after an end the last steps of a schedule have been told, which an end without an answer is counted by.
LOOKED_AT_AGAIN = (timedelta(days=30), timedelta(days=60), timedelta(days=100), timedelta(days=140))


@dataclass(frozen=True)
class EndFacts:
    """What is recorded of one end of a card. Dates are dates in Japan.

    `valid_until`: the last day on which the card was valid, later than its end where that moves past holidays.
    `registered_on`: when this end was entered. `state`, `since`: of the life that the card had for this end, and since
    when; None where nobody has acted. `said_done_on`: when somebody said that it is renewed, if that was before its new
    date or its end was known. `renewed_to`: the new date.
    """

    expires_on: date
    valid_until: date
    registered_on: date
    grace_ends_on: date | None = None
    state: CardState | None = None
    since: date | None = None
    said_done_on: date | None = None
    renewed_to: date | None = None
    reason: EndReason | None = None


@dataclass(frozen=True)
class EndResult:
    """What became of an end, on which day somebody said so, and why where it is needed no more."""

    outcome: EndOutcome
    acted_on: date | None = None
    reason: EndReason | None = None


def result_of(facts: EndFacts, today: date) -> EndResult | None:
    """Return what became of an end; None for one that is not counted.

    Not counted are an end that has not passed, one that was entered after it had passed, of which nobody could be
    reminded, and a date that was corrected to an earlier one. The day on which somebody told us counts, not the day on
    which they went: nobody is asked for that.
    """
    if facts.valid_until >= today or facts.registered_on > facts.expires_on or _is_corrected(facts):
        return None
    if facts.state is CardState.ENDED and facts.said_done_on is None:
        return EndResult(EndOutcome.ENDED, facts.since, facts.reason or EndReason.NOT_NEEDED)
    is_renewed = facts.state in (CardState.DONE, CardState.RENEWED)
    renewed_on = facts.said_done_on or (facts.since if is_renewed else None)
    if renewed_on is None:
        return EndResult(EndOutcome.UNKNOWN)
    if renewed_on <= facts.valid_until:
        return EndResult(EndOutcome.BEFORE, renewed_on)
    in_grace = facts.grace_ends_on is not None and renewed_on <= facts.grace_ends_on
    return EndResult(EndOutcome.IN_GRACE if in_grace else EndOutcome.AFTER, renewed_on)


def _is_corrected(facts: EndFacts) -> bool:
    return facts.state is CardState.RENEWED and facts.renewed_to is not None and facts.renewed_to <= facts.expires_on


@dataclass(frozen=True)
class ToldStep:
    """A step of which one human was told. `channel`: by which it was told; "" where that is not known any more."""

    step: str
    day: date
    audience: Audience
    channel: str


_NEAREST_FIRST = (Audience.PERSON, Audience.CARER, Audience.STAFF)


def last_told(told: Collection[ToldStep], acted_on: date | None) -> ToldStep | None:
    """Return what was told last up to the day of the act, or at all where nobody has acted.

    Of several humans who were told on one day it is the person, then a carer, then staff.
    """
    before = [one for one in told if acted_on is None or one.day <= acted_on]
    return max(before, key=lambda one: (one.day, -_NEAREST_FIRST.index(one.audience), one.step), default=None)


def step_name(step: str) -> str:
    """Return the name under which a step is counted: of one that an answer has added, without its number."""
    return next((added.value for added in AddedStep if step.startswith(added)), step)


# ── the tables of the answer ──


class By(StrEnum):
    """What ends can be told apart by."""

    STEP = "step"
    KIND = "kind"
    MODE = "mode"
    CHANNEL = "channel"
    GROUP_KIND = "group-kind"


# Under this name stands what was told by nothing: nobody was told a step before somebody acted.
NOTHING = ""
# A row of fewer ends is not shown: a reader who knows one family would learn from it what became of the others.
FEWEST_SHOWN = 10
# 97.5 % of a normal distribution lie below so many standard deviations.
_Z = 1.959963984540054


@dataclass(frozen=True)
class EndCount:
    """So many ends of one month that agree in everything by which they are told apart."""

    month: date
    kind: str
    group_kind: GroupKind
    mode: Mode
    step: str
    channel: str
    outcome: EndOutcome
    reason: str
    ends: int

    def under(self, by: By) -> str:
        """Return the name of the row that it belongs to."""
        return str(getattr(self, by.name.lower()))


@dataclass(frozen=True)
class Share:
    """A share with the limits between which the true one lies in 95 of 100 cases (Wilson)."""

    of: int
    count: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share itself, 0 where there is nothing to share."""
        return self.count / self.of if self.of else 0.0


def wilson(count: int, of: int) -> Share:
    """Return the share of `count` in `of` with its Wilson score interval, which is right for small numbers too.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if of == 0:
        return Share(0, 0, 0.0, 1.0)
    share, square = count / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    spread = _Z / (1 + square / of) * (share * (1 - share) / of + square / (4 * of * of)) ** 0.5
    # At the ends the limits are exact, which floating point misses by a little.
    return Share(of, count, 0.0 if count == 0 else middle - spread, 1.0 if count == of else middle + spread)


@dataclass(frozen=True)
class EffectRow:
    """What became of the ends of one row, by outcome."""

    name: str
    outcomes: dict[EndOutcome, int] = field(default_factory=dict)

    def count(self, outcome: EndOutcome) -> int:
        """Return how many ends have this outcome."""
        return self.outcomes.get(outcome, 0)

    @property
    def ends(self) -> int:
        """All ends of the row."""
        return sum(self.outcomes.values())

    @property
    def in_time(self) -> Share:
        """The share that was renewed by its end, of those that were still needed."""
        return wilson(self.count(EndOutcome.BEFORE), self.ends - self.count(EndOutcome.ENDED))

    @property
    def kept(self) -> Share:
        """The share that was renewed by its end or in the grace, of those that were still needed."""
        kept = self.count(EndOutcome.BEFORE) + self.count(EndOutcome.IN_GRACE)
        return wilson(kept, self.ends - self.count(EndOutcome.ENDED))


@dataclass(frozen=True)
class EffectTable:
    """The rows that may be shown, and their sum with those that may not.

    `hidden`: the number of rows that are not shown; their ends are in `total`. `total` is None where all ends together
    are too few.
    """

    total: EffectRow | None
    rows: Sequence[EffectRow] = ()
    hidden: int = 0


def table_of(counts: Collection[EndCount], by: By | None = None) -> EffectTable:
    """Return the table of these counts, by what they are told apart.

    A row of fewer than FEWEST_SHOWN ends is hidden. The total less the rows that are shown tells what is hidden: so at
    least two rows are hidden, or none, and together they have at least as many ends as a row that may be shown. The
    smallest of the others are hidden with it where that is not so.
    """
    total = _row("", counts)
    if total.ends < FEWEST_SHOWN:
        return EffectTable(None, (), 0 if total.ends == 0 else 1)
    if by is None:
        return EffectTable(total)
    names = {one.under(by) for one in counts if one.ends}
    rows = [_row(name, [one for one in counts if one.under(by) == name]) for name in names]
    rows.sort(key=lambda row: (-row.ends, row.name))
    hidden = [row for row in rows if row.ends < FEWEST_SHOWN]
    shown = [row for row in rows if row.ends >= FEWEST_SHOWN]
    while hidden and shown and (len(hidden) < 2 or sum(row.ends for row in hidden) < FEWEST_SHOWN):
        hidden.append(shown.pop())
    return EffectTable(total, shown, len(hidden))


def _row(name: str, counts: Collection[EndCount]) -> EffectRow:
    found: dict[EndOutcome, int] = {}
    for one in counts:
        found[one.outcome] = found.get(one.outcome, 0) + one.ends
    return EffectRow(name, found)


def month_of(day: date) -> date:
    """Return the first day of the month of this day."""
    return day.replace(day=1)


def last_year(now: datetime) -> tuple[date, date]:
    """Return the month of today in Japan, and the one eleven months earlier: a year of ends, by their first days."""
    last = month_of(hours.japan(now).date())
    return (last.replace(year=last.year - 1, month=last.month + 1) if last.month < 12 else last.replace(month=1)), last
