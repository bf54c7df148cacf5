"""Texts that reached nobody: a named human is told, each once."""

from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.domain import hours, wording
from reminder.domain.audience import circle
from reminder.domain.people import Audience, Mode
from reminder.domain.rulebook import Rulebook
from reminder.planning.readers import reader
from reminder.storage import contacts, groups, messages, outbox, people
from reminder.storage.keys import KeyRing
from reminder.storage.messages import Failure
from reminder.storage.outbox import Draft
from reminder.storage.session import Database, Tx

FAILURES_AT_ONCE = 200
TRUE_FOR = timedelta(days=7)


def tell_of_failures(database: Database, keys: KeyRing, rules: Rulebook, now: datetime) -> int:
    """Tells carers, or a home's staff, whose person's text failed or came back; how many messages that made."""
    with database.writing() as tx:
        failures = messages.failures_nobody_knows_of(tx, FAILURES_AT_ONCE)
        if not failures:
            return 0
        # Two failures of one person on one day are one notice.
        drafts = {draft.key: draft for failure in failures for draft in _notices(tx, rules, failure, now)}
        taken = outbox.taken(tx, drafts.keys())
        made = outbox.add(tx, keys, [draft for key, draft in drafts.items() if key not in taken], now)
        messages.follow_up(tx, [failure.message_id for failure in failures], now)
        return len(made)


def _notices(tx: Tx, rules: Rulebook, failure: Failure, now: datetime) -> list[Draft]:
    person, group = people.find(tx, failure.person_id), groups.find(tx, failure.group_id)
    if person is None or group is None:
        return []
    own = [recipient for _, recipient in contacts.of_people(tx, [person.id])]
    members = [recipient for _, recipient in contacts.of_members(tx, [group.id])]
    around = circle(group.kind, own, members)
    audience = Audience.CARER if around.carers else Audience.STAFF
    notices = []
    for recipient in around.carers or around.staff:
        soon = hours.next_allowed(now, Mode.STANDARD, audience, recipient.channel)
        day = japan_date(soon)
        composed = wording.compose_undelivered(
            rules.wording, reader(recipient, person, audience, group), by=failure.channel
        )
        notices.append(
            Draft(
                # One a day about one person, however many texts came back.
                key=f"undelivered:{recipient.contact_id}:{person.id}:{day.isoformat()}",
                group_id=group.id,
                contact_id=recipient.contact_id,
                audience=audience,
                channel=recipient.channel,
                subject=composed.subject,
                text=composed.text,
                segments=composed.segments,
                send_after=soon,
                # It stays true: a mail server that is away for days must not swallow it.
                stale_after=soon + TRUE_FOR,
            )
        )
    return notices
