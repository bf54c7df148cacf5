"""Matching: compares the rows of a sheet with the registered people, and finds who is new and what has changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher

from reminder.domain.model.imports import (
    CARD,
    CELL_ERROR,
    FORMULA,
    ColumnMapping,
    Finding,
    Level,
    RowCounts,
    RowEffect,
    RowStatus,
    needs_confirmation,
    status_of,
)
from reminder.domain.parsing import addresses
from reminder.domain.parsing.days_before import days_of, kept_form
from reminder.domain.parsing.resident_rows import Resident, ResidentContact, RowCell, identity_of, read_resident
from reminder.enrolment.register import PersonChanges
from reminder.storage.crypto.address_index import address_indexes
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import cards, contacts, imports, people, person_lives
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.imports import CheckedRow, ImportRowView, ImportView
from reminder.storage.registry.people import PersonView

# Two labels in one room that are this similar need a confirmation (0: nothing in common, 1: the same).
ALIKE = 0.6


@dataclass(frozen=True)
class ReadRow:
    """A row with the resident it describes; None where a finding refuses it."""

    row: ImportRowView
    resident: Resident | None
    findings: Sequence[Finding]


def read_row(mapping: ColumnMapping, row: ImportRowView, today: date) -> ReadRow:
    """Return what a row says, read by this mapping. `today`: the date in Japan."""
    fields = mapping.by_place
    cells = {fields[place]: RowCell(place, text) for place, text in row.cells.items() if place in fields}
    # In an unused column they do no harm.
    known = [one for one in row.reader_findings if one.code not in (FORMULA, CELL_ERROR) or one.place in fields]
    resident, findings = read_resident(cells, mapping.fields, known, today)
    return ReadRow(row, resident, findings)


@dataclass(frozen=True)
class Candidates:
    """The registered persons of a group who may be meant by some rows, with their cards and contacts.

    `cards`: by person and kind. `addresses`: by person, the channel and the blind index of each contact. `gone`: who
    has moved out or died.
    """

    by_identity: Mapping[str, PersonView]
    by_label: Mapping[str, Sequence[PersonView]]
    by_room: Mapping[str, Sequence[PersonView]]
    cards: Mapping[int, Mapping[str, CardView]]
    addresses: Mapping[int, Collection[tuple[str, bytes]]]
    gone: Collection[int]

    def has(self, keys: KeyRing, person_id: int, contact: ResidentContact) -> bool:
        """Return whether the person has this contact already."""
        known = self.addresses.get(person_id, ())
        return any((contact.channel, index) in known for index in address_indexes(keys, contact.address))


def find_candidates(uow: UnitOfWork, group_id: int, residents: Sequence[Resident]) -> Candidates:
    """Return those of the group who share a reference, a label or a room with one of the residents."""
    found = people.like(
        uow.tx,
        group_id,
        references={one.reference for one in residents if one.reference},
        labels={one.label for one in residents},
        rooms={one.room for one in residents if one.room},
    )
    by_identity: dict[str, PersonView] = {}
    by_label: dict[str, list[PersonView]] = {}
    by_room: dict[str, list[PersonView]] = {}
    for person in found:
        if person.reference:
            by_identity[identity_of(person.label, person.room, person.reference)] = person
        by_identity.setdefault(identity_of(person.label, person.room), person)
        by_label.setdefault(person.label, []).append(person)
        if person.room:
            by_room.setdefault(person.room, []).append(person)
    ids = [person.id for person in found]
    return Candidates(
        by_identity,
        by_label,
        by_room,
        cards.current_of_people(uow.tx, ids),
        contacts.indexes_of(uow.tx, ids),
        {life.person_id for life in person_lives.of_people(uow.tx, ids).values() if life.state.has_gone},
    )


# ---- checking


def check_rows(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Find out what saving each row would do and what is wrong with it; return how many there are of each kind."""
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows]
    residents = [one.resident for one in read if one.resident is not None]
    candidates = find_candidates(uow, sheet_import.group_id, residents)
    fingerprints = {resident.identity: uow.keys.blind_index(resident.identity) for resident in residents}
    # A sheet that is checked a second time finds its own rows: only earlier ones count.
    first_rows = imports.first_with_fingerprint(
        uow.tx, sheet_import.id, list(fingerprints.values()), up_to=sheet_import.last_row
    )
    checked = []
    for one in read:
        fingerprint = None if one.resident is None else fingerprints[one.resident.identity]
        checked.append(_checked(uow.keys, candidates, one, fingerprint, first_rows))
    imports.set_checked(uow.tx, sheet_import.id, checked)
    return _counted(checked)


def _checked(
    keys: KeyRing,
    candidates: Candidates,
    read: ReadRow,
    fingerprint: bytes | None,
    first_rows: dict[bytes, int],
) -> CheckedRow:
    """Return the result for a row.

    `first_rows`: by fingerprint, the first row of the same person; this row is added to it.
    """
    number, findings = read.row.number, list(read.findings)
    effect, person_id = RowEffect.NONE, None
    if read.resident is not None and fingerprint is not None:
        first = first_rows.setdefault(fingerprint, number)
        if first != number:
            findings.append(Finding("row_twice", Level.REFUSE, None, {"row": first}))
            fingerprint = None
        else:
            match = _match(keys, candidates, read.resident)
            findings += match.findings
            effect, person_id = match.effect, match.person_id
    status = status_of(findings)
    if status is RowStatus.REFUSED:
        effect = RowEffect.NONE
    return CheckedRow(number, status, findings, effect, person_id, fingerprint)


def _counted(rows: Sequence[CheckedRow]) -> RowCounts:
    statuses, effects = [row.status for row in rows], [row.effect for row in rows]
    return RowCounts(
        accepted=statuses.count(RowStatus.ACCEPTED),
        warned=statuses.count(RowStatus.WARNED),
        refused=statuses.count(RowStatus.REFUSED),
        needs_confirmation=sum(row.status is RowStatus.WARNED and needs_confirmation(row.findings) for row in rows),
        new=effects.count(RowEffect.NEW),
        changed=effects.count(RowEffect.CHANGED),
        unchanged=effects.count(RowEffect.UNCHANGED),
    )


@dataclass(frozen=True)
class _Match:
    """The person whom a row describes, if registered, and the effect of saving it."""

    effect: RowEffect
    person_id: int | None = None
    findings: Sequence[Finding] = ()


def _match(keys: KeyRing, candidates: Candidates, resident: Resident) -> _Match:
    person = candidates.by_identity.get(resident.identity)
    findings: list[Finding] = []
    if person is None and resident.reference:
        # The person was registered before the home used references.
        person = candidates.by_identity.get(replace(resident, reference=None).identity)
        if person is not None and person.reference:
            person = None
    if person is None:
        person, findings = _maybe_the_same(candidates, resident)
    if person is None:
        return _Match(RowEffect.NEW)
    if person.id in candidates.gone:
        return _Match(
            RowEffect.NONE, person.id, [Finding("person_has_gone", Level.REFUSE, None, {"label": person.label})]
        )
    is_changed = any(row_changes(keys, candidates, person, resident))
    return _Match(RowEffect.CHANGED if is_changed else RowEffect.UNCHANGED, person.id, findings)


def _maybe_the_same(candidates: Candidates, resident: Resident) -> tuple[PersonView | None, list[Finding]]:
    """Return a person of the same name in another room, or with a similar name in this one, and the question to ask."""
    if resident.reference:
        return None, []
    same_name = candidates.by_label.get(resident.label, ())
    if len(same_name) == 1:
        return same_name[0], [Finding("maybe_moved", Level.CONFIRM, None, {"room": same_name[0].room or "-"})]
    for person in candidates.by_room.get(resident.room or "", ()):
        if SequenceMatcher(None, person.label, resident.label).ratio() >= ALIKE:
            return person, [Finding("maybe_renamed", Level.CONFIRM, None, {"label": person.label})]
    return None, []


# ---- what would change


@dataclass(frozen=True)
class RowChange:
    """A change that saving a row makes.

    `field`: as a column names it, or the channel of a contact that is added. `was` is None if there was nothing.
    """

    field: str
    was: str | date | None
    becomes: str | date


def changes_of_rows(
    uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]
) -> Mapping[int, Sequence[RowChange]]:
    """Return by row number what is changed, for the rows that change somebody."""
    changed = [row for row in rows if row.effect is RowEffect.CHANGED and row.person_id is not None]
    read = [read_row(sheet_import.mapping, row, uow.today) for row in changed]
    candidates = find_candidates(uow, sheet_import.group_id, [one.resident for one in read if one.resident is not None])
    found = {}
    for one in read:
        person = None if one.row.person_id is None else people.find(uow.tx, one.row.person_id)
        if person is not None and one.resident is not None:
            found[one.row.number] = list(row_changes(uow.keys, candidates, person, one.resident))
    return found


def row_changes(keys: KeyRing, candidates: Candidates, person: PersonView, resident: Resident) -> Iterable[RowChange]:
    """Yield what a row says that differs from the registered person."""
    for field, becomes in vars(person_changes(person, resident)).items():
        if becomes is not None:
            yield RowChange(field, getattr(person, field), becomes)
    theirs = candidates.cards.get(person.id, {})
    for kind, end in resident.cards.items():
        was = theirs[kind].expires_on if kind in theirs else None
        if was != end:
            yield RowChange(CARD + kind, was, end)
    other = next((one for one in _days_of_known(theirs, resident) if one != resident.own_days), None)
    if resident.own_days and other is not None:
        yield RowChange("own_days", kept_form(other) or None, kept_form(resident.own_days))
    for contact in resident.contacts:
        if not candidates.has(keys, person.id, contact):
            yield RowChange(contact.channel, None, addresses.shown(contact.address))


def _days_of_known(theirs: Mapping[str, CardView], resident: Resident) -> list[tuple[int, ...]]:
    """Return the own days of the registered cards that the row names."""
    return [days_of(theirs[kind].own_days) for kind in resident.cards if kind in theirs]


def person_changes(person: PersonView, resident: Resident) -> PersonChanges:
    """Return the changes that a row makes to a person. What a sheet leaves out stays as it is."""

    def new(said: str | None, was: str | None) -> str | None:
        return said if said and said != was else None

    return PersonChanges(
        label=new(resident.label, person.label),
        mode=resident.mode if resident.mode and resident.mode is not person.mode else None,
        reference=new(resident.reference, person.reference),
        room=new(resident.room, person.room),
        unit=new(resident.unit, person.unit),
    )
