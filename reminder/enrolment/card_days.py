"""A card's own days: on which days before its end it is reminded of, in place of those of its group."""

from collections.abc import Collection

from reminder.domain.model.messages import CancelReason
from reminder.domain.parsing.days_before import checked_days, kept_form
from reminder.domain.rules.steps import first_planning_day
from reminder.enrolment.cards import current_card
from reminder.errors import NotFoundError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, groups
from reminder.storage.reminders.card_plan import plan_of
from reminder.storage.runtime import activity_log


def set_card_days(uow: UnitOfWork, *, card_id: int, own_days: Collection[int], by: int | None = None) -> None:
    """Set the days before its end on which a card is reminded of; none: those of its group again.

    What waits to be sent about it is cancelled, and the card is planned again. Raises RefusedInputError for days that
    cannot be kept, NotFoundError for an unknown card and ConflictError for a retired one.
    """
    kept = kept_form(checked_days(own_days))
    card, person = current_card(uow.tx, card_id)
    if card.own_days == kept:
        return
    cards.set_own_days(uow.tx, card_id, kept)
    cancelled = queue.cancel_reminders_of_card(uow.tx, card_id, CancelReason.SUPERSEDED, uow.now)
    cards.schedule_replan_of_messages(uow.tx, cancelled, uow.today)
    if card.kind in uow.rules.kinds:
        _plan_again(uow, card_id, person.group_id, person.id)
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
    activity_log.write(uow.tx, "card_days_changed", uow.now, **ids, member_id=by)


def _plan_again(uow: UnitOfWork, card_id: int, group_id: int, person_id: int) -> None:
    """Set the next planning day of the card to that of its new plan, sooner or later than before."""
    group = groups.find(uow.tx, group_id)
    if group is None:
        raise NotFoundError(field="group")
    ends = cards.ends_of_people(uow.tx, [person_id])[person_id]
    next_on = {}
    for card in cards.as_due(uow.tx, [card_id]):
        _, plan = plan_of(uow.rules, card, ends, group.preferences)
        next_on[card.id] = first_planning_day(plan, card.expires_on, uow.today)
    cards.set_next(uow.tx, next_on)
