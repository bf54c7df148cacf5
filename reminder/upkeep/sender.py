"""One sender for ever. Where it changes all the same, carers are told and tell the person: a text that says "our number
has changed" is what fraud says."""

from datetime import datetime

from reminder.domain.notices import NoticeKind
from reminder.storage import contacts, notices, remembered
from reminder.storage.session import Database

SENDER = "sender"


def look_at_sender(database: Database, now: datetime, sender: str) -> int:
    """Keeps the sender of texts; how many persons' carers are to be told that it is another one now."""
    with database.writing() as tx:
        before = remembered.replace(tx, SENDER, sender)
        if before in (None, sender):
            return 0
        texted = contacts.people_with_texts(tx)
        for person_id in texted:
            notices.add(tx, NoticeKind.SENDER, person_id=person_id, now=now)
        return len(texted)
