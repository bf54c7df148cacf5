"""Registration of groups, members, persons and contacts: checked first, then stored in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reminder.domain.model.messages import CancelReason
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.parsing import addresses
from reminder.domain.rules.quotas import Quota
from reminder.enrolment.consent import RECORDED, clean_consent_by, held_row
from reminder.enrolment.records import refuse_beside_person, refuse_with_person
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label, has_unexplained_digits
from reminder.storage.auth import accounts
from reminder.storage.crypto.address_index import address_indexes
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, consents, contacts, groups, people, quotas
from reminder.storage.registry.contacts import NewContactRow, OwnedAddress
from reminder.storage.runtime import activity_log

DEFAULT_OFFICE = "市役所"


def add_group(uow: UnitOfWork, *, name: str, kind: GroupKind) -> int:
    """Register a group; return the id."""
    clean_name = clean_label(name, field="name", longest=60, most_digits=8)
    group_id = groups.add(uow.tx, name=clean_name, kind=kind, now=uow.now)
    activity_log.write(uow.tx, "group_added", uow.now, group_id=group_id)
    return group_id


def add_member(uow: UnitOfWork, *, group_id: int, email: str, role: Role, language: Language) -> int:
    """Add a member to a group; return the id.

    The address is the member's contact too: somebody who signs in to a group has agreed to get messages from it.
    """
    address = addresses.read_email(email, field="email")
    quotas.require_room(uow.tx, uow.rules.quotas, group_id, {Quota.MEMBERS: 1, Quota.CONTACTS: 1}, uow.now)
    if contacts.group_has_member(uow.tx, uow.keys, group_id=group_id, address=address):
        raise ConflictError("member_known", field="email")
    member_id = accounts.add_member(uow.tx, uow.keys, group_id=group_id, role=role, language=language, now=uow.now)
    own = NewContactRow(None, member_id, False, ChannelName.EMAIL, address, None, None, True)
    consents.lock_to_add(uow.tx)
    records = consents.of_addresses(uow.tx, uow.keys, [address])[address]
    (contact_id,) = contacts.add_all(uow.tx, uow.keys, [held_row(own, records, group_id, uow.now)], uow.now)
    activity_log.write(uow.tx, "member_added", uow.now, group_id=group_id, member_id=member_id, contact_id=contact_id)
    cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
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
    """Register one person; return the id. Raises as `add_people`."""
    person = NewPerson(label, mode, language, mark, reference, room, unit, office, insurance)
    return add_people(uow, group_id=group_id, wanted=[person], by=by)[0]


@dataclass(frozen=True)
class NewPerson:
    """A person as somebody types them.

    Without a mode, a home's resident is addressed as HOME and anyone else as STANDARD.
    """

    label: str
    mode: Mode | None = None
    language: Language = Language.JAPANESE
    mark: str | None = None
    reference: str | None = None
    room: str | None = None
    unit: str | None = None
    office: str | None = None
    insurance: bool = True


def add_people(uow: UnitOfWork, *, group_id: int, wanted: Sequence[NewPerson], by: int | None = None) -> list[int]:
    """Register persons in a few statements, all of them or none; return their ids, in the order of `wanted`.

    `by`: the member who does this, for the activity log; None on the console. Raises RefusedInputError for a word that
    may not be stored, NotFoundError, and QuotaReachedError.
    """
    rows = [_person_row(person) for person in wanted]
    for person in wanted:
        refuse_with_person(person)
    group = quotas.require_room(uow.tx, uow.rules.quotas, group_id, {Quota.PEOPLE: len(rows)}, uow.now)
    usual_mode = Mode.HOME if group.kind is GroupKind.HOME else Mode.STANDARD
    of_all = {"group_id": group_id, "created_at": uow.now}
    ids = people.add_all(uow.tx, [{**row, **of_all, "mode": row["mode"] or usual_mode} for row in rows])
    said = {"act": "person_added", "group_id": group_id, "member_id": by}
    activity_log.write_all(uow.tx, uow.now, [{**said, "person_id": person_id} for person_id in ids])
    return ids


def _person_row(person: NewPerson) -> dict[str, object]:
    mark, reference, room, unit = person.mark, person.reference, person.room, person.unit
    return {
        "label": clean_label(person.label, field="label"),
        "mode": person.mode,
        "language": person.language,
        "mark": None if mark is None else clean_label(mark, field="mark", longest=10, most_digits=0),
        "reference": None if reference is None else clean_label(reference, field="ref", most_digits=5),
        "room": None if room is None else clean_label(room, field="room", most_digits=5),
        "unit": None if unit is None else clean_label(unit, field="unit"),
        "office": clean_label(person.office, field="office", longest=10, most_digits=2)
        if person.office
        else DEFAULT_OFFICE,
        "insurance": person.insurance,
    }


@dataclass(frozen=True)
class PersonChanges:
    """The changes to a person; None leaves a value as it is, "" removes an optional one."""

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
    """Change a person; waiting reminders are planned again, in the new words and by the new schedule."""
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
    refuse_with_person(changed)
    people.change(uow.tx, changed)
    queue.cancel_for_person(uow.tx, person_id, CancelReason.CHANGED, uow.now)
    cards.schedule_replan_of_person(uow.tx, person_id, uow.today)
    activity_log.write(uow.tx, "person_changed", uow.now, group_id=group_id, person_id=person_id, member_id=by)


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
    """Register one contact; return the id. Raises as `add_contacts`, and ConflictError if its owner has it already."""
    contact = NewContact(channel, address, person_id, member_id, is_family, consent_how, consent_by)
    contact_id = add_contacts(uow, wanted=[contact], by=by)[0]
    if contact_id is None:
        raise ConflictError("contact_known", field="address")
    return contact_id


@dataclass(frozen=True)
class NewContact:
    """A contact as somebody types it, around a person or of a member.

    Without consent a person's contact is stored but gets no messages; a member's own needs none. `consent_by`: who
    heard it.
    """

    channel: ChannelName
    address: str
    person_id: int | None = None
    member_id: int | None = None
    is_family: bool = False
    consent_how: ConsentHow | None = None
    consent_by: str | None = None


def add_contacts(
    uow: UnitOfWork, *, wanted: Sequence[NewContact], by: int | None = None, in_activity_log: bool = True
) -> list[int | None]:
    """Register contacts in a few statements; return their ids, in the order of `wanted`.

    None in place of an id: its owner has this contact already, registered before or earlier in `wanted`.
    `in_activity_log`: False if the contacts are part of an act that is logged already. In a group on trial a recorded
    consent is only kept until the group is approved: until then the owner of the address decides by their own answer.
    Raises RefusedInputError, NotFoundError and QuotaReachedError.
    """
    rows = [_contact_row(contact) for contact in wanted]
    group_of = _owner_groups(uow.tx, rows)
    for group_id in sorted(set(group_of.values())):
        groups.lock(uow.tx, group_id)
    new = _within_quotas(uow, _not_known(uow, rows), group_of)
    new = _held(uow, new, group_of)
    for row in new.values():
        if row.consent_by and has_unexplained_digits(row.consent_by):
            refuse_beside_person(uow.tx, row.person_id, row.consent_by)
    ids = contacts.add_all(uow.tx, uow.keys, list(new.values()), uow.now)
    added = dict(zip(new, ids, strict=True))
    if in_activity_log:
        entries = [
            {
                "act": "contact_added",
                "group_id": group_of[_owner(row)],
                "person_id": row.person_id,
                "contact_id": added[place],
                "member_id": by or row.member_id,
            }
            for place, row in new.items()
        ]
        activity_log.write_all(uow.tx, uow.now, entries)
    cards.schedule_replan_of_people(uow.tx, {row.person_id for row in new.values() if row.person_id}, uow.today)
    for group_id in sorted({group_of[_owner(row)] for row in new.values() if row.member_id}):
        cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    return [added.get(place) for place in range(len(rows))]


def _within_quotas(
    uow: UnitOfWork, new: Mapping[int, NewContactRow], group_of: Mapping["_Owner", int]
) -> dict[int, NewContactRow]:
    """Return the rows as they may be stored now. Raises QuotaReachedError."""
    standings = {}
    for group_id in sorted(set(group_of.values())):
        adding = sum(group_of[_owner(row)] == group_id for row in new.values())
        wanted = {Quota.CONTACTS: adding}
        standings[group_id] = standing = quotas.require_room(uow.tx, uow.rules.quotas, group_id, wanted, uow.now)
        around = Counter(row.person_id for row in new.values() if row.person_id and group_of[_owner(row)] == group_id)
        quotas.require_room_around(uow.tx, uow.rules.quotas, standing, around)
    return {
        place: replace(row, confirmed=False) if standings[group_of[_owner(row)]].is_on_trial else row
        for place, row in new.items()
    }


def _held(
    uow: UnitOfWork, new: Mapping[int, NewContactRow], group_of: Mapping["_Owner", int]
) -> dict[int, NewContactRow]:
    """Return the rows, of which those whose owner has refused this group before get no messages.

    The number may have been erased since, here or elsewhere: the ledger knows it still.
    """
    consents.lock_to_add(uow.tx)
    records = consents.of_addresses(uow.tx, uow.keys, {row.address for row in new.values()})
    return {place: held_row(row, records[row.address], group_of[_owner(row)], uow.now) for place, row in new.items()}


def _contact_row(contact: NewContact) -> NewContactRow:
    if (contact.person_id is None) == (contact.member_id is None):
        raise RefusedInputError("one_owner_needed", field="person")
    if contact.consent_how is ConsentHow.REPLY:
        raise UnknownChoiceError(field="consent", choices=RECORDED)
    if contact.consent_how is not None and not contact.consent_by:
        raise RefusedInputError("consent_by_needed", field="consent_by")
    by = contact.consent_by
    return NewContactRow(
        person_id=contact.person_id,
        member_id=contact.member_id,
        is_family=contact.is_family,
        channel=contact.channel,
        address=contact.channel.can.read_address(contact.address),
        consent_how=contact.consent_how,
        consent_by=None if by is None else clean_consent_by(by),
        confirmed=contact.consent_how is not None or contact.member_id is not None,
    )


@dataclass(frozen=True)
class _Owner:
    person_id: int | None
    member_id: int | None


def _owner(row: NewContactRow) -> _Owner:
    return _Owner(row.person_id, row.member_id)


def _owner_groups(tx: Tx, rows: Sequence[NewContactRow]) -> dict[_Owner, int]:
    """Return the group by owner. Raises NotFoundError."""
    found = people.by_id(tx, {row.person_id for row in rows if row.person_id is not None})
    group_of = {_Owner(person.id, None): person.group_id for person in found.values()}
    for row in rows:
        if row.member_id is not None and _owner(row) not in group_of:
            group_of[_owner(row)] = _owner_group(tx, None, row.member_id)
        if _owner(row) not in group_of:
            raise NotFoundError(field="person")
    return group_of


def _not_known(uow: UnitOfWork, rows: Sequence[NewContactRow]) -> dict[int, NewContactRow]:
    """Return by place in `rows` those that their owner does not have yet."""
    known = contacts.addresses_of(
        uow.tx,
        person_ids={row.person_id for row in rows if row.person_id is not None},
        member_ids={row.member_id for row in rows if row.member_id is not None},
    )
    new = {}
    for place, row in enumerate(rows):
        written = {
            OwnedAddress(row.person_id, row.member_id, row.channel, index)
            for index in address_indexes(uow.keys, row.address)
        }
        if known.isdisjoint(written):
            new[place] = row
        known |= written
    return new


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
