"""Letters to residents: which residents of a group get one, and which cards it is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reminder.domain.model.own_kinds import public_name
from reminder.domain.model.people import GroupKind
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.next_step import NextAct, urgency
from reminder.domain.text.catalog import SIGNATURE_CERTIFICATE, USER_CERTIFICATE
from reminder.domain.text.letters import ResidentLetter
from reminder.domain.text.paper import Matter
from reminder.errors import NotFoundError, RefusedInputError
from reminder.planning.reports.group_overview import GroupOverview
from reminder.planning.reports.monthly_plan import CardNeed, CardT, due_cards, months_from
from reminder.planning.reports.paper_matters import matter_of
from reminder.planning.reports.status import PersonStatus, group_status
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry.groups import GroupView

# The most letters in one answer. More are printed unit by unit or month by month.
MOST_LETTERS = 500

_CERTIFICATES = frozenset({USER_CERTIFICATE, SIGNATURE_CERTIFICATE})


@dataclass(frozen=True)
class Choice:
    """The choice of letters.

    `month`: its first day; None means this month and the next. `kind`: only persons with such a card due; it is named
    first. `people`: these persons, whatever is due. `found`: only persons among these, None for all.
    """

    month: date | None = None
    unit: str = ""
    kind: str = ""
    people: frozenset[int] = frozenset()
    found: frozenset[int] | None = None


def letters_of(uow: UnitOfWork, group: GroupView, choice: Choice) -> list[ResidentLetter]:
    """Return the letters in the order of a walk through the house.

    Raises RefusedInputError if there are none or too many, and NotFoundError for a person of another group.
    """
    rows = group_status(uow, group, choice.people or None)
    if not choice.people <= {row.person.id for row in rows}:
        raise NotFoundError(field="person")
    found = letters_from(uow.rules, uow.today, group, rows, choice)
    if not found:
        raise RefusedInputError("letters_none")
    if len(found) > MOST_LETTERS:
        raise RefusedInputError("letters_too_many", n=len(found), most=MOST_LETTERS)
    return found


def letters_from(
    rules: Rulebook, today: date, group: GroupView, rows: Sequence[PersonStatus], choice: Choice
) -> list[ResidentLetter]:
    """Return the letters that `choice` selects from the rows of a group."""
    rows = [row for row in rows if choice.unit in ("", row.person.unit)]
    if choice.found is not None:
        rows = [row for row in rows if row.person.id in choice.found]
    if choice.people:
        rows = [row for row in rows if row.person.id in choice.people]
    due_in_time = {
        each.card.card_id for each in _due(rules, (one for row in rows for one in row.cards), today, choice.month)
    }
    found = []
    for row in sorted(rows, key=lambda row: (row.person.unit or "", row.person.room or "", row.person.id)):
        due_kinds = {public_name(one.card.kind) for one in row.cards if one.card.id in due_in_time}
        is_asked_for = bool(due_kinds) if not choice.kind else choice.kind in due_kinds
        matters = _matters(rules, row, due_in_time, choice.kind, even_if_far=bool(choice.people))
        if matters and (is_asked_for or choice.people):
            found.append(_letter(group, row, today, matters))
    return found


def people_with_letters(rules: Rulebook, today: date, overview: GroupOverview, choice: Choice) -> list[int]:
    """Return the ids of those in the group who get a letter by `choice`, in the order of the letters.

    `choice` names no people: those get one whatever is due.
    """
    cards = (card for card in overview.cards if choice.kind in ("", public_name(card.kind)))
    found = {each.card.person_id for each in _due(rules, cards, today, choice.month)}
    people = [overview.people[person_id] for person_id in found if choice.found is None or person_id in choice.found]
    people = [person for person in people if choice.unit in ("", person.unit)]
    return [person.id for person in sorted(people, key=lambda one: (one.unit or "", one.room or "", one.id))]


def _due(rules: Rulebook, cards: Iterable[CardT], today: date, month: date | None) -> list[CardNeed[CardT]]:
    """Return what is due of the cards in that time."""
    first, *_, following = months_from(month, 2) if month else months_from(today, 3)
    return due_cards(rules, cards, first, following - timedelta(days=1), today)


def _matters(
    rules: Rulebook, row: PersonStatus, due_in_time: set[int], kind_first: str, *, even_if_far: bool
) -> tuple[Matter, ...]:
    open_ones = [one for one in row.cards if one.next.act is not NextAct.NEW_DATE]
    chosen = [one for one in open_ones if one.next.is_now or one.card.id in due_in_time]
    if not chosen and even_if_far:
        chosen = sorted(open_ones, key=lambda one: urgency(one.next))[:1]
    chosen.sort(key=lambda one: (public_name(one.card.kind) != kind_first, urgency(one.next), one.card.id))
    ends = {one.card.kind: one.card.expires_on for one in row.cards}
    return tuple(_together(rules.wording.families, [matter_of(rules, one, ends) for one in chosen]))


def _together(families: Mapping[str, str], matters: Sequence[Matter]) -> list[Matter]:
    """Merge the two certificates of one card that end on one day: they are renewed in one visit."""
    found: list[Matter] = []
    for one in matters:
        same_day = {
            families[other.kind]: other
            for other in matters
            if (other.expires_on, other.is_computed) == (one.expires_on, one.is_computed)
        }
        are_both = same_day.keys() >= _CERTIFICATES and families[one.kind] in _CERTIFICATES
        said = replace(same_day[USER_CERTIFICATE], is_both=True) if are_both else one
        found += [] if said in found else [said]
    return found


def _letter(group: GroupView, row: PersonStatus, today: date, matters: tuple[Matter, ...]) -> ResidentLetter:
    person = row.person
    return ResidentLetter(
        person_id=person.id,
        label=person.label,
        place=person.place,
        language=person.language,
        office=person.office,
        from_=group.name,
        mark=person.mark,
        has_slip=group.kind is GroupKind.HOME,
        today=today,
        matters=matters,
    )
