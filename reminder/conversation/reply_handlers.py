"""Reply handlers: one function for each intent. Those who must know of it get a notice, by a row."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, auto

from reminder.clock import japan_date
from reminder.conversation import senders
from reminder.conversation.senders import A_DAY, ANSWERED_FOR
from reminder.domain.model.card_kinds import LifeStage
from reminder.domain.model.card_states import APPLY, FINISH, MAKE_READY, CardState
from reminder.domain.model.messages import CancelReason, MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ConsentHow, ContactState, StoppedBy
from reminder.domain.model.state_machine import Move
from reminder.domain.parsing.named_days import named_day
from reminder.domain.parsing.replies import Consent, Intent, LifeWord, digit_of, life_word, read_consent
from reminder.domain.rules import escalation_policy, hours
from reminder.domain.rules.consent_standing import has_consented
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import card_lives, cards, consents, contacts, groups, people
from reminder.storage.registry.card_lives import CardLifeView
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.contacts import Speaker
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import conversations, notices, reminders, replies
from reminder.storage.reminders import open_questions as questions
from reminder.storage.reminders.open_questions import Question
from reminder.storage.reminders.recipients import reader
from reminder.storage.reminders.replies import ReplyView
from reminder.storage.runtime import activity_log

# A telephone that answers every message by itself would exchange messages with us for ever.
MOST_ANSWERS = 3
# So long somebody waits for an answer beside the telephone.
STILL_WAITED_FOR = timedelta(minutes=15)
# A "thank you" is answered once in this time.
THANKED_ONCE_IN = timedelta(days=30)
# What a person of a suspended group still gets: that their "no" was heard.
_STOP_CONFIRMATIONS = frozenset({"stopped", "declined", "wrong_person"})


@dataclass(frozen=True)
class ReplyContext:
    """A reply with all that is known of its sender.

    `speaker`: the contact that it answers, a person's own. `speakers`: everybody at this telephone, in every group,
    `speaker` first.
    """

    uow: UnitOfWork
    reply: ReplyView
    speaker: Speaker
    speakers: tuple[Speaker, ...]
    person: PersonView
    group: GroupView

    @property
    def questions(self) -> list[Question]:
        """Return the questions of this person at this telephone that were open at the reply, and still are."""
        return questions.open_at(self.uow.tx, [self.speaker.contact_id], self.reply.received_at)

    @property
    def is_shared(self) -> bool:
        """Whether other persons are written to at this telephone."""
        return is_shared(self.speakers)

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
        answer(
            self.uow,
            self.speaker,
            name,
            key=f"answer:{self.reply.id}",
            day=day,
            most=most_answers(self.speakers, self.group.id),
            is_at_shared_phone=self.is_shared,
            is_late=self.uow.now - self.reply.received_at > STILL_WAITED_FOR,
        )


def is_shared(speakers: Collection[Speaker]) -> bool:
    """Return whether several persons are written to at this telephone."""
    return len({one.person_id for one in speakers if one.is_own and one.state is not ContactState.OPTED_OUT}) > 1


def most_answers(speakers: Collection[Speaker], group_id: int) -> int:
    """Return how many answers a day this group may send to the telephone: a couple needs twice as many as one."""
    persons = {one.person_id for one in speakers if one.is_own and one.group_id == group_id}
    return MOST_ANSWERS * min(max(len(persons), 1), 2)


def answer(
    uow: UnitOfWork,
    speaker: Speaker,
    name: str,
    *,
    key: str,
    day: date | None = None,
    most: int,
    is_at_shared_phone: bool,
    is_named: bool = True,
    is_late: bool = False,
) -> None:
    """Answer a person by a text at once; `name`: of notices.ANSWERS, `most`: answers a day to this telephone.

    `is_named`: False where it is not known which person of the group is meant. `is_late`: nobody waits for it beside
    the telephone any more, so it leaves at an hour at which people are written to.
    """
    if not speaker.channel.can.is_two_way or not uow.rules.two_way or speaker.person_id is None:
        return
    if replies.answers_since(uow.tx, speaker.contact_id, uow.now - A_DAY) >= most:
        return
    person = people.find(uow.tx, speaker.person_id)
    group = groups.find(uow.tx, speaker.group_id)
    if person is None or group is None or (group.is_suspended and name not in _STOP_CONFIRMATIONS):
        return
    recipient = next(r for _, r in contacts.of_people(uow.tx, [person.id]) if r.contact_id == speaker.contact_id)
    codes = sorted(question.code for question in questions.open_at(uow.tx, [speaker.contact_id], uow.now))
    if name == "unread" and not codes and is_at_shared_phone:
        # The digit that it names would mean somebody else's card.
        name = "thanks"
    code = codes[0] if codes else None
    reads = reader(recipient, person, Audience.PERSON, group, reply_code=code, is_shared=is_at_shared_phone)
    composed = uow.rules.composer.answer(reads, name, day=day, is_named=is_named)
    at = hours.next_allowed(uow.now, person.mode, Audience.PERSON, speaker.channel) if is_late else uow.now
    draft = MessageDraft(
        key=key,
        kind=MessageKind.ANSWER,
        group_id=group.id,
        contact_id=speaker.contact_id,
        audience=Audience.PERSON,
        channel=speaker.channel,
        subject=None,
        text=composed.text,
        segments=composed.segments,
        scheduled_at=at,
        expires_at=at + ANSWERED_FOR,
        urgency=Urgency.ANSWER,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)


def act(context: ReplyContext) -> None:
    """Act on an answer by its intent. Words about the number itself: see act_on_number."""
    of_group = [speaker.contact_id for speaker in context.speakers if speaker.group_id == context.group.id]
    contacts.record_verified(context.uow.tx, of_group, context.uow.now)
    if context.speaker.state is ContactState.UNCONFIRMED and context.reply.intent is not Intent.NUMBER:
        _answers_about_consent(context)
    elif context.speaker.state is ContactState.OPTED_OUT:
        # This person wants no more messages, so nothing is sent.
        return
    elif (question := _named(context)) is not None:
        _is_done(context, [question], _asked_whether_come(context, question))
    else:
        _ACTS[context.reply.intent](context)


def _named(context: ReplyContext) -> Question | None:
    """Return the open question whose digit was sent."""
    digit = digit_of(context.reply.text or "", context.reply.intent)
    named = [question for question in context.questions if question.code == digit]
    return named[0] if len(named) == 1 and context.reply.intent in (Intent.DONE, Intent.UNKNOWN) else None


def _answers_about_consent(context: ReplyContext) -> None:
    speaker = context.speaker
    if not speaker.was_asked:
        return
    said = read_consent(context.reply.text or "", context.uow.rules.replies)
    if said is Consent.YES:
        _confirm(context.uow, speaker)
        context.answer("welcome")
    elif said is Consent.NO:
        contacts.stop(context.uow.tx, [speaker.contact_id], StoppedBy.REPLY, context.uow.now)
        _write(context.uow, "contact_stopped", speaker)
        context.answer("declined")
        context.notify(NoticeKind.DECLINED)
    elif context.reply.intent is Intent.WHO:
        _who(context)
    else:
        context.notify(NoticeKind.UNREAD)


def answer_for_consent(uow: UnitOfWork, reply: ReplyView, speaker: Speaker) -> None:
    """Act on the answer of a relative or a member whom a group on trial has asked for consent."""
    if not speaker.was_asked or speaker.state is not ContactState.UNCONFIRMED:
        return
    said = read_consent(reply.text or "", uow.rules.replies)
    if said is Consent.YES:
        _confirm(uow, speaker)
    elif said is Consent.NO:
        contacts.stop(uow.tx, [speaker.contact_id], StoppedBy.REPLY, uow.now)
        _write(uow, "contact_stopped", speaker)


def _write(uow: UnitOfWork, act_name: str, speaker: Speaker) -> None:
    activity_log.write(uow.tx, act_name, uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id)


def _confirm(uow: UnitOfWork, speaker: Speaker) -> None:
    contacts.confirm(uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=uow.now)
    cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
    _write(uow, "contact_confirmed", speaker)


def act_on_number(uow: UnitOfWork, reply: ReplyView, speakers: Sequence[Speaker]) -> str | None:
    """Act on words about the number itself, for every contact with it in every group; return the name of the answer.

    Each group is told about its own contact only. `speakers`: all of them, the one whose text was answered first.
    """
    if reply.intent is not Intent.WRONG_PERSON:
        contacts.record_verified(uow.tx, [speakers[0].contact_id], uow.now)
    match reply.intent:
        case Intent.STOP:
            return _stop(uow, reply, speakers)
        case Intent.START:
            return _start(uow, speakers)
        case _:
            return _wrong_person(uow, reply, speakers)


def _stop(uow: UnitOfWork, reply: ReplyView, speakers: Sequence[Speaker]) -> str | None:
    stopped, declined = _stop_all(uow, speakers, for_all=True, reply=reply)
    if speakers[0] in declined:
        return "declined"
    return "stopped" if stopped else None


def stop_one(uow: UnitOfWork, entry: Sequence[Speaker]) -> bool:
    """Stop the contacts of one group, about one person, as the owner of the telephone wants; return whether any was on.

    The others at the telephone are not touched.
    """
    stopped, _ = _stop_all(uow, entry, for_all=False, reply=None)
    return bool(stopped)


def _stop_all(
    uow: UnitOfWork, speakers: Sequence[Speaker], *, for_all: bool, reply: ReplyView | None
) -> tuple[set[int], list[Speaker]]:
    """Stop contacts by their owner's own word; return the ids of those that were on, and those who were only asked."""
    every = [one.contact_id for one in speakers]
    stopped = set(contacts.stop(uow.tx, every, StoppedBy.REPLY, uow.now, for_all=for_all))
    declined = [one for one in speakers if one.state is ContactState.UNCONFIRMED and one.was_asked and one.is_own]
    for one in speakers:
        if one.contact_id in stopped:
            _end(uow, one)
            _write(uow, "contact_stopped", one)
    for one in declined:
        assert one.person_id is not None
        reply_id = reply.id if reply is not None and one.contact_id == reply.contact_id else None
        notices.add(
            uow.tx,
            NoticeKind.DECLINED,
            person_id=one.person_id,
            contact_id=one.contact_id,
            reply_id=reply_id,
            now=uow.now,
        )
    notices.add_stopped(uow.tx, stopped - {one.contact_id for one in declined}, uow.now)
    return stopped, declined


def _end(uow: UnitOfWork, speaker: Speaker) -> None:
    """Cancel what waits for this contact, and plan its group again."""
    queue.cancel_for_contact(uow.tx, speaker.contact_id, CancelReason.OPTED_OUT, uow.now)
    cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)


def _start(uow: UnitOfWork, speakers: Sequence[Speaker]) -> str:
    stopped = [one for one in speakers if one.state is ContactState.OPTED_OUT]
    records = consents.of_contacts(uow.tx, [one.contact_id for one in stopped])
    for one in stopped:
        if (
            one.has_answered
            or not one.channel.can.needs_consent
            or has_consented(records[one.contact_id], one.group_id)
            or (one.is_vouched_for and not _is_on_trial(uow, one.group_id))
        ):
            _confirm(uow, one)
        else:
            # Its owner has agreed to nothing from this group, and does not do so now: they may be asked.
            contacts.ask_anew(uow.tx, [one.contact_id])
    itself = speakers[0]
    if itself.state is ContactState.UNCONFIRMED and itself.was_asked:
        _confirm(uow, itself)
        return "welcome"
    return "started" if stopped else "thanks"


def _is_on_trial(uow: UnitOfWork, group_id: int) -> bool:
    group = groups.find(uow.tx, group_id)
    return group is not None and group.is_on_trial


def _wrong_person(uow: UnitOfWork, reply: ReplyView, speakers: Sequence[Speaker]) -> str | None:
    """Stop what was sent to a number that is somebody else's, and ask each family for the right one.

    It concerns the groups that have written to the number. Others learn nothing of it.
    """
    wrote = conversations.groups_that_wrote(uow.tx, [one.contact_id for one in speakers])
    concerned = [one for one in speakers if one.group_id in wrote]
    gone = set(contacts.mark_unreachable(uow.tx, [one.contact_id for one in concerned]))
    for one in concerned:
        if one.contact_id not in gone:
            continue
        _end(uow, one)
        if one.is_own and one.person_id is not None:
            reply_id = reply.id if one.group_id == speakers[0].group_id else None
            notices.add(
                uow.tx,
                NoticeKind.WRONG_PERSON,
                person_id=one.person_id,
                contact_id=one.contact_id,
                reply_id=reply_id,
                now=uow.now,
            )
    notices.add_unreachable(uow.tx, [one.contact_id for one in concerned if one.contact_id in gone], uow.now)
    return "wrong_person" if gone else None


def _number(context: ReplyContext) -> None:
    context.answer("number")
    context.notify(NoticeKind.NUMBER)


def _who(context: ReplyContext) -> None:
    answer_who(context.uow, context.reply)


def answer_who(uow: UnitOfWork, reply: ReplyView) -> None:
    """Answer who writes to the telephone of a reply, whoever of its persons, relatives and members asks."""
    senders.answer(uow, reply.contact_id, name=f"reply:{reply.id}")


def _family(context: ReplyContext) -> None:
    context.answer("family")
    context.notify(NoticeKind.FAMILY)


def _later(context: ReplyContext) -> None:
    _remind_again(context, "later", escalation_policy.AFTER_LATER)


def _going(context: ReplyContext) -> None:
    on = named_day(context.reply.text or "", japan_date(context.reply.received_at))
    open_questions = context.questions
    if on is None or on < context.uow.today or len(open_questions) != 1:
        _remind_again(context, "going", escalation_policy.AFTER_GOING)
        return
    for card in _current(context, open_questions):
        card_lives.make_appointment(
            context.uow.tx, card.id, card.expires_on, on, on=context.uow.today, now=context.uow.now
        )
        _go_on(context, card.id, "card_booked")
    context.answer("booked", on)


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
        _is_done(context, open_questions, life_word(context.reply.text or "", context.uow.rules.replies))
    elif open_questions:
        context.answer("which")
        context.notify(NoticeKind.WHICH)
    elif not replies.has_been_thanked(context.uow.tx, context.speaker.contact_id, context.uow.now - THANKED_ONCE_IN):
        context.answer("thanks")


def _is_done(context: ReplyContext, answered: Sequence[Question], said: LifeWord | None) -> None:
    """Record what is done of these cards. `said`: what the reply says was done, None for the whole.

    What is the whole depends on the kind: whoever has applied for what is done at once, or got the new one by post, is
    done.
    """
    found = _current(context, answered)
    lives = card_lives.of_cards(context.uow.tx, [card.id for card in found])
    parts = {_part(context, card, lives.get(card.id), said) for card in found}
    match parts.pop() if len(parts) == 1 else _Part.ALL:
        case _Part.APPLIED:
            _begin(context, found, APPLY, "card_applied", "applied")
        case _Part.COME:
            _begin(context, found, MAKE_READY, "card_ready", "ready")
        case _Part.UNCLEAR:
            _unknown(context)
        case _Part.ALL:
            _is_all_done(context, answered)


class _Part(Enum):
    """The part of a renewal that a reply says is done."""

    APPLIED = auto()
    COME = auto()
    ALL = auto()
    UNCLEAR = auto()  # something has come, and nobody can tell what


def _part(context: ReplyContext, card: CardView, life: CardLifeView | None, said: LifeWord | None) -> _Part:
    kind = context.uow.rules.kinds.get(card.kind)
    if kind is None or said is None:
        return _Part.ALL
    if said is LifeWord.APPLIED:
        return _Part.APPLIED if LifeStage.APPLIED in kind.stages else _Part.ALL
    if life is not None and life.state is CardState.APPLIED:
        return _Part.COME if LifeStage.READY in kind.stages else _Part.ALL
    # What has come before somebody applied may be the office's letter.
    return _Part.ALL if kind.comes_by_itself else _Part.UNCLEAR


def _asked_whether_come(context: ReplyContext, question: Question) -> LifeWord | None:
    """Return what the digit of a question means: of a card that was applied for, that something has come."""
    lives = card_lives.of_cards(context.uow.tx, question.card_ids)
    states = {life.state for life in lives.values()}
    return LifeWord.COME if states == {CardState.APPLIED} and len(lives) == len(question.card_ids) else None


def _current(context: ReplyContext, answered: Collection[Question]) -> list[CardView]:
    found = (cards.find(context.uow.tx, card_id) for card_id in _cards_of(answered))
    return [card for card in found if card is not None]


def _begin(
    context: ReplyContext, found: Collection[CardView], move: Move[CardState], act_name: str, answer_name: str
) -> None:
    """Record that cards are under way, and thank for it."""
    today = context.uow.today
    for card in found:
        takes = context.uow.rules.kind(card.kind).replacement_days
        expected = today + timedelta(days=takes) if move is APPLY and takes else None
        card_lives.move(
            context.uow.tx,
            card.id,
            card.expires_on,
            move,
            on=today,
            now=context.uow.now,
            values={"expected_by": expected} if move is APPLY else {},
        )
        _go_on(context, card.id, act_name)
    context.answer(answer_name)


def _go_on(context: ReplyContext, card_id: int, act_name: str) -> None:
    """Cancel what waits to be sent about the act that is done, and plan the card again."""
    uow = context.uow
    reminders.acknowledge(uow.tx, [card_id])
    cancelled = queue.cancel_for_card(uow.tx, card_id, CancelReason.DONE, uow.now)
    cards.schedule_replan_of_messages(uow.tx, cancelled, uow.today)
    cards.replan(uow.tx, card_id, uow.today)
    ids = {"group_id": context.group.id, "person_id": context.person.id, "card_id": card_id}
    activity_log.write(uow.tx, act_name, uow.now, **ids)


def _is_all_done(context: ReplyContext, answered: Sequence[Question]) -> None:
    """Pause the schedule and ask the family for the new date: the person is never asked to type one."""
    card_ids = _cards_of(answered)
    for card in _current(context, answered):
        if card.acknowledged_on is None:
            card_lives.move(context.uow.tx, card.id, card.expires_on, FINISH, on=context.uow.today, now=context.uow.now)
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
    # Nobody has stopped anything, and nobody was asked.
    Intent.START: _thanks,
    Intent.WHO: _who,
    Intent.FAMILY: _family,
    Intent.LATER: _later,
    Intent.GOING: _going,
    Intent.DONE: _done,
    Intent.THANKS: _thanks,
    Intent.UNKNOWN: _unknown,
}
