"""The status of a group: for each person the next act, the latest messages, and whether they can be reached."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reminder.domain.model.card_states import NOT_BEGUN, LifeDays
from reminder.domain.model.people import Audience, ContactState
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.domain.rules.next_step import NextStep, next_step, urgency
from reminder.domain.rules.recipients import Recipient, choose_recipients
from reminder.domain.rules.schedule_model import CardDates
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queries
from reminder.storage.outbox.queries import EarlierMessage
from reminder.storage.registry import card_lives, cards, contacts, people, person_lives
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import promises

Need = tuple[bool, int, str, int]
# Who was not told on the day of a step that lies so far back is named, until they have been told.
NOT_TOLD_FOR = timedelta(days=7)


@dataclass(frozen=True)
class CardStatus:
    """The status of one card.

    `latest`: the last text to the person about it, with its outcome, if asked for. `assigned_to`: the contact of the
    human who takes care of it. `is_silent`: everybody was asked and nobody has answered. `untold_on`: the day on which
    the person was not told, who has not been told since. `life`: how far it is for its present end.
    """

    card: CardView
    dates: CardDates
    next: NextStep
    latest: EarlierMessage | None
    assigned_to: int | None
    is_silent: bool
    untold_on: date | None = None
    life: LifeDays = NOT_BEGUN

    @property
    def card_id(self) -> int:
        """Return the id of the card."""
        return self.card.id

    @property
    def person_id(self) -> int:
        """Return the id of the person whose card it is."""
        return self.card.person_id

    @property
    def kind(self) -> str:
        """Return the kind of the card."""
        return self.card.kind

    @property
    def needs_attention(self) -> bool:
        """Return whether a human must look at it: nobody has answered, or the person was not told."""
        return self.is_silent or self.untold_on is not None

    @property
    def is_acknowledged(self) -> bool:
        """Return whether somebody has said that the card is renewed."""
        return self.card.acknowledged_on is not None


@dataclass(frozen=True)
class PersonStatus:
    """The status of one person, the most pressing card first.

    `is_out_of_reach`: nobody around this person can be reached. `unheard`: contacts that cannot be written to.
    """

    person: PersonView
    cards: Sequence[CardStatus]
    is_out_of_reach: bool
    own: Sequence[Recipient]
    unheard: Sequence[Recipient]

    @property
    def is_red(self) -> bool:
        """Return whether a human must act: nobody can be reached, or nobody has answered."""
        return self.is_out_of_reach or any(card.is_silent for card in self.cards)


def group_status(
    uow: UnitOfWork, group: GroupView, only: Collection[int] | None = None, *, with_latest: bool = False
) -> list[PersonStatus]:
    """Return everybody in the group, or only the people with these ids, the most pressing first.

    `with_latest`: with the last text about each card, which costs as much as was sent about their present ends.
    """
    tx, rules, today = uow.tx, uow.rules, uow.today
    everyone = people.of_group(tx, group.id) if only is None else people.some(tx, group.id, only)
    if only is None:
        # Who has moved out or died is in no list; their own page shows them still.
        gone = {one.person_id for one in person_lives.of_group(tx, group.id).values() if one.state.has_gone}
        everyone = [person for person in everyone if person.id not in gone]
    of_person: dict[int, list[CardView]] = {person.id: [] for person in everyone}
    takers: dict[int, int | None] = {}
    # A card of a kind that config/ no longer has is left out; the log names it every day.
    for card, taker in cards.current_with_assignees(tx, group.id, None if only is None else of_person.keys()):
        if card.person_id in of_person and card.kind in rules.kinds:
            of_person[card.person_id].append(card)
            takers[card.id] = taker
    ends = {card.id: card.expires_on for some in of_person.values() for card in some}
    lives = card_lives.of_group(tx, group.id) if only is None else card_lives.of_cards(tx, list(ends))
    latest_texts: Mapping[int, Sequence[EarlierMessage]] = {}
    if with_latest:
        latest_texts = (
            queries.earlier_of_group(tx, group.id, 1) if only is None else queries.earlier_messages(tx, ends.keys(), 1)
        )
    untold = {
        one.card_id: one.day
        for one in promises.untold_of_group(tx, group.id, now=uow.now, since=today - NOT_TOLD_FOR, only=only)
        if one.audience is Audience.PERSON
    }
    members = [recipient for _, recipient in contacts.of_members(tx, [group.id])]
    around: dict[int, list[Recipient]] = {person.id: [] for person in everyone}
    recipients = contacts.of_people_of_group(tx, group.id) if only is None else contacts.of_people(tx, of_person.keys())
    for person_id, recipient in recipients:
        if person_id in around:
            around[person_id].append(recipient)

    rows = []
    for person in everyone:
        ends_by_kind = {card.kind: card.expires_on for card in of_person[person.id]}
        standings = []
        for card in of_person[person.id]:
            dates = rules.dates_of(
                card.kind,
                card.expires_on,
                insurance=person.insurance,
                carrier_ends_on=None if card.carried_by is None else ends.get(card.carried_by),
                is_bound=rules.is_bound(card.kind, card.expires_on, ends_by_kind),
            )
            assigned_to = takers.get(card.id)
            life = lives[card.id].days if card.id in lives else NOT_BEGUN
            standings.append(
                CardStatus(
                    card,
                    dates,
                    next_step(dates, card.acknowledged_on, today, life),
                    next(iter(latest_texts.get(card.id, ())), None),
                    assigned_to,
                    is_silent=card.escalation_level == NOBODY_LEFT
                    and card.acknowledged_on is None
                    and assigned_to is None,
                    untold_on=untold.get(card.id),
                    life=life,
                )
            )
        standings.sort(key=lambda one: (not one.is_silent, urgency(one.next), one.card.id))
        recipient_set = choose_recipients(group.kind, around[person.id], members, rules.channels)
        rows.append(
            PersonStatus(
                person,
                standings,
                is_out_of_reach=not (recipient_set.own or recipient_set.carers or recipient_set.staff),
                own=recipient_set.own,
                unheard=[one for one in around[person.id] if one.state is not ContactState.CONFIRMED],
            )
        )
    return sorted(rows, key=_need)


def _need(row: PersonStatus) -> Need:
    first = urgency(row.cards[0].next) if row.cards else None
    return need(first, row.person.label, row.person.id, is_red=row.is_red)


def need(first: tuple[int, date] | None, label: str, person_id: int, *, is_red: bool) -> Need:
    """Return the sort key of a person: red first, then by what comes next, then by name.

    `first`: the urgency of the most pressing card, None where there is no card.
    """
    rank, then = (99, label) if first is None else (first[0], str(first[1]))
    return not is_red, rank, then, person_id
