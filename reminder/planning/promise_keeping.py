"""Delivery promises: looked at until their addressee was told, another way was taken, or a human was told that not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import partial

from reminder.domain.model.messages import MessageKind, MessageState, Urgency
from reminder.domain.model.notices import UntoldKind
from reminder.domain.model.people import Audience, ChannelName, ContactState, Copies
from reminder.domain.model.promise_states import PromiseState, addressee_of
from reminder.domain.rules import hours
from reminder.domain.rules.promise_checks import (
    ASKS_BEFORE_END,
    GIVES_WAY_AFTER,
    TELLS_BEFORE_END,
    PromisedMessage,
    newest,
    next_check,
)
from reminder.domain.rules.recipients import Recipient, instead_of
from reminder.domain.rules.sending_limits import HoldReason
from reminder.domain.rules.step_result import OWN_REASONS
from reminder.domain.text.model import About
from reminder.planning.notice_builder import Subject, draft_of, enqueue, planned_notice, subject_of
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import leases, monitoring
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, contacts
from reminder.storage.reminders import promises
from reminder.storage.reminders.promises import Addressee, Closing, PromiseView
from reminder.storage.runtime import breakers, heartbeats, set_aside
from reminder.storage.runtime.set_aside import TRIED_AGAIN_AFTER, Queue

AT_ONCE = 200


def keep_promises(units: UnitsOfWork, now: datetime, proving: Collection[ChannelName] = ()) -> int:
    """Look at the promises whose time has come, and return their number.

    `proving`: the channels that can say whether a message arrived. One promise that cannot be looked at for a fault of
    ours is set aside.
    """

    def drop(uow: UnitOfWork, promise_id: int) -> None:
        set_aside.add(uow.tx, set_aside.PROMISES, [promise_id], now)
        # A little later than it is tried again: until then it is out of the queue.
        promises.check_later(uow.tx, {promise_id: now + 2 * TRIED_AGAIN_AFTER})

    def look(uow: UnitOfWork, most: int) -> int:
        found = promises.to_check(uow.tx, uow.now, most)
        if found:
            _Look(uow, found, proving).at_all()
        return len(found)

    queue = Queue[UnitOfWork](set_aside.PROMISES, lambda uow: promises.first_to_check(uow.tx, now), look, drop)
    return set_aside.work_off(queue, partial(units.writing, now), AT_ONCE)


@dataclass
class _Changes:
    """What the look at some promises changes."""

    closings: dict[int, Closing] = field(default_factory=dict)
    later: dict[int, datetime] = field(default_factory=dict)
    held_up: set[int] = field(default_factory=set)
    given_up: dict[str, list[int]] = field(default_factory=dict)  # message ids, by the reason
    doubted: list[int] = field(default_factory=list)
    # Persons whose family is told, with the newest message of the promise.
    untold: dict[int, PromisedMessage | None] = field(default_factory=dict)


class _Look:
    """One look at some promises, inside one unit of work."""

    def __init__(self, uow: UnitOfWork, found: Sequence[PromiseView], proving: Collection[ChannelName]) -> None:
        tx = uow.tx
        self._uow, self._now, self._found = uow, uow.now, found
        self._messages = promises.messages_of(tx, {one.reminder_id for one in found}, proving)
        people = {one.person_id for one in found}
        day = hours.instant(uow.today, time(0))
        self._told = promises.told_of_failures(tx, people, day)
        self._humans = _humans(uow, found)
        pauses = heartbeats.pauses(tx, self._now)
        self._paused = {one.channel: one.reason for one in pauses if one.reason != HoldReason.UNUSUAL_DAY}
        self._paused |= {one.channel: one.reason for one in breakers.open_channels(tx).values()}
        self._stuck = monitoring.stuck_channels(tx, self._now - GIVES_WAY_AFTER)
        self._working = monitoring.accepting_channels(tx, self._now - GIVES_WAY_AFTER)
        self._changes = _Changes()

    def at_all(self) -> None:
        for promise in self._found:
            self._at(promise)
        tx, changes = self._uow.tx, self._changes
        for reason, ids in changes.given_up.items():
            leases.end_stale(tx, ids, reason, self._now)
        promises.doubt(tx, changes.doubted, self._now)
        replanned = [*changes.doubted, *(one for ids in changes.given_up.values() for one in ids)]
        cards.schedule_replan_of_messages(tx, replanned, self._uow.today)
        enqueue(self._uow, [draft for person_id in changes.untold for draft in self._notices(person_id)])
        promises.check_later(tx, changes.later, held_up=changes.held_up)
        promises.close(tx, changes.closings, self._now)

    def _at(self, promise: PromiseView) -> None:
        messages = self._messages.get(promise.key, [])
        closing = self._closing(promise, messages)
        if closing is not None:
            self._changes.closings[promise.id] = closing
            return
        last = newest(messages)
        if last is not None and last.is_waiting:
            self._give_way(promise, last, messages)
        if last is not None and last.is_unproven and self._now >= promise.ends_at - ASKS_BEFORE_END:
            self._changes.doubted.append(last.message_id)
        is_last_chance = self._now >= promise.ends_at - TELLS_BEFORE_END
        if promise.audience is Audience.PERSON and is_last_chance and not _is_told_by_failure(messages):
            self._changes.untold.setdefault(promise.person_id, last)
        if last is not None and last.is_waiting and self._is_held_up(last.channel):
            self._changes.held_up.add(promise.id)
        waits = last is None or last.is_waiting
        self._changes.later[promise.id] = next_check(promise.ends_at, self._now, waits=waits)

    # ── how a promise ends ──

    def _closing(self, promise: PromiseView, messages: Sequence[PromisedMessage]) -> Closing | None:
        proof = next((one for one in messages if one.is_proof), None)
        if proof is not None:
            is_first = proof.contact_id == messages[0].contact_id
            return Closing(PromiseState.PROVEN if is_first else PromiseState.OTHER_WAY)
        if not promise.is_wanted or not self._is_there(promise):
            return Closing(PromiseState.NOT_NEEDED)
        if self._now < promise.ends_at:
            return None
        state = self._named_human(promise)
        return Closing(state, self._reason(messages), is_ours=promise.is_ours or self._is_ours(messages))

    def _is_there(self, promise: PromiseView) -> bool:
        """Return whether the addressee still has a contact, and has not said that they want nothing."""
        mine = self._humans.get((promise.person_id, promise.addressee), ())
        return any(one.state in (ContactState.CONFIRMED, ContactState.UNREACHABLE) for one in mine)

    def _named_human(self, promise: PromiseView) -> PromiseState:
        if promise.audience is Audience.PERSON:
            told = self._told.get(promise.person_id, set())
        else:
            told = self._told_the_same(promise)
        if Audience.CARER in told:
            return PromiseState.FAMILY
        return PromiseState.STAFF if Audience.STAFF in told else PromiseState.OPERATOR

    def _told_the_same(self, promise: PromiseView) -> set[Audience]:
        """Return which others around the person were told the same step."""
        told = set[Audience]()
        for (reminder_id, addressee), messages in self._messages.items():
            is_other = reminder_id == promise.reminder_id and addressee not in (promise.addressee, "person")
            if is_other and any(one.is_proof for one in messages):
                is_member = addressee.startswith("member")
                told.add(Audience.STAFF if is_member and promise.audience is Audience.STAFF else Audience.CARER)
        return told

    def _reason(self, messages: Sequence[PromisedMessage]) -> str | None:
        last = newest(messages)
        if last is None:
            return None
        return last.reason or self._paused.get(last.channel) or last.state

    def _is_ours(self, messages: Sequence[PromisedMessage]) -> bool:
        """Return whether the service, and not an address or its owner, is the cause."""
        last = newest(messages)
        if last is None or last.state in (MessageState.UNKNOWN, MessageState.SENDING):
            return True
        if last.has_failed or last.is_of_operator:
            return last.is_of_operator
        if last.state is MessageState.ACCEPTED:
            return False
        return last.reason is None or last.is_of_provider or self._is_held_up(last.channel)

    def _is_held_up(self, channel: ChannelName) -> bool:
        return channel in self._paused or channel in self._stuck

    # ── another way ──

    def _give_way(self, promise: PromiseView, last: PromisedMessage, messages: Sequence[PromisedMessage]) -> None:
        """End a message that its channel or its address does not take, if another contact can be tried today."""
        pause = self._paused.get(last.channel)
        has_failed = last.attempts > 0 and last.reason is not None and last.reason not in OWN_REASONS
        is_late = self._now >= last.due_at + GIVES_WAY_AFTER
        if is_late and (pause is not None or has_failed) and self._other_ways(promise, last, messages):
            reason = last.reason if has_failed and last.reason else pause or "paused"
            self._changes.given_up.setdefault(reason, []).append(last.message_id)

    def _other_ways(
        self, promise: PromiseView, last: PromisedMessage, messages: Sequence[PromisedMessage]
    ) -> list[Recipient]:
        mine = self._humans.get((promise.person_id, promise.addressee), ())
        usual = next((one for one in mine if one.contact_id == last.contact_id), None)
        if usual is None:
            return []
        tried: dict[int, list[PromisedMessage]] = {}
        for one in messages:
            tried.setdefault(one.contact_id, []).append(one)
        return [
            one
            for one in instead_of(usual, mine, self._uow.rules.channels)
            if not self._is_held_up(one.channel)
            and self._has_time(promise, one)
            and (
                one.contact_id not in tried
                # Its channel did not take it, and works again.
                or (
                    one.channel in self._working
                    and all(message.state is MessageState.STALE for message in tried[one.contact_id])
                )
            )
        ]

    def _has_time(self, promise: PromiseView, recipient: Recipient) -> bool:
        """Return whether a message by this channel may leave before the promise ends."""
        allowed = hours.next_allowed(self._now, promise.mode, promise.audience, recipient.channel)
        return allowed < promise.ends_at

    # ── who is told instead ──

    def _notices(self, person_id: int) -> list[MessageDraft]:
        subject = subject_of(self._uow.tx, self._uow.rules, person_id)
        if subject is None:
            return []
        last = self._changes.untold[person_id]
        kind = self._kind(last)
        about = About(channel=None if last is None else last.channel)
        key = "untold:{contact}:{person}:{day}"
        return [
            draft_of(
                planned_notice(self._uow.rules, subject, recipient, kind, about),
                MessageKind.FAILURE_NOTICE,
                key,
                self._now,
                urgency=Urgency.PRESSING,
            )
            for recipient in self._around(subject)
        ]

    def _kind(self, last: PromisedMessage | None) -> UntoldKind:
        if last is not None and last.is_unproven:
            return UntoldKind.UNCONFIRMED
        if last is not None and not self._is_ours([last]):
            return UntoldKind.NOT_TAKEN
        return UntoldKind.NOT_SENT

    def _around(self, subject: Subject) -> Sequence[Recipient]:
        """Return who is told, each by a channel that works: carers, else staff; where none works, who is told later."""
        carers, staff = subject.recipient_set.carers, subject.recipient_set.staff
        for around in (carers, staff):
            eager = [one for one in around if one.copies is not Copies.NONE] or list(around)
            reached = [way for one in eager if (way := self._way_of(subject, one)) is not None]
            if reached:
                return reached
        return carers or staff

    def _way_of(self, subject: Subject, usual: Recipient) -> Recipient | None:
        if not self._is_held_up(usual.channel):
            return usual
        mine = self._humans.get((subject.person.id, addressee_of(usual.owner)), ())
        others = [one for one in instead_of(usual, mine, self._uow.rules.channels) if not one.channel.is_call]
        return next((one for one in others if not self._is_held_up(one.channel)), None)


def _is_told_by_failure(messages: Sequence[PromisedMessage]) -> bool:
    """Return whether each message was refused or returned: those around the person are told of each such failure."""
    return bool(messages) and all(one.has_failed for one in messages)


def _humans(uow: UnitOfWork, found: Sequence[PromiseView]) -> Mapping[Addressee, Collection[Recipient]]:
    """Return every contact around each person, in any state, by person and name of the human."""
    people = {one.person_id: one.group_id for one in found}
    by_human: dict[Addressee, list[Recipient]] = {}
    for person_id, recipient in contacts.of_people(uow.tx, list(people)):
        by_human.setdefault((person_id, addressee_of(recipient.owner)), []).append(recipient)
    members: dict[int, list[Recipient]] = {}
    for group_id, recipient in contacts.of_members(uow.tx, sorted(set(people.values()))):
        members.setdefault(group_id, []).append(recipient)
    for person_id, group_id in people.items():
        for recipient in members.get(group_id, ()):
            by_human.setdefault((person_id, addressee_of(recipient.owner)), []).append(recipient)
    return by_human
