"""Acts between the first one and the new date of a card, and the step back from the last act of any kind."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from reminder.domain.model.card_states import (
    APPLY,
    MAKE_READY,
    TAKEN_BACK_WITHIN,
    CardState,
    EndReason,
)
from reminder.domain.model.messages import CancelReason
from reminder.domain.model.own_kinds import stored_kind
from reminder.domain.model.state_machine import Move
from reminder.domain.parsing import dates
from reminder.enrolment.cards import current_card, first_planning_day_of, retire_card
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import card_lives, cards, groups, people
from reminder.storage.registry.card_lives import CardLifeView
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import reminders
from reminder.storage.runtime import activity_log


class CardAct(StrEnum):
    """An act on a card that pages, programs and commands name."""

    APPLY = "apply"
    READY = "ready"
    APPOINTMENT = "appointment"
    END = "end"
    STEP_BACK = "step_back"


# An act is never planned for longer than that.
FURTHEST = timedelta(days=366)


def act_on_card(
    uow: UnitOfWork,
    *,
    card_id: int,
    act: CardAct,
    day: str | date | None = None,
    reason: EndReason | None = None,
    by: int | None = None,
) -> None:
    """Do one of these acts. `day`: by when it is expected, until when it is kept, or of the appointment, as typed."""
    match act:
        case CardAct.APPLY:
            apply_for_card(uow, card_id=card_id, expected_by=day, by=by)
        case CardAct.READY:
            make_card_ready(uow, card_id=card_id, collect_by=day, by=by)
        case CardAct.APPOINTMENT:
            make_appointment(uow, card_id=card_id, on=day, by=by)
        case CardAct.END:
            retire_card(uow, card_id=card_id, reason=reason or EndReason.NOT_NEEDED, by=by)
        case CardAct.STEP_BACK:
            step_back(uow, card_id=card_id, by=by)


def taken_back_until(life: CardLifeView | None, now: datetime) -> datetime | None:
    """Return until when the last act on a card can be taken back, aware UTC; None where it cannot."""
    if life is None or life.before is None or now - life.changed_at > TAKEN_BACK_WITHIN:
        return None
    return life.changed_at + TAKEN_BACK_WITHIN


def apply_for_card(
    uow: UnitOfWork, *, card_id: int, expected_by: str | date | None = None, by: int | None = None
) -> None:
    """Record that somebody has applied: nobody is asked to apply, and on the day it is asked whether it has come.

    `expected_by`: as typed; without it, as many days from today as a new one takes. Raises RefusedInputError for a day
    that is past or far, and ConflictError for a card that is done.
    """
    card, person = current_card(uow.tx, card_id)
    expected = _day_to_come(uow, expected_by, "expected_by")
    if expected is None and card.kind in uow.rules.kinds:
        takes = uow.rules.kind(card.kind).replacement_days
        expected = uow.today + timedelta(days=takes) if takes else None
    _move(uow, card, person, APPLY, "card_applied", by, {"expected_by": expected, "collect_by": None})


def make_card_ready(
    uow: UnitOfWork, *, card_id: int, collect_by: str | date | None = None, by: int | None = None
) -> None:
    """Record that the new card can be collected. Raises as apply_for_card."""
    card, person = current_card(uow.tx, card_id)
    until = _day_to_come(uow, collect_by, "collect_by")
    _move(uow, card, person, MAKE_READY, "card_ready", by, {"collect_by": until})


def make_appointment(uow: UnitOfWork, *, card_id: int, on: str | date | None, by: int | None = None) -> None:
    """Record the day of an appointment; None removes it. Raises as apply_for_card."""
    card, person = current_card(uow.tx, card_id)
    day = _day_to_come(uow, on, "appointment_on")
    _refuse_done(card)
    if not card_lives.make_appointment(uow.tx, card_id, card.expires_on, day, on=uow.today, now=uow.now):
        raise ConflictError("card_is_done", field="card")
    _go_on(uow, card, person, "card_booked" if day else "card_unbooked", by)


def step_back(uow: UnitOfWork, *, card_id: int, by: int | None = None) -> None:
    """Take back the last act on a card: applied, ready, booked, done, renewed or retired.

    Raises ConflictError if it is more than a day ago, and for an act that was taken back already.
    """
    card = cards.find(uow.tx, card_id)
    person = people.find(uow.tx, card.person_id) if card else None
    if card is None or person is None:
        raise NotFoundError(field="card")
    groups.lock(uow.tx, person.group_id)
    life = card_lives.last_of(uow.tx, card_id)
    if life is None or life.before is None:
        raise ConflictError("nothing_to_take_back", field="card")
    if uow.now - life.changed_at > TAKEN_BACK_WITHIN:
        raise ConflictError("too_late_to_take_back", field="card")
    _refuse_second(uow, card)
    # What is reminded of now is about the act that has not happened.
    queue_ids = queue.cancel_for_card(uow.tx, card_id, CancelReason.CHANGED, uow.now)
    cards.schedule_replan_of_messages(uow.tx, queue_ids, uow.today)
    card_lives.step_back(uow.tx, life)
    _restore(uow, card, person, life)
    _write(uow, "card_taken_back", card, person, by)


def _refuse_second(uow: UnitOfWork, card: CardView) -> None:
    """Raise ConflictError where a second card of the same kind was added since this one was retired."""
    if card.retired_at is None:
        return
    others = cards.current_of_person(uow.tx, card.person_id)
    known = next((other for other in others if _sort_of(other) == _sort_of(card)), None)
    if known is not None:
        raise ConflictError("card_known", field="kind", card=known.id)


def _sort_of(card: CardView) -> tuple[str, str]:
    return stored_kind(card.kind), card.label


def _restore(uow: UnitOfWork, card: CardView, person: PersonView, life: CardLifeView) -> None:
    """Give the card back what the act had changed in it."""
    assert life.before is not None
    if life.state not in (CardState.RENEWED, CardState.ENDED, CardState.DONE):
        cards.replan(uow.tx, card.id, uow.today)
        return
    said = life.before.get("acknowledged_on")
    cards.take_back(
        uow.tx,
        card.id,
        expires_on=life.expires_on,
        is_computed=bool(life.before.get("is_computed", card.is_computed)),
        next_on=first_planning_day_of(uow, person, card, life.expires_on) or uow.today,
        acknowledged_on=None if said is None else date.fromisoformat(said),
    )
    cards.schedule_replan_of_person(uow.tx, person.id, uow.today)


def _move(
    uow: UnitOfWork,
    card: CardView,
    person: PersonView,
    move: Move[CardState],
    act: str,
    by: int | None,
    values: Mapping[str, date | EndReason | None],
) -> None:
    _refuse_done(card)
    if not card_lives.move(uow.tx, card.id, card.expires_on, move, on=uow.today, now=uow.now, values=values):
        raise ConflictError("card_is_done", field="card")
    _go_on(uow, card, person, act, by)


def _refuse_done(card: CardView) -> None:
    if card.acknowledged_on is not None:
        raise ConflictError("card_is_done", field="card")


def _go_on(uow: UnitOfWork, card: CardView, person: PersonView, act: str, by: int | None) -> None:
    """Cancel what waits to be sent about the act that is done, and plan the card again."""
    reminders.acknowledge(uow.tx, [card.id])
    cancelled = queue.cancel_for_card(uow.tx, card.id, CancelReason.DONE, uow.now)
    cards.schedule_replan_of_messages(uow.tx, cancelled, uow.today)
    cards.replan(uow.tx, card.id, uow.today)
    _write(uow, act, card, person, by)


def _write(uow: UnitOfWork, act: str, card: CardView, person: PersonView, by: int | None) -> None:
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card.id}
    activity_log.write(uow.tx, act, uow.now, **ids, member_id=by)


def _day_to_come(uow: UnitOfWork, typed: str | date | None, field: str) -> date | None:
    if typed is None:
        return None
    day = typed if isinstance(typed, date) else dates.read_typed(typed, field=field)
    if not uow.today <= day <= uow.today + FURTHEST:
        raise RefusedInputError("day_not_to_come", field=field)
    return day
