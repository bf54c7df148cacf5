"""Escalation: when nobody answers or acts, the next human is asked; at the end the card is marked red."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, Copies
from reminder.domain.rules.escalation_policy import NOBODY_LEFT, RED_WITHIN, escalation_order, patience
from reminder.domain.rules.recipients import Recipient, RecipientSet
from reminder.domain.text.model import About, CardContent
from reminder.errors import DatabaseNotReadyError
from reminder.planning.notice_builder import PlannedNotice, Subject, draft_of, enqueue, planned_notice
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queries
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import cards, groups
from reminder.storage.registry.cards import DueCard
from reminder.storage.registry.groups import GroupView
from reminder.storage.reminders.recipients import recipient_set_of
from reminder.storage.runtime import set_aside

log = logging.getLogger(__name__)

GROUPS_AT_ONCE = 100


def escalate(units: UnitsOfWork, now: datetime, links: SignedLinks) -> int:
    """Ask the next human about each card whose time to answer has passed; return the number of new messages.

    A card about which nobody can be asked for a fault of ours is set aside.
    """
    with units.reading(now) as uow:
        aside = set_aside.ids(uow.tx, set_aside.ESCALATIONS)
    try:
        with units.writing(now) as uow:
            group_ids = cards.groups_silent(uow.tx, uow.today, limit=GROUPS_AT_ONCE, aside=aside)
            return _Escalation(uow, links).run(group_ids, aside=aside)
    except DatabaseNotReadyError:
        raise
    except Exception:
        log.exception("escalation goes on one group at a time")
    made, tried = 0, set[int]()
    while True:
        with units.writing(now) as uow:
            following = cards.groups_silent(uow.tx, uow.today, limit=1, but_not=tried, aside=aside)
        if not following:
            return made
        tried.update(following)
        try:
            made += _escalate_group(units, now, links, following[0], aside)
        except DatabaseNotReadyError:
            raise
        except Exception:
            log.exception("group %s could not be escalated; the next pass tries again", following[0])


def _escalate_group(
    units: UnitsOfWork, now: datetime, links: SignedLinks, group_id: int, aside: Collection[int]
) -> int:
    """Escalate the cards of a group without those that fail."""
    opened = partial(units.writing, now)
    try:
        with opened() as uow:
            return _Escalation(uow, links).run([group_id], aside=aside)
    except DatabaseNotReadyError:
        raise
    except Exception:
        log.exception("the cards of group %s are tried one by one", group_id)
    with units.reading(now) as uow:
        card_ids = [one for one in cards.silent_ids(uow.tx, [group_id], uow.today) if one not in aside]
    bad = set_aside.failing(
        set_aside.ESCALATIONS,
        card_ids,
        opened,
        lambda uow, card_id: _Escalation(uow, links).run([group_id], only=card_id),
    )
    with opened() as uow:
        set_aside.add(uow.tx, set_aside.ESCALATIONS, bad, now)
    with opened() as uow:
        return _Escalation(uow, links).run([group_id], aside={*aside, *bad})


class _Escalation:
    """The escalation of some groups, inside one unit of work."""

    def __init__(self, uow: UnitOfWork, links: SignedLinks) -> None:
        self._uow, self._tx, self._rules, self._links = uow, uow.tx, uow.rules, links
        self._now, self._today = uow.now, uow.today

    def run(self, group_ids: Sequence[int], *, aside: Collection[int] = (), only: int | None = None) -> int:
        around = groups.by_id(self._tx, group_ids)
        waits: dict[int, tuple[int, date | None]] = {}
        asked: dict[Recipient, list[tuple[DueCard, PlannedNotice]]] = {}
        silent = cards.silent(self._tx, group_ids, self._today, aside=aside, only=only)
        told = queries.first_told(self._tx, [card.id for card in silent])
        for card in silent:
            if around[card.person.group_id].is_suspended:
                # Nobody is asked meanwhile, and nothing is skipped.
                waits[card.id] = (card.progress.escalation_level, self._today + timedelta(days=1))
                continue
            waits[card.id], notice = self._next(card, around[card.person.group_id], told.get(card.id, {}))
            if notice is not None:
                asked.setdefault(notice.recipient, []).append((card, notice))
        cards.set_escalation(self._tx, waits)
        drafts = [draft for recipient, planned in asked.items() for draft in self._drafts(recipient, planned)]
        return enqueue(self._uow, drafts)

    def _next(
        self, card: DueCard, group: GroupView, told: Mapping[Audience, datetime]
    ) -> tuple[tuple[int, date | None], PlannedNotice | None]:
        """Return (new escalation level, date until which an answer is awaited) and the notice to the next human."""
        progress = card.progress
        is_done = progress.acknowledged_on is not None or progress.is_under_way
        if is_done or self._today > card.expires_on or card.kind not in self._rules.kinds:
            return (progress.escalation_level, None), None
        until = self._today + patience(card.expires_on, self._today)
        if progress.assigned_on is not None:
            if self._today < progress.assigned_on + 2 * patience(card.expires_on, progress.assigned_on):
                return (progress.escalation_level, until), None
            # This human was reminded once and has not answered since.
            cards.unassign(self._tx, card.id)
        subject = Subject(card.person, group, recipient_set_of(self._tx, card.person, group, self._rules.channels))
        if (silent_until := self._silent_until(card, subject.recipient_set, told)) > self._today:
            return (progress.escalation_level, silent_until), None
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

    def _silent_until(self, card: DueCard, around: RecipientSet, told: Mapping[Audience, datetime]) -> date:
        """Return until when an answer may come. Silence begins once the person or a carer was really told.

        What was never sent, or has not been accepted, nobody can have left unanswered.
        """
        nearest = (Audience.PERSON, Audience.CARER) if around.own or around.carers else (Audience.STAFF,)
        first = min((told[audience] for audience in nearest if audience in told), default=None)
        if first is None:
            return self._today + timedelta(days=1)
        return japan_date(first) + patience(card.expires_on, japan_date(first))

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
        # The mail of a card that is tried again later on the day has a key of its own.
        key = f"silent:{{contact}}:{planned[0][0].id}:{{day}}"
        return [draft_of(first, kind, key, self._now, composed, speaks_of=speaks_of, waits_for_hour=True)]


def _spoken_of(card: DueCard) -> MentionDraft:
    return MentionDraft(card.person.id, card.id)
