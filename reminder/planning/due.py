"""Cards whose day has come: from what is due today to the messages that tell it."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import chain

from reminder.clock import japan_date
from reminder.domain import hours, wording
from reminder.domain.audience import Circle, Recipient, circle
from reminder.domain.calls import CALLED_AT, DONE, MOST_CALLS, compose_call
from reminder.domain.followup import (
    MONTH,
    MOST_EARLY_TEXTS_A_MONTH,
    MOST_TEXTS_A_MONTH,
    NEAR_THE_END,
    NOBODY_LEFT,
    followed,
    listening,
    patience,
    says,
)
from reminder.domain.ladder import CardDates, Plan, Rung, next_day, rung_due
from reminder.domain.messages import MessageState
from reminder.domain.people import Audience, ChannelName, ContactState, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.wording import Composed, Copy, Fate, Told
from reminder.storage import cards, contacts, groups, messages, outbox, questions, reminders
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
# What a person can answer to, and how many earlier texts a carer is shown.
ANSWERABLE = (ChannelName.SMS, ChannelName.VOICE)
SHOWN = 4
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
    may_have_arrived: set[tuple[reminders.Rung, int]] = field(default_factory=set)
    came_back: set[tuple[reminders.Rung, int]] = field(default_factory=set)
    calls: dict[tuple[int, int], int] = field(default_factory=dict)  # by card and contact, how often it was told
    not_today: set[int] = field(default_factory=set)  # cards with something left to tell on another day
    drafts: list[tuple[Draft, list[reminders.Rung]]] = field(default_factory=list)
    bound: set[int] = field(default_factory=set)  # cards that end with a residence period
    contacts_of: dict[tuple[str, int], list[Recipient]] = field(default_factory=dict)  # by owner, whatever their state
    told_lately: Mapping[int, int] = field(default_factory=dict)  # by person, how much in the last month
    greeted: Collection[int] = ()  # persons who were greeted today
    earlier: Mapping[int, Sequence[messages.Earlier]] = field(default_factory=dict)  # by card, the latest texts
    told: dict[int, DueCard] = field(default_factory=dict)  # cards of which somebody is told today
    asked_now: dict[int, list[questions.Question]] = field(default_factory=dict)  # by contact, in this pass
    phones: Mapping[int, Sequence[int]] = field(default_factory=dict)  # by contact, all at the same telephone

    def plan(self, group_ids: Sequence[int]) -> int:
        due = self._plannable(cards.due(self.tx, group_ids, self.today))
        circles = self._circles(group_ids, {card.person.id: card.person for card in due})
        self.bound = self._bound(due)
        plans = {card.id: self._plan_of(card) for card in due}
        is_told = self._already_told([card.id for card in due])
        to_tell: dict[Recipient, list[_Telling]] = {}
        for card in due:
            for recipient, telling in self._tellings(card, *plans[card.id], circles[card.person.id]):
                if not is_told(telling.key, recipient):
                    to_tell.setdefault(recipient, []).append(telling)

        self._look_back(due, to_tell)
        self._draft(to_tell, groups.by_id(self.tx, group_ids))
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

    def _already_told(self, card_ids: Sequence[int]) -> Callable[[reminders.Rung, Recipient], bool]:
        """Nobody is told one rung twice, by whichever contact; only what failed or came back is told another way."""
        tellings = reminders.tellings(self.tx, card_ids)
        self.came_back = {(one.rung, one.contact_id) for one in tellings if one.came_back}
        for one in tellings:
            call = (one.rung.card_id, one.contact_id)
            self.calls[call] = self.calls.get(call, 0) + one.times
        self.may_have_arrived = {(one.rung, one.contact_id) for one in tellings if one.may_have_arrived}
        closed = {(one.rung, one.contact_id) for one in tellings if one.is_closed}
        reached = {(one.rung, one.contact_id) for one in tellings if one.reached}

        def is_told(rung: reminders.Rung, recipient: Recipient) -> bool:
            same_human = self.contacts_of[recipient.owner]
            return (rung, recipient.contact_id) in closed or any((rung, c.contact_id) in reached for c in same_human)

        return is_told

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
        self, card: DueCard, dates: CardDates, plan: Plan, circle: Circle
    ) -> Iterable[tuple[Recipient, _Telling]]:
        for audience, recipients in listening(circle, card.course, card.person.mode).listeners().items():
            rung = rung_due(plan, circle.hears(audience), card.expires_on, self.today)
            if rung is None:
                continue
            self.rungs_due[reminders.Rung(card.id, card.expires_on, rung.name)] = rung.on
            telling = _Telling(card, dates, rung, says(rung, plan), audience, card.id in self.bound)
            for recipient in recipients:
                way = self._way(recipient, telling)
                if way.channel is not ChannelName.VOICE or self._may_be_called(way, telling):
                    yield way, telling

    def _way(self, recipient: Recipient, telling: _Telling) -> Recipient:
        """A text that came back is followed by a call, where its owner agreed to calls."""
        if recipient.channel is not ChannelName.SMS or (telling.key, recipient.contact_id) not in self.came_back:
            return recipient
        same_human = self.contacts_of[recipient.owner]
        if any(one.state is ContactState.OPTED_OUT for one in same_human):
            return recipient
        others = (one for one in same_human if one.channel is ChannelName.VOICE)
        return next((one for one in others if one.may_be_told and one.channel in self.rules.channels), recipient)

    def _may_be_called(self, recipient: Recipient, telling: _Telling) -> bool:
        """A telephone rings three times at most for one end date; for who has no other way, at few rungs."""
        card = telling.card
        if self.calls.get((card.id, recipient.contact_id), 0) >= MOST_CALLS:
            return False
        instead = any((telling.key, one.contact_id) in self.came_back for one in self.contacts_of[recipient.owner])
        return instead or telling.says in CALLED_AT

    def _look_back(self, due: Sequence[DueCard], to_tell: Mapping[Recipient, Sequence[_Telling]]) -> None:
        """What was told lately, and what became of it: for carers' copies, for who is told enough, and for digits."""
        elders = {card.person.id for card in due if card.person.mode is not Mode.STANDARD}
        self.told_lately = messages.told_lately(self.tx, elders, self.now - MONTH)
        self.greeted = messages.greeted(self.tx, elders, hours.instant(self.today, time(0)))
        copied = {t.card.id for told in to_tell.values() for t in told if t.audience is not Audience.PERSON}
        self.earlier = messages.earlier(self.tx, copied, latest=SHOWN)
        answering = [r.contact_id for r in to_tell if r.channel in ANSWERABLE] if self.rules.two_way else []
        self.phones = questions.sharing(self.tx, answering)

    def _draft(self, to_tell: Mapping[Recipient, list[_Telling]], group_of: Mapping[int, GroupView]) -> None:
        same_humans = {contact for recipient in to_tell for contact in self.contacts_of[recipient.owner]}
        taken = outbox.taken(self.tx, {self._key(contact) for contact in same_humans})
        sent_to_person: dict[int, str] = {}  # what a carer's copy quotes
        by_audience = sorted(to_tell.items(), key=lambda row: list(Audience).index(row[1][0].audience))
        for recipient, tellings in by_audience:
            for_today = [telling for telling in tellings if self._is_allowed(telling, recipient.channel)]
            if self._is_day_taken(recipient, taken) or self._is_told_enough(for_today):
                for_today = []
            if recipient.channel is not ChannelName.EMAIL:
                # One short text speaks of one person; the next is told on the next day.
                for_today = [telling for telling in for_today if telling.card.person == for_today[0].card.person]
            self.not_today.update(telling.card.id for telling in tellings if telling not in for_today)
            if not for_today:
                continue
            group = group_of[for_today[0].card.person.group_id]
            asks = self._code(recipient, for_today)
            composed = self._compose(recipient, for_today, group, sent_to_person, asks)
            if for_today[0].audience is Audience.PERSON:
                sent_to_person[for_today[0].card.person.id] = composed.text
            draft = replace(self._message(recipient, for_today, group, composed), asks=asks)
            self.drafts.append((draft, [t.key for t in for_today]))
            self.told.update({telling.card.id: telling.card for telling in for_today})

    def _is_told_enough(self, tellings: Sequence[_Telling]) -> bool:
        """An elder is told eight times a month at most; the last two are kept for the days before an end."""
        own = [t for t in tellings if t.audience is Audience.PERSON and t.card.person.mode is not Mode.STANDARD]
        if not own:
            return False
        if own[0].card.person.id in self.greeted:
            return True
        is_near = any(t.card.expires_on - self.today <= NEAR_THE_END for t in own)
        most = MOST_TEXTS_A_MONTH if is_near else MOST_EARLY_TEXTS_A_MONTH
        return self.told_lately.get(own[0].card.person.id, 0) >= most

    def _code(self, recipient: Recipient, tellings: Sequence[_Telling]) -> int | None:
        """The digit that answers "done" to this text: another one where another question is open on that telephone."""
        if tellings[0].audience is not Audience.PERSON or recipient.channel not in ANSWERABLE:
            return None
        if recipient.channel is ChannelName.VOICE:
            return DONE_KEY
        if not self.rules.two_way:
            return None
        sharing = self.phones[recipient.contact_id]
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
                copy=self._copy(recipient, person, theirs, sent_to_person),
            )
            for person, theirs in by_person.items()
        ]
        return wording.together(self.rules.wording, texts, recipient.language)

    def _copy(
        self, recipient: Recipient, person: PersonView, tellings: Sequence[_Telling], sent_to_person: Mapping[int, str]
    ) -> Copy | None:
        """What somebody around the person is shown of what the person was sent."""
        text = sent_to_person.get(person.id) if tellings[0].audience is Audience.CARER else None
        if tellings[0].audience is Audience.PERSON or person.mode is Mode.STANDARD:
            return Copy(text)
        earlier = {one.message_id: one for t in tellings for one in self.earlier.get(t.card.id, ())}
        latest = [earlier[message_id] for message_id in sorted(earlier)][-SHOWN:]
        card = tellings[0].card
        return Copy(
            text,
            fates=[
                Fate(japan_date(one.handed_at), one.channel, one.state, one.intent, one.was_answerable)
                for one in latest
            ],
            take_link=None if card.course.taken_by else self.links.take(card.id, recipient.contact_id),
        )

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
            possibly_double=any((t.key, recipient.contact_id) in self.may_have_arrived for t in tellings),
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
