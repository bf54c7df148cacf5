"""Messages to those around a person, besides reminders: at the next hour at which they may be written to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, Copies, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.recipients import Recipient, RecipientSet
from reminder.domain.text.model import About, Composed
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft, SpeaksOf
from reminder.storage.registry import groups, people
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders.recipients import reader, recipient_set_of

# It stays true: a mail server that is away for days must not swallow it.
TRUE_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Subject:
    """Whom it is about, and who is around them."""

    person: PersonView
    group: GroupView
    recipient_set: RecipientSet


@dataclass(frozen=True)
class PlannedNotice:
    """What one human is told of one person."""

    recipient: Recipient
    audience: Audience
    subject: Subject
    composed: Composed


def subject_of(tx: Tx, rules: Rulebook, person_id: int) -> Subject | None:
    person = people.find(tx, person_id)
    group = None if person is None else groups.find(tx, person.group_id)
    if person is None or group is None:
        return None
    return Subject(person, group, recipient_set_of(tx, person, group, rules.channels))


def planned_notice(
    rules: Rulebook, subject: Subject, recipient: Recipient, kind: NoticeKind, about: About
) -> PlannedNotice:
    audience = Audience.STAFF if recipient in subject.recipient_set.staff else Audience.CARER
    reads = reader(recipient, subject.person, audience, subject.group)
    return PlannedNotice(recipient, audience, subject, rules.composer.notice(reads, kind, about))


def notices_to_all(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[PlannedNotice]:
    """Every carer, or where there is none the home's staff; where anybody of them wants copies, only who does."""
    around = subject.recipient_set.carers or subject.recipient_set.staff
    for recipient in [one for one in around if one.copies is not Copies.NONE] or around:
        yield planned_notice(rules, subject, recipient, kind, about)


def notices_to_members(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[PlannedNotice]:
    """The members of the group, whatever copies they want: who of them is left; else who else is around."""
    around = (*subject.recipient_set.carers, *subject.recipient_set.staff)
    for recipient in [one for one in around if one.owner[0] == "member"] or around:
        yield planned_notice(rules, subject, recipient, kind, about)


def draft_of(
    reminder: PlannedNotice,
    kind: MessageKind,
    key: str,
    now: datetime,
    composed: Composed | None = None,
    *,
    speaks_of: Sequence[SpeaksOf] = (),
    waits_for_hour: bool = False,
) -> MessageDraft:
    """`key` may name {contact}, {person} and the {day} on which it is sent. `speaks_of`: where not of this person
    alone. What has just happened does not wait for the hour from which the group wants to be told; what was planned
    (`waits_for_hour`) does."""
    recipient, said = reminder.recipient, composed or reminder.composed
    preferences = reminder.subject.group.preferences.about(reminder.subject.person.mode)
    if not waits_for_hour:
        preferences = replace(preferences, send_hour=None)
    soon = hours.next_allowed(now, Mode.STANDARD, reminder.audience, recipient.channel, preferences)
    day = japan_date(soon).isoformat()
    return MessageDraft(
        key=key.format(contact=recipient.contact_id, person=reminder.subject.person.id, day=day),
        kind=kind,
        group_id=reminder.subject.group.id,
        contact_id=recipient.contact_id,
        audience=reminder.audience,
        channel=recipient.channel,
        subject=said.subject,
        text=said.text,
        segments=said.segments,
        scheduled_at=soon,
        expires_at=soon + TRUE_FOR,
        speaks_of=tuple(speaks_of) or (SpeaksOf(reminder.subject.person.id),),
        language=recipient.language if said.subject else None,
    )


def enqueue(uow: UnitOfWork, drafts: Sequence[MessageDraft]) -> int:
    """How many are new: one key is one message."""
    by_key = {draft.key: draft for draft in drafts}
    taken = queue.taken(uow.tx, by_key.keys())
    return len(queue.add(uow.tx, uow.keys, [draft for key, draft in by_key.items() if key not in taken], uow.now))
