"""The flow of a call, turn by turn: the provider asks when somebody answers, and again when a key is pressed."""

from dataclasses import dataclass
from datetime import datetime

from reminder.conversation import inbox
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import Language
from reminder.domain.text import call_scripts
from reminder.domain.text.call_scripts import Turn
from reminder.errors import NotFoundError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.outbox import queries
from reminder.storage.registry import contacts


@dataclass(frozen=True)
class CallEvent:
    """An event of a call: `turn` is 0 when it is answered, else the turn in which `key` was pressed."""

    message_id: int
    call_id: str
    is_machine: bool
    turn: int
    key: str


def answer(units: UnitsOfWork, now: datetime, asked: CallEvent) -> tuple[Turn, Language]:
    """Return the next turn and its language. A key is stored, and the next pass acts on it.

    Raises NotFoundError if this is no call of ours.
    """
    with units.reading(now) as uow:
        called = queries.call_message(uow.tx, uow.keys, asked.message_id)
    if called is None or not called.channel.is_call:
        raise NotFoundError("page_not_found")
    words, is_practice = units.rules.wording.of(called.language), called.kind is MessageKind.TEST_CALL
    script = call_scripts.read_script(called.text)
    if asked.turn == 0 and is_practice:
        turn = call_scripts.practice_turn(script, is_machine=asked.is_machine)
    elif asked.turn == 0:
        has_practised = called.test_called_at is not None
        turn = call_scripts.first_turn(words, script, is_machine=asked.is_machine, has_practised=has_practised)
    else:
        turn = call_scripts.next_turn(words, asked.key, asked.turn, is_practice=is_practice)
        if is_practice and asked.key == call_scripts.DONE:
            with units.writing(now) as uow:
                contacts.record_test_call(uow.tx, called.contact_id, now)
        elif not is_practice:
            call = f"{asked.call_id}:{asked.turn}"
            with units.writing(now) as uow:
                inbox.keep_key(uow, contact_id=called.contact_id, provider_id=call, key=asked.key)
    return turn, called.language
