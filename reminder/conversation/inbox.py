"""The inbox: reads and stores replies at once, without any number in them; the next pass acts on them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminder.conversation import reply_handlers, unclear
from reminder.conversation.reply_handlers import ReplyContext
from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.provider_history import ListedText
from reminder.domain.parsing import addresses
from reminder.domain.parsing import replies as reading
from reminder.domain.parsing.replies import Consent, Intent
from reminder.domain.rules.consent_standing import has_refused, is_stopped_for_all, refusal_for
from reminder.domain.rules.reply_routing import Conversation, Reach, route
from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard.text import clean
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.registry import consents, contacts, groups, people
from reminder.storage.registry.contacts import Speaker
from reminder.storage.reminders import conversations, inbound_text_ids, notices, replies, unclear_replies
from reminder.storage.reminders.replies import ReplyView
from reminder.storage.runtime import set_aside

log = logging.getLogger(__name__)

# Longer than any text message; the rest is cut off.
LONGEST = 1600
# So much of a reply is shown to a carer.
LONGEST_KEPT = 200
# A family is asked once to look at replies of a telephone, while the operator mends what keeps us from reading them.
ASKED_ONCE_WITHIN = timedelta(days=7)
# What a human said about the number itself, in every group that knows it.
_OF_THE_NUMBER = (Intent.STOP, Intent.START, Intent.WRONG_PERSON)


@dataclass(frozen=True)
class InboundText:
    """A text as the provider reports it; `sender` is its number, E.164.

    `at`: when the provider received it (aware UTC), of one that was fetched later; None: just now.
    """

    provider_id: str
    sender: str
    text: str
    at: datetime | None = None


def keep_listed(uow: UnitOfWork, listed: ListedText) -> bool:
    """Store a text that the provider lists, as of its own time; return False for one that was heard before."""
    if not inbound_text_ids.note(uow.tx, listed.provider_id, uow.now):
        return False
    # Its time is the provider's: it may seem to come from the future.
    at = None if listed.at is None else min(listed.at, uow.now)
    _keep(uow, InboundText(listed.provider_id, listed.sender, listed.text, at))
    return True


def keep(uow: UnitOfWork, inbound: InboundText) -> bool:
    """Store a reply with the contact whose message it can answer.

    Return False where nobody is answered and no text is stored: for an unknown sender, and for one to whom nothing was
    ever sent, who may only say stop. That is recorded in the ledger of consents whoever says it: whoever enters the
    number later must not write to it.
    """
    if not inbound_text_ids.note(uow.tx, inbound.provider_id, uow.now):
        return True
    return _keep(uow, inbound)


def _keep(uow: UnitOfWork, inbound: InboundText) -> bool:
    # What is recorded has the time of the text: it answers what had been sent by then, and undoes nothing later.
    uow = uow if inbound.at is None else replace(uow, now=inbound.at)
    try:
        address = addresses.read_sms_number(inbound.sender)
    except RefusedInputError:
        return False
    text = inbound.text[:LONGEST]
    intent = reading.read(text, uow.rules.replies)
    if replies.is_known(uow.tx, inbound.provider_id) or unclear_replies.is_known(uow.tx, inbound.provider_id):
        return True
    if intent in _OF_THE_NUMBER or reading.digits_to_leave(text, uow.rules.replies):
        consents.lock_to_record(uow.tx)
    known = conversations.at_number(uow.tx, uow.keys, address, uow.now)
    if unclear.is_leaving(uow, address, known, inbound.provider_id, text):
        return True
    if intent in _OF_THE_NUMBER:
        _record(uow, address, intent, known)
    if not known:
        return False
    if intent not in _OF_THE_NUMBER and unclear.is_answer_to_choice(uow, known, inbound.provider_id, text):
        return True
    return _file(uow, inbound.provider_id, intent, text, known)


def _file(uow: UnitOfWork, provider_id: str, intent: Intent, text: str, known: Collection[Conversation]) -> bool:
    consent = Consent.YES if intent is Intent.START else reading.read_consent(text, uow.rules.replies)
    routing = route(intent, reading.digit_of(text, intent), consent, tuple(known))
    if routing.reach is Reach.NOBODY:
        return False
    said = _keepable(text, intent)
    if routing.reach is Reach.UNCLEAR:
        unclear.keep(uow, provider_id=provider_id, intent=intent, text=said, contact_ids=routing.contact_ids)
        return True
    if routing.reach is Reach.NUMBER:
        unclear.drop(uow, routing.contact_ids)
        # The words are shown to the one group that has written to the number. Of two nobody knows which is meant.
        said = said if len({one.group_id for one in known if one.written_at is not None}) == 1 else None
    replies.keep(
        uow.tx,
        uow.keys,
        contact_id=routing.contact_ids[0],
        provider_id=provider_id,
        intent=intent,
        text=said,
        now=uow.now,
    )
    return True


def _record(uow: UnitOfWork, address: str, intent: Intent, known: Collection[Conversation]) -> None:
    """Record what the owner of a number has said about the number itself, at once: a contact may be erased any moment.

    A start is recorded only where it takes something back.
    """
    every = consents.of_addresses(uow.tx, uow.keys, [address])[address]
    records = [one for one in every if one.at <= uow.now]
    said: list[tuple[ConsentAct, int | None]] = []
    if intent is Intent.STOP:
        said.append((ConsentAct.WITHDREW, None))
    elif intent is Intent.START and (has_refused(records) or is_stopped_for_all(records)):
        said.append((ConsentAct.CONSENTED, None))
    elif intent is Intent.WRONG_PERSON:
        groups_that_wrote = sorted({one.group_id for one in known if one.written_at is not None})
        said += [(ConsentAct.WRONG_PERSON, group_id) for group_id in groups_that_wrote]
    for act, group_id in said:
        consents.record_at(uow.tx, uow.keys, address, act, ConsentWay.REPLY, uow.now, group_id)


def keep_key(uow: UnitOfWork, *, contact_id: int, provider_id: str, key: str) -> None:
    """Store a key that was pressed during a call."""
    intents = {"1": Intent.DONE, "2": Intent.LATER, "9": Intent.FAMILY}
    if key in intents and contacts.channel_of(uow.tx, contact_id) is not None:
        replies.keep(
            uow.tx, uow.keys, contact_id=contact_id, provider_id=provider_id, intent=intents[key], text=key, now=uow.now
        )


def _keepable(text: str, intent: Intent) -> str | None:
    """Return the text to store, or None if it holds anything like a number."""
    if intent is Intent.NUMBER:
        return None
    try:
        return clean(text, field="reply")[:LONGEST_KEPT]
    except ForbiddenNumberError:
        return None


def act_on_replies(units: UnitsOfWork, now: datetime) -> int:
    """Act on the replies that wait and return their number.

    A reply that cannot be acted on is logged, and the family is asked to look at it. One that cannot even be read is
    set aside, where the operator sees it. Neither delays another.
    """
    handled = 0
    while _act_on_next(units, now) or unclear.settle_next(units, now):
        handled += 1
    return handled


def _act_on_next(units: UnitsOfWork, now: datetime) -> bool:
    # Of an earlier turn nothing is left: an error before the next reply is known is nobody's reply.
    next_id: int | None = None
    try:
        with units.writing(now) as uow:
            next_id = replies.next_waiting(uow.tx)
            if next_id is None:
                return False
            reply = replies.waiting_reply(uow.tx, uow.keys, next_id)
            if reply.is_unreadable:
                log.error("reply %s was sealed with a key that is gone", next_id)
            # What it asks for about its number is done all the same, and once.
            if reply.is_unreadable and reply.intent not in _OF_THE_NUMBER:
                set_aside.add(uow.tx, set_aside.REPLIES, [next_id], now)
                _hand_to_family(uow, next_id)
            else:
                _act(uow, reply)
            replies.mark_handled(uow.tx, next_id, now)
    except Exception:
        if next_id is None:
            raise
        log.exception("reply %s could not be acted on", next_id)
        with units.writing(now) as uow:
            set_aside.add(uow.tx, set_aside.REPLIES, [next_id], now)
            replies.mark_handled(uow.tx, next_id, now)
            _hand_to_family(uow, next_id)
    return True


def _still_said(uow: UnitOfWork, reply: ReplyView, speakers: Sequence[Speaker]) -> list[Speaker]:
    """Return those for whom the words about their number still stand: nothing later has taken them back.

    Texts may be heard late, after others of the same owner.
    """
    said = consents.of_contacts(uow.tx, [one.contact_id for one in speakers])
    standing = []
    for one in speakers:
        records = said[one.contact_id]
        refusal = refusal_for(records, one.group_id)
        if reply.intent is Intent.START:
            is_undone = refusal is not None and refusal.at > reply.received_at
        else:
            later = any(record.at > reply.received_at for record in records)
            is_undone = later and refusal is None
        if not is_undone:
            standing.append(one)
    return standing


def _hand_to_family(uow: UnitOfWork, reply_id: int) -> None:
    """Ask those around the person of a reply to look at it, once, however often the reply is tried again."""
    contact_id = replies.contact_of(uow.tx, reply_id)
    speaker = next(iter(contacts.speakers(uow.tx, contact_id)), None)
    if notices.exists_since(uow.tx, NoticeKind.UNREAD, contact_id, uow.now - ASKED_ONCE_WITHIN):
        return
    if speaker is not None and speaker.person_id is not None:
        notices.add(uow.tx, NoticeKind.UNREAD, person_id=speaker.person_id, contact_id=contact_id, now=uow.now)


def _act(uow: UnitOfWork, reply: ReplyView) -> None:
    # The words about the number concern every group that knows it; all others are an answer to this contact's texts.
    is_of_number = reply.intent in _OF_THE_NUMBER
    speakers = (contacts.speakers_at_number if is_of_number else contacts.speakers)(uow.tx, reply.contact_id)
    if not speakers:
        return
    if is_of_number:
        speakers = _still_said(uow, reply, speakers)
        if not speakers:
            return
    itself = speakers[0]
    for group_id in sorted({speaker.group_id for speaker in speakers} if is_of_number else {itself.group_id}):
        groups.lock(uow.tx, group_id)
    answer = reply_handlers.act_on_number(uow, reply, speakers) if is_of_number else None
    person = people.find(uow.tx, itself.person_id) if itself.is_own and itself.person_id is not None else None
    group = groups.find(uow.tx, itself.group_id)
    if person is None or group is None:
        # The telephone of a relative or member: they answer on the page or by e-mail. Only those words work here, the
        # question who writes, and the answer to a request for consent of a group on trial.
        if reply.intent is Intent.WHO:
            reply_handlers.answer_who(uow, reply)
        elif not is_of_number:
            reply_handlers.answer_for_consent(uow, reply, itself)
        return
    context = ReplyContext(uow, reply, itself, tuple(speakers), person, group)
    if not is_of_number:
        reply_handlers.act(context)
    elif answer is not None:
        context.answer(answer)
