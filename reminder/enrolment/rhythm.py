"""How a group and its members want to be told: kept, and everything planned again in one transaction."""

from reminder.domain.messages import CancelReason
from reminder.domain.people import Copies
from reminder.domain.rules.preferences import Rhythm
from reminder.domain.rules.steps import first_look
from reminder.errors import NotFoundError
from reminder.storage import cards, groups, journal, outbox
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.plans import plan_of


def set_rhythm(uow: UnitOfWork, *, group_id: int, rhythm: Rhythm, by: int | None = None) -> None:
    """What waits to be sent is taken back and planned anew, for today's message may go at another hour or not at all.

    Raises RefusedInputError for a rhythm that cannot be kept, NotFoundError for a group that there is not.
    """
    checked = rhythm.checked(uow.rules.schedules.presets)
    groups.lock(uow.tx, group_id)
    group = groups.find(uow.tx, group_id)
    if group is None:
        raise NotFoundError(field="group")
    if group.rhythm == checked:
        return
    groups.set_rhythm(uow.tx, group_id, checked)
    _plan_again(uow, group_id, checked)
    journal.write(uow.tx, "rhythm_changed", uow.now, group_id=group_id, member_id=by)


def set_copies(uow: UnitOfWork, *, member_id: int, copies: Copies, by: int | None = None) -> None:
    """Which reminders about others a member is sent. What waits for them goes as it would now."""
    group_id = groups.group_of_member(uow.tx, member_id)
    if group_id is None:
        raise NotFoundError(field="member")
    groups.lock(uow.tx, group_id)
    groups.set_copies(uow.tx, member_id, copies)
    outbox.cancel_reminders_of_member(uow.tx, member_id, CancelReason.SUPERSEDED, uow.now)
    cards.look_again_at_group(uow.tx, group_id, uow.today)
    journal.write(uow.tx, "member_changed", uow.now, group_id=group_id, member_id=by or member_id)


def _plan_again(uow: UnitOfWork, group_id: int, rhythm: Rhythm) -> None:
    """Each card's next look is that of its new plan, sooner or later than before."""
    current = [card for card in cards.of_group_as_due(uow.tx, group_id) if card.kind in uow.rules.kinds]
    ends = cards.ends_of_people(uow.tx, {card.person.id for card in current})
    next_on = {}
    for card in current:
        _, plan = plan_of(uow.rules, card, ends[card.person.id], rhythm)
        next_on[card.id] = first_look(plan, card.expires_on, uow.today)
    cards.set_next(uow.tx, next_on)
    outbox.cancel_reminders_of_group(uow.tx, group_id, CancelReason.SUPERSEDED, uow.now)
