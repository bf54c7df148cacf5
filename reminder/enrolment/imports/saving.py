"""Saving of the rows of a sheet: registers new residents, and changes what differs of those who are registered.

It uses the same use cases as a form, for many rows at once.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from reminder.domain.model.imports import CARD, Finding, Level, RowCounts, RowEffect, RowStatus, needs_confirmation
from reminder.domain.model.own_kinds import own_id
from reminder.domain.parsing.resident_rows import Resident, ResidentContact
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.quotas import Quota
from reminder.enrolment import card_days, cards, register
from reminder.enrolment.cards import NewCard, TypedDates
from reminder.enrolment.imports.matching import Candidates, ReadRow, find_candidates, person_changes, read_row
from reminder.enrolment.register import NewContact, NewPerson, PersonChanges
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import groups, imports, own_kinds, people
from reminder.storage.registry.imports import CheckedRow, ImportRowView, ImportView

# Recorded as who heard a resident's consent if the sheet gives only its day.
HEARD_BY = "施設の名簿"


@dataclass(frozen=True)
class _WantedRow:
    """A row to save; `person_id` is None for a new person."""

    row: ImportRowView
    resident: Resident
    person_id: int | None


@dataclass(frozen=True)
class _WantedContact:
    """A contact in a row to save."""

    of: _WantedRow
    contact: ResidentContact


def save_rows(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Save the rows that are good or confirmed; return what that changes in the counts of the sheet.

    A row that was accepted once and that the present rules refuse becomes a refused row with its findings: rules may be
    stricter since the sheet was checked.
    """
    groups.lock(uow.tx, sheet_import.group_id)
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows if _is_to_be_saved(sheet_import, row)]
    gone = _kinds_gone(uow, sheet_import)
    read = [_without_gone(one, gone) for one in read]
    wanted = [_WantedRow(one.row, one.resident, one.row.person_id) for one in read if one.resident is not None]
    new = _add_new(uow, sheet_import, [one for one in wanted if one.row.effect is RowEffect.NEW])
    _change_known(uow, sheet_import, [one for one in wanted if one.row.effect is RowEffect.CHANGED])
    imports.set_saved(uow.tx, sheet_import.id, {one.row.number: one.person_id for one in wanted} | new)
    return RowCounts(saved=len(wanted)) + _refuse(uow, sheet_import, [one for one in read if one.resident is None])


def _kinds_gone(uow: UnitOfWork, sheet_import: ImportView) -> Mapping[str, int]:
    """Return the group's own kinds that columns are mapped to and that were removed since, with their columns."""
    mapped = {
        field.removeprefix(CARD): place
        for place, field in sheet_import.mapping.by_place.items()
        if own_id(field.removeprefix(CARD)) is not None
    }
    if not mapped:
        return {}
    present = {one.public_name for one in own_kinds.of_group(uow.tx, sheet_import.group_id)}
    return {kind: place for kind, place in mapped.items() if kind not in present}


def _without_gone(read: ReadRow, gone: Mapping[str, int]) -> ReadRow:
    """Return the row, refused where it has a date of a kind that is gone."""
    if read.resident is None or not gone.keys() & read.resident.cards.keys():
        return read
    places = [place for kind, place in gone.items() if kind in read.resident.cards]
    findings = [*read.findings, *(Finding("own_kind_gone", Level.REFUSE, place) for place in places)]
    return replace(read, resident=None, findings=findings)


def _refuse(uow: UnitOfWork, sheet_import: ImportView, read: Sequence[ReadRow]) -> RowCounts:
    refused = [
        CheckedRow(one.row.number, RowStatus.REFUSED, one.findings, RowEffect.NONE, one.row.person_id, None)
        for one in read
    ]
    imports.set_checked(uow.tx, sheet_import.id, refused)
    statuses, effects = [one.row.status for one in read], [one.row.effect for one in read]
    return RowCounts(
        accepted=-statuses.count(RowStatus.ACCEPTED),
        warned=-statuses.count(RowStatus.WARNED),
        refused=len(refused),
        needs_confirmation=-sum(needs_confirmation(one.row.findings) for one in read),
        new=-effects.count(RowEffect.NEW),
        changed=-effects.count(RowEffect.CHANGED),
        unchanged=-effects.count(RowEffect.UNCHANGED),
    )


def needed_room(
    uow: UnitOfWork,
    sheet_import: ImportView,
    rows: Sequence[ImportRowView],
    confirmed: Collection[int],
    *,
    all_confirmed: bool,
) -> Counter[Quota]:
    """Return how many people, contacts and cards saving these rows would add. `confirmed`: numbers of rows."""
    sheet_import = replace(sheet_import, confirms_all=all_confirmed)
    chosen = [replace(row, is_confirmed=row.is_confirmed or row.number in confirmed) for row in rows]
    read = [read_row(sheet_import.mapping, row, uow.today) for row in chosen if _is_to_be_saved(sheet_import, row)]
    wanted = [(one.row, one.resident) for one in read if one.resident is not None]
    known = [resident for row, resident in wanted if row.effect is RowEffect.CHANGED]
    candidates = find_candidates(uow, sheet_import.group_id, known) if known else None
    room = Counter[Quota]()
    for row, resident in wanted:
        if row.effect is RowEffect.NEW:
            room += Counter({Quota.PEOPLE: 1})
            room += Counter({Quota.CONTACTS: len(resident.contacts), Quota.CARDS: len(resident.cards)})
        elif row.effect is RowEffect.CHANGED and row.person_id is not None and candidates is not None:
            person_id, theirs = row.person_id, candidates.cards.get(row.person_id, {})
            new = [one for one in resident.contacts if not candidates.has(uow.keys, person_id, one)]
            room += Counter({Quota.CONTACTS: len(new), Quota.CARDS: len(resident.cards.keys() - theirs.keys())})
    return room


def _is_to_be_saved(sheet_import: ImportView, row: ImportRowView) -> bool:
    if row.status not in (RowStatus.ACCEPTED, RowStatus.WARNED):
        return False
    return sheet_import.confirms_all or row.is_confirmed or not needs_confirmation(row.findings)


def _add_new(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[_WantedRow]) -> dict[int, int | None]:
    """Register residents with all that their rows hold; return the person id by row number."""
    by = sheet_import.member_id
    persons = [_new_person(one.resident) for one in rows]
    ids = register.add_people(uow, group_id=sheet_import.group_id, wanted=persons, by=by)
    new = [replace(one, person_id=person_id) for one, person_id in zip(rows, ids, strict=True)]
    # A row is one entry of the activity log: the person with everything beside them.
    asked = [_WantedContact(one, contact) for one in new for contact in one.resident.contacts]
    _add_contacts(uow, sheet_import, asked, in_activity_log=False)
    wanted = {person_id: _new_cards(uow.rules, one.resident) for person_id, one in zip(ids, new, strict=True)}
    cards.add_cards_of_people(uow, wanted=wanted, confirmed=True, by=by, in_activity_log=False, with_offers=False)
    return {one.row.number: one.person_id for one in new}


def _new_person(resident: Resident) -> NewPerson:
    return NewPerson(
        label=resident.label,
        mode=resident.mode,
        reference=resident.reference,
        room=resident.room,
        unit=resident.unit,
    )


def _new_cards(rules: Rulebook, resident: Resident) -> list[NewCard]:
    """Return the cards of a row; those that others depend on or end with come first."""

    def depth(kind: str) -> int:
        facts = rules.kinds.get(kind)
        above = set() if facts is None else {facts.carried_by, facts.bound_by} & resident.cards.keys()
        return 1 + max(map(depth, above)) if above else 0

    kinds = sorted(resident.cards, key=depth) if len(resident.cards) > 1 else resident.cards
    return [NewCard(kind, TypedDates(expires=resident.cards[kind]), own_days=resident.own_days) for kind in kinds]


def _change_known(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[_WantedRow]) -> None:
    """Change only what differs. Contacts are added, never removed."""
    if not rows:
        return
    candidates = find_candidates(uow, sheet_import.group_id, [one.resident for one in rows])
    new_contacts: list[_WantedContact] = []
    for one in rows:
        person = None if one.person_id is None else people.find(uow.tx, one.person_id)
        # They may have gone since the sheet was checked.
        if person is None or person.id in candidates.gone:
            continue
        changes = person_changes(person, one.resident)
        if changes != PersonChanges():
            register.edit_person(uow, person_id=person.id, changes=changes, by=sheet_import.member_id)
        _change_cards(uow, sheet_import, candidates, person.id, one.resident)
        new_contacts += [
            _WantedContact(one, contact)
            for contact in one.resident.contacts
            if not candidates.has(uow.keys, person.id, contact)
        ]
    _add_contacts(uow, sheet_import, new_contacts)


def _change_cards(
    uow: UnitOfWork, sheet_import: ImportView, candidates: Candidates, person_id: int, resident: Resident
) -> None:
    theirs, by = candidates.cards.get(person_id, {}), sheet_import.member_id
    for kind, end in resident.cards.items():
        typed, card = TypedDates(expires=end), theirs.get(kind)
        if card is None:
            new = NewCard(kind, typed, own_days=resident.own_days)
            cards.add_cards(uow, person_id=person_id, wanted=[new], confirmed=True, by=by)
            continue
        if card.expires_on != end:
            cards.renew_card(uow, card_id=card.id, typed=typed, confirmed=True, by=by)
        if resident.own_days:
            card_days.set_card_days(uow, card_id=card.id, own_days=resident.own_days, by=by)


def _add_contacts(
    uow: UnitOfWork, sheet_import: ImportView, asked: Sequence[_WantedContact], *, in_activity_log: bool = True
) -> None:
    """Register the contacts of rows. A row whose person has one of them already gets a finding that says which."""
    wanted = [_new_contact(one.of, one.contact) for one in asked]
    ids = register.add_contacts(uow, wanted=wanted, by=sheet_import.member_id, in_activity_log=in_activity_log)
    findings: dict[int, list[Finding]] = {}
    for one, contact_id in zip(asked, ids, strict=True):
        if contact_id is None:
            row, contact = one.of.row, one.contact
            known = Finding("contact_known", Level.NOTE, contact.place, {"channel": contact.channel})
            findings.setdefault(row.number, list(row.findings)).append(known)
    imports.set_findings(uow.tx, sheet_import.id, findings)


def _new_contact(one: _WantedRow, contact: ResidentContact) -> NewContact:
    consent = one.resident.consent
    return NewContact(
        channel=contact.channel,
        address=contact.address,
        person_id=one.person_id,
        is_family=contact.is_family,
        consent_how=None if consent is None else consent.how,
        consent_by=None if consent is None else f"{HEARD_BY} {consent.on.isoformat()}",
    )
