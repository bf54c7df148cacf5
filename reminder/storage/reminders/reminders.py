"""Reminders: the due steps of cards, and whether each recipient has been reached."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session

from reminder.domain.model.messages import (
    ACKNOWLEDGE,
    REMINDER_STATES,
    SETTLE,
    SUPERSEDE,
    MessageState,
    ReminderState,
)
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.step_result import MessageResult, StepResult, step_result
from reminder.storage.db.statements import among, each, ids_param
from reminder.storage.db.tables import Card, Message, MessageReminder, Person, Reminder
from reminder.storage.db.transitions import transition


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


_OF_CARDS = select(
    Reminder.id, Reminder.card_id, Reminder.expires_on, Reminder.step, Reminder.due_on, Reminder.state
).where(among(Reminder.card_id, ids_param("cards")))


def get_or_create(tx: Session, steps: Mapping[StepKey, date], now: datetime) -> dict[StepKey, int]:
    """Return the ids of the reminders of these steps, created where missing; older open ones are superseded.

    `steps`: the day on which each is due.
    """
    if not steps:
        return {}
    cards = {step.card_id for step in steps}
    rows = tx.execute(_OF_CARDS, {"cards": cards}).all()
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
            tx.execute(transition(REMINDER_STATES, SUPERSEDE, among(Reminder.id, superseded)))
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
    result: StepResult


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
        Message.doubted_at.is_not(None).label("is_doubted"),
        func.count().label("times"),
    )
    .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
    .join(Message, Message.id == MessageReminder.message_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    # The cards are named, too: else PostgreSQL may read the index of all end dates to compare them.
    .where(
        among(Reminder.card_id, ids_param("cards")),
        among(Card.id, ids_param("cards")),
        Message.state != MessageState.CANCELLED,
    )
    .group_by(
        Reminder.card_id,
        Reminder.expires_on,
        Reminder.step,
        Message.contact_id,
        Message.channel,
        Message.state,
        Message.reason,
        Message.possibly_double,
        Message.doubted_at.is_not(None),
    )
)


def deliveries(tx: Session, card_ids: Collection[int]) -> list[StepDelivery]:
    """Return the deliveries of these cards' present end dates. Cancelled messages do not count."""
    by_way: dict[tuple[StepKey, int], list[MessageResult]] = {}
    for row in tx.execute(_DELIVERIES, {"cards": card_ids}):
        if row.contact_id is not None:  # a reminder always goes to a contact
            result = MessageResult(
                ChannelName(row.channel), row.state, row.reason, row.possibly_double, row.times, row.is_doubted
            )
            step = StepKey(row.card_id, row.expires_on, row.step)
            by_way.setdefault((step, row.contact_id), []).append(result)
    return [StepDelivery(step, contact_id, step_result(results)) for (step, contact_id), results in by_way.items()]


def settle(tx: Session, card_id: int) -> None:
    """Close the open reminders of a card that has a new date or is gone."""
    tx.execute(transition(REMINDER_STATES, SETTLE, Reminder.card_id == card_id))


def acknowledge(tx: Session, card_ids: Collection[int]) -> None:
    """Close the reminders of cards that were acknowledged."""
    tx.execute(transition(REMINDER_STATES, ACKNOWLEDGE, among(Reminder.card_id, card_ids)))


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
