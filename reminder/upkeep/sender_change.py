"""The sender never changes. If it does, carers get a notice and inform the person themselves.

A text that says "our number has changed" looks like fraud.
"""

from reminder.domain.model.notices import NoticeKind
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices
from reminder.storage.runtime import service_state

SENDER = "sender"


def note_sender_change(uow: UnitOfWork, sender: str) -> int:
    """Store the sender of texts; return the number of persons whose carers get a notice that it has changed."""
    before = service_state.replace(uow.tx, SENDER, sender)
    if before in (None, sender):
        return 0
    texted = contacts.people_reminded_by_text(uow.tx)
    for person_id in texted:
        notices.add(uow.tx, NoticeKind.SENDER, person_id=person_id, now=uow.now)
    return len(texted)
