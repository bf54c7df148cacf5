"""Unclear replies: a text from a telephone to which several persons, or groups, have been written.

Nothing is acted on. The sender is offered a choice once; where that is not possible, or is not answered in time, those
around the persons are asked. Another group never sees the words.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from reminder.conversation import reply_handlers, senders
from reminder.conversation.reply_handlers import MOST_ANSWERS
from reminder.conversation.senders import A_DAY, ANSWERED_FOR, LIST_OPEN_FOR, person_of, plain_reader, speakers_of
from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.parsing.replies import Intent, digit_of, digits_to_leave, digits_together, means_each, plain, read
from reminder.domain.rules.reply_routing import Conversation
from reminder.domain.text.model import Composed, Reader
from reminder.domain.text.safe_words import safe_sender
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import consents, contacts, groups
from reminder.storage.registry.contacts import Speaker
from reminder.storage.reminders import notices, replies, unclear_replies
from reminder.storage.reminders.unclear_replies import UnclearReplyView, question_key
from reminder.storage.runtime import set_aside

log = logging.getLogger(__name__)

# Time to answer which person was meant: the same day those around them hear of it.
CHOICE_OPEN_FOR = timedelta(hours=6)
MOST_CHOICES = 7

# What says nothing about a person, and needs no choice.
_ABOUT_NOBODY = (Intent.WHO, Intent.NUMBER, Intent.THANKS, Intent.START)


def keep(uow: UnitOfWork, *, provider_id: str, intent: Intent, text: str | None, contact_ids: Collection[int]) -> None:
    """Store a reply that may be about any of these contacts; the next pass asks."""
    unclear_replies.keep(
        uow.tx,
        uow.keys,
        provider_id=provider_id,
        intent=intent,
        text=text,
        choices=dict(enumerate(sorted(contact_ids), 1)),
        now=uow.now,
        expires_at=uow.now,
    )


def drop(uow: UnitOfWork, contact_ids: Collection[int]) -> None:
    """Forget what waits at the telephone of these contacts: its owner has stopped, or is somebody else."""
    waiting = unclear_replies.waiting_at(uow.tx, uow.keys, contact_ids)
    unclear_replies.settle(uow.tx, [one.id for one in waiting], uow.now)


def is_answer_to_choice(uow: UnitOfWork, known: Collection[Conversation], provider_id: str, text: str) -> bool:
    """Return whether a text says whom an earlier one was about, and file that one with them.

    A digit says so only until a text with a digit of its own has left.
    """
    contact_ids = [one.contact_id for one in known]
    # A stop for one of them is no question.
    waiting = [
        one for one in unclear_replies.waiting_at(uow.tx, uow.keys, contact_ids) if one.intent is not Intent.STOP
    ]
    asked = next((one for one in waiting if one.asked_at is not None and one.expires_at > uow.now), None)
    if asked is None or asked.asked_at is None:
        return False
    chosen = _chosen(uow, asked, text)
    last = unclear_replies.last_question_sent(uow.tx, contact_ids)
    by_digit = digit_of(text, read(text, uow.rules.replies)) is not None
    if not chosen or (by_digit and last is not None and last > asked.asked_at):
        return False
    for reply in waiting:
        for contact_id in [one for one in chosen if one in reply.choices.values()]:
            _file(uow, reply, contact_id, is_only=len(chosen) == 1)
    meant = [one.id for one in waiting if set(chosen) & set(one.choices.values())]
    unclear_replies.settle(uow.tx, meant, uow.now)
    # The choice itself is known, so that a repeated one is not taken for another answer.
    replies.keep(
        uow.tx,
        uow.keys,
        contact_id=chosen[0],
        provider_id=provider_id,
        intent=Intent.THANKS,
        text=None,
        now=uow.now,
        is_handled=True,
    )
    return True


def _chosen(uow: UnitOfWork, asked: UnclearReplyView, text: str) -> list[int]:
    """Return the contacts that a text names: by digits, by names, or all by a word such as "both"."""
    said = plain(text)
    if means_each(text, len(asked.choices), asked.intent, uow.rules.replies):
        return list(asked.choices.values())
    listed = digits_together(text)
    if listed:
        return [asked.choices[digit] for digit in sorted(listed)] if listed <= asked.choices.keys() else []
    digits = {char for char in said if char.isascii() and char.isdigit()}
    is_short = said[:1].isdigit() and len(said) <= LONGEST_CHOICE
    if is_short and len(digits) == 1 and int(next(iter(digits))) in asked.choices:
        return [asked.choices[int(next(iter(digits)))]]
    if _DENIES.search(said):
        # "not mother": whom it names is not whom it means.
        return []
    names = _names(uow, asked.choices)
    return [
        asked.choices[digit]
        for digit, called in names.items()
        if any(one and plain(one) in said for one in _said_as(uow, called, asked.choices[digit]))
    ]


# "1です", "1番の方", "1お母さん"
LONGEST_CHOICE = 8
_DENIES = re.compile("(じゃ|では?)な(い|く)|じゃありません|ではありません|以外|ちが(う|い)|違(う|い)|^not")


def _said_as(uow: UnitOfWork, called: str, contact_id: int) -> list[str]:
    """Return how a person may be named in an answer: as in the question, as it is read aloud, by the label."""
    persons = [person_of(uow, speaker) for speaker in speakers_of(uow, [contact_id])]
    labels = [person.label for person in persons if person is not None]
    readings = [uow.rules.composer.reading_of(called, person.language) for person in persons if person is not None]
    return [called, *readings, *labels]


def _file(uow: UnitOfWork, reply: UnclearReplyView, contact_id: int, *, is_only: bool) -> None:
    """File a reply with the contact that it is about: the next pass acts on it."""
    name = reply.provider_id if is_only else f"{reply.provider_id}:{contact_id}"
    replies.keep(
        uow.tx,
        uow.keys,
        contact_id=contact_id,
        provider_id=name,
        intent=reply.intent,
        text=reply.text,
        now=uow.now,
    )


def is_leaving(uow: UnitOfWork, address: str, known: Collection[Conversation], provider_id: str, text: str) -> bool:
    """Return whether a text stops some of those who write to its telephone, by the digits of the list it was sent.

    It is recorded at once, and the next pass acts on it. Where there is no such list, or no such digit, the list is
    sent again: what is meant is not guessed.
    """
    digits = digits_to_leave(text, uow.rules.replies)
    writing = [one for one in known if one.written_at is not None and not one.is_stopped]
    if not digits or not writing:
        return False
    listed = unclear_replies.latest_list(uow.tx, [one.contact_id for one in known], uow.now - LIST_OPEN_FOR)
    if not listed and read(text, uow.rules.replies) is Intent.STOP:
        # The words alone say it, for all of them.
        return False
    chosen = {digit: listed[digit] for digit in sorted(digits) if digit in listed}
    intent = Intent.STOP
    if len(chosen) < len(digits):
        intent, chosen = Intent.WHO, {1: min(one.contact_id for one in writing)}
    for group_id in sorted({one.group_id for one in known if one.contact_id in chosen.values()}):
        if intent is Intent.STOP:
            act, way = ConsentAct.WITHDREW, ConsentWay.REPLY
            consents.record_at(uow.tx, uow.keys, address, act, way, uow.now, group_id)
    unclear_replies.keep(
        uow.tx,
        uow.keys,
        provider_id=provider_id,
        intent=intent,
        text=None,
        choices=chosen,
        now=uow.now,
        expires_at=uow.now,
    )
    return True


def _leave(uow: UnitOfWork, reply: UnclearReplyView, meant: Sequence[Speaker]) -> None:
    """Stop those whom the owner of a telephone has chosen from the list, and nobody else."""
    entries = {speaker.contact_id: senders.entry_of(uow, speaker.contact_id) for speaker in meant}
    for group_id in sorted({speaker.group_id for speaker in meant}):
        groups.lock(uow.tx, group_id)
    left = [one for one, entry in entries.items() if reply_handlers.stop_one(uow, entry)]
    senders.confirm_left(uow, reply.id, left)
    unclear_replies.settle(uow.tx, [reply.id], uow.now)


def settle_next(units: UnitsOfWork, now: datetime) -> bool:
    """Ask about the next unclear reply; return False where none waits. One that cannot be read is set aside."""
    next_id: int | None = None
    try:
        with units.writing(now) as uow:
            next_id = unclear_replies.next_due(uow.tx, now)
            if next_id is None:
                return False
            _settle(uow, unclear_replies.find(uow.tx, uow.keys, next_id))
    except Exception:
        if next_id is None:
            raise
        log.exception("the unclear reply %s could not be asked about", next_id)
        with units.writing(now) as uow:
            set_aside.add(uow.tx, set_aside.UNCLEAR_REPLIES, [next_id], now)
            # Its text stays: once it can be read again, it is asked about.
            unclear_replies.leave(uow.tx, [next_id], now)
    return True


def _settle(uow: UnitOfWork, reply: UnclearReplyView) -> None:
    meant = speakers_of(uow, reply.choices.values())
    if reply.intent is Intent.STOP:
        _leave(uow, reply, meant)
    elif len(meant) < 2:
        for speaker in meant:
            _file(uow, reply, speaker.contact_id, is_only=True)
        unclear_replies.settle(uow.tx, [reply.id], uow.now)
    elif reply.asked_at is None and reply.intent in _ABOUT_NOBODY:
        _answer_without_a_name(uow, reply, meant)
    else:
        has_choice = reply.asked_at is None and not _is_for_one_family(reply, meant)
        if not (has_choice and _offer_choice(uow, reply, meant)):
            _ask_those_around(uow, reply, meant)


def _is_for_one_family(reply: UnclearReplyView, meant: Sequence[Speaker]) -> bool:
    """Return whether only a human can act on a reply, and one family looks after all of them: it needs no digit."""
    return reply.intent in (Intent.FAMILY, Intent.UNKNOWN) and len({one.group_id for one in meant}) == 1


def _answer_without_a_name(uow: UnitOfWork, reply: UnclearReplyView, meant: Sequence[Speaker]) -> None:
    """Answer what is about nobody in particular. A number, which was not kept, is said to those around the persons."""
    if reply.intent is Intent.WHO:
        senders.answer(uow, meant[0].contact_id, name=f"unclear:{reply.id}")
    elif reply.intent is Intent.NUMBER:
        _answer(uow, reply, meant, str(reply.intent))
    if len({one.group_id for one in meant}) == 1 and reply.intent is Intent.NUMBER:
        _notify(uow, NoticeKind.NUMBER, meant, None)
    unclear_replies.settle(uow.tx, [reply.id], uow.now)


def _ask_those_around(uow: UnitOfWork, reply: UnclearReplyView, meant: Sequence[Speaker]) -> None:
    """Ask the humans around each person. Only where they are one group may they read the words."""
    kinds = {Intent.DONE: NoticeKind.WHICH, Intent.FAMILY: NoticeKind.FAMILY}
    if len({one.group_id for one in meant}) == 1:
        replies.keep(
            uow.tx,
            uow.keys,
            contact_id=meant[0].contact_id,
            provider_id=reply.provider_id,
            intent=reply.intent,
            text=reply.text,
            now=uow.now,
            is_handled=True,
        )
        reply_id = replies.id_of(uow.tx, reply.provider_id)
        _notify(uow, kinds.get(reply.intent, NoticeKind.UNREAD), meant, reply_id)
    else:
        _notify(uow, NoticeKind.UNREAD, meant, None)
    if reply.asked_at is None:
        answer = {Intent.FAMILY: "family", Intent.DONE: "which"}.get(reply.intent, "thanks")
        _answer(uow, reply, meant, answer)
    unclear_replies.settle(uow.tx, [reply.id], uow.now)


def _notify(uow: UnitOfWork, kind: NoticeKind, meant: Sequence[Speaker], reply_id: int | None) -> None:
    for speaker in meant:
        if speaker.is_own and speaker.person_id is not None:
            notices.add(
                uow.tx,
                kind,
                person_id=speaker.person_id,
                contact_id=speaker.contact_id,
                reply_id=reply_id,
                now=uow.now,
            )


def _answer(uow: UnitOfWork, reply: UnclearReplyView, meant: Sequence[Speaker], name: str) -> None:
    """Answer without naming anybody: by the one group, or by none of several."""
    first = meant[0]
    if len({one.group_id for one in meant}) == 1:
        most = reply_handlers.most_answers(meant, first.group_id)
        key = f"answer:unclear:{reply.id}"
        reply_handlers.answer(uow, first, name, key=key, most=most, is_at_shared_phone=True, is_named=False)
    elif uow.rules.two_way and _may_ask(uow, reply):
        person = person_of(uow, first)
        _send_by_no_group(
            uow, reply, first, uow.rules.composer.answer(plain_reader(person, None), name, is_named=False)
        )
        unclear_replies.wait_for_sender(uow.tx, reply.id, asked_at=uow.now, until=uow.now)


def _offer_choice(uow: UnitOfWork, reply: UnclearReplyView, meant: Sequence[Speaker]) -> bool:
    """Ask the sender whom a reply is about; return False where that is not possible."""
    names = _names(uow, reply.choices)
    waiting = unclear_replies.waiting_at(uow.tx, uow.keys, reply.choices.values())
    asked = next((one for one in waiting if one.asked_at is not None), None)
    if asked is not None and asked.asked_at is not None:
        # The telephone was asked already: its answer decides about this reply too.
        unclear_replies.wait_for_sender(uow.tx, reply.id, asked_at=asked.asked_at, until=asked.expires_at)
        return True
    is_told_apart = len(set(names.values())) == len(names) == len(meant)
    if not (uow.rules.two_way and is_told_apart and len(meant) <= MOST_CHOICES and _may_ask(uow, reply)):
        return False
    first = meant[0]
    persons = [person_of(uow, one) for one in meant]
    marks = {person.mark for person in persons if person is not None}
    said = uow.rules.composer.choice(plain_reader(persons[0], marks.pop() if len(marks) == 1 else None), names)
    if len({one.group_id for one in meant}) == 1:
        _send(uow, reply, said, group_id=first.group_id, contact_id=first.contact_id)
    else:
        _send_by_no_group(uow, reply, first, said)
    unclear_replies.wait_for_sender(uow.tx, reply.id, asked_at=uow.now, until=uow.now + CHOICE_OPEN_FOR)
    return True


def _may_ask(uow: UnitOfWork, reply: UnclearReplyView) -> bool:
    """Return whether this telephone may be asked once more today: one that answers by itself would do so for ever."""
    times = unclear_replies.times_asked(uow.tx, reply.choices.values(), uow.now - A_DAY)
    return times < MOST_ANSWERS


def _names(uow: UnitOfWork, choices: Mapping[int, int]) -> dict[int, str]:
    """Return how each choice is called, by its digit; with the name of its group where two are called the same."""
    composer = uow.rules.composer
    readers: dict[int, Reader] = {}
    of_group: dict[int, str] = {}
    for digit, contact_id in choices.items():
        for speaker in speakers_of(uow, [contact_id]):
            person, group = person_of(uow, speaker), groups.find(uow.tx, speaker.group_id)
            language = person.language if person is not None else Language.JAPANESE
            of_group[digit] = "" if group is None else safe_sender(uow.rules.wording.of(language), group.name)
            if speaker.is_own and person is not None:
                readers[digit] = plain_reader(person, None, from_=of_group[digit])
    names = {digit: composer.name_of(reads) for digit, reads in readers.items()}
    alike = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {
        digit: of_group[digit]
        if digit not in names
        else composer.name_of(readers[digit], with_group=True)
        if names[digit] in alike
        else names[digit]
        for digit in of_group
    }


def _send(uow: UnitOfWork, reply: UnclearReplyView, said: Composed, *, group_id: int, contact_id: int) -> None:
    draft = MessageDraft(
        key=question_key(reply.id),
        kind=MessageKind.ANSWER,
        group_id=group_id,
        contact_id=contact_id,
        audience=Audience.PERSON,
        channel=ChannelName.SMS,
        subject=None,
        text=said.text,
        segments=said.segments,
        scheduled_at=uow.now,
        expires_at=uow.now + ANSWERED_FOR,
        urgency=Urgency.ANSWER,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)


def _send_by_no_group(uow: UnitOfWork, reply: UnclearReplyView, speaker: Speaker, said: Composed) -> None:
    """Send what two groups have caused: it is no message of either, and neither sees it."""
    address = contacts.by_ids(uow.tx, uow.keys, [speaker.contact_id])[speaker.contact_id].address
    senders.send(uow, question_key(reply.id), address, said)
