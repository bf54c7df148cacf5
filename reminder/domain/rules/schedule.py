"""The plan of one card: the days around its end on which somebody is reminded, at ever shorter intervals."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

from reminder.domain.model.card_kinds import CardKind, Grace
from reminder.domain.model.people import Audience, Mode
from reminder.domain.rules import hours, validity
from reminder.domain.rules.gap_fitting import shrinking_gaps
from reminder.domain.rules.schedule_model import CardDates, Schedule, SendingDays
from reminder.domain.rules.steps import Anchor, Plan, Step, StepRule


def dates_of(
    kind: CardKind,
    expires_on: date,
    *,
    insurance: bool,
    card_grace: bool,
    carrier_ends_on: date | None = None,
    is_bound: bool = False,
) -> CardDates:
    """Return the dates that a plan is computed from.

    `insurance`: the person uses the card at hospitals. `carrier_ends_on`: the end of the card that carries this one.

    `card_grace`: the operator has confirmed that the grace also covers an expired card itself. No source settles it, so
    without that no date after the card's end is promised. `is_bound`: it ends with a residence period, which must be
    renewed first, and has neither window nor grace.
    """
    grace_ends_on = validity.grace_ends_on(expires_on)
    over_after = validity.moved_past_holidays(expires_on) if kind.moves_past_holidays else expires_on
    outlasts_card = kind.grace is Grace.UNCONFIRMED or (carrier_ends_on is not None and carrier_ends_on < grace_ends_on)
    has_grace = kind.grace is not Grace.NONE and insurance and not is_bound and (card_grace or not outlasts_card)
    return CardDates(
        opens_on=None if is_bound else validity.opens_on(expires_on, kind.opens),
        expires_on=expires_on,
        over_after=over_after,
        grace_ends_on=grace_ends_on if has_grace else None,
        last_counter_day=hours.last_counter_day(expires_on) if kind.closes_with_counters else expires_on,
        closes_with_counters=kind.closes_with_counters,
        # A card that ends with a residence period is extended at the counter, once that period is renewed.
        lead_days=0 if is_bound else kind.replacement_days,
        arrives=kind.comes_by_itself,
    )


@lru_cache(maxsize=16_384)
def plan(schedule: Schedule, dates: CardDates, mode: Mode, on_holidays: bool = False) -> Plan:
    """Return every step with its day, in order.

    Copies and carers' own steps share the person's day where both have the step. `on_holidays`: the group wants
    reminders on Sundays and holidays too. Before the end no gap between two texts to the person is longer than the one
    before it.
    """
    days = SendingDays(mode, on_holidays)
    persons = _latest_of_each_day(_moved_days(schedule.person, dates, days), dates)
    person = shrinking_gaps(persons, dates, days, on_own_days=schedule.on_own_days)
    audiences_of: dict[StepRule, tuple[date, set[Audience]]] = {}
    for audience, rules in (
        (Audience.PERSON, schedule.person),
        (Audience.CARER, schedule.carer),
        (Audience.STAFF, schedule.staff),
    ):
        day_of = person
        if audience is not Audience.PERSON:
            own = _moved_days(rules, dates, days)
            same_day = {rule: person.get(rule, day) for rule, day in own.items()}
            day_of = _not_soon_after_opening(_latest_of_each_day(same_day, dates), person)
        for rule, on in day_of.items():
            audiences_of.setdefault(rule, (on, set()))[1].add(audience)
    in_order = sorted(audiences_of.items(), key=lambda row: (row[1][0], row[0].rank))
    return tuple(Step(rule.name, on, frozenset(audiences), rule) for rule, (on, audiences) in in_order)


def _moved_days(rules: Sequence[StepRule], dates: CardDates, days: SendingDays) -> dict[StepRule, date]:
    return {rule: day for rule in rules if (day := _moved(rule, dates, days)) is not None}


def _moved(rule: StepRule, dates: CardDates, days: SendingDays) -> date | None:
    if rule.anchor is Anchor.COUNTER and dates.last_counter_day == dates.expires_on:
        return None
    anchor = {
        Anchor.OPENS: dates.opens_on,
        Anchor.EXPIRES: dates.expires_on if rule.days <= 0 else dates.over_after,
        Anchor.COUNTER: dates.last_counter_day,
        Anchor.GRACE: dates.grace_ends_on,
    }[rule.anchor]
    if anchor is None:
        return None
    day = anchor + timedelta(days=rule.days)
    if rule.moves_after:
        return days.on_or_after(day)
    earlier = days.on_or_before(day)
    # A text about a past end must not arrive before the end.
    over = dates.grace_ends_on if rule.anchor is Anchor.GRACE else dates.over_after
    return days.on_or_after(day) if over is not None and earlier <= over < day else earlier


def _latest_of_each_day(days: Mapping[StepRule, date], dates: CardDates) -> dict[StepRule, date]:
    by_day: dict[date, StepRule] = {}
    for rule in sorted(days, key=lambda rule: rule.rank):
        by_day[days[rule]] = rule
    last = max((day for day in by_day if day <= dates.expires_on), default=dates.expires_on)
    return {rule: day for day, rule in sorted(by_day.items()) if _is_useful(day, dates, last)}


def _not_soon_after_opening(days: Mapping[StepRule, date], person: Collection[StepRule]) -> dict[StepRule, date]:
    """Return the days without a carer's own call to act within a week of the opening: it adds little."""
    opening = next((day for rule, day in days.items() if rule.anchor is Anchor.OPENS), None)
    if opening is None:
        return dict(days)
    week = opening + timedelta(days=7)
    return {rule: day for rule, day in days.items() if rule in person or not opening < day < week}


def _is_useful(day: date, dates: CardDates, last_before_end: date) -> bool:
    """Return whether somebody can act on a text of that day.

    Before the renewal opens the counter turns people away; once it has closed for good, only the end counts.
    """
    return (dates.opens_on is None or day >= dates.opens_on) and not dates.last_counter_day < day < last_before_end
