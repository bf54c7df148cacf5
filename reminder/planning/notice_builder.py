"""Drafts of notices: messages to those around a person, sent at the next hour at which they may be written to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind, UntoldKind
from reminder.domain.model.people import Audience, Copies, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.recipients import Recipient, RecipientSet
from reminder.domain.text.model import About, Composed
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import groups, people
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders.recipients import reader, recipient_set_of

# The notice stays true for a week; a mail server that is away for days must not lose it.
TRUE_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Subject:
    """The person whom a notice is about, with their recipients."""

    person: PersonView
    group: GroupView
    recipient_set: RecipientSet


@dataclass(frozen=True)
class PlannedNotice:
    """A notice about one person to one human."""

    recipient: Recipient
    audience: Audience
    subject: Subject
    composed: Composed


def subject_of(tx: Tx, rules: Rulebook, person_id: int) -> Subject | None:
    """Return the person with group and recipients, or None if the person is gone."""
    person = people.find(tx, person_id)
    group = None if person is None else groups.find(tx, person.group_id)
    if person is None or group is None:
        return None
    return Subject(person, group, recipient_set_of(tx, person, group, rules.channels))


def planned_notice(
    rules: Rulebook, subject: Subject, recipient: Recipient, kind: NoticeKind | UntoldKind, about: About
) -> PlannedNotice:
    """Return the notice to this recipient in their words and language."""
    audience = Audience.STAFF if recipient in subject.recipient_set.staff else Audience.CARER
    reads = reader(recipient, subject.person, audience, subject.group)
    return PlannedNotice(recipient, audience, subject, rules.composer.notice(reads, kind, about))


def notices_to_all(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[PlannedNotice]:
    """Yield the notice to every carer or, if there is none, to the home's staff.

    If any of them want copies, only those get it.
    """
    around = subject.recipient_set.carers or subject.recipient_set.staff
    for recipient in [one for one in around if one.copies is not Copies.NONE] or around:
        yield planned_notice(rules, subject, recipient, kind, about)


def notices_to_members(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[PlannedNotice]:
    """Yield the notice to the members of the group, whatever copies they want.

    If none of them can be reached, the other recipients of the person get it.
    """
    around = (*subject.recipient_set.carers, *subject.recipient_set.staff)
    for recipient in [one for one in around if one.owner[0] == "member"] or around:
        yield planned_notice(rules, subject, recipient, kind, about)


def draft_of(
    notice: PlannedNotice,
    kind: MessageKind,
    key: str,
    now: datetime,
    composed: Composed | None = None,
    *,
    speaks_of: Sequence[MentionDraft] = (),
    waits_for_hour: bool = False,
    urgency: Urgency = Urgency.USUAL,
) -> MessageDraft:
    """Return the draft of a notice.

    `key` may name {contact}, {person} and the {day} on which it is sent. `speaks_of`: the persons and cards in it, if
    it is not about this person alone. `waits_for_hour`: a planned notice waits for the hour that the group prefers; a
    notice about something that has just happened does not.
    """
    recipient, said = notice.recipient, composed or notice.composed
    preferences = notice.subject.group.preferences.about(notice.subject.person.mode)
    if not waits_for_hour:
        preferences = replace(preferences, send_hour=None)
    soon = hours.next_allowed(now, Mode.STANDARD, notice.audience, recipient.channel, preferences)
    day = japan_date(soon).isoformat()
    return MessageDraft(
        key=key.format(contact=recipient.contact_id, person=notice.subject.person.id, day=day),
        kind=kind,
        group_id=notice.subject.group.id,
        contact_id=recipient.contact_id,
        audience=notice.audience,
        channel=recipient.channel,
        subject=said.subject,
        text=said.text,
        segments=said.segments,
        scheduled_at=soon,
        expires_at=soon + TRUE_FOR,
        speaks_of=tuple(speaks_of) or (MentionDraft(notice.subject.person.id),),
        urgency=urgency,
        language=recipient.language if said.subject else None,
    )


def enqueue(uow: UnitOfWork, drafts: Sequence[MessageDraft]) -> int:
    """Add the drafts to the outbox and return how many are new: one key is one message."""
    return len(queue.add_new(uow.tx, uow.keys, drafts, uow.now))
