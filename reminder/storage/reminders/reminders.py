"""Reminders: the due steps of cards, and whether each recipient has been reached."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Update, and_, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.channels import Fault
from reminder.domain.model.messages import GAVE_UP, NOT_SEEN, UNREADABLE, MessageState, ReminderState
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.provider_errors import texts_a_step
from reminder.storage.db.statements import among, each, ids_param
from reminder.storage.db.tables import Card, Message, MessageReminder, Person, Reminder


@dataclass(frozen=True)
class StepKey:
    """The identity of a reminder: one step of one card's end date."""

    card_id: int
    expires_on: date
    step: str


@dataclass(frozen=True)
class ReminderView:
    """A reminder, with its state."""

    id: int
    card_id: int
    expires_on: date
    step: str
    due_on: date
    state: ReminderState


def get_or_create(tx: Session, steps: Mapping[StepKey, date], now: datetime) -> dict[StepKey, int]:
    """Return the ids of the reminders of these steps, created where missing; older open ones are superseded.

    `steps`: the day on which each is due.
    """
    if not steps:
        return {}
    cards = {step.card_id for step in steps}
    rows = tx.execute(
        select(
            Reminder.id, Reminder.card_id, Reminder.expires_on, Reminder.step, Reminder.due_on, Reminder.state
        ).where(among(Reminder.card_id, cards))
    ).all()
    known = {StepKey(row.card_id, row.expires_on, row.step): row.id for row in rows}
    new = [step for step in steps if step not in known]
    if new:
        latest: dict[tuple[int, date], date] = {}
        for step in new:
            schedule = (step.card_id, step.expires_on)
            latest[schedule] = max(steps[step], latest.get(schedule, date.min))
        superseded = [
            row.id
            for row in rows
            if row.state == ReminderState.OPEN and row.due_on < latest.get((row.card_id, row.expires_on), date.min)
        ]
        if superseded:
            tx.execute(_changing(among(Reminder.id, superseded)).values(state=ReminderState.SUPERSEDED))
        made = tx.execute(
            insert(Reminder).returning(Reminder.id, sort_by_parameter_order=True),
            [
                {
                    "card_id": step.card_id,
                    "expires_on": step.expires_on,
                    "step": step.step,
                    "due_on": steps[step],
                    "state": ReminderState.OPEN,
                    "created_at": now,
                }
                for step in new
            ],
        )
        known.update(zip(new, made.scalars(), strict=True))
    return {step: known[step] for step in steps}


@dataclass(frozen=True)
class StepDelivery:
    """The delivery of one step to one contact."""

    step: StepKey
    contact_id: int
    reached: bool  # arrived, or on its way: no contact of this human gets it again
    is_closed: bool  # this contact does not get it again, whatever the outcome
    may_have_arrived: bool  # the outcome is unknown
    failed: bool  # it was attempted, and did not arrive: failover is next
    times: int  # how many messages were handed over for it


_DELIVERIES = (
    select(
        Reminder.card_id,
        Reminder.expires_on,
        Reminder.step,
        Message.contact_id,
        Message.channel,
        Message.state,
        Message.reason,
        Message.possibly_double,
        func.count(),
    )
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .join(Message, Message.id == MessageReminder.message_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(among(Reminder.card_id, ids_param("cards")), Message.state != MessageState.CANCELLED)
    .group_by(
        Reminder.card_id,
        Reminder.expires_on,
        Reminder.step,
        Message.contact_id,
        Message.channel,
        Message.state,
        Message.reason,
        Message.possibly_double,
    )
)


def deliveries(tx: Session, card_ids: Collection[int]) -> list[StepDelivery]:
    """Return the deliveries of these cards' present end dates.

    A message that never left, or that we gave up, reached nobody. Neither did one that failed at the provider; it is
    closed once it has failed too often.
    """
    rows = tx.execute(_DELIVERIES, {"cards": card_ids})
    by_way: dict[tuple[StepKey, int], list[_Outcome]] = {}
    for row in rows:
        if row[3] is not None:  # a reminder always goes to a contact
            by_way.setdefault((StepKey(*row[:3]), row[3]), []).append(_Outcome(*row[4:]))
    return [_step_delivery(step, contact_id, outcomes) for (step, contact_id), outcomes in by_way.items()]


@dataclass(frozen=True)
class _Outcome:
    """Messages of one step to one contact with the same outcome."""

    channel: str
    state: str
    reason: str | None
    possibly_double: bool
    times: int

    @property
    def came_back(self) -> bool:
        """Whether the provider reported that they did not arrive."""
        return self.state == MessageState.UNDELIVERED

    @property
    def failed(self) -> bool:
        """Whether they ended as failed, without a report of the provider."""
        return self.state == MessageState.FAILED

    @property
    def never_left(self) -> bool:
        """Whether they certainly or probably never left."""
        is_given_up = self.failed and self.reason in (GAVE_UP, NOT_SEEN, UNREADABLE)
        return self.state == MessageState.STALE or is_given_up

    @property
    def may_have_arrived(self) -> bool:
        """Whether they may have arrived although that is not known."""
        if self.came_back:
            return ChannelName(self.channel).can.read_error(self.reason).fault is Fault.UNSURE
        return self.never_left and (self.possibly_double or self.reason == NOT_SEEN)


def _step_delivery(step: StepKey, contact_id: int, outcomes: Sequence[_Outcome]) -> StepDelivery:
    back = [one for one in outcomes if one.came_back]
    reached = any(not (one.came_back or one.failed or one.never_left) for one in outcomes)
    refused = any(one.failed and not one.never_left for one in outcomes)
    allowed = min((texts_a_step(ChannelName(one.channel), one.reason) for one in back), default=0)
    return StepDelivery(
        step,
        contact_id,
        reached=reached,
        is_closed=reached or refused or (bool(back) and sum(one.times for one in back) >= allowed),
        may_have_arrived=any(one.may_have_arrived for one in outcomes),
        failed=any(one.came_back or one.failed for one in outcomes),
        times=sum(one.times for one in outcomes if not one.never_left),
    )


def _changing(*which: ColumnElement[bool]) -> Update:
    return update(Reminder).where(*which).execution_options(synchronize_session=False)


def settle(tx: Session, card_id: int) -> None:
    """Close the open reminders of a card that has a new date or is gone."""
    tx.execute(
        update(Reminder)
        .where(Reminder.card_id == card_id, Reminder.state == ReminderState.OPEN)
        .values(state=ReminderState.SETTLED)
    )


def acknowledge(tx: Session, card_ids: Collection[int]) -> None:
    """Close the reminders of cards that were acknowledged."""
    tx.execute(
        _changing(among(Reminder.card_id, card_ids), Reminder.state == ReminderState.OPEN).values(
            state=ReminderState.ACKNOWLEDGED
        )
    )


def of_group(tx: Session, group_id: int | None, state: str | None) -> list[ReminderView]:
    """Return the reminders of a group in this state; None means all groups, or all states."""
    return list(each_of_group(tx, group_id, state))


def each_of_group(tx: Session, group_id: int | None, state: str | None) -> Iterator[ReminderView]:
    """Yield the reminders that `of_group` returns, in bounded memory."""
    query = select(
        Reminder.id, Reminder.card_id, Reminder.expires_on, Reminder.step, Reminder.due_on, Reminder.state
    ).order_by(Reminder.id)
    if group_id is not None:
        query = query.join(Card, Card.id == Reminder.card_id).join(Person, Person.id == Card.person_id)
        query = query.where(Person.group_id == group_id)
    if state is not None:
        query = query.where(Reminder.state == state)
    for reminder_id, card_id, expires_on, step, due_on, its_state in each(tx, query):
        yield ReminderView(reminder_id, card_id, expires_on, step, due_on, ReminderState(its_state))


def link(tx: Session, pairs: Iterable[tuple[int, int]]) -> None:
    """Record which reminders a message contains, as (message id, reminder id)."""
    rows = [{"message_id": message_id, "reminder_id": reminder_id} for message_id, reminder_id in pairs]
    if rows:
        tx.execute(insert(MessageReminder), rows)
