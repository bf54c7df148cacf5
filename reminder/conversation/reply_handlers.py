"""What follows from an answer: one function for each thing that people mean. Whoever is told of it is told by a row."""

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

# A telephone that answers every answer by itself would talk to us for ever.
MOST_ANSWERS = 3
A_DAY = timedelta(days=1)
# An answer that cannot be sent for so long answers nothing any more.
ANSWERED_FOR = timedelta(hours=12)
# "Thank you" for "thank you" is said once.
THANKED_ONCE_IN = timedelta(days=30)


@dataclass(frozen=True)
class ReplyContext:
    """One answer, and all that is known of who gave it. `speakers`: everyone whose telephone it is, `speaker` first."""

    uow: UnitOfWork
    reply: ReplyView
    speaker: Speaker
    speakers: tuple[Speaker, ...]
    person: PersonView
    group: GroupView

    @property
    def contact_ids(self) -> list[int]:
        return [speaker.contact_id for speaker in self.speakers]

    @property
    def questions(self) -> list[Question]:
        return questions.open_at(self.uow.tx, self.contact_ids, self.uow.now)

    def tell(self, kind: NoticeKind, *, of: int | None = None, card_id: int | None = None) -> None:
        """Somebody around a person is told; `of`: which person, where not the one who is spoken to."""
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
        """By a text, at once; a call has said what is to be said."""
        if not self.speaker.channel.can.is_two_way or not self.uow.rules.two_way:
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


def act(talk: ReplyContext) -> None:
    intent = talk.reply.intent
    if intent is not Intent.WRONG_PERSON:
        contacts.record_verified(talk.uow.tx, talk.contact_ids, talk.uow.now)
    if _may_be_about_consent(talk) and intent not in (Intent.NUMBER, Intent.WRONG_PERSON):
        _answers_about_consent(talk)
    elif talk.speaker.state is ContactState.OPTED_OUT and intent is not Intent.START:
        # Nothing more is wanted here, and so nothing is said.
        return
    elif (question := _named(talk)) is not None:
        _is_done(talk, [question])
    else:
        _ACTS[intent](talk)


def _named(talk: ReplyContext) -> Question | None:
    """The question whose own digit was sent."""
    digit = plain(talk.reply.text or "")
    if len(digit) != 1 or not digit.isdigit() or talk.reply.intent not in (Intent.DONE, Intent.UNKNOWN):
        return None
    named = [question for question in talk.questions if question.code == int(digit)]
    return named[0] if len(named) == 1 else None


def _may_be_about_consent(talk: ReplyContext) -> bool:
    """Nothing else was asked here: of nobody's consent, or another on this telephone has only consent to give."""
    if talk.speaker.state is ContactState.UNCONFIRMED:
        return True
    is_asked = any(one.was_asked and one.state is ContactState.UNCONFIRMED for one in talk.speakers)
    return is_asked and not talk.questions and read_consent(talk.reply.text or "", talk.uow.rules.replies) is not None


def _answers_about_consent(talk: ReplyContext) -> None:
    asked = [speaker for speaker in talk.speakers if speaker.was_asked and speaker.state is ContactState.UNCONFIRMED]
    if not asked:
        return
    said = read_consent(talk.reply.text or "", talk.uow.rules.replies)
    if said is Consent.YES or talk.reply.intent is Intent.START:
        for speaker in asked:
            contacts.confirm(talk.uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=talk.uow.now)
            cards.schedule_replan_of_group(talk.uow.tx, speaker.group_id, talk.uow.today)
            _write(talk, "contact_confirmed", speaker)
        talk.answer("welcome")
    elif said is Consent.NO or talk.reply.intent is Intent.STOP:
        contacts.stop(talk.uow.tx, [speaker.contact_id for speaker in asked], StoppedBy.REPLY)
        for speaker in asked:
            _write(talk, "contact_stopped", speaker)
        talk.answer("declined")
        talk.tell(NoticeKind.DECLINED)
    elif talk.reply.intent is Intent.WHO:
        talk.answer("who")
    else:
        talk.tell(NoticeKind.UNREAD)


def _write(talk: ReplyContext, act_name: str, speaker: Speaker) -> None:
    activity_log.write(talk.uow.tx, act_name, talk.uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id)


def stop_all(uow: UnitOfWork, contact_ids: Sequence[int]) -> list[int]:
    """At once, by their own word; the ids of those that this stopped."""
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
    for speaker in speakers:
        contacts.confirm(uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=uow.now)
        cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
        activity_log.write(
            uow.tx, "contact_confirmed", uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id
        )


def _stop(talk: ReplyContext) -> None:
    if stop_all(talk.uow, talk.contact_ids):
        talk.answer("stopped")


def _start(talk: ReplyContext) -> None:
    stopped = [speaker for speaker in talk.speakers if speaker.state is ContactState.OPTED_OUT]
    start_all(talk.uow, stopped)
    talk.answer("started" if stopped else "thanks")


def _number(talk: ReplyContext) -> None:
    talk.answer("number")
    talk.tell(NoticeKind.NUMBER)


def _wrong_person(talk: ReplyContext) -> None:
    """The number is somebody else's now: they hear no more, and the family looks for the right one."""
    contacts.mark_unreachable(talk.uow.tx, talk.contact_ids)
    for speaker in talk.speakers:
        queue.cancel_for_contact(talk.uow.tx, speaker.contact_id, CancelReason.OPTED_OUT, talk.uow.now)
        cards.schedule_replan_of_group(talk.uow.tx, speaker.group_id, talk.uow.today)
        talk.tell(NoticeKind.WRONG_PERSON, of=speaker.person_id)
    talk.answer("wrong_person")


def _who(talk: ReplyContext) -> None:
    talk.answer("who")


def _family(talk: ReplyContext) -> None:
    talk.answer("family")
    talk.tell(NoticeKind.FAMILY)


def _later(talk: ReplyContext) -> None:
    _remind_again(talk, "later", escalation_policy.AFTER_LATER)


def _going(talk: ReplyContext) -> None:
    _remind_again(talk, "going", escalation_policy.AFTER_GOING)


def _remind_again(talk: ReplyContext, name: str, after: timedelta) -> None:
    open_questions = talk.questions
    if not open_questions:
        talk.answer("thanks")
        return
    ends = cards.ends_of(talk.uow.tx, _cards_of(open_questions))
    on_holidays = talk.group.preferences.on_holidays
    on = escalation_policy.remind_again_on(min(ends.values()), talk.uow.today, talk.person.mode, after, on_holidays)
    cards.remind_again(talk.uow.tx, list(ends), on)
    talk.answer(name, on)


def _done(talk: ReplyContext) -> None:
    open_questions = talk.questions
    if len(open_questions) == 1:
        _is_done(talk, open_questions)
    elif open_questions:
        talk.answer("which")
        talk.tell(NoticeKind.WHICH)
    elif not replies.has_been_thanked(talk.uow.tx, talk.speaker.contact_id, talk.uow.now - THANKED_ONCE_IN):
        talk.answer("thanks")


def _is_done(talk: ReplyContext, answered: Sequence[Question]) -> None:
    """The schedule pauses, and the family is asked for the new date: the person is never asked to type one."""
    card_ids = _cards_of(answered)
    cards.acknowledge(talk.uow.tx, card_ids, talk.uow.today)
    reminders.acknowledge(talk.uow.tx, card_ids)
    for card_id in card_ids:
        cancelled = queue.cancel_for_card(talk.uow.tx, card_id, CancelReason.DONE, talk.uow.now)
        cards.schedule_replan_of_messages(talk.uow.tx, cancelled, talk.uow.today)
        activity_log.write(talk.uow.tx, "card_acknowledged", talk.uow.now, group_id=talk.group.id, card_id=card_id)
    talk.answer("done")
    for person_id in {question.person_id for question in answered}:
        talk.tell(NoticeKind.DONE, of=person_id)


def _cards_of(open_questions: Collection[Question]) -> list[int]:
    return sorted({card_id for question in open_questions for card_id in question.card_ids})


def _thanks(talk: ReplyContext) -> None:
    if not replies.has_been_thanked(talk.uow.tx, talk.speaker.contact_id, talk.uow.now - THANKED_ONCE_IN):
        talk.answer("thanks")


def _unknown(talk: ReplyContext) -> None:
    talk.answer("unread")
    talk.tell(NoticeKind.UNREAD)


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
