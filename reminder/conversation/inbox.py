"""What somebody answers: read and kept at once, without any number in it; acted on by the next pass."""

import logging
from dataclasses import dataclass
from datetime import datetime

from reminder.conversation import actions
from reminder.conversation.actions import Talk
from reminder.domain import addresses
from reminder.domain import replies as reading
from reminder.domain.notices import NoticeKind
from reminder.domain.people import ContactState
from reminder.domain.replies import Intent
from reminder.domain.rulebook import Rulebook
from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard.text import clean
from reminder.storage import contacts, groups, notices, people, replies
from reminder.storage.keys import KeyRing
from reminder.storage.replies import ReplyView
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

# Longer than any text message; what follows is cut off.
LONGEST = 1600
# What is shown of it to a carer.
LONGEST_KEPT = 200


@dataclass(frozen=True)
class Heard:
    """One text as the provider tells it. `sender`: its number, E.164."""

    provider_id: str
    sender: str
    text: str


def keep(database: Database, keys: KeyRing, rules: Rulebook, now: datetime, heard: Heard) -> bool:
    """False for a stranger, of whom nothing is kept and who gets nothing."""
    try:
        address = addresses.read_sms_number(heard.sender)
    except RefusedInputError:
        return False
    text = heard.text[:LONGEST]
    intent = reading.read(text, rules.replies)
    with database.writing() as tx:
        known = contacts.at_phone(tx, keys, address)
        if not known:
            return False
        replies.keep(
            tx,
            keys,
            contact_id=known[0],
            provider_id=heard.provider_id,
            intent=intent,
            text=_keepable(text, intent),
            now=now,
        )
    return True


def keep_key(database: Database, keys: KeyRing, now: datetime, *, contact_id: int, provider_id: str, key: str) -> None:
    """A key that was pressed during a call."""
    intents = {"1": Intent.DONE, "2": Intent.LATER, "9": Intent.FAMILY}
    with database.writing() as tx:
        if key in intents and contacts.channel_of(tx, contact_id) is not None:
            replies.keep(
                tx, keys, contact_id=contact_id, provider_id=provider_id, intent=intents[key], text=key, now=now
            )


def _keepable(text: str, intent: Intent) -> str | None:
    """Nothing of what holds anything like a number."""
    if intent is Intent.NUMBER:
        return None
    try:
        return clean(text, field="reply")[:LONGEST_KEPT]
    except ForbiddenNumberError:
        return None


def act_on_replies(database: Database, keys: KeyRing, rules: Rulebook, now: datetime) -> int:
    """How many replies were acted on. One that cannot be is logged, and the family is asked to look."""
    handled = 0
    while True:
        try:
            with database.writing() as tx:
                waiting = replies.waiting(tx, keys, 1)
                for reply in waiting:
                    _act(tx, keys, rules, reply, now)
                    replies.mark_handled(tx, reply.id, now)
        except Exception:
            if not waiting:
                raise
            log.exception("reply %s could not be acted on", waiting[0].id)
            _hand_to_family(database, waiting[0], now)
        if not waiting:
            return handled
        handled += 1


def _hand_to_family(database: Database, reply: ReplyView, now: datetime) -> None:
    with database.writing() as tx:
        for speaker in contacts.speakers(tx, reply.contact_id):
            if speaker.person_id is not None:
                notices.add(tx, NoticeKind.UNREAD, person_id=speaker.person_id, contact_id=speaker.contact_id, now=now)
        replies.mark_handled(tx, reply.id, now)


def _act(tx: Tx, keys: KeyRing, rules: Rulebook, reply: ReplyView, now: datetime) -> None:
    sharing = contacts.speakers(tx, reply.contact_id)
    for group_id in sorted({speaker.group_id for speaker in sharing}):
        groups.lock(tx, group_id)
    own = [speaker for speaker in sharing if speaker.person_id is not None and not speaker.is_family]
    if not own:
        # A relative's or a member's telephone: they act on the page or by e-mail, and stop and start here.
        if reply.intent is Intent.STOP:
            actions.stop_all(tx, [speaker.contact_id for speaker in sharing], now)
        elif reply.intent is Intent.START:
            actions.start_all(tx, [speaker for speaker in sharing if speaker.state is ContactState.OPTED_OUT], now)
        return
    # Whoever share a telephone are spoken to as the first of them.
    first = next((speaker for speaker in own if speaker.state is ContactState.CONFIRMED), own[0])
    person, group = people.find(tx, first.person_id or 0), groups.find(tx, first.group_id)
    if person is not None and group is not None:
        actions.act(Talk(tx, keys, rules, now, reply, first, tuple(own), person, group))
