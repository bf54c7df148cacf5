"""The inbox: reads and stores replies at once, without any number in them; the next pass acts on them."""

import logging
from dataclasses import dataclass
from datetime import datetime

from reminder.conversation import reply_handlers
from reminder.conversation.reply_handlers import ReplyContext
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import ContactState
from reminder.domain.parsing import addresses
from reminder.domain.parsing import replies as reading
from reminder.domain.parsing.replies import Intent
from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard.text import clean
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.registry import contacts, groups, people
from reminder.storage.reminders import notices, replies
from reminder.storage.reminders.replies import ReplyView

log = logging.getLogger(__name__)

# Longer than any text message; the rest is cut off.
LONGEST = 1600
# So much of a reply is shown to a carer.
LONGEST_KEPT = 200


@dataclass(frozen=True)
class InboundText:
    """A text as the provider reports it; `sender` is its number, E.164."""

    provider_id: str
    sender: str
    text: str


def keep(uow: UnitOfWork, inbound: InboundText) -> bool:
    """Store a reply; return False for an unknown sender, of whom nothing is stored and who gets no answer."""
    try:
        address = addresses.read_sms_number(inbound.sender)
    except RefusedInputError:
        return False
    text = inbound.text[:LONGEST]
    intent = reading.read(text, uow.rules.replies)
    known = contacts.at_phone(uow.tx, uow.keys, address)
    if not known:
        return False
    replies.keep(
        uow.tx,
        uow.keys,
        contact_id=known[0],
        provider_id=inbound.provider_id,
        intent=intent,
        text=_keepable(text, intent),
        now=uow.now,
    )
    return True


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

    A reply that cannot be acted on is logged, and the family is asked to look at it.
    """
    handled = 0
    while True:
        # Of an earlier turn nothing is left: an error before the next reply is known is nobody's reply.
        waiting: list[ReplyView] = []
        try:
            with units.writing(now) as uow:
                waiting = replies.waiting(uow.tx, uow.keys, 1)
                for reply in waiting:
                    _act(uow, reply)
                    replies.mark_handled(uow.tx, reply.id, now)
        except Exception:
            if not waiting:
                raise
            log.exception("reply %s could not be acted on", waiting[0].id)
            with units.writing(now) as uow:
                _hand_to_family(uow, waiting[0])
        if not waiting:
            return handled
        handled += 1


def _hand_to_family(uow: UnitOfWork, reply: ReplyView) -> None:
    for speaker in contacts.speakers(uow.tx, reply.contact_id):
        if speaker.person_id is not None:
            notices.add(
                uow.tx, NoticeKind.UNREAD, person_id=speaker.person_id, contact_id=speaker.contact_id, now=uow.now
            )
    replies.mark_handled(uow.tx, reply.id, uow.now)


def _act(uow: UnitOfWork, reply: ReplyView) -> None:
    sharing = contacts.speakers(uow.tx, reply.contact_id)
    for group_id in sorted({speaker.group_id for speaker in sharing}):
        groups.lock(uow.tx, group_id)
    own = [speaker for speaker in sharing if speaker.person_id is not None and not speaker.is_family]
    if not own:
        # The telephone of a relative or member: they answer on the page or by e-mail; only stop and start work here.
        if reply.intent is Intent.STOP:
            reply_handlers.stop_all(uow, [speaker.contact_id for speaker in sharing])
        elif reply.intent is Intent.START:
            reply_handlers.start_all(uow, [speaker for speaker in sharing if speaker.state is ContactState.OPTED_OUT])
        return
    # People who share a telephone are addressed as the first of them.
    first = next((speaker for speaker in own if speaker.state is ContactState.CONFIRMED), own[0])
    assert first.person_id is not None
    person, group = people.find(uow.tx, first.person_id), groups.find(uow.tx, first.group_id)
    if person is not None and group is not None:
        reply_handlers.act(ReplyContext(uow, reply, first, tuple(own), person, group))
