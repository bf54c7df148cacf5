"""Saying no: a contact stops being told, at once and without asking why."""

from datetime import datetime

from reminder.clock import japan_date
from reminder.domain.messages import CancelReason
from reminder.domain.people import ConsentHow, ContactState
from reminder.errors import ConflictError, NotFoundError
from reminder.guard.text import clean_label
from reminder.storage import cards, contacts, groups, journal, outbox
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database

STOP = "stop"


def stop_url(keys: KeyRing, public_url: str | None, contact_id: int) -> str | None:
    """The address behind an e-mail's one-click "stop"; the same for every mail to this contact."""
    if public_url is None:
        return None
    return f"{public_url}/stop/{contact_id}/{keys.sign(str(contact_id), STOP)}"


def require_stop_mark(keys: KeyRing, contact_id: int, mark: str) -> None:
    """Raises NotFoundError for an address we did not make."""
    if not keys.is_signed(str(contact_id), STOP, mark):
        raise NotFoundError(field="contact")


def confirm(database: Database, now: datetime, *, contact_id: int, how: ConsentHow, by: str) -> None:
    """Its owner has agreed, or is reached there again. Who said no must be asked anew: that contact stays as it is."""
    clean_by = clean_label(by, field="consent_by", longest=40, most_digits=16)
    with database.writing() as tx:
        group_id = contacts.group_of(tx, contact_id)
        if group_id is None:
            raise NotFoundError(field="contact")
        groups.lock(tx, group_id)
        if not contacts.confirm(tx, contact_id, how=how, by=clean_by, now=now):
            raise ConflictError("contact_said_no", field="contact")
        cards.look_again_at_group(tx, group_id, japan_date(now))
        journal.write(tx, "contact_confirmed", now, group_id=group_id, contact_id=contact_id)


def stop(database: Database, now: datetime, *, contact_id: int) -> None:
    """Stops this contact; a second time changes nothing. Others who should hear are looked for at once."""
    with database.writing() as tx:
        group_id = contacts.group_of(tx, contact_id)
        if group_id is None:
            raise NotFoundError(field="contact")
        groups.lock(tx, group_id)
        contacts.set_state(tx, [contact_id], ContactState.OPTED_OUT)
        outbox.cancel_for_contact(tx, contact_id, CancelReason.OPTED_OUT, now)
        cards.look_again_at_group(tx, group_id, japan_date(now))
        journal.write(tx, "contact_stopped", now, group_id=group_id, contact_id=contact_id)
