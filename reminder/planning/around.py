"""Messages to those around a person, besides reminders: at the next hour at which they may be written to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.domain import hours
from reminder.domain.messages import MessageKind
from reminder.domain.notices import NoticeKind
from reminder.domain.people import Audience, Copies, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.recipients import Circle, Recipient
from reminder.domain.text.model import About, Composed
from reminder.storage import groups, outbox, people
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.groups import GroupView
from reminder.storage.outbox import Draft, SpeaksOf
from reminder.storage.people import PersonView
from reminder.storage.readers import circle_of, reader
from reminder.storage.session import Tx

# It stays true: a mail server that is away for days must not swallow it.
TRUE_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Subject:
    """Whom it is about, and who is around them."""

    person: PersonView
    group: GroupView
    circle: Circle


@dataclass(frozen=True)
class Telling:
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
    return Subject(person, group, circle_of(tx, person, group, rules.channels))


def tell(rules: Rulebook, subject: Subject, recipient: Recipient, kind: NoticeKind, about: About) -> Telling:
    audience = Audience.STAFF if recipient in subject.circle.staff else Audience.CARER
    reads = reader(recipient, subject.person, audience, subject.group)
    return Telling(recipient, audience, subject, rules.composer.notice(reads, kind, about))


def tell_all(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[Telling]:
    """Every carer, or where there is none the home's staff; where anybody of them wants copies, only who does."""
    around = subject.circle.carers or subject.circle.staff
    for recipient in [one for one in around if one.copies is not Copies.NONE] or around:
        yield tell(rules, subject, recipient, kind, about)


def tell_members(rules: Rulebook, subject: Subject, kind: NoticeKind, about: About) -> Iterator[Telling]:
    """The members of the group, whatever copies they want: who of them is left; else who else is around."""
    around = (*subject.circle.carers, *subject.circle.staff)
    for recipient in [one for one in around if one.owner[0] == "member"] or around:
        yield tell(rules, subject, recipient, kind, about)


def message(
    telling: Telling,
    kind: MessageKind,
    key: str,
    now: datetime,
    composed: Composed | None = None,
    *,
    speaks_of: Sequence[SpeaksOf] = (),
    waits_for_hour: bool = False,
) -> Draft:
    """`key` may name {contact}, {person} and the {day} on which it is sent. `speaks_of`: where not of this person
    alone. What has just happened does not wait for the hour from which the group wants to be told; what was planned
    (`waits_for_hour`) does."""
    recipient, said = telling.recipient, composed or telling.composed
    rhythm = telling.subject.group.rhythm.about(telling.subject.person.mode)
    if not waits_for_hour:
        rhythm = replace(rhythm, send_hour=None)
    soon = hours.next_allowed(now, Mode.STANDARD, telling.audience, recipient.channel, rhythm)
    day = japan_date(soon).isoformat()
    return Draft(
        key=key.format(contact=recipient.contact_id, person=telling.subject.person.id, day=day),
        kind=kind,
        group_id=telling.subject.group.id,
        contact_id=recipient.contact_id,
        audience=telling.audience,
        channel=recipient.channel,
        subject=said.subject,
        text=said.text,
        segments=said.segments,
        send_after=soon,
        stale_after=soon + TRUE_FOR,
        speaks_of=tuple(speaks_of) or (SpeaksOf(telling.subject.person.id),),
        language=recipient.language if said.subject else None,
    )


def keep(uow: UnitOfWork, drafts: Sequence[Draft]) -> int:
    """How many are new: one key is one message."""
    by_key = {draft.key: draft for draft in drafts}
    taken = outbox.taken(uow.tx, by_key.keys())
    return len(outbox.add(uow.tx, uow.keys, [draft for key, draft in by_key.items() if key not in taken], uow.now))
