"""The daily plan: turns the cards that are due into the messages of one day.

It stores nothing, so the preview (forecast.py) and the planning pass (scheduler.py) run the same code.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial

from reminder.clock import japan_date
from reminder.domain.model.card_kinds import MY_NUMBER
from reminder.domain.model.messages import MessageKind, MessageState, Urgency
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.escalation_policy import NEAR_THE_END, is_called_at, is_wanted, recipients_now
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.recipients import Recipient, RecipientSet
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import Plan, Stage, Step, StepText, next_day, step_due, step_missed, text_at
from reminder.domain.text.call_scripts import DONE, human_part
from reminder.domain.text.model import Composed, Copy, ReminderContent
from reminder.planning.delivery_history import DeliveryHistory
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry.cards import DueCard
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import open_questions as questions
from reminder.storage.reminders import reminders
from reminder.storage.reminders.card_plan import plan_of, preferences_of
from reminder.storage.reminders.open_questions import Question
from reminder.storage.reminders.recipients import reader

DONE_KEY = int(DONE)
# Within a week of the end, or of the last day on which a counter is open, another day may be too late.
PRESSING = timedelta(days=7)
# A relative may look after several persons by text. An address gets ten texts a day, and answers need some of them.
MOST_TEXTS_A_DAY = 6
_RANK = {audience: rank for rank, audience in enumerate(Audience)}
_DID_NOT_REACH = (MessageState.FAILED, MessageState.UNDELIVERED)


@dataclass(frozen=True)
class PlannedReminder:
    """A step of a card that is to be sent to one contact."""

    card: DueCard
    dates: CardDates
    step: Step
    says: StepText
    audience: Audience
    is_bound: bool

    @property
    def key(self) -> reminders.StepKey:
        """Return the key of the step: card, end date and name of the step."""
        return reminders.StepKey(self.card.id, self.card.expires_on, self.step.name)

    def content(self, on: date) -> ReminderContent:
        """Return what the composer needs to know about this step, which is told on this day."""
        return ReminderContent(
            kind=self.card.kind,
            step=self.says,
            expires_on=self.card.expires_on,
            last_counter_day=self.dates.last_counter_day,
            grace_ends_on=self.dates.grace_ends_on,
            computed=self.card.is_computed,
            label=self.card.label or None,
            bound=self.is_bound,
            on=on,
            until=self._until,
            begin_by=self.dates.begin_on(on),
        )

    @property
    def _until(self) -> date | None:
        """Return the day that the step names besides the end."""
        life = self.card.progress.life
        return life.appointment_on if self.says.stage is Stage.VISIT else life.collect_by


@dataclass(frozen=True)
class CardContext:
    """A card that is due, with its plan and the recipients around its person."""

    card: DueCard
    dates: CardDates
    plan: Plan
    is_bound: bool
    recipient_set: RecipientSet
    group: GroupView


def context_of(
    rules: Rulebook, card: DueCard, ends: Mapping[str, date], recipient_set: RecipientSet, group: GroupView
) -> CardContext:
    """Return the card with its plan; `ends` holds the end dates of all cards of the person, by kind."""
    dates, plan = plan_of(rules, card, ends, group.preferences)
    is_bound = rules.is_bound(card.kind, card.expires_on, ends)
    return CardContext(card, dates, plan, is_bound, recipient_set, group)


def by_owner(recipients: Iterable[Recipient]) -> dict[tuple[str, int], list[Recipient]]:
    """Return the recipients grouped by owner (kind of owner and id)."""
    found: dict[tuple[str, int], list[Recipient]] = {}
    for recipient in recipients:
        found.setdefault(recipient.owner, []).append(recipient)
    return found


@dataclass(frozen=True)
class PlanningQueries:
    """The queries that planning needs while it makes messages.

    `humans`: every contact of each human, by owner, in any state. `taken`: which of these message keys are in use, with
    the state of the message. `sharing`: all contacts that share the telephone of this one. `open_questions`: the
    questions of these contacts that wait for an answer at an instant. `is_shared`: whether another person is written to
    at the address of this contact. `waiting`: the channels that wait because their account or sender is at fault.
    """

    past: DeliveryHistory
    humans: Mapping[tuple[str, int], Sequence[Recipient]]
    taken: Callable[[Collection[str]], Mapping[str, MessageState]]
    sharing: Callable[[int], Collection[int]]
    open_questions: Callable[[Collection[int], datetime], list[Question]]
    is_shared: Callable[[int], bool]
    waiting: Collection[str] = ()


@dataclass
class DailyPlan:
    """The plan of some cards at one instant (aware, UTC).

    `drafts`: the new messages, each with the reminders that it holds. `steps_due`: the steps that they belong to.
    """

    rules: Rulebook
    now: datetime
    links: SignedLinks
    known: PlanningQueries
    steps_due: dict[reminders.StepKey, date] = field(default_factory=dict)
    not_today: set[int] = field(default_factory=set)  # ids of cards that still have a reminder for another day
    drafts: list[tuple[MessageDraft, list[PlannedReminder]]] = field(default_factory=list)
    # How many more messages a group may have today, by group id; a group that is not named has no limit.
    left: dict[int, int] = field(default_factory=dict)
    asked_now: dict[int, list[Question]] = field(default_factory=dict)  # by contact id

    @cached_property
    def today(self) -> date:
        """The date in Japan."""
        return japan_date(self.now)

    def undelivered(self, contexts: Iterable[CardContext]) -> dict[Recipient, list[PlannedReminder]]:
        """Return the reminders that are due and not sent yet, by recipient."""
        undelivered: dict[Recipient, list[PlannedReminder]] = {}
        for one in contexts:
            for recipient, reminder in self._reminders(one):
                if not self.known.past.is_delivered(reminder.key, recipient):
                    undelivered.setdefault(recipient, []).append(reminder)
        return undelivered

    def draft(self, undelivered: Mapping[Recipient, list[PlannedReminder]], group_of: Mapping[int, GroupView]) -> None:
        """Draft one message for each contact that may be written to today; `group_of` is by group id."""
        taken = self._taken(undelivered)
        # Each human gets one message, even if two cards use two different channels.
        reminded_now: set[tuple[str, int]] = set()
        sent_to_person: dict[int, str] = {}  # what a carer's copy quotes
        by_audience = sorted(undelivered.items(), key=lambda row: _RANK[row[1][0].audience])
        if any(left < len(by_audience) for left in self.left.values()):
            # Not everything may fit: what is most urgent goes first, the rest follows tomorrow.
            by_audience.sort(key=lambda row: self._urgency(row[1]))
        for recipient, planned in by_audience:
            group = group_of[planned[0].card.person.group_id]
            for_today = [one for one in planned if self._is_allowed(one, recipient.channel, group.preferences)]
            is_delivered = recipient.owner in reminded_now or self._is_day_used(recipient, taken)
            if is_delivered or self._is_at_limit(for_today) or self.left.get(group.id, 1) <= 0:
                for_today = []
            texts = self._texts(recipient, _in_one_breath(for_today))
            told = [reminder for text in texts for reminder in text]
            self.not_today.update(reminder.card.id for reminder in planned if reminder not in told)
            key = self._key(recipient, self._failovers(recipient, taken))
            for place, text in enumerate(texts):
                reminded_now.add(recipient.owner)
                # The first text takes the day; those of other persons are beside it.
                own_key = key if place == 0 else f"{key}:{text[0].card.person.id}"
                self._draft_one(own_key, recipient, text, group, sent_to_person)

    def _texts(self, recipient: Recipient, planned: Sequence[PlannedReminder]) -> list[list[PlannedReminder]]:
        """Return the reminders of today, each list one message.

        A short text speaks of one person, the one whose end is nearest. The next person follows on the next day, but
        where another day may be too late, beside it.
        """
        if recipient.channel.is_mail or not planned:
            return [list(planned)] if planned else []
        of_person: dict[int, list[PlannedReminder]] = {}
        for reminder in planned:
            of_person.setdefault(reminder.card.person.id, []).append(reminder)
        nearest = sorted(of_person.values(), key=lambda text: (self._urgency(text), self._days_left(text)))
        if recipient.channel.is_call:
            return nearest[:1]
        pressing = [text for text in nearest[1:MOST_TEXTS_A_DAY] if self._urgency(text) is Urgency.PRESSING]
        return [nearest[0], *pressing]

    def _draft_one(
        self,
        key: str,
        recipient: Recipient,
        planned: list[PlannedReminder],
        group: GroupView,
        sent_to_person: dict[int, str],
    ) -> None:
        reply_code = self._code(recipient, planned)
        composed = self._compose(recipient, planned, group, sent_to_person, reply_code)
        if planned[0].audience is Audience.PERSON:
            sent_to_person[planned[0].card.person.id] = human_part(composed.text)
        draft = replace(self._message(key, recipient, planned, group, composed), reply_code=reply_code)
        if any(self.known.past.may_have_arrived(reminder.key, recipient) for reminder in planned):
            draft = replace(draft, possibly_double=True)
        self.drafts.append((draft, planned))
        if group.id in self.left:
            self.left[group.id] -= 1

    def next_planning_day(self, context: CardContext) -> date | None:
        """Return the date on which this card is planned next, or None if there is none."""
        upcoming = next_day(context.plan, self.today)
        if context.card.id not in self.not_today:
            return upcoming
        mode, on_holidays = context.card.person.mode, context.group.preferences.on_holidays
        again = hours.sending_day_on_or_after(self.today + timedelta(days=1), mode, on_holidays)
        return again if upcoming is None else min(again, upcoming)

    def _reminders(self, context: CardContext) -> Iterable[tuple[Recipient, PlannedReminder]]:
        card, past = context.card, self.known.past
        recipient_set = recipients_now(context.recipient_set, card.progress, card.person.mode)
        for audience, recipients in recipient_set.listeners().items():
            audiences = recipient_set.audiences_for(audience)
            step = step_due(context.plan, audiences, card.expires_on, self.today)
            told_early: Collection[Recipient] = ()
            if step is None and (found := step_missed(context.plan, audiences, context.dates.over_after, self.today)):
                missed, step = found
                told_early = [one for one in recipients if past.was_told(self._key_of(card, missed), one)]
            if step is None or (told_early and len(told_early) == len(recipients)):
                continue
            self.steps_due[self._key_of(card, step)] = step.on
            said = text_at(step, context.plan)
            reminder = PlannedReminder(card, context.dates, step, said, audience, context.is_bound)
            everybody = [one for one in recipients if one not in told_early]
            wanting = [one for one in everybody if is_wanted(one.copies, step, said, card.expires_on)]
            # At least one recipient must be reminded. If nobody is closer to the person, copy preferences do not apply.
            own = preferences_of(self.rules, card, context.group.preferences)
            for recipient in wanting if wanting or recipient_set.has_nearer(audience) else everybody:
                contact = past.contact_for(
                    recipient,
                    reminder.key,
                    self.rules.channels,
                    is_call_step=is_called_at(step, context.plan, own),
                    is_open=partial(self._is_open, reminder, preferences=context.group.preferences),
                )
                if contact is not None:
                    yield contact, reminder

    @staticmethod
    def _key_of(card: DueCard, step: Step) -> reminders.StepKey:
        return reminders.StepKey(card.id, card.expires_on, step.name)

    def _is_open(self, reminder: PlannedReminder, channel: ChannelName, preferences: Preferences) -> bool:
        """Return whether a message by this channel can still be sent today."""
        return channel not in self.known.waiting and self._is_allowed(reminder, channel, preferences)

    def _taken(self, undelivered: Mapping[Recipient, list[PlannedReminder]]) -> Mapping[str, MessageState]:
        same_humans = {contact for recipient in undelivered for contact in self.known.humans[recipient.owner]}
        return self.known.taken({key for contact in same_humans for key in self._keys(contact)})

    def _is_at_limit(self, planned: Sequence[PlannedReminder]) -> bool:
        own = [t.card for t in planned if t.audience is Audience.PERSON and t.card.person.mode is not Mode.STANDARD]
        is_near = any(card.expires_on - self.today <= NEAR_THE_END for card in own)
        return bool(own) and self.known.past.is_at_limit(own[0].person.id, self.now, is_near=is_near)

    def _code(self, recipient: Recipient, planned: Sequence[PlannedReminder]) -> int | None:
        """Return the digit that answers "done" to this text; no open question on that telephone has the same."""
        if planned[0].audience is not Audience.PERSON or not recipient.channel.can.can_be_answered:
            return None
        if recipient.channel.is_call:
            return DONE_KEY
        if not self.rules.two_way:
            return None
        about = frozenset(reminder.card.id for reminder in planned)
        sharing = self.known.sharing(recipient.contact_id)
        open_questions = self.known.open_questions(sharing, self.now)
        open_questions += [one for contact_id in sharing for one in self.asked_now.get(contact_id, ())]
        code = questions.free_code(open_questions, about)
        question = Question(0, planned[0].card.person.id, code, about, recipient.contact_id)
        self.asked_now.setdefault(recipient.contact_id, []).append(question)
        return code

    def _is_day_used(self, recipient: Recipient, taken: Mapping[str, MessageState]) -> bool:
        """Return whether this contact, or another contact of the same human, has a message today that did not fail."""
        is_used = any(key in taken for key in self._keys(recipient))
        others = self._states(self.known.humans[recipient.owner], taken)
        return is_used or any(state not in _DID_NOT_REACH for state in others)

    def _failovers(self, recipient: Recipient, taken: Mapping[str, MessageState]) -> int:
        """Return how many other channels of this human have failed today."""
        return len(self._states(self.known.humans[recipient.owner], taken))

    def _states(self, contacts: Iterable[Recipient], taken: Mapping[str, MessageState]) -> list[MessageState]:
        return [taken[key] for contact in contacts for key in self._keys(contact) if key in taken]

    def _is_allowed(self, reminder: PlannedReminder, channel: ChannelName, preferences: Preferences) -> bool:
        mode = reminder.card.person.mode
        if channel.can.own_hours:
            # No calls on a day on which the family cannot be asked at once.
            mode = Mode.ELDERLY
        closes = hours.reminder_window(self.today, mode, reminder.audience, channel, preferences)[1]
        return hours.is_sending_day(self.today, mode, preferences.on_holidays) and self.now < closes

    def _key(self, recipient: Recipient, failovers: int) -> str:
        return f"told:{recipient.contact_id}:{self.today.isoformat()}:{recipient.channel}:{failovers}"

    def _keys(self, recipient: Recipient) -> list[str]:
        """Return every key that today's message to this contact may have: one for each channel that may fail."""
        return [self._key(recipient, failovers) for failovers in range(len(self.known.humans[recipient.owner]))]

    def _compose(
        self,
        recipient: Recipient,
        planned: Sequence[PlannedReminder],
        group: GroupView,
        sent_to_person: Mapping[int, str],
        reply_code: int | None,
    ) -> Composed:
        if recipient.channel.is_call:
            person, contents = planned[0].card.person, [one.content(self.today) for one in planned]
            script = self.rules.composer.call(contents, reader(recipient, person, Audience.PERSON, group))
            return Composed(None, script.text)
        by_person: dict[PersonView, list[PlannedReminder]] = {}
        for reminder in planned:
            by_person.setdefault(reminder.card.person, []).append(reminder)
        texts = [
            self.rules.composer.reminder(
                [one.content(self.today) for one in theirs],
                reader(
                    recipient,
                    person,
                    theirs[0].audience,
                    group,
                    reply_code=reply_code,
                    is_shared=theirs[0].audience is Audience.PERSON and self.known.is_shared(recipient.contact_id),
                ),
                brief=len(by_person) > 1,
                copy=self._copy(recipient, theirs, sent_to_person.get(person.id)),
            )
            for person, theirs in by_person.items()
        ]
        return self.rules.composer.together(texts, recipient.language)

    def _copy(self, recipient: Recipient, planned: Sequence[PlannedReminder], sent_to_person: str | None) -> Copy:
        """Return what a carer or member of staff sees of the message that the person gets."""
        card = planned[0].card
        text = sent_to_person if planned[0].audience is Audience.CARER else None
        if planned[0].audience is Audience.PERSON or card.person.mode is Mode.STANDARD:
            return Copy(text)
        added_at = recipient.added_at
        link = None if card.progress.assigned_to else self.links.take(card.id, recipient.contact_id, added_at)
        return Copy(text, self.known.past.outcomes({reminder.card.id for reminder in planned}), link)

    def _message(
        self, key: str, recipient: Recipient, planned: Sequence[PlannedReminder], group: GroupView, composed: Composed
    ) -> MessageDraft:
        windows = [
            hours.reminder_window(self.today, t.card.person.mode, t.audience, recipient.channel, group.preferences)
            for t in planned
        ]
        audience = planned[0].audience
        return MessageDraft(
            key=key,
            kind=MessageKind.REMINDER if audience is Audience.PERSON else MessageKind.COPY,
            group_id=group.id,
            contact_id=recipient.contact_id,
            audience=audience,
            channel=recipient.channel,
            subject=composed.subject,
            text=composed.text,
            segments=composed.segments if recipient.channel.can.counts_segments else 0,
            scheduled_at=max(self.now, *(opens for opens, _ in windows)),
            expires_at=min(closes for _, closes in windows),
            urgency=self._urgency(planned),
            language=recipient.language if composed.subject else None,
        )

    def _days_left(self, planned: Sequence[PlannedReminder]) -> timedelta:
        return min(min(t.card.expires_on, t.dates.last_counter_day) - self.today for t in planned)

    def _urgency(self, planned: Sequence[PlannedReminder]) -> Urgency:
        return Urgency.PRESSING if timedelta(0) <= self._days_left(planned) <= PRESSING else Urgency.USUAL


def _in_one_breath(planned: Sequence[PlannedReminder]) -> list[PlannedReminder]:
    """Return what one message may say of each person; the rest follows on another day.

    An appointment, or what can be collected, is told by itself: beside the ends of other cards it would read as if it
    were still to be begun. Of two such matters of one person the appointment comes first, and the question last.
    """
    told: list[PlannedReminder] = []
    for person_id in dict.fromkeys(one.card.person.id for one in planned):
        theirs = [one for one in planned if one.card.person.id == person_id]
        first = min(theirs, key=lambda one: _ORDER.get(one.says.stage, _USUAL))
        if first.says.stage.is_of_life:
            told += [one for one in theirs if one.card.id == first.card.id or _is_of_one_visit(one, first)]
        else:
            told += [one for one in theirs if not one.says.stage.is_of_life]
    return told


_ORDER, _USUAL = {Stage.VISIT: 0, Stage.COLLECT: 2, Stage.COME: 3}, 1


def _is_of_one_visit(one: PlannedReminder, other: PlannedReminder) -> bool:
    """Return whether both are of one My Number Card, at the same step of one end."""
    alike = {(each.step.name, each.card.expires_on, each.card.is_computed, each.is_bound) for each in (one, other)}
    return len(alike) == 1 and {one.card.kind, other.card.kind} <= {*MY_NUMBER}
