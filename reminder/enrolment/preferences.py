"""Preferences of a group and its members: stored, and everything planned again in one transaction."""

from reminder.domain.model.messages import CancelReason
from reminder.domain.model.people import Copies
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.steps import first_planning_day
from reminder.errors import NotFoundError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, groups
from reminder.storage.reminders.card_plan import plan_of
from reminder.storage.runtime import activity_log


def set_preferences(uow: UnitOfWork, *, group_id: int, preferences: Preferences, by: int | None = None) -> None:
    """Set the preferences of a group; waiting messages are cancelled and planned again.

    Today's message may leave at another hour or not at all. Raises RefusedInputError for preferences that cannot be
    kept, NotFoundError for an unknown group.
    """
    checked = preferences.checked(uow.rules.schedules.presets)
    groups.lock(uow.tx, group_id)
    group = groups.find(uow.tx, group_id)
    if group is None:
        raise NotFoundError(field="group")
    if group.preferences == checked:
        return
    groups.set_preferences(uow.tx, group_id, checked)
    _plan_again(uow, group_id, checked)
    activity_log.write(uow.tx, "preferences_changed", uow.now, group_id=group_id, member_id=by)


def set_copies(uow: UnitOfWork, *, member_id: int, copies: Copies, by: int | None = None) -> None:
    """Set which reminders about others a member gets; waiting ones are planned again."""
    group_id = groups.group_of_member(uow.tx, member_id)
    if group_id is None:
        raise NotFoundError(field="member")
    groups.lock(uow.tx, group_id)
    groups.set_copies(uow.tx, member_id, copies)
    queue.cancel_reminders_of_member(uow.tx, member_id, CancelReason.SUPERSEDED, uow.now)
    cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    activity_log.write(uow.tx, "member_changed", uow.now, group_id=group_id, member_id=by or member_id)


def _plan_again(uow: UnitOfWork, group_id: int, preferences: Preferences) -> None:
    """Set the next planning day of each card to that of its new plan, sooner or later than before."""
    current = [card for card in cards.of_group_as_due(uow.tx, group_id) if card.kind in uow.rules.kinds]
    ends = cards.ends_of_people(uow.tx, {card.person.id for card in current})
    next_on = {}
    for card in current:
        _, plan = plan_of(uow.rules, card, ends[card.person.id], preferences)
        next_on[card.id] = first_planning_day(plan, card.expires_on, uow.today)
    cards.set_next(uow.tx, next_on)
    queue.cancel_reminders_of_group(uow.tx, group_id, CancelReason.SUPERSEDED, uow.now)
