"""The planning pass: makes the messages of all cards that are due today."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from reminder.clock import japan_date
from reminder.domain.model.people import Audience, Mode
from reminder.domain.model.promise_states import addressee_of
from reminder.domain.rules.escalation_policy import NOBODY_LEFT, patience
from reminder.domain.rules.promise_checks import ends_at, first_check
from reminder.domain.rules.recipients import Recipient, RecipientSet, choose_recipients
from reminder.domain.rules.sending_limits import HoldReason, spread
from reminder.errors import DatabaseNotReadyError
from reminder.planning.daily_plan import (
    CardContext,
    DailyPlan,
    PlannedReminder,
    PlanningQueries,
    by_owner,
    context_of,
)
from reminder.planning.delivery_history import DeliveryHistory
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, contacts, groups, person_lives, quotas
from reminder.storage.registry.cards import DueCard
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import open_questions, promises, reminders
from reminder.storage.runtime import breakers, heartbeats, set_aside

log = logging.getLogger(__name__)

# Groups in one transaction: enough to save commits, and few enough that other writers wait briefly and that a killed
# process loses little.
GROUPS_AT_ONCE = 25


def plan_due(units: UnitsOfWork, now: datetime, links: SignedLinks | None = None) -> int:
    """Plan every card that is due and return the number of new messages; `links`: the links in e-mails to carers.

    A card that cannot be planned is set aside. A group that cannot be planned at all is logged and left for the next
    pass. Neither delays the others.
    """
    today = japan_date(now)
    planned, broken = 0, set[int]()
    at_once = GROUPS_AT_ONCE
    with units.reading(now) as uow:
        aside = set(set_aside.ids(uow.tx, set_aside.PLANS))
    while True:
        group_ids: list[int] = []
        try:
            with units.writing(now) as uow:
                group_ids = cards.groups_due(uow.tx, today, limit=at_once, but_not=broken, aside=aside)
                if not group_ids:
                    return planned
                planned += _PlanningPass(uow, links or SignedLinks(uow.keys, None)).plan(group_ids, aside=aside)
        except DatabaseNotReadyError:
            raise
        except Exception:
            if len(group_ids) == 0:
                raise
            if len(group_ids) == 1:
                log.exception("group %s could not be planned", group_ids[0])
                bad = _bad_cards(units, now, links, group_ids[0], aside)
                aside.update(bad)
                if not bad:
                    broken.add(group_ids[0])
            at_once = 1


def _bad_cards(
    units: UnitsOfWork, now: datetime, links: SignedLinks | None, group_id: int, aside: Collection[int]
) -> list[int]:
    """Return the cards of a group that cannot be planned even alone, which are set aside. None if that are all of them.

    Where no card can be planned it is the group that is at fault: its cards are tried again with the next pass.
    """
    with units.reading(now) as uow:
        card_ids = [one for one in cards.due_ids(uow.tx, [group_id], uow.today) if one not in aside]
    bad = set_aside.failing(
        set_aside.PLANS,
        card_ids,
        partial(units.writing, now),
        lambda uow, card_id: _PlanningPass(uow, links or SignedLinks(uow.keys, None)).plan([group_id], only=card_id),
    )
    if len(bad) == len(card_ids) > 1:
        return []
    with units.writing(now) as uow:
        set_aside.add(uow.tx, set_aside.PLANS, bad, now)
    return bad


class _PlanningPass:
    """The planning of some groups, inside one unit of work."""

    def __init__(self, uow: UnitOfWork, links: SignedLinks) -> None:
        self._tx, self._keys, self._rules, self._links = uow.tx, uow.keys, uow.rules, links
        self._now, self._today = uow.now, uow.today

    def plan(self, group_ids: Sequence[int], *, aside: Collection[int] = (), only: int | None = None) -> int:
        due = self._plannable(cards.due(self._tx, group_ids, self._today, aside=aside, only=only))
        group_of = groups.by_id(self._tx, group_ids)
        humans, recipient_sets = self._recipient_sets(group_of, {card.person.id: card.person for card in due})
        contexts = self._contexts(due, group_of, recipient_sets)
        past = DeliveryHistory(self._tx, due, humans, self._now)
        left = quotas.messages_left(self._tx, self._rules.quotas, group_ids, self._now)
        known = self._known(past, humans, recipient_sets.values())
        day = DailyPlan(self._rules, self._now, self._links, known, left=left)
        undelivered = day.undelivered(contexts)
        past.load_outcomes(
            {t.card.id for planned in undelivered.values() for t in planned if t.audience is not Audience.PERSON}
        )
        day.draft(undelivered, group_of)
        self._keep(day, {one.contact_id: one.owner for some in humans.values() for one in some})
        self._wait_for_answers(day)
        cards.set_next(self._tx, {one.card.id: day.next_planning_day(one) for one in contexts})
        return len(day.drafts)

    def _plannable(self, due: Sequence[DueCard]) -> list[DueCard]:
        """Return the cards of known kinds: a card of a kind that config/ no longer has must not stop its group."""
        unknown = [card for card in due if card.kind not in self._rules.kinds]
        for card in unknown:
            log.error(
                "card %s is of a kind that config/cards.toml does not have; it is planned again tomorrow", card.id
            )
        tomorrow = self._today + timedelta(days=1)
        cards.set_next(self._tx, {card.id: tomorrow for card in unknown})
        return [card for card in due if card.kind in self._rules.kinds]

    def _recipient_sets(
        self, group_of: Mapping[int, GroupView], people: Mapping[int, PersonView]
    ) -> tuple[dict[tuple[str, int], list[Recipient]], dict[int, RecipientSet]]:
        """Return every contact by its owner, in any state, and by person id who may be written to."""
        own: dict[int, list[Recipient]] = {}
        for person_id, recipient in contacts.of_people(self._tx, list(people)):
            own.setdefault(person_id, []).append(recipient)
        away = {
            person_id
            for person_id, life in person_lives.of_people(self._tx, list(people)).items()
            if life.where.is_away(self._today)
        }
        members: dict[int, list[Recipient]] = {}
        for group_id, recipient in contacts.of_members(self._tx, list(group_of)):
            members.setdefault(group_id, []).append(recipient)
        recipient_sets = {
            person_id: choose_recipients(
                group_of[person.group_id].kind,
                # Who is in hospital is not written to; their family and the staff are.
                [one for one in own.get(person_id, ()) if person_id not in away or one.owner[0] != "person"],
                members.get(person.group_id, ()),
                self._rules.channels,
            )
            for person_id, person in people.items()
        }
        return by_owner((*chain(*own.values()), *chain(*members.values()))), recipient_sets

    def _contexts(
        self, due: Sequence[DueCard], group_of: Mapping[int, GroupView], recipient_sets: Mapping[int, RecipientSet]
    ) -> list[CardContext]:
        ends = cards.ends_of_people(self._tx, {card.person.id for card in due})
        return [
            context_of(
                self._rules, card, ends[card.person.id], recipient_sets[card.person.id], group_of[card.person.group_id]
            )
            for card in due
        ]

    def _known(
        self,
        past: DeliveryHistory,
        humans: Mapping[tuple[str, int], Sequence[Recipient]],
        recipient_sets: Iterable[RecipientSet],
    ) -> PlanningQueries:
        own = [one.contact_id for around in recipient_sets for one in around.own if not one.channel.is_mail]
        shared = open_questions.of_several_persons(self._tx, own)
        return PlanningQueries(
            past=past,
            humans=humans,
            taken=lambda keys: queue.taken(self._tx, keys),
            sharing=lambda contact_id: open_questions.sharing(self._tx, [contact_id])[contact_id],
            open_questions=lambda contact_ids, now: open_questions.open_at(self._tx, contact_ids, now),
            is_shared=shared.__contains__,
            waiting={
                *breakers.open_channels(self._tx),
                *(
                    pause.channel
                    for pause in heartbeats.pauses(self._tx, self._now)
                    if pause.reason != HoldReason.UNUSUAL_DAY
                ),
            },
        )

    def _keep(self, day: DailyPlan, owner_of: Mapping[int, tuple[str, int]]) -> None:
        reminder_ids = reminders.get_or_create(self._tx, day.steps_due, self._now)
        drafts = self._spread(day)
        message_ids = queue.add(self._tx, self._keys, drafts, self._now)
        reminders.link(
            self._tx,
            (
                (message_id, reminder_ids[reminder.key])
                for message_id, (_, planned) in zip(message_ids, day.drafts, strict=True)
                for reminder in planned
            ),
        )
        promises.add(
            self._tx,
            (
                self._promise(draft, reminder, reminder_ids[reminder.key], addressee_of(owner_of[draft.contact_id]))
                for draft, (_, planned) in zip(drafts, day.drafts, strict=True)
                for reminder in planned
                if draft.contact_id is not None
            ),
            self._now,
        )

    def _promise(
        self, draft: MessageDraft, reminder: PlannedReminder, reminder_id: int, addressee: str
    ) -> promises.NewPromise:
        """Return the promise that the addressee of this message is told by the end of its day."""
        day, due_at = japan_date(draft.scheduled_at), draft.scheduled_at
        ends = ends_at(day, due_at, reminder.card.person.mode, draft.audience, draft.channel)
        return promises.NewPromise(
            reminder_id, addressee, draft.audience, day, due_at, ends, first_check(due_at, ends), draft.channel
        )

    def _spread(self, day: DailyPlan) -> list[MessageDraft]:
        """Return the drafts of a home's morning, spread over the time that their sender needs."""
        turns, drafts = Counter[int | None](), []
        for draft, _ in day.drafts:
            due = draft.scheduled_at
            if draft.channel.can.is_paced:
                due = spread(due, draft.expires_at, turns[draft.group_id], self._rules.between_texts)
                turns[draft.group_id] += 1
            drafts.append(replace(draft, scheduled_at=due))
        return drafts

    def _wait_for_answers(self, day: DailyPlan) -> None:
        """Count the silence of an elder from the first text on."""
        reminded = {reminder.card.id: reminder.card for _, planned in day.drafts for reminder in planned}
        newly_reminded = [
            card
            for card in reminded.values()
            if card.person.mode is not Mode.STANDARD
            and card.escalate_on is None
            and card.progress.acknowledged_on is None
            and not card.progress.is_under_way
            and card.progress.escalation_level != NOBODY_LEFT
            and self._today <= card.expires_on
        ]
        until = {
            c.id: (c.progress.escalation_level, self._today + patience(c.expires_on, self._today))
            for c in newly_reminded
        }
        cards.set_escalation(self._tx, until)
