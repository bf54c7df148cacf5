"""Cards whose day has come: from what is due today to the messages that tell it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import chain

from reminder.clock import japan_date
from reminder.domain import hours, wording
from reminder.domain.audience import Circle, Recipient, circle
from reminder.domain.calls import DONE, compose_call, what_a_human_hears
from reminder.domain.followup import (
    NEAR_THE_END,
    NOBODY_LEFT,
    followed,
    listening,
    patience,
    says,
)
from reminder.domain.ladder import CardDates, Plan, Rung, next_day, rung_due
from reminder.domain.messages import MessageState
from reminder.domain.people import Audience, ChannelName, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.wording import Composed, Copy, Told
from reminder.planning.past import Past
from reminder.storage import cards, contacts, groups, outbox, questions, reminders
from reminder.storage.cards import DueCard
from reminder.storage.groups import GroupView
from reminder.storage.keys import KeyRing
from reminder.storage.links import Links
from reminder.storage.outbox import Draft
from reminder.storage.people import PersonView
from reminder.storage.readers import reader
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

# Groups planned in one transaction: enough to spare commits, few enough that no other writer waits long.
GROUPS_AT_ONCE = 100
# What a person can answer to.
ANSWERABLE = (ChannelName.SMS, ChannelName.VOICE)
DONE_KEY = int(DONE)
_DID_NOT_REACH = (MessageState.FAILED, MessageState.UNDELIVERED)


def plan_due(database: Database, keys: KeyRing, rules: Rulebook, now: datetime, links: Links | None = None) -> int:
    """Plans every card whose day has come; how many messages that made. `links`: what e-mails to carers may hold.

    A group that cannot be planned is logged and left for the next pass, and never keeps the others waiting.
    """
    today = japan_date(now)
    planned, broken = 0, set[int]()
    at_once = GROUPS_AT_ONCE
    while True:
        group_ids: list[int] = []
        try:
            with database.writing() as tx:
                group_ids = cards.groups_due(tx, today, limit=at_once, but_not=broken)
                if not group_ids:
                    return planned
                planned += _Planning(tx, keys, rules, now, today, links or Links(keys, None)).plan(group_ids)
        except Exception:
            if len(group_ids) == 0:
                raise
            if len(group_ids) == 1:
                log.exception("group %s could not be planned", group_ids[0])
                broken.add(group_ids[0])
            at_once = 1


@dataclass(frozen=True)
class _Telling:
    """One rung of one card that one contact is to be told."""

    card: DueCard
    dates: CardDates
    rung: Rung
    says: str  # the rung whose words it takes
    audience: Audience
    is_bound: bool

    @property
    def key(self) -> reminders.Rung:
        return reminders.Rung(self.card.id, self.card.expires_on, self.rung.name)

    @property
    def told(self) -> Told:
        person = self.card.person
        return Told(
            kind=self.card.kind,
            rung=self.says,
            expires_on=self.card.expires_on,
            last_counter_day=self.dates.last_counter_day,
            grace_ends_on=self.dates.grace_ends_on,
            computed=self.card.is_computed,
            insurance=person.insurance,
            label=self.card.label or None,
            bound=self.is_bound,
        )


@dataclass
class _Planning:
    """One pass over some groups, inside one transaction."""

    tx: Tx
    keys: KeyRing
    rules: Rulebook
    now: datetime
    today: date
    links: Links
    rungs_due: dict[reminders.Rung, date] = field(default_factory=dict)
    not_today: set[int] = field(default_factory=set)  # cards with something left to tell on another day
    drafts: list[tuple[Draft, list[reminders.Rung]]] = field(default_factory=list)
    bound: set[int] = field(default_factory=set)  # cards that end with a residence period
    contacts_of: dict[tuple[str, int], list[Recipient]] = field(default_factory=dict)  # by owner, whatever their state
    told: dict[int, DueCard] = field(default_factory=dict)  # cards of which somebody is told today
    asked_now: dict[int, list[questions.Question]] = field(default_factory=dict)  # by contact, in this pass

    def plan(self, group_ids: Sequence[int]) -> int:
        due = self._plannable(cards.due(self.tx, group_ids, self.today))
        circles = self._circles(group_ids, {card.person.id: card.person for card in due})
        self.bound = self._bound(due)
        plans = {card.id: self._plan_of(card) for card in due}
        past = Past(self.tx, due, self.contacts_of, self.now)
        to_tell: dict[Recipient, list[_Telling]] = {}
        for card in due:
            for recipient, telling in self._tellings(past, card, *plans[card.id], circles[card.person.id]):
                if not past.is_told(telling.key, recipient):
                    to_tell.setdefault(recipient, []).append(telling)

        past.remember_fates({t.card.id for told in to_tell.values() for t in told if t.audience is not Audience.PERSON})
        self._draft(past, to_tell, groups.by_id(self.tx, group_ids))
        self._keep()
        self._wait_for_answers()
        cards.set_next(self.tx, {card.id: self._next_look(card, plans[card.id][1]) for card in due})
        return len(self.drafts)

    def _plannable(self, due: Sequence[DueCard]) -> list[DueCard]:
        """Without those of a kind that config/ no longer has: they must not silence the others of their home."""
        unknown = [card for card in due if card.kind not in self.rules.kinds]
        for card in unknown:
            log.error("card %s is of a kind that config/cards.toml does not have; looked at again tomorrow", card.id)
        tomorrow = self.today + timedelta(days=1)
        cards.set_next(self.tx, {card.id: tomorrow for card in unknown})
        return [card for card in due if card.kind in self.rules.kinds]

    def _circles(self, group_ids: Sequence[int], people: Mapping[int, PersonView]) -> dict[int, Circle]:
        kinds = {group_id: group.kind for group_id, group in groups.by_id(self.tx, group_ids).items()}
        own: dict[int, list[Recipient]] = {}
        for person_id, recipient in contacts.of_people(self.tx, list(people)):
            own.setdefault(person_id, []).append(recipient)
        members: dict[int, list[Recipient]] = {}
        for group_id, recipient in contacts.of_members(self.tx, group_ids):
            members.setdefault(group_id, []).append(recipient)
        for recipient in (*chain(*own.values()), *chain(*members.values())):
            self.contacts_of.setdefault(recipient.owner, []).append(recipient)
        return {
            person_id: circle(
                kinds[person.group_id],
                own.get(person_id, ()),
                members.get(person.group_id, ()),
                self.rules.channels,
            )
            for person_id, person in people.items()
        }

    def _bound(self, due: Sequence[DueCard]) -> set[int]:
        ends = cards.ends_of_people(self.tx, {card.person.id for card in due})
        return {card.id for card in due if self.rules.is_bound(card.kind, card.expires_on, ends[card.person.id])}

    def _plan_of(self, card: DueCard) -> tuple[CardDates, Plan]:
        person = card.person
        dates, plan = self.rules.plan(
            card.kind,
            card.expires_on,
            person.mode,
            insurance=person.insurance,
            carrier_ends_on=card.carrier_ends_on,
            is_bound=card.id in self.bound,
        )
        return dates, followed(plan, card.course, card.expires_on, person.mode)

    def _tellings(
        self, past: Past, card: DueCard, dates: CardDates, plan: Plan, circle: Circle
    ) -> Iterable[tuple[Recipient, _Telling]]:
        for audience, recipients in listening(circle, card.course, card.person.mode).listeners().items():
            rung = rung_due(plan, circle.hears(audience), card.expires_on, self.today)
            if rung is None:
                continue
            self.rungs_due[reminders.Rung(card.id, card.expires_on, rung.name)] = rung.on
            telling = _Telling(card, dates, rung, says(rung, plan), audience, card.id in self.bound)
            for recipient in recipients:
                way = past.way(recipient, telling.key, self.rules.channels)
                if way.channel is not ChannelName.VOICE or past.may_be_called(way, telling.key, telling.says):
                    yield way, telling

    def _draft(
        self, past: Past, to_tell: Mapping[Recipient, list[_Telling]], group_of: Mapping[int, GroupView]
    ) -> None:
        same_humans = {contact for recipient in to_tell for contact in self.contacts_of[recipient.owner]}
        taken = outbox.taken(self.tx, {self._key(contact) for contact in same_humans})
        sent_to_person: dict[int, str] = {}  # what a carer's copy quotes
        by_audience = sorted(to_tell.items(), key=lambda row: list(Audience).index(row[1][0].audience))
        for recipient, tellings in by_audience:
            for_today = [telling for telling in tellings if self._is_allowed(telling, recipient.channel)]
            if self._is_day_taken(recipient, taken) or self._is_told_enough(past, for_today):
                for_today = []
            if recipient.channel is not ChannelName.EMAIL:
                # One short text speaks of one person; the next is told on the next day.
                for_today = [telling for telling in for_today if telling.card.person == for_today[0].card.person]
            self.not_today.update(telling.card.id for telling in tellings if telling not in for_today)
            if not for_today:
                continue
            group = group_of[for_today[0].card.person.group_id]
            asks = self._code(recipient, for_today)
            composed = self._compose(past, recipient, for_today, group, sent_to_person, asks)
            if for_today[0].audience is Audience.PERSON:
                sent_to_person[for_today[0].card.person.id] = what_a_human_hears(composed.text)
            draft = replace(self._message(recipient, for_today, group, composed), asks=asks)
            if any(past.may_have_arrived(telling.key, recipient) for telling in for_today):
                draft = replace(draft, possibly_double=True)
            self.drafts.append((draft, [t.key for t in for_today]))
            self.told.update({telling.card.id: telling.card for telling in for_today})

    def _is_told_enough(self, past: Past, tellings: Sequence[_Telling]) -> bool:
        own = [t.card for t in tellings if t.audience is Audience.PERSON and t.card.person.mode is not Mode.STANDARD]
        is_near = any(card.expires_on - self.today <= NEAR_THE_END for card in own)
        return bool(own) and past.is_told_enough(own[0].person.id, is_near=is_near)

    def _code(self, recipient: Recipient, tellings: Sequence[_Telling]) -> int | None:
        """The digit that answers "done" to this text: another one where another question is open on that telephone."""
        if tellings[0].audience is not Audience.PERSON or recipient.channel not in ANSWERABLE:
            return None
        if recipient.channel is ChannelName.VOICE:
            return DONE_KEY
        if not self.rules.two_way:
            return None
        sharing = questions.sharing(self.tx, [recipient.contact_id])[recipient.contact_id]
        open_questions = questions.open_at(self.tx, sharing, self.now)
        open_questions += [one for contact_id in sharing for one in self.asked_now.get(contact_id, ())]
        about = frozenset(telling.card.id for telling in tellings)
        code = questions.free_code(open_questions, about)
        person_id = tellings[0].card.person.id
        self.asked_now.setdefault(recipient.contact_id, []).append(questions.Question(0, person_id, code, about))
        return code

    def _wait_for_answers(self) -> None:
        """From the first text on an elder's silence is counted."""
        first_told = [
            card
            for card in self.told.values()
            if card.person.mode is not Mode.STANDARD
            and card.escalate_on is None
            and card.course.done_on is None
            and card.course.asked != NOBODY_LEFT
            and self.today <= card.expires_on
        ]
        until = {c.id: (c.course.asked, self.today + patience(c.expires_on, self.today)) for c in first_told}
        cards.wait_for_answer(self.tx, until)

    def _is_day_taken(self, recipient: Recipient, taken: Mapping[str, MessageState]) -> bool:
        """By a message to this contact, or by one to another contact of the same human that did not fail."""
        others = (taken.get(self._key(contact)) for contact in self.contacts_of[recipient.owner])
        return self._key(recipient) in taken or any(state not in (None, *_DID_NOT_REACH) for state in others)

    def _is_allowed(self, telling: _Telling, channel: ChannelName) -> bool:
        mode = telling.card.person.mode
        closes = hours.reminder_window(self.today, mode, telling.audience, channel)[1]
        return hours.is_sending_day(self.today, mode) and self.now < closes

    def _key(self, recipient: Recipient) -> str:
        return f"told:{recipient.contact_id}:{self.today.isoformat()}:{recipient.channel}:0"

    def _compose(
        self,
        past: Past,
        recipient: Recipient,
        tellings: Sequence[_Telling],
        group: GroupView,
        sent_to_person: Mapping[int, str],
        asks: int | None,
    ) -> Composed:
        if recipient.channel is ChannelName.VOICE:
            person, told = tellings[0].card.person, [telling.told for telling in tellings]
            script = compose_call(self.rules.wording, told, reader(recipient, person, Audience.PERSON, group))
            return Composed(None, script.text)
        by_person: dict[PersonView, list[_Telling]] = {}
        for telling in tellings:
            by_person.setdefault(telling.card.person, []).append(telling)
        texts = [
            wording.compose(
                self.rules.wording,
                [telling.told for telling in theirs],
                reader(recipient, person, theirs[0].audience, group, asks=asks),
                brief=len(by_person) > 1,
                copy=self._copy(past, recipient, theirs, sent_to_person.get(person.id)),
            )
            for person, theirs in by_person.items()
        ]
        return wording.together(self.rules.wording, texts, recipient.language)

    def _copy(self, past: Past, recipient: Recipient, tellings: Sequence[_Telling], sent_to_person: str | None) -> Copy:
        """What somebody around the person is shown of what the person was sent."""
        card = tellings[0].card
        text = sent_to_person if tellings[0].audience is Audience.CARER else None
        if tellings[0].audience is Audience.PERSON or card.person.mode is Mode.STANDARD:
            return Copy(text)
        link = None if card.course.taken_by else self.links.take(card.id, recipient.contact_id)
        return Copy(text, past.fates({telling.card.id for telling in tellings}), link)

    def _message(
        self, recipient: Recipient, tellings: Sequence[_Telling], group: GroupView, composed: Composed
    ) -> Draft:
        windows = [
            hours.reminder_window(self.today, t.card.person.mode, t.audience, recipient.channel) for t in tellings
        ]
        return Draft(
            key=self._key(recipient),
            group_id=group.id,
            contact_id=recipient.contact_id,
            audience=tellings[0].audience,
            channel=recipient.channel,
            subject=composed.subject,
            text=composed.text,
            segments=composed.segments if recipient.channel is ChannelName.SMS else 0,
            send_after=max(self.now, *(opens for opens, _ in windows)),
            stale_after=min(closes for _, closes in windows),
        )

    def _keep(self) -> None:
        reminder_ids = reminders.ids_of(self.tx, self.rungs_due, self.now)
        message_ids = outbox.add(self.tx, self.keys, [draft for draft, _ in self.drafts], self.now)
        reminders.link(
            self.tx,
            (
                (message_id, reminder_ids[rung])
                for message_id, (_, rungs) in zip(message_ids, self.drafts, strict=True)
                for rung in rungs
            ),
        )

    def _next_look(self, card: DueCard, plan: Plan) -> date | None:
        upcoming = next_day(plan, self.today)
        if card.id not in self.not_today:
            return upcoming
        again = hours.sending_day_on_or_after(self.today + timedelta(days=1), card.person.mode)
        return again if upcoming is None else min(again, upcoming)
