"""The overview of a large group: who comes first and which cards are due, without the details of thousands.

A page shows some fifty people at a time. The overview says which; their details are read for those alone
(`group_status` with `only`). It orders and counts exactly as the status of the whole group does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from reminder.domain.model.card_states import NOT_BEGUN
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.domain.rules.next_step import NextStep, next_step, urgency
from reminder.domain.rules.recipients import Recipient, choose_recipients
from reminder.domain.rules.schedule_model import CardDates
from reminder.planning.reports.status import need
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import card_lives, cards, contacts, people, person_lives
from reminder.storage.registry.cards import CardBrief
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonBrief


class CardOutline(NamedTuple):
    """The state of one card: what the status of a card says that orders and counts need."""

    card_id: int
    person_id: int
    kind: str
    dates: CardDates
    next: NextStep
    urgency: tuple[int, date]
    is_acknowledged: bool
    is_silent: bool


@dataclass(frozen=True)
class GroupOverview:
    """Everybody in a group by id, and all their current cards in the order of their ids."""

    people: Mapping[int, PersonBrief]
    cards: Sequence[CardOutline]
    out_of_reach: Collection[int]

    @property
    def red(self) -> set[int]:
        """Return the ids of those for whom a human must act: nobody can be reached, or nobody has answered."""
        return {*self.out_of_reach, *(card.person_id for card in self.cards if card.is_silent)}

    @property
    def units(self) -> list[str]:
        """Return the units or floors, in their order."""
        return sorted({person.unit for person in self.people.values() if person.unit})

    def worst_first(self) -> list[int]:
        """Return the ids of everybody in the order of `group_status`."""
        first: dict[int, tuple[bool, tuple[int, date]]] = {}
        for card in self.cards:
            rank = (not card.is_silent, card.urgency)
            before = first.get(card.person_id)
            if before is None or rank < before:
                first[card.person_id] = rank
        red = self.red
        keys = [
            need(first[person.id][1] if person.id in first else None, person.label, person.id, is_red=person.id in red)
            for person in self.people.values()
        ]
        return [person_id for *_, person_id in sorted(keys)]


def group_overview(uow: UnitOfWork, group: GroupView) -> GroupOverview:
    """Return the overview of the group as of today."""
    today = uow.today
    gone = {one.person_id for one in person_lives.of_group(uow.tx, group.id).values() if one.state.has_gone}
    everyone = {person.id: person for person in people.brief_of_group(uow.tx, group.id) if person.id not in gone}
    # A card of a kind that config/ no longer has is left out; the log names it every day.
    found = [
        card
        for card in cards.brief_of_group(uow.tx, group.id)
        if card.kind in uow.rules.kinds and card.person_id in everyone
    ]
    unanswered = {card.id for card in found if card.escalation_level == NOBODY_LEFT and card.acknowledged_on is None}
    silent = unanswered - cards.assigned_of_group(uow.tx, group.id) if unanswered else unanswered
    carriers = {card.carried_by for card in found if card.carried_by is not None}
    carrier_ends = {card.id: card.expires_on for card in found if card.id in carriers}
    bound, lives = _bound(uow.rules, found), card_lives.of_group(uow.tx, group.id)
    # Of thousands of cards many share a kind and an end.
    known: dict[tuple[object, ...], tuple[CardDates, NextStep, tuple[int, date]]] = {}
    outlines = []
    for card in found:
        card_id, person_id, kind, expires_on, acknowledged_on, _, carried_by = card
        carrier_ends_on = None if carried_by is None else carrier_ends.get(carried_by)
        insurance, is_bound = everyone[person_id].insurance, card_id in bound
        life = lives[card_id].days if card_id in lives else NOT_BEGUN
        asked = (kind, expires_on, acknowledged_on, carrier_ends_on, insurance, is_bound, life)
        state = known.get(asked)
        if state is None:
            dates = uow.rules.dates_of(
                kind, expires_on, insurance=insurance, carrier_ends_on=carrier_ends_on, is_bound=is_bound
            )
            then = next_step(dates, acknowledged_on, today, life)
            state = known[asked] = (dates, then, urgency(then))
        dates, then, pressing = state
        outlines.append(
            CardOutline(card_id, person_id, kind, dates, then, pressing, acknowledged_on is not None, card_id in silent)
        )
    return GroupOverview(everyone, outlines, _out_of_reach(uow, group, everyone))


def _bound(rules: Rulebook, found: Sequence[CardBrief]) -> set[int]:
    """Return the ids of the cards whose end a residence period decides. Few people have one."""
    deciding = {kind.bound_by for kind in rules.kinds.values() if kind.bound_by}
    holders = {card.person_id for card in found if card.kind in deciding}
    theirs = [card for card in found if card.person_id in holders] if holders else []
    ends: dict[int, dict[str, date]] = {}
    for card in theirs:
        ends.setdefault(card.person_id, {})[card.kind] = card.expires_on
    return {card.id for card in theirs if rules.is_bound(card.kind, card.expires_on, ends[card.person_id])}


def _out_of_reach(uow: UnitOfWork, group: GroupView, everyone: Collection[int]) -> set[int]:
    members = [recipient for _, recipient in contacts.of_members(uow.tx, [group.id])]
    of_all = choose_recipients(group.kind, [], members, uow.rules.channels)
    if of_all.carers or of_all.staff:
        return set()
    around: dict[int, list[Recipient]] = {person_id: [] for person_id in everyone}
    for person_id, recipient in contacts.of_people_of_group(uow.tx, group.id):
        if person_id in around:
            around[person_id].append(recipient)
    found = set()
    for person_id, some in around.items():
        chosen = choose_recipients(group.kind, some, members, uow.rules.channels)
        if not (chosen.own or chosen.carers or chosen.staff):
            found.add(person_id)
    return found
