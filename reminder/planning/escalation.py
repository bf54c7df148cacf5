"""Escalation: when nobody answers or acts, the next human is asked; at the end the card is marked red."""

from datetime import date, timedelta

from reminder.domain.model.messages import MessageKind
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Copies
from reminder.domain.rules.escalation_policy import NOBODY_LEFT, RED_WITHIN, escalation_order, patience
from reminder.domain.rules.recipients import Recipient
from reminder.domain.text.model import About, CardContent
from reminder.planning.notice_builder import PlannedNotice, Subject, draft_of, enqueue, planned_notice
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import cards, groups
from reminder.storage.registry.cards import DueCard
from reminder.storage.registry.groups import GroupView
from reminder.storage.reminders.recipients import recipient_set_of

GROUPS_AT_ONCE = 100


def escalate(uow: UnitOfWork, links: SignedLinks) -> int:
    """Ask the next human about each card whose time to answer has passed; return the number of new messages."""
    return _Escalation(uow, links).run()


class _Escalation:
    """The escalation of some groups, inside one unit of work."""

    def __init__(self, uow: UnitOfWork, links: SignedLinks) -> None:
        self._uow, self._tx, self._rules, self._links = uow, uow.tx, uow.rules, links
        self._now, self._today = uow.now, uow.today

    def run(self) -> int:
        group_ids = cards.groups_silent(self._tx, self._today, limit=GROUPS_AT_ONCE)
        around = groups.by_id(self._tx, group_ids)
        waits: dict[int, tuple[int, date | None]] = {}
        asked: dict[Recipient, list[tuple[DueCard, PlannedNotice]]] = {}
        for card in cards.silent(self._tx, group_ids, self._today):
            if around[card.person.group_id].is_suspended:
                # Nobody is asked meanwhile, and nothing is skipped.
                waits[card.id] = (card.progress.escalation_level, self._today + timedelta(days=1))
                continue
            waits[card.id], notice = self._next(card, around[card.person.group_id])
            if notice is not None:
                asked.setdefault(notice.recipient, []).append((card, notice))
        cards.set_escalation(self._tx, waits)
        drafts = [draft for recipient, planned in asked.items() for draft in self._drafts(recipient, planned)]
        return enqueue(self._uow, drafts)

    def _next(self, card: DueCard, group: GroupView) -> tuple[tuple[int, date | None], PlannedNotice | None]:
        """Return (new escalation level, date until which an answer is awaited) and the notice to the next human."""
        progress = card.progress
        if progress.acknowledged_on is not None or self._today > card.expires_on or card.kind not in self._rules.kinds:
            return (progress.escalation_level, None), None
        until = self._today + patience(card.expires_on, self._today)
        if progress.assigned_on is not None:
            if self._today < progress.assigned_on + 2 * patience(card.expires_on, progress.assigned_on):
                return (progress.escalation_level, until), None
            # This human was reminded once and has not answered since.
            cards.unassign(self._tx, card.id)
        subject = Subject(card.person, group, recipient_set_of(self._tx, card.person, group, self._rules.channels))
        humans, asked = escalation_order(subject.recipient_set), progress.escalation_level + 1
        # The first human has had copies from the beginning. If they want none, they are the first to be asked.
        following = asked if not humans or humans[0].copies is not Copies.NONE else progress.escalation_level
        if following >= len(humans) and card.expires_on - self._today > RED_WITHIN:
            return (progress.escalation_level, card.expires_on - RED_WITHIN), None
        if following >= len(humans):
            return (NOBODY_LEFT, None), None
        about_card = CardContent(card.kind, card.expires_on, card.is_computed, card.label or None)
        asked_human = humans[following]
        link = self._links.take(card.id, asked_human.contact_id, asked_human.added_at)
        about = About(about_card, link=link)
        return (asked, until), planned_notice(self._rules, subject, asked_human, NoticeKind.SILENT, about)

    def _drafts(self, recipient: Recipient, planned: list[tuple[DueCard, PlannedNotice]]) -> list[MessageDraft]:
        """Return the drafts; a home that is asked about many residents at once gets one mail."""
        kind = MessageKind.ESCALATION
        if not recipient.channel.is_mail:
            key = "silent:{{contact}}:{}:{{day}}"
            return [
                draft_of(one, kind, key.format(card.id), self._now, speaks_of=[_spoken_of(card)], waits_for_hour=True)
                for card, one in planned
            ]
        first = planned[0][1]
        composed = self._rules.composer.together([one.composed for _, one in planned], recipient.language)
        speaks_of = [_spoken_of(card) for card, _ in planned]
        key = "silent:{contact}:{day}"
        return [draft_of(first, kind, key, self._now, composed, speaks_of=speaks_of, waits_for_hour=True)]


def _spoken_of(card: DueCard) -> MentionDraft:
    return MentionDraft(card.person.id, card.id)
