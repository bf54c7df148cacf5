"""Registering groups, members, persons and contacts: checked first, then kept in one transaction."""

from dataclasses import dataclass, replace

from reminder.domain import addresses
from reminder.domain.messages import CancelReason
from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment.consent import RECORDED
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage import cards, contacts, groups, journal, outbox, people
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.session import Tx

DEFAULT_OFFICE = "市役所"


def add_group(uow: UnitOfWork, *, name: str, kind: GroupKind) -> int:
    clean_name = clean_label(name, field="name", longest=60, most_digits=8)
    group_id = groups.add(uow.tx, name=clean_name, kind=kind, now=uow.now)
    journal.write(uow.tx, "group_added", uow.now, group_id=group_id)
    return group_id


def add_member(uow: UnitOfWork, *, group_id: int, email: str, role: Role, language: Language) -> int:
    """The address is the member's contact too: whoever signs in to a group has agreed to hear from it."""
    address = addresses.read_email(email, field="email")
    if groups.find(uow.tx, group_id) is None:
        raise NotFoundError(field="group")
    groups.lock(uow.tx, group_id)
    if contacts.group_has_member(uow.tx, uow.keys, group_id=group_id, address=address):
        raise ConflictError("member_known", field="email")
    member_id = groups.add_member(uow.tx, group_id=group_id, role=role, language=language, now=uow.now)
    contact_id = contacts.add(
        uow.tx,
        uow.keys,
        person_id=None,
        member_id=member_id,
        is_family=False,
        channel=ChannelName.EMAIL,
        address=address,
        consent_how=None,
        consent_by=None,
        confirmed=True,
        now=uow.now,
    )
    journal.write(uow.tx, "member_added", uow.now, group_id=group_id, member_id=member_id, contact_id=contact_id)
    cards.look_again_at_group(uow.tx, group_id, uow.today)
    return member_id


def add_person(
    uow: UnitOfWork,
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
    group = groups.find(uow.tx, group_id)
    if group is None:
        raise NotFoundError(field="group")
    person_id = people.add(
        uow.tx,
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
        now=uow.now,
    )
    journal.write(uow.tx, "person_added", uow.now, group_id=group_id, person_id=person_id, member_id=by)
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


def edit_person(uow: UnitOfWork, *, person_id: int, changes: PersonChanges, by: int | None = None) -> None:
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
    group_id = _owner_group(uow.tx, person_id, None)
    groups.lock(uow.tx, group_id)
    person = people.find(uow.tx, person_id)
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
    people.change(uow.tx, changed)
    outbox.cancel_for_person(uow.tx, person_id, CancelReason.CHANGED, uow.now)
    cards.look_again_at_person(uow.tx, person_id, uow.today)
    journal.write(uow.tx, "person_changed", uow.now, group_id=group_id, person_id=person_id, member_id=by)


def add_contact(
    uow: UnitOfWork,
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
    group_id = _owner_group(uow.tx, person_id, member_id)
    groups.lock(uow.tx, group_id)
    if contacts.is_known(
        uow.tx, uow.keys, person_id=person_id, member_id=member_id, channel=channel, address=clean_address
    ):
        raise ConflictError("contact_known", field="address")
    contact_id = contacts.add(
        uow.tx,
        uow.keys,
        person_id=person_id,
        member_id=member_id,
        is_family=is_family,
        channel=channel,
        address=clean_address,
        consent_how=consent_how,
        consent_by=clean_by,
        confirmed=consent_how is not None or member_id is not None,
        now=uow.now,
    )
    ids = {"group_id": group_id, "person_id": person_id, "contact_id": contact_id}
    journal.write(uow.tx, "contact_added", uow.now, **ids, member_id=by or member_id)
    if person_id is not None:
        cards.look_again_at_person(uow.tx, person_id, uow.today)
    else:
        cards.look_again_at_group(uow.tx, group_id, uow.today)
    return contact_id


def _owner_group(tx: Tx, person_id: int | None, member_id: int | None) -> int:
    if person_id is not None:
        person = people.find(tx, person_id)
        if person is None:
            raise NotFoundError(field="person")
        return person.group_id
    group_id = None if member_id is None else groups.group_of_member(tx, member_id)
    if group_id is None:
        raise NotFoundError(field="member")
    return group_id
