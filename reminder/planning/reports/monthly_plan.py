"""A home's months: what is open and not done, by the latest day to begin, and what opens on which day."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from typing import Generic, Protocol, TypeVar

from reminder.domain.model.people import Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.next_step import NextStep
from reminder.domain.rules.open_matters import MatterState, open_matters
from reminder.domain.rules.schedule_model import CardDates
from reminder.planning.reports.status import CardStatus, PersonStatus
from reminder.storage.registry.people import PersonBrief, PersonView


@dataclass(frozen=True)
class MonthlyEntry:
    """An open matter of one card; `day` is a date in Japan."""

    what: MatterState
    day: date
    person: PersonView
    one: CardStatus


class DatedCard(Protocol):
    """What is asked of a card here; its status has it, and so has its place in the overview of a large group."""

    @property
    def card_id(self) -> int:
        """Return the id of the card."""
        ...

    @property
    def person_id(self) -> int:
        """Return the id of the person whose card it is."""
        ...

    @property
    def kind(self) -> str:
        """Return the kind of the card."""
        ...

    @property
    def dates(self) -> CardDates:
        """Return the dates that its plan is computed from."""
        ...

    @property
    def next(self) -> NextStep:
        """Return the next step."""
        ...

    @property
    def is_acknowledged(self) -> bool:
        """Return whether somebody has said that the card is renewed."""
        ...

    @property
    def is_silent(self) -> bool:
        """Return whether everybody was asked and nobody has answered."""
        ...


CardT = TypeVar("CardT", bound=DatedCard)


@dataclass(frozen=True)
class CardNeed(Generic[CardT]):
    """As a MonthlyEntry, of a card whose person is not read yet."""

    what: MatterState
    day: date
    card: CardT


def due(rules: Rulebook, rows: Sequence[PersonStatus], first: date, last: date, today: date) -> list[MonthlyEntry]:
    """Return the matters that are open between these days, both included; see open_matters."""
    people = {row.person.id: row.person for row in rows}
    found = due_cards(rules, (one for row in rows for one in row.cards), first, last, today)
    return [MonthlyEntry(each.what, each.day, people[each.card.person_id], each.card) for each in found]


def due_cards(rules: Rulebook, cards: Iterable[CardT], first: date, last: date, today: date) -> list[CardNeed[CardT]]:
    """As `due`, of cards."""
    form_before = cache(partial(form_asked_before, rules))
    found = []
    for one in cards:
        dates, before = one.dates, form_before(one.kind)
        # Of thousands of cards most end years from now.
        is_far = dates.asked_from > last and today <= dates.expires_on
        if is_far and not one.is_silent and not one.next.act.is_under_way:
            continue
        form_on = None if before is None else max(dates.expires_on - before, dates.asked_from)
        matters = open_matters(dates, one.next, first, last, today, is_silent=one.is_silent, form_on=form_on)
        found += [CardNeed(matter.state, matter.day, one) for matter in matters]
    return sorted(found, key=lambda each: (_RANK[each.what], each.day, each.card.person_id, each.card.card_id))


_RANK = {state: rank for rank, state in enumerate(MatterState)}


def form_asked_before(rules: Rulebook, kind: str) -> timedelta | None:
    """Return how long before the end the form of the office must have come, sealed, where somebody else may go.

    Later the two visits of a proxy no longer fit in. The carers of elders are asked about it on this day, too. None for
    a kind that is done without such a form.
    """
    if not rules.kind(kind).sealed_form:
        return None
    carers = rules.schedules.of(Mode.ELDERLY, rules.kind(kind)).carer
    return next((timedelta(days=rule.days_before) for rule in carers if rule.asks_for_form), None)


def needs_form(rules: Rulebook, kind: str) -> bool:
    """Return whether a proxy needs the form of the office for this kind of card."""
    return rules.kind(kind).sealed_form


def months_from(day: date, count: int) -> list[date]:
    """Return the first days of `count` months, beginning with the month of `day`."""
    return [date(day.year + (day.month - 1 + n) // 12, (day.month - 1 + n) % 12 + 1, 1) for n in range(count)]


def year(cards: Iterable[DatedCard], today: date) -> Mapping[str, Sequence[int]]:
    """Return by kind the number of last open days in each of twelve months, this month first, without empty kinds."""
    firsts = months_from(today, 12)
    column_of = {(first.year, first.month): column for column, first in enumerate(firsts)}
    found: dict[str, list[int]] = {}
    for one in cards:
        day = one.dates.last_counter_day
        column = column_of.get((day.year, day.month))
        if column is not None and not one.is_acknowledged:
            found.setdefault(one.kind, [0] * 12)[column] += 1
    return found


_DIGITS = re.compile(r"(\d+)")


def by_place(person: PersonView | PersonBrief) -> tuple[object, ...]:
    """Return the sort key of a walk through the home: by unit and room, 9 before 10, persons without a room last."""
    unit, room = (
        [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _DIGITS.split(place)]
        for place in (person.unit or "", person.room or "")
    )
    return unit, person.room is None, room, person.label, person.id
