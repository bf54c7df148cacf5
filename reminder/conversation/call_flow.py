"""The flow of a call, turn by turn: the provider asks when somebody answers, and again when a key is pressed."""

from dataclasses import dataclass
from datetime import datetime

from reminder.conversation import inbox
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Language
from reminder.domain.text import call_scripts
from reminder.domain.text.call_scripts import Turn
from reminder.errors import NotFoundError
from reminder.storage.db import row_security
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queries
from reminder.storage.registry import contacts


@dataclass(frozen=True)
class CallEvent:
    """An event of a call: `turn` is 0 when it is answered, else the turn in which `key` was pressed.

    `reference`: what the address that we gave to the provider names. `answered_by`: who answered, as the provider says.
    """

    reference: str
    call_id: str
    is_machine: bool
    turn: int
    key: str
    answered_by: str = ""


def answer(units: UnitsOfWork, now: datetime, asked: CallEvent) -> tuple[Turn, Language]:
    """Return the next turn and its language. A key is stored, and the next pass acts on it.

    Raises NotFoundError if this is no call of ours, or one that is over: a repeated event of it changes nothing.
    """
    with units.reading(now) as uow:
        message_id = _message_of(uow, asked)
        called = None if message_id is None else queries.call_message(uow.tx, uow.keys, message_id)
    if called is None or not called.channel.is_call:
        raise NotFoundError("page_not_found")
    words, is_practice = units.rules.wording.of(called.language), called.kind is MessageKind.TEST_CALL
    script = call_scripts.read_script(called.text)
    if message_id is not None:
        is_first = asked.turn == 0 and not is_practice and not asked.is_machine
        heard_after = call_scripts.date_heard_after(words, script) if is_first else None
        # In a later turn somebody has listened to the end, or pressed a key.
        answered_by = (asked.answered_by or "unknown") if asked.turn == 0 else "human"
        with units.writing(now) as uow:
            row_security.include_contact(uow.tx, called.contact_id)
            queries.record_answer(uow.tx, message_id, answered_by=answered_by, date_after=heard_after)
    if asked.turn == 0 and is_practice:
        turn = call_scripts.practice_turn(script, is_machine=asked.is_machine)
    elif asked.turn == 0:
        has_practised = called.test_called_at is not None
        turn = call_scripts.first_turn(words, script, is_machine=asked.is_machine, has_practised=has_practised)
    else:
        turn = call_scripts.next_turn(words, asked.key, asked.turn, is_practice=is_practice)
        if is_practice and asked.key == call_scripts.DONE:
            with units.writing(now) as uow:
                row_security.include_contact(uow.tx, called.contact_id)
                contacts.record_test_call(uow.tx, called.contact_id, now)
        elif not is_practice:
            call = f"{asked.call_id}:{asked.turn}"
            with units.writing(now) as uow:
                row_security.include_contact(uow.tx, called.contact_id)
                inbox.keep_key(uow, contact_id=called.contact_id, provider_id=call, key=asked.key)
    return turn, called.language


# While somebody speaks, the provider's answer may be recorded, lost or still on its way.
_RINGS = (MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED)


def _message_of(uow: UnitOfWork, asked: CallEvent) -> int | None:
    """Return the message of this call: by our reference, or by the provider's id for one from before references."""
    if asked.reference.isascii() and asked.reference.isdigit():
        found = queries.by_provider_id(uow.tx, asked.call_id)
        if found is not None and not uow.keys.references.is_older(found.created_at):
            return None
    else:
        found = queries.referred(uow.tx, uow.keys, asked.reference)
    if found is None or found.state not in _RINGS or found.provider_id not in (None, asked.call_id):
        return None
    return found.id
