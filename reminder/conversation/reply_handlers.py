"""Reply handlers: one function for each intent. Those who must know of it get a notice, by a row."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reminder.domain.model.messages import CancelReason, MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ConsentHow, ContactState, StoppedBy
from reminder.domain.parsing.replies import Consent, Intent, plain, read_consent
from reminder.domain.rules import escalation_policy
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, contacts
from reminder.storage.registry.contacts import Speaker
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import notices, reminders, replies
from reminder.storage.reminders import open_questions as questions
from reminder.storage.reminders.open_questions import Question
from reminder.storage.reminders.recipients import reader
from reminder.storage.reminders.replies import ReplyView
from reminder.storage.runtime import activity_log

# A telephone that answers every message by itself would exchange messages with us for ever.
MOST_ANSWERS = 3
A_DAY = timedelta(days=1)
# After this time an answer that could not be sent is of no use.
ANSWERED_FOR = timedelta(hours=12)
# A "thank you" is answered once in this time.
THANKED_ONCE_IN = timedelta(days=30)
# What a person of a suspended group still gets: that their "no" was heard.
_STOP_CONFIRMATIONS = frozenset({"stopped", "declined", "wrong_person"})


@dataclass(frozen=True)
class ReplyContext:
    """A reply with all that is known of its sender.

    `speakers`: everybody who shares the telephone, `speaker` first.
    """

    uow: UnitOfWork
    reply: ReplyView
    speaker: Speaker
    speakers: tuple[Speaker, ...]
    person: PersonView
    group: GroupView

    @property
    def contact_ids(self) -> list[int]:
        """Return the ids of the contacts that share the telephone."""
        return [speaker.contact_id for speaker in self.speakers]

    @property
    def questions(self) -> list[Question]:
        """Return the open questions of these contacts."""
        return questions.open_at(self.uow.tx, self.contact_ids, self.uow.now)

    def notify(self, kind: NoticeKind, *, of: int | None = None, card_id: int | None = None) -> None:
        """Add a notice to those around a person; `of` is another person than the one who is spoken to."""
        notices.add(
            self.uow.tx,
            kind,
            person_id=of or self.person.id,
            contact_id=self.speaker.contact_id,
            card_id=card_id,
            reply_id=self.reply.id,
            now=self.uow.now,
        )

    def answer(self, name: str, day: date | None = None) -> None:
        """Answer by a text at once; a call has already said what there is to say."""
        if not self.speaker.channel.can.is_two_way or not self.uow.rules.two_way:
            return
        if self.group.is_suspended and name not in _STOP_CONFIRMATIONS:
            return
        if replies.answers_since(self.uow.tx, self.speaker.contact_id, self.uow.now - A_DAY) >= MOST_ANSWERS:
            return
        recipient = next(
            r for _, r in contacts.of_people(self.uow.tx, [self.person.id]) if r.contact_id == self.speaker.contact_id
        )
        reads = reader(recipient, self.person, Audience.PERSON, self.group)
        composed = self.uow.rules.composer.answer(reads, name, day=day)
        draft = MessageDraft(
            key=f"answer:{self.reply.id}",
            kind=MessageKind.ANSWER,
            group_id=self.group.id,
            contact_id=self.speaker.contact_id,
            audience=Audience.PERSON,
            channel=self.speaker.channel,
            subject=None,
            text=composed.text,
            segments=composed.segments,
            scheduled_at=self.uow.now,
            expires_at=self.uow.now + ANSWERED_FOR,
            urgency=Urgency.ANSWER,
        )
        queue.add(self.uow.tx, self.uow.keys, [draft], self.uow.now)


def act(context: ReplyContext) -> None:
    """Act on the reply by its intent."""
    intent = context.reply.intent
    if intent is not Intent.WRONG_PERSON:
        contacts.record_verified(context.uow.tx, context.contact_ids, context.uow.now)
    if _may_be_about_consent(context) and intent not in (Intent.NUMBER, Intent.WRONG_PERSON):
        _answers_about_consent(context)
    elif context.speaker.state is ContactState.OPTED_OUT and intent is not Intent.START:
        # This person wants no more messages, so nothing is sent.
        return
    elif (question := _named(context)) is not None:
        _is_done(context, [question])
    else:
        _ACTS[intent](context)


def _named(context: ReplyContext) -> Question | None:
    """Return the open question whose digit was sent."""
    digit = plain(context.reply.text or "")
    if len(digit) != 1 or not digit.isdigit() or context.reply.intent not in (Intent.DONE, Intent.UNKNOWN):
        return None
    named = [question for question in context.questions if question.code == int(digit)]
    return named[0] if len(named) == 1 else None


def _may_be_about_consent(context: ReplyContext) -> bool:
    """Return whether the reply may be about consent.

    It is if the speaker has not consented yet. It is also if another person on this telephone was asked for consent, no
    question is open, and the words fit.
    """
    if context.speaker.state is ContactState.UNCONFIRMED:
        return True
    is_asked = any(one.was_asked and one.state is ContactState.UNCONFIRMED for one in context.speakers)
    return (
        is_asked
        and not context.questions
        and read_consent(context.reply.text or "", context.uow.rules.replies) is not None
    )


def _answers_about_consent(context: ReplyContext) -> None:
    asked = [speaker for speaker in context.speakers if speaker.was_asked and speaker.state is ContactState.UNCONFIRMED]
    if not asked:
        return
    said = read_consent(context.reply.text or "", context.uow.rules.replies)
    if said is Consent.YES or context.reply.intent is Intent.START:
        for speaker in asked:
            contacts.confirm(context.uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=context.uow.now)
            cards.schedule_replan_of_group(context.uow.tx, speaker.group_id, context.uow.today)
            _write(context, "contact_confirmed", speaker)
        context.answer("welcome")
    elif said is Consent.NO or context.reply.intent is Intent.STOP:
        contacts.stop(context.uow.tx, [speaker.contact_id for speaker in asked], StoppedBy.REPLY)
        for speaker in asked:
            _write(context, "contact_stopped", speaker)
        context.answer("declined")
        context.notify(NoticeKind.DECLINED)
    elif context.reply.intent is Intent.WHO:
        context.answer("who")
    else:
        context.notify(NoticeKind.UNREAD)


def _write(context: ReplyContext, act_name: str, speaker: Speaker) -> None:
    activity_log.write(
        context.uow.tx, act_name, context.uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id
    )


def stop_all(uow: UnitOfWork, contact_ids: Sequence[int]) -> list[int]:
    """Stop these contacts at once, at their own word; return the ids of those that were active."""
    stopped = contacts.stop(uow.tx, contact_ids, StoppedBy.REPLY)
    for contact_id in contact_ids:
        queue.cancel_for_contact(uow.tx, contact_id, CancelReason.OPTED_OUT, uow.now)
        group_id = contacts.group_of(uow.tx, contact_id)
        if group_id is not None:
            cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
            activity_log.write(uow.tx, "contact_stopped", uow.now, group_id=group_id, contact_id=contact_id)
    notices.add_stopped(uow.tx, stopped, uow.now)
    return stopped


def start_all(uow: UnitOfWork, speakers: Sequence[Speaker]) -> None:
    """Confirm these contacts again, at their own word."""
    for speaker in speakers:
        contacts.confirm(uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=uow.now)
        cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
        activity_log.write(
            uow.tx, "contact_confirmed", uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id
        )


def _stop(context: ReplyContext) -> None:
    if stop_all(context.uow, context.contact_ids):
        context.answer("stopped")


def _start(context: ReplyContext) -> None:
    stopped = [speaker for speaker in context.speakers if speaker.state is ContactState.OPTED_OUT]
    start_all(context.uow, stopped)
    context.answer("started" if stopped else "thanks")


def _number(context: ReplyContext) -> None:
    context.answer("number")
    context.notify(NoticeKind.NUMBER)


def _wrong_person(context: ReplyContext) -> None:
    """Stop the contact, because the number is somebody else's now, and ask the family for the right one."""
    contacts.mark_unreachable(context.uow.tx, context.contact_ids)
    for speaker in context.speakers:
        queue.cancel_for_contact(context.uow.tx, speaker.contact_id, CancelReason.OPTED_OUT, context.uow.now)
        cards.schedule_replan_of_group(context.uow.tx, speaker.group_id, context.uow.today)
        context.notify(NoticeKind.WRONG_PERSON, of=speaker.person_id)
    context.answer("wrong_person")


def _who(context: ReplyContext) -> None:
    context.answer("who")


def _family(context: ReplyContext) -> None:
    context.answer("family")
    context.notify(NoticeKind.FAMILY)


def _later(context: ReplyContext) -> None:
    _remind_again(context, "later", escalation_policy.AFTER_LATER)


def _going(context: ReplyContext) -> None:
    _remind_again(context, "going", escalation_policy.AFTER_GOING)


def _remind_again(context: ReplyContext, name: str, after: timedelta) -> None:
    open_questions = context.questions
    if not open_questions:
        context.answer("thanks")
        return
    ends = cards.ends_of(context.uow.tx, _cards_of(open_questions))
    on_holidays = context.group.preferences.on_holidays
    on = escalation_policy.remind_again_on(
        min(ends.values()), context.uow.today, context.person.mode, after, on_holidays
    )
    cards.remind_again(context.uow.tx, list(ends), on)
    context.answer(name, on)


def _done(context: ReplyContext) -> None:
    open_questions = context.questions
    if len(open_questions) == 1:
        _is_done(context, open_questions)
    elif open_questions:
        context.answer("which")
        context.notify(NoticeKind.WHICH)
    elif not replies.has_been_thanked(context.uow.tx, context.speaker.contact_id, context.uow.now - THANKED_ONCE_IN):
        context.answer("thanks")


def _is_done(context: ReplyContext, answered: Sequence[Question]) -> None:
    """Pause the schedule and ask the family for the new date: the person is never asked to type one."""
    card_ids = _cards_of(answered)
    cards.acknowledge(context.uow.tx, card_ids, context.uow.today)
    reminders.acknowledge(context.uow.tx, card_ids)
    for card_id in card_ids:
        cancelled = queue.cancel_for_card(context.uow.tx, card_id, CancelReason.DONE, context.uow.now)
        cards.schedule_replan_of_messages(context.uow.tx, cancelled, context.uow.today)
        activity_log.write(
            context.uow.tx, "card_acknowledged", context.uow.now, group_id=context.group.id, card_id=card_id
        )
    context.answer("done")
    for person_id in {question.person_id for question in answered}:
        context.notify(NoticeKind.DONE, of=person_id)


def _cards_of(open_questions: Collection[Question]) -> list[int]:
    return sorted({card_id for question in open_questions for card_id in question.card_ids})


def _thanks(context: ReplyContext) -> None:
    if not replies.has_been_thanked(context.uow.tx, context.speaker.contact_id, context.uow.now - THANKED_ONCE_IN):
        context.answer("thanks")


def _unknown(context: ReplyContext) -> None:
    context.answer("unread")
    context.notify(NoticeKind.UNREAD)


_ACTS: Mapping[Intent, Callable[[ReplyContext], None]] = {
    Intent.NUMBER: _number,
    Intent.STOP: _stop,
    Intent.START: _start,
    Intent.WRONG_PERSON: _wrong_person,
    Intent.WHO: _who,
    Intent.FAMILY: _family,
    Intent.LATER: _later,
    Intent.GOING: _going,
    Intent.DONE: _done,
    Intent.THANKS: _thanks,
    Intent.UNKNOWN: _unknown,
}
