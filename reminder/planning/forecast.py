"""The forecast: every future message about one card, to every recipient, with its date and words.

It runs the planning code (daily_plan.py) day by day on what is known now, and assumes that nobody answers and that
every message arrives. If another card is due on the same day, one message speaks of both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

from reminder.clock import japan_date
from reminder.domain.model.people import Audience, ChannelName, ContactState, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.escalation_policy import Progress
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.recipients import Recipient, choose_recipients
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import first_planning_day
from reminder.errors import NotFoundError
from reminder.planning.daily_plan import CardContext, DailyPlan, PlanningQueries, by_owner, context_of
from reminder.planning.delivery_history import DeliveryHistory
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queries, queue
from reminder.storage.outbox.queries import WaitingMessage
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, contacts, groups, person_lives
from reminder.storage.registry.cards import CardView, DueCard
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import open_questions

# The id of a card that is not stored yet; no row has it.
NOT_KEPT = 0


@dataclass(frozen=True)
class ForecastCard:
    """The card that a forecast is about.

    `card_id`: of a stored card. With another `expires_on` than the stored one, the forecast is that of the new date.
    """

    kind: str
    expires_on: date
    is_computed: bool = False
    label: str | None = None
    card_id: int | None = None
    own_days: str = ""  # of a card that is not stored yet


@dataclass(frozen=True)
class PlannedText:
    """A future message. `on` is a date in Japan, `send_at` is aware UTC, `segments` is 0 unless it is an SMS."""

    step: str
    on: date
    send_at: datetime
    audience: Audience
    channel: ChannelName
    contact_id: int
    subject: str | None
    text: str
    segments: int


@dataclass(frozen=True)
class Forecast:
    """The future messages about one card, in order of `send_at`; `waiting`: contacts that get nothing, and why."""

    dates: CardDates
    texts: tuple[PlannedText, ...]
    waiting: tuple[tuple[int, ContactState], ...]

    @property
    def segments(self) -> int:
        """Return the number of SMS segments of all texts."""
        return sum(text.segments for text in self.texts)

    @property
    def contact_ids(self) -> set[int]:
        """Return the ids of all contacts that the forecast mentions."""
        return {text.contact_id for text in self.texts} | {contact_id for contact_id, _ in self.waiting}


def forecast(uow: UnitOfWork, *, person: PersonView, card: ForecastCard, links: SignedLinks | None = None) -> Forecast:
    """Return the future messages about the card; nothing is stored.

    Raises UnknownChoiceError for an unknown kind and NotFoundError for an unknown card.
    """
    (found,) = forecasts(uow, person=person, wanted=[card], links=links)
    return found


def forecasts(
    uow: UnitOfWork, *, person: PersonView, wanted: Sequence[ForecastCard], links: SignedLinks | None = None
) -> list[Forecast]:
    """Return the forecast of each card by itself, in the order of `wanted`; what they share is read once.

    Raises UnknownChoiceError for an unknown kind and NotFoundError for an unknown card.
    """
    group = groups.find(uow.tx, person.group_id)
    if group is None:
        raise NotFoundError(field="group")
    own = [recipient for _, recipient in contacts.of_people(uow.tx, [person.id])]
    life = person_lives.of_people(uow.tx, [person.id]).get(person.id)
    if life is not None and life.where.is_away(date.max):
        # Until somebody says that they are back.
        own = [one for one in own if one.owner[0] != "person"]
    members = [recipient for _, recipient in contacts.of_members(uow.tx, [group.id])]
    around = _Around(uow, links or SignedLinks(uow.keys, None), group, own, members)
    return around.forecasts(person, wanted)


class _Around:
    """The group and the contacts around one person, which all forecasts about their cards share."""

    def __init__(
        self,
        uow: UnitOfWork,
        links: SignedLinks,
        group: GroupView,
        own: Sequence[Recipient],
        members: Sequence[Recipient],
    ) -> None:
        self._uow, self._links, self._group = uow, links, group
        self._recipients = (*own, *members)
        self._recipient_set = choose_recipients(group.kind, own, members, uow.rules.channels)
        self._humans = by_owner(self._recipients)
        self._sharing = cache(lambda contact_id: open_questions.sharing(uow.tx, [contact_id])[contact_id])
        self._shared = open_questions.of_several_persons(
            uow.tx, [recipient.contact_id for recipient in own if recipient.owner[0] == "person"]
        )
        self._are_open = cache(lambda *contact_ids: open_questions.open_at(uow.tx, contact_ids, uow.now))

    def forecasts(self, person: PersonView, wanted: Sequence[ForecastCard]) -> list[Forecast]:
        """Return the forecast of each card by itself."""
        tx, ids = self._uow.tx, [card.card_id for card in wanted if card.card_id is not None]
        kept = {due.id: due for due in cards.as_due(tx, ids) if due.person.id == person.id}
        if not kept.keys() >= set(ids):
            raise NotFoundError(field="card")
        current = cards.current_of_person(tx, person.id)
        contexts = [self._context(person, card, current, kept) for card in wanted]
        past = DeliveryHistory(tx, [context.card for context in contexts], self._humans, self._uow.now)
        queued = queries.queued_about(tx, self._uow.keys, ids)
        return [
            # A new date has no messages yet.
            self._forecast(context, past.copy(), queued if context.card in kept.values() else None, current)
            for context in contexts
        ]

    def _context(
        self, person: PersonView, card: ForecastCard, current: Sequence[CardView], kept: Mapping[int, DueCard]
    ) -> CardContext:
        ends = {other.kind: other.expires_on for other in current} | {card.kind: card.expires_on}
        due = None if card.card_id is None else kept[card.card_id]
        if due is None or due.expires_on != card.expires_on:
            due = _with_new_date(self._uow.rules, person, card, current, due)
        return context_of(self._uow.rules, due, ends, self._recipient_set, self._group)

    def _forecast(
        self,
        context: CardContext,
        past: DeliveryHistory,
        queued: Sequence[WaitingMessage] | None,
        current: Sequence[CardView],
    ) -> Forecast:
        card, now = context.card, self._uow.now
        if queued is None:
            next_on = first_planning_day(context.plan, card.expires_on, self._uow.today)
        else:
            next_on = next(other.next_reminder_on for other in current if other.id == card.id)
        texts = [_planned(row, row.step, self._group, now) for row in queued or () if row.card_id == card.id]
        texts += self._future_messages(context, past, next_on)
        return Forecast(
            context.dates,
            tuple(sorted(texts, key=lambda text: (text.send_at, list(Audience).index(text.audience), text.contact_id))),
            tuple((one.contact_id, one.state) for one in self._recipients if one.state is not ContactState.CONFIRMED),
        )

    def _future_messages(
        self, context: CardContext, past: DeliveryHistory, next_on: date | None
    ) -> Iterator[PlannedText]:
        """Yield the messages of each future planning day of the card."""
        uow, today = self._uow, self._uow.today
        known = PlanningQueries(
            past=past,
            humans=self._humans,
            # Messages of later days are not planned yet.
            taken=lambda keys: queue.taken(uow.tx, keys) if on == today else {},
            sharing=self._sharing,
            # Questions that are not open now will not be: only those about this card come later.
            open_questions=lambda contact_ids, at: (
                open_questions.open_at(uow.tx, contact_ids, at) if self._are_open(*contact_ids) else []
            ),
            is_shared=self._shared.__contains__,
        )
        while next_on is not None:
            on = max(next_on, today)
            at = max(uow.now, hours.instant(on, time(0)))
            day = DailyPlan(uow.rules, at, self._links, known)
            day.draft(day.undelivered([context]), {self._group.id: self._group})
            for draft, planned in day.drafts:
                assert draft.contact_id is not None
                whose = planned[0].card.person.id if draft.audience is Audience.PERSON else None
                past.assume_delivered(draft.contact_id, [reminder.key for reminder in planned], whose=whose, now=at)
                yield _planned(draft, planned[0].step.name, self._group, at)
            next_on = day.next_planning_day(context)


def _with_new_date(
    rules: Rulebook, person: PersonView, card: ForecastCard, others: Sequence[CardView], kept: DueCard | None
) -> DueCard:
    """Return the card as it will be once it is registered or renewed: no message about that date yet."""
    carried_by = rules.kind(card.kind).carried_by
    return DueCard(
        id=NOT_KEPT if kept is None else kept.id,
        kind=card.kind,
        label=card.label or "",
        expires_on=card.expires_on,
        is_computed=card.is_computed,
        carrier_ends_on=next((other.expires_on for other in others if other.kind == carried_by), None)
        if kept is None
        else kept.carrier_ends_on,
        progress=Progress(),
        escalate_on=None,
        person=person,
        own_days=card.own_days if kept is None else kept.own_days,
    )


def _planned(made: MessageDraft | WaitingMessage, step: str, group: GroupView, now: datetime) -> PlannedText:
    """Return the message at the instant at which delivery may send it: calls pause at noon."""
    assert made.contact_id is not None
    days = Preferences(on_holidays=group.preferences.on_holidays)
    send_at = hours.next_allowed(max(now, made.scheduled_at), Mode.STANDARD, made.audience, made.channel, days)
    return PlannedText(
        step=step,
        on=japan_date(send_at),
        send_at=send_at,
        audience=made.audience,
        channel=made.channel,
        contact_id=made.contact_id,
        subject=made.subject,
        text=made.text,
        segments=made.segments,
    )
