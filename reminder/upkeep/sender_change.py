"""One sender for ever. Where it changes all the same, carers are told and tell the person: a text that says "our number
has changed" is what fraud says."""

from reminder.domain.model.notices import NoticeKind
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices
from reminder.storage.runtime import service_state

SENDER = "sender"


def note_sender_change(uow: UnitOfWork, sender: str) -> int:
    """Keeps the sender of texts; how many persons' carers are to be told that it is another one now."""
    before = service_state.replace(uow.tx, SENDER, sender)
    if before in (None, sender):
        return 0
    texted = contacts.people_with_texts(uow.tx)
    for person_id in texted:
        notices.add(uow.tx, NoticeKind.SENDER, person_id=person_id, now=uow.now)
    return len(texted)
