"""The ladder: on which days around an end date somebody is told, at intervals that shorten as the day nears."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from typing import cast

from reminder.domain import hours, validity
from reminder.domain.cards import CardKind, Grace
from reminder.domain.people import Audience, Mode
from reminder.errors import SettingsError

ANCHORS = ("opens", "expires", "counter", "grace")

# How far a rung may be pulled forward so that gaps never grow; beyond it a rung is left out instead.
FURTHEST_PULL = 21


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
class RungRule:
    """`rank` is its place in config/ladders.toml: of two rungs landing on one day the later is told."""

    name: str
    anchor: str
    days: int
    moves_after: bool
    rank: int


@dataclass(frozen=True)
class Ladder:
    """Who is told at which rung, in the order of config/ladders.toml."""

    person: tuple[RungRule, ...]
    carer: tuple[RungRule, ...]
    staff: tuple[RungRule, ...]


@dataclass(frozen=True)
class Rung:
    """One day of a plan: `audiences` are told on `on`, a date in Japan."""

    name: str
    on: date
    audiences: frozenset[Audience]


Plan = tuple[Rung, ...]


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
def plan(ladder: Ladder, dates: CardDates, mode: Mode) -> Plan:
    """Every rung with its day, in order. Copies and carers' own rungs share the person's day where both have the rung.

    Before the end no gap between two texts to the person is longer than the one before it.
    """
    person = _shrinking_gaps(_latest_of_each_day(_moved_days(ladder.person, dates, mode), dates), dates, mode)
    told: dict[RungRule, tuple[date, set[Audience]]] = {}
    for audience, rules in (
        (Audience.PERSON, ladder.person),
        (Audience.CARER, ladder.carer),
        (Audience.STAFF, ladder.staff),
    ):
        days = person
        if audience is not Audience.PERSON:
            own = _moved_days(rules, dates, mode)
            same_day = {rule: person.get(rule, day) for rule, day in own.items()}
            days = _not_soon_after_opening(_latest_of_each_day(same_day, dates), person)
        for rule, on in days.items():
            told.setdefault(rule, (on, set()))[1].add(audience)
    in_order = sorted(told.items(), key=lambda row: (row[1][0], row[0].rank))
    return tuple(Rung(rule.name, on, frozenset(audiences)) for rule, (on, audiences) in in_order)


def rung_due(plan: Plan, hears: Collection[Audience], expires_on: date, today: date) -> Rung | None:
    """The latest rung whose day has come for one who hears what these audiences are told.

    After an outage only that one is told: four texts in a morning frighten people. Once the end has passed, a rung from
    before it is no longer true and is not told.
    """
    due = [rung for rung in plan if rung.on <= today and not rung.audiences.isdisjoint(hears)]
    if not due or (due[-1].on <= expires_on < today):
        return None
    return due[-1]


def next_day(plan: Plan, after: date) -> date | None:
    """The day of the first rung later than `after`."""
    return next((rung.on for rung in plan if rung.on > after), None)


def first_look(plan: Plan, expires_on: date, today: date) -> date | None:
    """When planning must look at a new or changed card: today if a rung is overdue, else the next rung's day."""
    return today if rung_due(plan, frozenset(Audience), expires_on, today) else next_day(plan, today)


class Ladders:
    """The presets of config/ladders.toml: for each mode, one ladder by each name."""

    def __init__(self, rules: Mapping[str, RungRule], presets: Mapping[Mode, Mapping[str, Ladder]]) -> None:
        self._rules = rules
        self._presets = presets

    @property
    def rungs(self) -> Collection[str]:
        return self._rules.keys()

    @property
    def names(self) -> Collection[str]:
        return self._presets[Mode.STANDARD].keys()

    def of(self, mode: Mode, kind: CardKind) -> Ladder:
        """What elders are not told, only their carers are."""
        ladder = self._presets[mode][kind.ladder]
        is_silent = mode is not Mode.STANDARD and not kind.told_to_elders
        return Ladder((), ladder.carer, ladder.staff) if is_silent else ladder


def read_ladders(table: Mapping[str, object]) -> Ladders:
    """From the parsed config/ladders.toml. Raises SettingsError naming the entry."""
    rows = _section(table, "rungs").items()
    rules = {name: _read_rule(name, row, rank) for rank, (name, row) in enumerate(rows)}
    presets: dict[Mode, dict[str, Ladder]] = {}
    for mode in Mode:
        ladders = _section(table, "presets").get(mode)
        if not isinstance(ladders, Mapping) or ladders.keys() != _names_in(table):
            names = ", ".join(sorted(_names_in(table)))
            raise SettingsError(f"config/ladders.toml: presets.{mode}", f"every mode has the same ladders: {names}")
        presets[mode] = {name: _read_ladder(rules, ladders[name], f"presets.{mode}.{name}") for name in ladders}
    return Ladders(rules, presets)


def _names_in(table: Mapping[str, object]) -> set[str]:
    return {name for ladders in _section(table, "presets").values() if isinstance(ladders, Mapping) for name in ladders}


def _read_ladder(rules: Mapping[str, RungRule], row: object, where: str) -> Ladder:
    told = {}
    for audience in Audience:
        names = row.get(audience) if isinstance(row, Mapping) else None
        if not isinstance(names, list):
            raise SettingsError(f"config/ladders.toml: {where}.{audience}", "make it a list of rungs, [] for none")
        for name in names:
            if name not in rules:
                raise SettingsError(f"config/ladders.toml: {where}: {name}", "add it to [rungs] or remove it")
        told[audience] = tuple(rule for name, rule in rules.items() if name in names)
    return Ladder(told[Audience.PERSON], told[Audience.CARER], told[Audience.STAFF])


def _section(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise SettingsError(f"config/ladders.toml: [{name}]", "add this section")
    return section


def _read_rule(name: str, row: object, rank: int) -> RungRule:
    if (
        not isinstance(row, Mapping)
        or not set(row) <= {"anchor", "days", "moves"}
        or row.get("anchor") not in ANCHORS
        or not isinstance(row.get("days"), int)
        or row.get("moves", "after") != "after"
    ):
        fix = f'write {{ anchor = one of {", ".join(ANCHORS)}, days = a whole number }}, and moves = "after" if it must'
        raise SettingsError(f"config/ladders.toml: rungs.{name}", fix)
    return RungRule(name, cast(str, row["anchor"]), cast(int, row["days"]), "moves" in row, rank)


def _moved_days(rules: Sequence[RungRule], dates: CardDates, mode: Mode) -> dict[RungRule, date]:
    return {rule: day for rule in rules if (day := _moved(rule, dates, mode)) is not None}


def _moved(rule: RungRule, dates: CardDates, mode: Mode) -> date | None:
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
        return hours.sending_day_on_or_after(day, mode)
    earlier = hours.sending_day_on_or_before(day, mode)
    # What speaks of the end as past must not arrive before it.
    return hours.sending_day_on_or_after(day, mode) if earlier <= dates.over_after < day else earlier


def _latest_of_each_day(days: Mapping[RungRule, date], dates: CardDates) -> dict[RungRule, date]:
    by_day: dict[date, RungRule] = {}
    for rule in sorted(days, key=lambda rule: rule.rank):
        by_day[days[rule]] = rule
    last = max((day for day in by_day if day <= dates.expires_on), default=dates.expires_on)
    return {rule: day for day, rule in sorted(by_day.items()) if _is_useful(day, dates, last)}


def _not_soon_after_opening(days: Mapping[RungRule, date], person: Collection[RungRule]) -> dict[RungRule, date]:
    """Without a carer's own call to act that would follow the opening within the week: it says little more."""
    opening = next((day for rule, day in days.items() if rule.anchor == "opens"), None)
    if opening is None:
        return dict(days)
    week = opening + timedelta(days=7)
    return {rule: day for rule, day in days.items() if rule in person or not opening < day < week}


def _is_useful(day: date, dates: CardDates, last_before_end: date) -> bool:
    """Before the renewal opens the counter turns people away; once it has closed for good, only the end counts."""
    return (dates.opens_on is None or day >= dates.opens_on) and not dates.last_counter_day < day < last_before_end


def _shrinking_gaps(days: Mapping[RungRule, date], dates: CardDates, mode: Mode) -> dict[RungRule, date]:
    """Pulls rungs forward, the far ones first, until no gap grows towards the end; what cannot fit is left out."""
    before = [(rule, day) for rule, day in days.items() if day <= dates.expires_on]
    after = {rule: day for rule, day in days.items() if day > dates.expires_on}
    while len(before) > 2 and not _shrinking([day for _, day in before]):
        fitted = _fit(before, mode)
        if fitted is not None:
            before = fitted
        else:
            del before[1]
    return {**dict(before), **after}


def _shrinking(days: Sequence[date]) -> bool:
    gaps = [later - earlier for earlier, later in pairwise(days)]
    return all(one >= next_one for one, next_one in pairwise(gaps))


def _fit(rungs: Sequence[tuple[RungRule, date]], mode: Mode) -> list[tuple[RungRule, date]] | None:
    """Backtracks from the end, each rung as late as it can be. The first stays: before it people are turned away."""
    first = rungs[0][1]
    last = rungs[-1][1]
    gaps = len(rungs) - 1
    # Later gaps are no longer than those before them are on average: where even that does not reach the end, none fits.
    if any((last - wanted) * at > (gaps - at) * (wanted - first) for at, (_, wanted) in enumerate(rungs[:-1]) if at):
        return None

    # What was tried once is known: without that a long ladder takes seconds.
    @cache
    def place(index: int, later: date, gap: timedelta) -> list[date] | None:
        """Days for rungs[1..index], given the day and the gap of the rung after them."""
        if index == 0:
            return [first] if later - first >= gap else None
        rule, wanted = rungs[index]
        candidates = [wanted] if rule.anchor == "counter" else _days_back(min(wanted, later - gap), wanted, mode)
        for day in candidates:
            own_gap = later - day
            if day <= first or own_gap < gap:
                continue
            # Every gap still to come towards the first rung must be at least this one.
            if day - first < own_gap * index:
                break
            found = place(index - 1, day, own_gap)
            if found is not None:
                return [*found, day]
        return None

    found = place(len(rungs) - 2, last, timedelta(days=1))
    if found is None:
        return None
    return [(rule, day) for (rule, _), day in zip(rungs, [*found, last], strict=True)]


def _days_back(latest: date, wanted: date, mode: Mode) -> Iterator[date]:
    day = hours.sending_day_on_or_before(latest, mode)
    while wanted - day <= timedelta(days=FURTHEST_PULL):
        yield day
        day = hours.sending_day_on_or_before(day - timedelta(days=1), mode)
