"""The monthly plan for the visit of the city's staff: who in a home renews which cards, by unit and room."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reminder.domain.rulebook import Rulebook
from reminder.domain.text.catalog import VISIT_COLUMNS, Catalog
from reminder.domain.text.digest import things
from reminder.domain.text.safe_words import safe_card_label, safe_label, safe_place, safe_sender
from reminder.domain.text.spreadsheet_writer import Cell, TableSheet, xlsx
from reminder.planning.reports.group_overview import GroupOverview
from reminder.planning.reports.monthly_plan import DatedCard, by_place, months_from, needs_form
from reminder.planning.reports.status import CardStatus, PersonStatus
from reminder.storage.registry.people import PersonView


@dataclass(frozen=True)
class Visit:
    """The cards that one person renews together because they end on one day; `opens_on` None means at any time."""

    person: PersonView
    cards: Sequence[CardStatus]
    opens_on: date | None
    last_counter_day: date
    needs_form: bool  # if a proxy goes for them
    is_over: bool

    @property
    def expires_on(self) -> date:
        """Return the end date that the cards share."""
        return self.cards[0].dates.expires_on

    @property
    def is_about(self) -> bool:
        """Return whether the date was worked out and not read from the card."""
        return any(one.card.is_computed for one in self.cards)


def visits(rules: Rulebook, rows: Sequence[PersonStatus], month: date, unit: str = "") -> list[Visit]:
    """Return all that can be renewed by the end of the month, is not renewed, and that cities make visits for.

    `unit`: only this unit. A visit that did not happen stays in the list until the card is renewed.
    """
    last = _last_day(month)
    found = []
    rank = {kind: place for place, kind in enumerate(rules.kinds)}
    for row in sorted(rows, key=lambda row: by_place(row.person)):
        if unit not in ("", row.person.unit):
            continue
        by_end: dict[date, list[CardStatus]] = {}
        for one in sorted(row.cards, key=lambda one: rank.get(one.card.kind, len(rank))):
            if _is_for_a_visit(rules, one, last):
                by_end.setdefault(one.dates.expires_on, []).append(one)
        found += [_visit(rules, row.person, by_end[end]) for end in sorted(by_end)]
    return found


def people_visited(rules: Rulebook, overview: GroupOverview, month: date) -> list[int]:
    """Return the ids of everybody in the group whom `visits` names, in its order."""
    last = _last_day(month)
    found = {card.person_id for card in overview.cards if _is_for_a_visit(rules, card, last)}
    return [person.id for person in sorted((overview.people[one] for one in found), key=by_place)]


def _last_day(month: date) -> date:
    _, following = months_from(month, 2)
    return following - timedelta(days=1)


def _is_for_a_visit(rules: Rulebook, card: DatedCard, last: date) -> bool:
    if card.is_acknowledged or card.next.act.is_under_way or not rules.kind(card.kind).city_visits:
        return False
    return card.dates.asked_from <= last


def _visit(rules: Rulebook, person: PersonView, cards: Sequence[CardStatus]) -> Visit:
    return Visit(
        person,
        cards,
        opens_on=max((one.dates.opens_on for one in cards if one.dates.opens_on is not None), default=None),
        last_counter_day=min(one.dates.last_counter_day for one in cards),
        needs_form=any(needs_form(rules, one.card.kind) for one in cards),
        is_over=any(one.next.act.is_after_end for one in cards),
    )


@dataclass(frozen=True)
class VisitSheet:
    """A plan in the words of one language.

    `title` and `notes` stand above the table, `headings` and `rows` are by column, `bring` names what to bring along.
    """

    title: str
    notes: Sequence[str]
    headings: Mapping[str, str]
    rows: Sequence[Mapping[str, Cell]]
    bring: Mapping[str, str]


def visit_sheet(
    rules: Rulebook, words: Catalog, group: str, month: date, found: Sequence[Visit], today: date
) -> VisitSheet:
    """Return the plan of one group and month in the words of `words`."""
    said = words.section("visits")
    # The month is over by then and the next one is planned.
    shred = months_from(month, 3)[2] - timedelta(days=1)
    return VisitSheet(
        said["title"].format(group=safe_sender(words, group), month=words.date(month, "year_and_month")),
        [
            *(said[name] for name in ("about", "form_about", "no_numbers")),
            said["shred"].format(day=words.date(shred, "full_date")),
        ],
        {column: said[column] for column in VISIT_COLUMNS},
        [_row(rules, words, visit, today) for visit in found],
        _bring(rules, words, {one.card.kind for visit in found for one in visit.cards}),
    )


def _bring(rules: Rulebook, words: Catalog, kinds: Collection[str]) -> Mapping[str, str]:
    """Return what to bring along, by the names of the kinds that need the same."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for kind in rules.kinds:
        if kind in kinds:
            alike.setdefault(words.kinds[kind]["bring"], []).append((kind, ""))
    separator = words.word("list_separator")
    return {separator.join(things(rules.wording.families, words, some)): brought for brought, some in alike.items()}


def _row(rules: Rulebook, words: Catalog, visit: Visit, today: date) -> Mapping[str, Cell]:
    said, person, separator = words.section("visits"), visit.person, words.word("list_separator")
    about = words.word("about_date").format(date=words.date(visit.expires_on, "full_date"))
    kinds = [(one.card.kind, safe_card_label(one.card.label) or "") for one in visit.cards]
    bring = dict.fromkeys(words.kinds[kind]["bring"] for kind, _ in kinds)
    return {
        "unit": person.unit and safe_place(words, person.unit),
        "room": person.room and safe_place(words, person.room),
        "label": safe_label(person.label) or words.section("neutral")["who"],
        "thing": separator.join(things(rules.wording.families, words, kinds)),
        "expires": about if visit.is_about else visit.expires_on,
        "may": _may(words, visit, today),
        "counter": visit.last_counter_day,
        "bring": separator.join(bring),
        "envelope": said["box"],
        "form": said["box"] if visit.needs_form else said["none"],
        "consent": said["box"],
        "proxy": said["who_goes"],
        "received": None,
        "done": said["box"],
    }


def _may(words: Catalog, visit: Visit, today: date) -> str:
    """Return the text that says from when the card can be renewed: the office refuses earlier visits."""
    said = words.section("visits")
    if visit.is_over:
        return said["over"]
    if visit.opens_on is None or visit.opens_on <= today:
        return said["now"]
    return said["from_day"].format(day=words.date(visit.opens_on))


def as_xlsx(made: VisitSheet, month: date) -> bytes:
    """Return the plan as an XLSX file."""
    rows = [[row[column] for column in VISIT_COLUMNS] for row in made.rows]
    headings = [made.headings[column] for column in VISIT_COLUMNS]
    return xlsx([TableSheet(f"{month:%Y-%m}", headings, rows, [made.title, *made.notes])])
