"""How a group and its members want to be told: kept, and everything planned again in one transaction."""

from datetime import datetime

from reminder.clock import japan_date
from reminder.domain.messages import CancelReason
from reminder.domain.people import Copies
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.preferences import Rhythm
from reminder.domain.rules.schedule import first_look
from reminder.errors import NotFoundError
from reminder.storage import cards, groups, journal, outbox
from reminder.storage.plans import plan_of
from reminder.storage.session import Database, Tx


def set_rhythm(
    database: Database, rules: Rulebook, now: datetime, *, group_id: int, rhythm: Rhythm, by: int | None = None
) -> None:
    """What waits to be sent is taken back and planned anew, for today's message may go at another hour or not at all.

    Raises RefusedInputError for a rhythm that cannot be kept, NotFoundError for a group that there is not.
    """
    checked = rhythm.checked(rules.schedules.presets)
    with database.writing() as tx:
        groups.lock(tx, group_id)
        group = groups.find(tx, group_id)
        if group is None:
            raise NotFoundError(field="group")
        if group.rhythm == checked:
            return
        groups.set_rhythm(tx, group_id, checked)
        _plan_again(tx, rules, group_id, checked, now)
        journal.write(tx, "rhythm_changed", now, group_id=group_id, member_id=by)


def set_copies(database: Database, now: datetime, *, member_id: int, copies: Copies, by: int | None = None) -> None:
    """Which reminders about others a member is sent. What waits for them goes as it would now."""
    with database.writing() as tx:
        group_id = groups.group_of_member(tx, member_id)
        if group_id is None:
            raise NotFoundError(field="member")
        groups.lock(tx, group_id)
        groups.set_copies(tx, member_id, copies)
        outbox.cancel_reminders_of_member(tx, member_id, CancelReason.SUPERSEDED, now)
        cards.look_again_at_group(tx, group_id, japan_date(now))
        journal.write(tx, "member_changed", now, group_id=group_id, member_id=by or member_id)


def _plan_again(tx: Tx, rules: Rulebook, group_id: int, rhythm: Rhythm, now: datetime) -> None:
    """Each card's next look is that of its new plan, sooner or later than before."""
    current = [card for card in cards.of_group_as_due(tx, group_id) if card.kind in rules.kinds]
    ends = cards.ends_of_people(tx, {card.person.id for card in current})
    next_on = {}
    for card in current:
        _, plan = plan_of(rules, card, ends[card.person.id], rhythm)
        next_on[card.id] = first_look(plan, card.expires_on, japan_date(now))
    cards.set_next(tx, next_on)
    outbox.cancel_reminders_of_group(tx, group_id, CancelReason.SUPERSEDED, now)
