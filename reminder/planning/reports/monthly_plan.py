"""A home's months: what opens and what is due on which day, what has ended, and who has not answered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from reminder.domain.model.people import Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.next_step import NextAct
from reminder.planning.reports.status import CardStatus, PersonStatus
from reminder.storage.registry.people import PersonView


class MonthlyNeed(StrEnum):
    """The need of a card in a month, the most pressing first."""

    UNANSWERED = "unanswered"  # everybody was asked and nobody has answered
    ENDED = "ended"
    COUNTER = "counter"  # the last day on which a counter is open
    FORM = "form"  # the sealed form must be there by then
    OPENS = "opens"


@dataclass(frozen=True)
class MonthlyEntry:
    """A need of one card; `day` is a date in Japan."""

    what: MonthlyNeed
    day: date
    person: PersonView
    one: CardStatus


def due(rules: Rulebook, rows: Sequence[PersonStatus], first: date, last: date, today: date) -> list[MonthlyEntry]:
    """Return the entries of these days, both included. Ended and unanswered cards appear on the day `today`."""
    found = []
    for row in rows:
        for one in row.cards:
            found += [
                MonthlyEntry(what, day, row.person, one)
                for what, day in _of_card(rules, one, today)
                if first <= (today if what in (MonthlyNeed.ENDED, MonthlyNeed.UNANSWERED) else day) <= last
            ]
    return sorted(
        found, key=lambda each: (list(MonthlyNeed).index(each.what), each.day, each.person.id, each.one.card.id)
    )


def _of_card(rules: Rulebook, one: CardStatus, today: date) -> list[tuple[MonthlyNeed, date]]:
    if one.card.acknowledged_on is not None:
        return []
    dates = one.dates
    if one.next.act in (NextAct.OVER, NextAct.GRACE):
        return [(MonthlyNeed.ENDED, dates.expires_on)]
    found = [(MonthlyNeed.COUNTER, dates.last_counter_day)]
    if one.is_silent:
        found.append((MonthlyNeed.UNANSWERED, dates.last_counter_day))
    if dates.opens_on is not None and today <= dates.opens_on:
        found.append((MonthlyNeed.OPENS, dates.opens_on))
    form_before = form_asked_before(rules, one.card.kind)
    if form_before is not None:
        found.append((MonthlyNeed.FORM, dates.expires_on - form_before))
    return found


def form_asked_before(rules: Rulebook, kind: str) -> timedelta | None:
    """Return how long before the end the form of the office must have come, sealed, where somebody else may go.

    Later the two visits of a proxy no longer fit in. The carers of elders are asked about it on this day, too.
    """
    carers = rules.schedules.of(Mode.ELDERLY, rules.kind(kind)).carer
    return next((timedelta(days=rule.days_before) for rule in carers if rule.asks_for_form), None)


def needs_form(rules: Rulebook, kind: str) -> bool:
    """Return whether a proxy needs the form of the office for this kind of card."""
    return form_asked_before(rules, kind) is not None


def months_from(day: date, count: int) -> list[date]:
    """Return the first days of `count` months, beginning with the month of `day`."""
    return [date(day.year + (day.month - 1 + n) // 12, (day.month - 1 + n) % 12 + 1, 1) for n in range(count)]


def year(rows: Sequence[PersonStatus], today: date) -> Mapping[str, Sequence[int]]:
    """Return by kind the number of last open days in each of twelve months, this month first, without empty kinds."""
    firsts = months_from(today, 12)
    found: dict[str, list[int]] = {}
    for row in rows:
        for one in row.cards:
            month = one.dates.last_counter_day.replace(day=1)
            if month in firsts and one.card.acknowledged_on is None:
                found.setdefault(one.card.kind, [0] * 12)[firsts.index(month)] += 1
    return found


_DIGITS = re.compile(r"(\d+)")


def by_place(person: PersonView) -> tuple[object, ...]:
    """Return the sort key of a walk through the home: by unit and room, 9 before 10, persons without a room last."""
    unit, room = (
        [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _DIGITS.split(place)]
        for place in (person.unit or "", person.room or "")
    )
    return unit, person.room is None, room, person.label, person.id
