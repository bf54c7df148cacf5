"""Registering groups, members, persons and contacts: checked first, then kept in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from reminder.clock import japan_date
from reminder.domain import addresses
from reminder.domain.messages import CancelReason
from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment.consent import RECORDED
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage import cards, contacts, groups, journal, outbox, people
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database, Tx

DEFAULT_OFFICE = "市役所"


def add_group(database: Database, now: datetime, *, name: str, kind: GroupKind) -> int:
    clean_name = clean_label(name, field="name", longest=60, most_digits=8)
    with database.writing() as tx:
        group_id = groups.add(tx, name=clean_name, kind=kind, now=now)
        journal.write(tx, "group_added", now, group_id=group_id)
        return group_id


def add_member(
    database: Database, keys: KeyRing, now: datetime, *, group_id: int, email: str, role: Role, language: Language
) -> int:
    """The address is the member's contact too: whoever signs in to a group has agreed to hear from it."""
    address = addresses.read_email(email, field="email")
    with database.writing() as tx:
        if groups.find(tx, group_id) is None:
            raise NotFoundError(field="group")
        groups.lock(tx, group_id)
        if contacts.group_has_member(tx, keys, group_id=group_id, address=address):
            raise ConflictError("member_known", field="email")
        member_id = groups.add_member(tx, group_id=group_id, role=role, language=language, now=now)
        contact_id = contacts.add(
            tx,
            keys,
            person_id=None,
            member_id=member_id,
            is_family=False,
            channel=ChannelName.EMAIL,
            address=address,
            consent_how=None,
            consent_by=None,
            confirmed=True,
            now=now,
        )
        journal.write(tx, "member_added", now, group_id=group_id, member_id=member_id, contact_id=contact_id)
        cards.look_again_at_group(tx, group_id, japan_date(now))
        return member_id


def add_person(
    database: Database,
    now: datetime,
    *,
    group_id: int,
    label: str,
    mode: Mode | None = None,
    language: Language = Language.JAPANESE,
    mark: str | None = None,
    reference: str | None = None,
    room: str | None = None,
    unit: str | None = None,
    office: str | None = None,
    insurance: bool = True,
    by: int | None = None,
) -> int:
    """Without a mode, a home's resident is spoken to as HOME and anyone else as STANDARD. `by`: the member who does
    this, for the journal; None at the console."""
    clean_person_label = clean_label(label, field="label")
    clean_mark = None if mark is None else clean_label(mark, field="mark", longest=10, most_digits=0)
    clean_reference = None if reference is None else clean_label(reference, field="ref", most_digits=5)
    clean_room = None if room is None else clean_label(room, field="room", most_digits=5)
    clean_unit = None if unit is None else clean_label(unit, field="unit")
    clean_office = clean_label(office or DEFAULT_OFFICE, field="office", longest=10, most_digits=2)
    with database.writing() as tx:
        group = groups.find(tx, group_id)
        if group is None:
            raise NotFoundError(field="group")
        person_id = people.add(
            tx,
            group_id=group_id,
            label=clean_person_label,
            mode=mode or (Mode.HOME if group.kind is GroupKind.HOME else Mode.STANDARD),
            language=language,
            reference=clean_reference,
            room=clean_room,
            unit=clean_unit,
            mark=clean_mark,
            office=clean_office,
            insurance=insurance,
            now=now,
        )
        journal.write(tx, "person_added", now, group_id=group_id, person_id=person_id, member_id=by)
        return person_id


@dataclass(frozen=True)
class PersonChanges:
    """What is to be said otherwise of a person; None leaves it as it is, "" takes an optional word away."""

    label: str | None = None
    mode: Mode | None = None
    language: Language | None = None
    mark: str | None = None
    reference: str | None = None
    room: str | None = None
    unit: str | None = None
    office: str | None = None
    insurance: bool | None = None


def edit_person(
    database: Database, now: datetime, *, person_id: int, changes: PersonChanges, by: int | None = None
) -> None:
    """What waits to be told of this person is planned anew, in the new words and by the new schedule."""
    label = None if changes.label is None else clean_label(changes.label, field="label")
    mark = clean_label(changes.mark, field="mark", longest=10, most_digits=0) if changes.mark else None
    reference = clean_label(changes.reference, field="ref", most_digits=5) if changes.reference else None
    room = clean_label(changes.room, field="room", most_digits=5) if changes.room else None
    unit = clean_label(changes.unit, field="unit") if changes.unit else None
    office = (
        None
        if changes.office is None
        else clean_label(changes.office or DEFAULT_OFFICE, field="office", longest=10, most_digits=2)
    )
    with database.writing() as tx:
        group_id = _owner_group(tx, person_id, None)
        groups.lock(tx, group_id)
        person = people.find(tx, person_id)
        assert person is not None
        changed = replace(
            person,
            label=label or person.label,
            mode=changes.mode or person.mode,
            language=changes.language or person.language,
            mark=person.mark if changes.mark is None else mark,
            reference=person.reference if changes.reference is None else reference,
            room=person.room if changes.room is None else room,
            unit=person.unit if changes.unit is None else unit,
            office=office or person.office,
            insurance=person.insurance if changes.insurance is None else changes.insurance,
        )
        if changed == person:
            return
        people.change(tx, changed)
        outbox.cancel_for_person(tx, person_id, CancelReason.CHANGED, now)
        cards.look_again_at_person(tx, person_id, japan_date(now))
        journal.write(tx, "person_changed", now, group_id=group_id, person_id=person_id, member_id=by)


def add_contact(
    database: Database,
    keys: KeyRing,
    now: datetime,
    *,
    channel: ChannelName,
    address: str,
    person_id: int | None = None,
    member_id: int | None = None,
    is_family: bool = False,
    consent_how: ConsentHow | None = None,
    consent_by: str | None = None,
    by: int | None = None,
) -> int:
    """Without consent a person's contact is kept and not told anything. A member's own contact needs none."""
    if (person_id is None) == (member_id is None):
        raise RefusedInputError("one_owner_needed", field="person")
    if consent_how is ConsentHow.REPLY:
        raise UnknownChoiceError(field="consent", choices=RECORDED)
    if consent_how is not None and not consent_by:
        raise RefusedInputError("consent_by_needed", field="consent_by")
    clean_address = channel.can.read_address(address)
    clean_by = None if consent_by is None else clean_label(consent_by, field="consent_by", longest=40, most_digits=16)
    with database.writing() as tx:
        group_id = _owner_group(tx, person_id, member_id)
        groups.lock(tx, group_id)
        if contacts.is_known(
            tx, keys, person_id=person_id, member_id=member_id, channel=channel, address=clean_address
        ):
            raise ConflictError("contact_known", field="address")
        contact_id = contacts.add(
            tx,
            keys,
            person_id=person_id,
            member_id=member_id,
            is_family=is_family,
            channel=channel,
            address=clean_address,
            consent_how=consent_how,
            consent_by=clean_by,
            confirmed=consent_how is not None or member_id is not None,
            now=now,
        )
        ids = {"group_id": group_id, "person_id": person_id, "contact_id": contact_id}
        journal.write(tx, "contact_added", now, **ids, member_id=by or member_id)
        if person_id is not None:
            cards.look_again_at_person(tx, person_id, japan_date(now))
        else:
            cards.look_again_at_group(tx, group_id, japan_date(now))
        return contact_id


def _owner_group(tx: Tx, person_id: int | None, member_id: int | None) -> int:
    if person_id is not None:
        person = people.find(tx, person_id)
        if person is None:
            raise NotFoundError(field="person")
        return person.group_id
    group_id = groups.group_of_member(tx, member_id or 0)
    if group_id is None:
        raise NotFoundError(field="member")
    return group_id
