"""The schedule: on which days around an end date somebody is told, at intervals that shorten as the day nears."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise, product
from typing import cast

from reminder.domain import hours, validity
from reminder.domain.cards import CardKind, Grace
from reminder.domain.people import Audience, Mode
from reminder.domain.rules.preferences import FURTHEST_DAY, USUAL, Rhythm
from reminder.errors import SettingsError

ANCHORS = ("opens", "expires", "counter", "grace")

# A group's choice is kept under this name.
LONGEST_NAME = 20

# How far a step may be pulled forward so that gaps never grow; beyond it a step is left out instead.
FURTHEST_PULL = 21
# And the first and the last of a group's own days.
FURTHEST_PULL_OF_FIRST, FURTHEST_PULL_OF_LAST = timedelta(days=7), timedelta(days=3)


@dataclass(frozen=True)
class CardDates:
    """The dates a plan hangs on. `opens_on` is None where no such day is known, `grace_ends_on` where no grace is
    promised. `over_after`: the last day it holds by law, where that moves past holidays."""

    opens_on: date | None
    expires_on: date
    over_after: date
    grace_ends_on: date | None
    last_counter_day: date


@dataclass(frozen=True)
class StepRule:
    """`rank` is its place in config/schedules.toml, and behind that of a group's own day: of two steps landing on one
    day the later is told."""

    name: str
    anchor: str
    days: int
    moves_after: bool
    rank: tuple[int, int]

    @property
    def is_dated(self) -> bool:
        """Whether it stands so many days before the end, and so gives way to a group's own days."""
        return self.anchor == "expires" and self.days <= 0


@dataclass(frozen=True)
class Schedule:
    """Who is told at which step, in the order of config/schedules.toml. `on_own_days`: the group has chosen them."""

    person: tuple[StepRule, ...]
    carer: tuple[StepRule, ...]
    staff: tuple[StepRule, ...]
    on_own_days: bool = False


@dataclass(frozen=True)
class Step:
    """One day of a plan: `audiences` are told on `on`, a date in Japan."""

    name: str
    on: date
    audiences: frozenset[Audience]


Plan = tuple[Step, ...]


def dates_of(
    kind: CardKind,
    expires_on: date,
    *,
    insurance: bool,
    card_grace: bool,
    carrier_ends_on: date | None = None,
    is_bound: bool = False,
) -> CardDates:
    """`insurance`: the person uses the card at hospitals. `carrier_ends_on`: the end of the card this lives in.

    `card_grace`: the operator has confirmed that the grace also covers an expired card itself. No source settles it, so
    without that nothing is promised that would outlast the card. `is_bound`: it ends with a residence period, which
    must be renewed first, and has neither window nor grace.
    """
    grace_ends_on = validity.grace_ends_on(expires_on)
    outlasts_card = kind.grace is Grace.UNCONFIRMED or (carrier_ends_on is not None and carrier_ends_on < grace_ends_on)
    has_grace = kind.grace is not Grace.NONE and insurance and not is_bound and (card_grace or not outlasts_card)
    return CardDates(
        opens_on=None if is_bound else validity.opens_on(expires_on, kind.opens),
        expires_on=expires_on,
        over_after=validity.moved_past_holidays(expires_on) if kind.moves_past_holidays else expires_on,
        grace_ends_on=grace_ends_on if has_grace else None,
        last_counter_day=hours.last_counter_day(expires_on),
    )


@lru_cache(maxsize=16_384)
def plan(schedule: Schedule, dates: CardDates, mode: Mode, on_holidays: bool = False) -> Plan:
    """Every step with its day, in order. Copies and carers' own steps share the person's day where both have the step.
    `on_holidays`: the group wants to be told on Sundays and holidays too.

    Before the end no gap between two texts to the person is longer than the one before it.
    """
    days = _Days(mode, on_holidays)
    persons = _latest_of_each_day(_moved_days(schedule.person, dates, days), dates)
    person = _shrinking_gaps(persons, dates, days, on_own_days=schedule.on_own_days)
    told: dict[StepRule, tuple[date, set[Audience]]] = {}
    for audience, rules in (
        (Audience.PERSON, schedule.person),
        (Audience.CARER, schedule.carer),
        (Audience.STAFF, schedule.staff),
    ):
        told_on = person
        if audience is not Audience.PERSON:
            own = _moved_days(rules, dates, days)
            same_day = {rule: person.get(rule, day) for rule, day in own.items()}
            told_on = _not_soon_after_opening(_latest_of_each_day(same_day, dates), person)
        for rule, on in told_on.items():
            told.setdefault(rule, (on, set()))[1].add(audience)
    in_order = sorted(told.items(), key=lambda row: (row[1][0], row[0].rank))
    return tuple(Step(rule.name, on, frozenset(audiences)) for rule, (on, audiences) in in_order)


def step_due(plan: Plan, hears: Collection[Audience], expires_on: date, today: date) -> Step | None:
    """The latest step whose day has come for one who hears what these audiences are told.

    After an outage only that one is told: four texts in a morning frighten people. Once the end has passed, a step from
    before it is no longer true and is not told.
    """
    due = [step for step in plan if step.on <= today and not step.audiences.isdisjoint(hears)]
    if not due or (due[-1].on <= expires_on < today):
        return None
    return due[-1]


def next_day(plan: Plan, after: date) -> date | None:
    """The day of the first step later than `after`."""
    return next((step.on for step in plan if step.on > after), None)


def first_look(plan: Plan, expires_on: date, today: date) -> date | None:
    """When planning must look at a new or changed card: today if a step is overdue, else the next step's day."""
    return today if step_due(plan, frozenset(Audience), expires_on, today) else next_day(plan, today)


@dataclass(frozen=True)
class _Days:
    """Which days are allowed."""

    mode: Mode
    on_holidays: bool

    def on_or_before(self, day: date) -> date:
        return hours.sending_day_on_or_before(day, self.mode, self.on_holidays)

    def on_or_after(self, day: date) -> date:
        return hours.sending_day_on_or_after(day, self.mode, self.on_holidays)


Presets = Mapping[Mode, Mapping[str, Schedule]]


class Schedules:
    """The presets of config/schedules.toml: for each mode, one schedule by each name; and those that a group may choose
    in place of its persons' modes, for the modes that they are written for."""

    def __init__(self, rules: Mapping[str, StepRule], presets: Presets, chosen: Mapping[str, Presets]) -> None:
        self._rules = rules
        self._presets = presets
        self._chosen = chosen

    @property
    def steps(self) -> Collection[str]:
        return self._rules.keys()

    @property
    def names(self) -> Collection[str]:
        return self._presets[Mode.STANDARD].keys()

    @property
    def presets(self) -> Collection[str]:
        """Those that a group may choose."""
        return self._chosen.keys()

    def of(self, mode: Mode, kind: CardKind, rhythm: Rhythm = USUAL) -> Schedule:
        """What elders are not told, only their carers are. A preset that is gone is each person's own again."""
        presets = self._chosen.get(rhythm.preset, self._presets) if rhythm.preset else self._presets
        schedule = presets.get(mode, self._presets[mode])[kind.schedule]
        if rhythm.own_days:
            schedule = _on_own_days(schedule, rhythm.own_days, tuple(self._rules.values()), kind.comes_by_itself)
        is_silent = mode is not Mode.STANDARD and not kind.told_to_elders
        return replace(schedule, person=()) if is_silent else schedule


@lru_cache(maxsize=1024)
def _on_own_days(
    schedule: Schedule, own_days: tuple[int, ...], rules: tuple[StepRule, ...], comes_by_itself: bool
) -> Schedule:
    """The schedule on a group's own days before the end. The opening, the last open day and what follows the end stay.

    What goes to carers on the person's days are copies, and move with them; their own calls to act stay where they are.
    A home's staff are told on the days that the home has chosen.
    """
    own = [_own_rule(day, rules) for day in own_days]
    persons = [rule for rule in schedule.person if rule.is_dated]
    copied = [rule for rule in schedule.carer if rule in persons]
    calls = [rule for rule in schedule.carer if rule.is_dated and rule not in persons]
    if comes_by_itself:
        # Before it can have come, nobody is asked whether it has.
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
    """The step of that day, or one of its own that stands behind the nearest above."""
    dated = sorted((rule for rule in rules if rule.is_dated), key=_ahead)
    same = next((rule for rule in dated if _ahead(rule) == day), None)
    if same is not None:
        return same
    above = next((rule.rank[0] for rule in dated if _ahead(rule) > day), None)
    place = dated[-1].rank[0] - 1 if above is None else above
    return StepRule(f"d{day}", "expires", -day, False, (place, 1 + FURTHEST_DAY - day))


def _ahead(rule: StepRule) -> int:
    return -rule.days


def _no_earlier(own: Sequence[StepRule], told: Collection[StepRule]) -> list[StepRule]:
    """Those that are no farther from the end than what is told now."""
    farthest = max(map(_ahead, told), default=-1)
    return [rule for rule in own if _ahead(rule) <= farthest]


def _with_dated(rules: Sequence[StepRule], dated: Collection[StepRule]) -> tuple[StepRule, ...]:
    kept = {rule for rule in rules if not rule.is_dated}
    return tuple(sorted({*kept, *dated}, key=lambda rule: rule.rank))


def read_schedules(table: Mapping[str, object]) -> Schedules:
    """From the parsed config/schedules.toml. Raises SettingsError naming the entry."""
    rows = _section(table, "steps").items()
    rules = {name: _read_rule(name, row, rank) for rank, (name, row) in enumerate(rows)}
    presets: dict[Mode, dict[str, Schedule]] = {}
    for mode in Mode:
        schedules = _section(table, "presets").get(mode)
        if not isinstance(schedules, Mapping) or schedules.keys() != _names_in(table):
            names = ", ".join(sorted(_names_in(table)))
            raise SettingsError(f"config/schedules.toml: presets.{mode}", f"every mode has the same schedules: {names}")
        presets[mode] = {name: _read_schedule(rules, schedules[name], f"presets.{mode}.{name}") for name in schedules}
    chosen = {name: _read_chosen(rules, row, name, presets) for name, row in _chosen_in(table).items()}
    return Schedules(rules, presets, chosen)


def _chosen_in(table: Mapping[str, object]) -> Mapping[str, object]:
    chosen = table.get("chosen", {})
    if not isinstance(chosen, Mapping):
        raise SettingsError("config/schedules.toml: [chosen]", "write [chosen.NAME.MODE.SCHEDULE]")
    return chosen


def _read_chosen(rules: Mapping[str, StepRule], row: object, name: str, presets: Presets) -> Presets:
    """Modes and schedules that it leaves out stay as they are."""
    if not isinstance(row, Mapping) or not row.keys() <= set(Mode) or len(name) > LONGEST_NAME:
        fix = (
            f"write [chosen.NAME.MODE.SCHEDULE], a mode of {', '.join(Mode)}, a name of {LONGEST_NAME} letters at most"
        )
        raise SettingsError(f"config/schedules.toml: chosen.{name}", fix)
    chosen = {}
    for mode, schedules in row.items():
        where = f"chosen.{name}.{mode}"
        if not isinstance(schedules, Mapping) or not schedules.keys() <= presets[Mode(mode)].keys():
            fix = f"name schedules of {', '.join(presets[Mode(mode)])}"
            raise SettingsError(f"config/schedules.toml: {where}", fix)
        own = {schedule: _read_schedule(rules, schedules[schedule], f"{where}.{schedule}") for schedule in schedules}
        chosen[Mode(mode)] = {**presets[Mode(mode)], **own}
    return chosen


def _names_in(table: Mapping[str, object]) -> set[str]:
    return {
        name
        for schedules in _section(table, "presets").values()
        if isinstance(schedules, Mapping)
        for name in schedules
    }


def _read_schedule(rules: Mapping[str, StepRule], row: object, where: str) -> Schedule:
    told = {}
    for audience in Audience:
        names = row.get(audience) if isinstance(row, Mapping) else None
        if not isinstance(names, list):
            raise SettingsError(f"config/schedules.toml: {where}.{audience}", "make it a list of steps, [] for none")
        for name in names:
            if name not in rules:
                raise SettingsError(f"config/schedules.toml: {where}: {name}", "add it to [steps] or remove it")
        told[audience] = tuple(rule for name, rule in rules.items() if name in names)
    return Schedule(told[Audience.PERSON], told[Audience.CARER], told[Audience.STAFF])


def _section(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise SettingsError(f"config/schedules.toml: [{name}]", "add this section")
    return section


def _read_rule(name: str, row: object, rank: int) -> StepRule:
    if (
        not isinstance(row, Mapping)
        or not set(row) <= {"anchor", "days", "moves"}
        or row.get("anchor") not in ANCHORS
        or not isinstance(row.get("days"), int)
        or row.get("moves", "after") != "after"
    ):
        fix = f'write {{ anchor = one of {", ".join(ANCHORS)}, days = a whole number }}, and moves = "after" if it must'
        raise SettingsError(f"config/schedules.toml: steps.{name}", fix)
    return StepRule(name, cast(str, row["anchor"]), cast(int, row["days"]), "moves" in row, (rank, 0))


def _moved_days(rules: Sequence[StepRule], dates: CardDates, days: _Days) -> dict[StepRule, date]:
    return {rule: day for rule in rules if (day := _moved(rule, dates, days)) is not None}


def _moved(rule: StepRule, dates: CardDates, days: _Days) -> date | None:
    if rule.anchor == "counter" and dates.last_counter_day == dates.expires_on:
        return None
    anchor = {
        "opens": dates.opens_on,
        "expires": dates.expires_on if rule.days <= 0 else dates.over_after,
        "counter": dates.last_counter_day,
        "grace": dates.grace_ends_on,
    }[rule.anchor]
    if anchor is None:
        return None
    day = anchor + timedelta(days=rule.days)
    if rule.moves_after:
        return days.on_or_after(day)
    earlier = days.on_or_before(day)
    # What speaks of the end as past must not arrive before it.
    return days.on_or_after(day) if earlier <= dates.over_after < day else earlier


def _latest_of_each_day(days: Mapping[StepRule, date], dates: CardDates) -> dict[StepRule, date]:
    by_day: dict[date, StepRule] = {}
    for rule in sorted(days, key=lambda rule: rule.rank):
        by_day[days[rule]] = rule
    last = max((day for day in by_day if day <= dates.expires_on), default=dates.expires_on)
    return {rule: day for day, rule in sorted(by_day.items()) if _is_useful(day, dates, last)}


def _not_soon_after_opening(days: Mapping[StepRule, date], person: Collection[StepRule]) -> dict[StepRule, date]:
    """Without a carer's own call to act that would follow the opening within the week: it says little more."""
    opening = next((day for rule, day in days.items() if rule.anchor == "opens"), None)
    if opening is None:
        return dict(days)
    week = opening + timedelta(days=7)
    return {rule: day for rule, day in days.items() if rule in person or not opening < day < week}


def _is_useful(day: date, dates: CardDates, last_before_end: date) -> bool:
    """Before the renewal opens the counter turns people away; once it has closed for good, only the end counts."""
    return (dates.opens_on is None or day >= dates.opens_on) and not dates.last_counter_day < day < last_before_end


def _shrinking_gaps(
    told_on: Mapping[StepRule, date], dates: CardDates, days: _Days, *, on_own_days: bool
) -> dict[StepRule, date]:
    """Pulls steps forward, the far ones first, until no gap grows towards the end; what cannot fit is left out.

    Of a group's own days the first and the last may be pulled too, and the opening gives way to them: they are what was
    chosen.
    """
    before = [(rule, day) for rule, day in told_on.items() if day <= dates.expires_on]
    after = {rule: day for rule, day in told_on.items() if day > dates.expires_on}
    while len(before) > 2 and not _shrinking([day for _, day in before]):
        ends = _ends_of_own_days(before, dates, days) if on_own_days else [(before[0][1], before[-1][1])]
        fitted = next((fit for first, last in ends if (fit := _fit(before, first, last, days)) is not None), None)
        if fitted is not None:
            before = fitted
        else:
            del before[0 if on_own_days and before[0][0].anchor == "opens" else 1]
    return {**dict(before), **after}


def _ends_of_own_days(
    steps: Sequence[tuple[StepRule, date]], dates: CardDates, days: _Days
) -> Iterator[tuple[date, date]]:
    """The days on which the first and the last may be told: as chosen, or a little earlier. What speaks of the very end
    does not move, nor does the opening."""
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
    steps: Sequence[tuple[StepRule, date]], first: date, last: date, days: _Days
) -> list[tuple[StepRule, date]] | None:
    """Backtracks from the end, each step as late as it can be. The first stays: before it people are turned away."""
    gaps = len(steps) - 1
    # Later gaps are no longer than those before them are on average: where even that does not reach the end, none fits.
    if any((last - wanted) * at > (gaps - at) * (wanted - first) for at, (_, wanted) in enumerate(steps[:-1]) if at):
        return None

    # What was tried once is known: without that a long schedule takes seconds.
    @cache
    def place(index: int, later: date, gap: timedelta) -> list[date] | None:
        """Days for steps[1..index], given the day and the gap of the step after them."""
        if index == 0:
            return [first] if later - first >= gap else None
        rule, wanted = steps[index]
        candidates = [wanted] if rule.anchor == "counter" else _days_back(min(wanted, later - gap), wanted, days)
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


def _days_back(latest: date, wanted: date, days: _Days) -> Iterator[date]:
    day = days.on_or_before(latest)
    while wanted - day <= timedelta(days=FURTHEST_PULL):
        yield day
        day = days.on_or_before(day - timedelta(days=1))
