"""Saving of the rows of a sheet: registers new residents, and changes what differs of those who are registered.

It uses the same use cases as a form, for many rows at once.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from reminder.domain.model.imports import (
    CARD,
    HAS_MOVED_OUT,
    Finding,
    Level,
    RowCounts,
    RowEffect,
    RowStatus,
    SheetAnswer,
    needs_confirmation,
    needs_own_answer,
)
from reminder.domain.model.messages import CancelReason
from reminder.domain.model.own_kinds import own_id
from reminder.domain.model.person_states import PersonState
from reminder.domain.parsing.resident_rows import Resident, ResidentContact
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.quotas import Quota
from reminder.enrolment import card_days, cards, consent, person_acts, register
from reminder.enrolment.cards import NewCard, TypedDates
from reminder.enrolment.imports import matching, merging
from reminder.enrolment.imports.matching import ReadRow, read_row
from reminder.enrolment.imports.merging import Merged, Registered
from reminder.enrolment.person_acts import PersonAct
from reminder.enrolment.register import NewContact, NewPerson, PersonChanges
from reminder.errors import ConflictError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import contacts, groups, imports, own_kinds, person_lives, sheet_memory
from reminder.storage.registry.imports import CheckedRow, ImportRowView, ImportView
from reminder.storage.registry.sheet_memory import SaidOfPerson
from reminder.storage.runtime import activity_log

# Recorded as who heard a resident's consent if the sheet gives only its day.
HEARD_BY = "施設の名簿"


@dataclass(frozen=True)
class _WantedRow:
    """A row to save; `person_id` is None for a new person. `effect`: what saving it does, by the answer to it."""

    row: ImportRowView
    resident: Resident
    person_id: int | None
    effect: RowEffect


@dataclass(frozen=True)
class _WantedContact:
    """A contact in a row to save: the name by which it is kept, and the contact that it replaces, if any."""

    of: _WantedRow
    name: str
    contact: ResidentContact
    replaces: int | None = None


def save_rows(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Save the rows that are good or confirmed; return what that changes in the counts of the sheet.

    A row that was accepted once and that the present rules refuse becomes a refused row with its findings: rules may be
    stricter since the sheet was checked. A row that asks now what it did not ask when it was checked is not saved.
    """
    groups.lock(uow.tx, sheet_import.group_id)
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows if _is_to_be_saved(sheet_import, row)]
    gone = _kinds_gone(uow, sheet_import)
    read = [_without_gone(one, gone) for one in read]
    wanted = [
        _WantedRow(one.row, one.resident, _whom(one.row), _effect(one.row)) for one in read if one.resident is not None
    ]
    known, asking = _still_sure(uow, sheet_import, [one for one in wanted if one.effect is not RowEffect.NEW])
    new, made = _add_new(uow, sheet_import, [one for one in wanted if one.effect is RowEffect.NEW])
    made |= _change_known(uow, sheet_import, known)
    saved = [*known, *new]
    to_return = [one.row.number for one in saved if any(finding.is_returned for finding in one.row.findings)]
    people_of = {one.row.number: one.person_id for one in saved}
    imports.set_saved(uow.tx, sheet_import.id, people_of, to_return=to_return)
    _remember(uow, sheet_import, saved, made)
    return (
        RowCounts(saved=len(saved))
        + _ask_again(uow, sheet_import, asking)
        + _refuse(uow, sheet_import, [one for one in read if one.resident is None])
    )


def _effect(row: ImportRowView) -> RowEffect:
    return RowEffect.NEW if row.answer is SheetAnswer.NEW else row.effect


def _whom(row: ImportRowView) -> int | None:
    return None if _effect(row) is RowEffect.NEW else row.person_id


def _still_sure(
    uow: UnitOfWork, sheet_import: ImportView, wanted: Sequence[_WantedRow]
) -> tuple[list[_WantedRow], dict[int, list[Finding]]]:
    """Return the rows that may be saved, and the findings of those that ask more than when they were checked.

    Somebody may have changed the person meanwhile, or another row may be about them by now.
    """
    ids = {one.person_id for one in wanted if one.person_id is not None}
    used = imports.saved_people(uow.tx, sheet_import.id, ids) if ids else set()
    standing = merging.standing_of(uow, ids)
    lives = person_lives.of_people(uow.tx, ids) if ids else {}
    gone = {person_id for person_id, life in lives.items() if life.state.has_gone}
    places = matching.places_of(sheet_import.mapping)
    sure, asking = [], {}
    for one in wanted:
        person = standing.people.get(one.person_id or 0)
        if person is None:
            asking[one.row.number] = [*one.row.findings, Finding("person_not_there", Level.CONFIRM)]
            continue
        if person.id in used:
            asking[one.row.number] = [
                *one.row.findings,
                Finding("answered_twice", Level.CONFIRM, None, {"label": person.label}),
            ]
            continue
        used.add(person.id)
        if person.id in gone and not _comes_back(one.row):
            asking[one.row.number] = [
                *one.row.findings,
                Finding("person_has_gone", Level.CONFIRM, None, {"label": person.label}),
            ]
            continue
        if not _comes_back(one.row):
            merged = merging.merge(uow, standing, person, one.resident, places)
            known = {(found.code, found.place, str(found.details)) for found in one.row.findings}
            more = [
                found
                for found in merged.findings
                if found.level is Level.CONFIRM and (found.code, found.place, str(found.details)) not in known
            ]
            if more:
                asking[one.row.number] = [*one.row.findings, *more]
                used.discard(person.id)
                continue
        sure.append(one)
    return sure, asking


def _comes_back(row: ImportRowView) -> bool:
    return any(found.code == HAS_MOVED_OUT for found in row.findings)


def _ask_again(uow: UnitOfWork, sheet_import: ImportView, asking: Mapping[int, list[Finding]]) -> RowCounts:
    """Keep rows that ask anew: they are not saved, and come back with the reason."""
    if not asking:
        return RowCounts()
    before = imports.rows_of_numbers(uow.tx, uow.keys, sheet_import.id, asking)
    rows = [
        CheckedRow(row.number, RowStatus.WARNED, asking[row.number], row.effect, row.person_id, None) for row in before
    ]
    imports.set_checked(uow.tx, sheet_import.id, rows)
    accepted = sum(row.status is RowStatus.ACCEPTED for row in before)
    asked = sum(needs_confirmation(row.findings) for row in before)
    return RowCounts(accepted=-accepted, warned=accepted, needs_confirmation=len(rows) - asked)


def _remember(
    uow: UnitOfWork, sheet_import: ImportView, saved: Sequence[_WantedRow], made: Mapping[int, Mapping[str, int]]
) -> None:
    """Keep what the rows said of each person, for the next sheet. `made`: contacts of this sheet, by row number."""
    said = [
        SaidOfPerson(one.person_id, one.resident.identity, merging.cells_of(one.resident, made.get(one.row.number)))
        for one in saved
        if one.person_id is not None
    ]
    sheet_memory.remember(uow.tx, uow.keys, sheet_import.group_id, said, uow.now)


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
    standing = merging.standing_of(uow, {row.person_id for row, _ in wanted if row.person_id is not None})
    room = Counter[Quota]()
    for row, resident in wanted:
        if _effect(row) is RowEffect.NEW:
            room += Counter({Quota.PEOPLE: 1})
            room += Counter({Quota.CONTACTS: len(resident.contacts), Quota.CARDS: len(resident.cards)})
        elif row.effect is RowEffect.CHANGED and row.person_id is not None:
            person_id, theirs = row.person_id, standing.cards.get(row.person_id, {})
            new = [one for one in resident.contacts if not merging.has_contact(uow.keys, standing, person_id, one)]
            room += Counter({Quota.CONTACTS: len(new), Quota.CARDS: len(resident.cards.keys() - theirs.keys())})
    return room


def _is_to_be_saved(sheet_import: ImportView, row: ImportRowView) -> bool:
    if row.status not in (RowStatus.ACCEPTED, RowStatus.WARNED) or row.effect is RowEffect.NONE:
        return False
    if row.answer is not None:
        return row.answer is not SheetAnswer.LEAVE
    if row.is_confirmed or not needs_confirmation(row.findings):
        return True
    return sheet_import.confirms_all and not needs_own_answer(row.findings)


def _add_new(
    uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[_WantedRow]
) -> tuple[list[_WantedRow], dict[int, dict[str, int]]]:
    """Register residents with all that their rows hold; return the rows with their persons, and their contacts."""
    by = sheet_import.member_id
    persons = [_new_person(one.resident) for one in rows]
    ids = register.add_people(uow, group_id=sheet_import.group_id, wanted=persons, by=by)
    new = [replace(one, person_id=person_id) for one, person_id in zip(rows, ids, strict=True)]
    # A row is one entry of the activity log: the person with everything beside them.
    asked = [
        _WantedContact(one, name, contact) for one in new for name, contact in merging.contact_fields(one.resident)
    ]
    made = _add_contacts(uow, sheet_import, asked, in_activity_log=False)
    wanted = {person_id: _new_cards(uow.rules, one.resident) for person_id, one in zip(ids, new, strict=True)}
    cards.add_cards_of_people(uow, wanted=wanted, confirmed=True, by=by, in_activity_log=False, with_offers=False)
    return new, made


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


def _change_known(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[_WantedRow]) -> dict[int, dict[str, int]]:
    """Change only what differs; return the contacts that were registered, by row number and name.

    Contacts are added, or replace those that the sheet itself had registered; none is removed.
    """
    changing = [one for one in rows if one.effect is RowEffect.CHANGED]
    if not changing:
        return {}
    places = matching.places_of(sheet_import.mapping)
    _let_return(uow, sheet_import, changing)
    standing = merging.standing_of(uow, {one.person_id for one in changing if one.person_id is not None})
    new_contacts: list[_WantedContact] = []
    for one in changing:
        person = standing.people[one.person_id or 0]
        keeps = one.row.answer is SheetAnswer.KEEP
        merged = merging.merge(uow, standing, person, one.resident, places, keeps=keeps)
        if _comes_back(one.row):
            merged.cards = dict(one.resident.cards)
        if merged.words != PersonChanges():
            register.edit_person(uow, person_id=person.id, changes=merged.words, by=sheet_import.member_id)
        _change_cards(uow, sheet_import, standing, one, merged)
        for contact_id in merged.consents:
            _confirm(uow, sheet_import, one, contact_id)
        names = {id(contact): name for name, contact in merging.contact_fields(one.resident)}
        new_contacts += [
            _WantedContact(one, names[id(contact)], contact, replaced) for contact, replaced in merged.contacts
        ]
    return _add_contacts(uow, sheet_import, new_contacts)


def _let_return(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[_WantedRow]) -> None:
    """Record of those who had moved out that they are back, as somebody has answered."""
    back = [one.person_id for one in rows if one.person_id is not None and _comes_back(one.row)]
    for person_id, life in (person_lives.of_people(uow.tx, back) if back else {}).items():
        if life.state is PersonState.MOVED_OUT:
            person_acts.act_on_person(uow, person_id=person_id, act=PersonAct.RETURN, by=sheet_import.member_id)


def _change_cards(
    uow: UnitOfWork, sheet_import: ImportView, standing: Registered, one: _WantedRow, merged: Merged
) -> None:
    assert one.person_id is not None
    theirs, by, resident = standing.cards.get(one.person_id, {}), sheet_import.member_id, one.resident
    for kind, end in merged.cards.items():
        typed, card = TypedDates(expires=end), theirs.get(kind)
        if card is None:
            new = NewCard(kind, typed, own_days=resident.own_days)
            cards.add_cards(uow, person_id=one.person_id, wanted=[new], confirmed=True, by=by)
        elif card.expires_on != end:
            cards.renew_card(uow, card_id=card.id, typed=typed, confirmed=True, by=by)
    for kind in resident.cards if merged.takes_days else ():
        if kind in theirs:
            card_days.set_card_days(uow, card_id=theirs[kind].id, own_days=resident.own_days, by=by)


def _confirm(uow: UnitOfWork, sheet_import: ImportView, one: _WantedRow, contact_id: int) -> None:
    """Record the consent of a row for a contact that had none, unless its owner has refused, or must answer."""
    given = one.resident.consent
    assert given is not None
    try:
        consent.confirm(uow, contact_id=contact_id, how=given.how, said_by=_heard(one), by=sheet_import.member_id)
    except ConflictError as refused:
        told = [*one.row.findings, Finding(refused.code, Level.NOTE)]
        imports.set_findings(uow.tx, sheet_import.id, {one.row.number: told})


def _add_contacts(
    uow: UnitOfWork, sheet_import: ImportView, asked: Sequence[_WantedContact], *, in_activity_log: bool = True
) -> dict[int, dict[str, int]]:
    """Register the contacts of rows; return those that were registered, by row number and name.

    A row whose person has one of them already gets a finding that says which.
    """
    wanted = [_new_contact(one.of, one.contact) for one in asked]
    ids = register.add_contacts(uow, wanted=wanted, by=sheet_import.member_id, in_activity_log=in_activity_log)
    findings: dict[int, list[Finding]] = {}
    made: dict[int, dict[str, int]] = {}
    for one, contact_id in zip(asked, ids, strict=True):
        row = one.of.row
        if contact_id is None:
            known = Finding("contact_known", Level.NOTE, one.contact.place, {"channel": one.contact.channel})
            findings.setdefault(row.number, list(row.findings)).append(known)
            continue
        made.setdefault(row.number, {})[one.name] = contact_id
        if one.replaces is not None:
            _give_up(uow, sheet_import, one.replaces)
    imports.set_findings(uow.tx, sheet_import.id, findings)
    return made


def _give_up(uow: UnitOfWork, sheet_import: ImportView, contact_id: int) -> None:
    """Write no more to a contact that the sheet had registered and has corrected since."""
    contacts.mark_unreachable(uow.tx, [contact_id])
    queue.cancel_for_contact(uow.tx, contact_id, CancelReason.CHANGED, uow.now)
    ids = {"group_id": sheet_import.group_id, "contact_id": contact_id, "member_id": sheet_import.member_id}
    activity_log.write(uow.tx, "contact_replaced", uow.now, **ids)


def _new_contact(one: _WantedRow, contact: ResidentContact) -> NewContact:
    consent_given = one.resident.consent
    return NewContact(
        channel=contact.channel,
        address=contact.address,
        person_id=one.person_id,
        is_family=contact.is_family,
        consent_how=None if consent_given is None else consent_given.how,
        consent_by=None if consent_given is None else _heard(one),
    )


def _heard(one: _WantedRow) -> str:
    assert one.resident.consent is not None
    return f"{HEARD_BY} {one.resident.consent.on.isoformat()}"
