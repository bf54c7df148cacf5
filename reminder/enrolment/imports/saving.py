"""Saving the rows of a sheet: new residents are registered, and of those who are registered what differs is changed."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import Any

from reminder.domain.model.imports import RowCounts, RowEffect, RowStatus, needs_confirmation
from reminder.domain.parsing.resident_rows import Resident
from reminder.domain.people import GroupKind, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.preferences import Rhythm
from reminder.domain.rules.steps import first_look
from reminder.enrolment import cards as typed_cards
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.imports.matching import Candidates, find_candidates, person_changes, read_row
from reminder.enrolment.register import DEFAULT_OFFICE, PersonChanges
from reminder.errors import ConflictError
from reminder.storage import cards, contacts, groups, journal, people
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.groups import GroupView
from reminder.storage.registry import imports
from reminder.storage.registry.imports import ImportRowView, ImportView

# Who heard a resident's consent, where a sheet gives only its day.
HEARD_BY = "施設の名簿"


def save_rows(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Save the rows that are good, or that somebody has said yes to; return how many those are."""
    group = groups.find(uow.tx, sheet_import.group_id)
    assert group is not None  # the import would have gone with it
    groups.lock(uow.tx, group.id)
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows if _is_to_be_saved(sheet_import, row)]
    wanted = [(one.row, one.resident) for one in read if one.resident is not None]
    new = [(row, resident) for row, resident in wanted if row.effect is RowEffect.NEW]
    changed = [(row, resident) for row, resident in wanted if row.effect is RowEffect.CHANGED]
    saved: dict[int, int | None] = {row.number: row.person_id for row, _ in wanted}
    saved |= _add_all(uow, sheet_import, group, new)
    candidates = find_candidates(uow, group.id, [resident for _, resident in changed])
    for row, resident in changed:
        if row.person_id is not None:
            _change(uow, sheet_import, candidates, row.person_id, resident)
    imports.set_saved(uow.tx, sheet_import.id, saved)
    return RowCounts(saved=len(saved))


def _is_to_be_saved(sheet_import: ImportView, row: ImportRowView) -> bool:
    if row.status not in (RowStatus.ACCEPTED, RowStatus.WARNED):
        return False
    return sheet_import.confirms_all or row.is_confirmed or not needs_confirmation(row.findings)


def _add_all(
    uow: UnitOfWork,
    sheet_import: ImportView,
    group: GroupView,
    new: Sequence[tuple[ImportRowView, Resident]],
) -> Mapping[int, int]:
    """By row number, the new person. As register and cards would add them one by one, in a few statements."""
    tx, now = uow.tx, uow.now
    modes = [resident.mode or (Mode.HOME if group.kind is GroupKind.HOME else Mode.STANDARD) for _, resident in new]
    ids = people.add_all(
        tx,
        [
            {
                "group_id": group.id,
                "label": resident.label,
                "mode": mode,
                "language": Language.JAPANESE,
                "reference": resident.reference,
                "room": resident.room,
                "unit": resident.unit,
                "mark": None,
                "office": DEFAULT_OFFICE,
                "insurance": True,
                "created_at": now,
            }
            for (_, resident), mode in zip(new, modes, strict=True)
        ],
    )
    of_person = [(person_id, resident, mode) for person_id, (_, resident), mode in zip(ids, new, modes, strict=True)]
    contacts.add_all(
        tx,
        uow.keys,
        [
            (
                person_id,
                contact.is_family,
                contact.channel,
                contact.address,
                resident.consent.how if resident.consent else None,
                f"{HEARD_BY} {resident.consent.on.isoformat()}" if resident.consent else None,
            )
            for person_id, resident, _ in of_person
            for contact in resident.contacts
        ],
        now,
    )
    carriers: list[dict[str, Any]] = []
    carried: list[dict[str, Any]] = []
    # Many certificates of one home end on the same few days.
    look = lru_cache(maxsize=None)(partial(_first_look, uow.rules, group.rhythm, uow.today))
    for person_id, resident, mode in of_person:
        for kind, end in resident.cards.items():
            carrier = uow.rules.kind(kind).carried_by
            carrier_end, is_bound = resident.cards.get(carrier), uow.rules.is_bound(kind, end, resident.cards)
            card = {
                "person_id": person_id,
                "kind": kind,
                "label": "",
                "expires_on": end,
                "is_computed": False,
                "carried_by": None,
                "next_reminder_on": look(kind, end, mode, carrier_end, is_bound),
                "created_at": now,
            }
            (carried if carrier in resident.cards else carriers).append(card)
    card_ids = cards.add_all(tx, carriers)
    by_place = {(card["person_id"], card["kind"]): card_id for card, card_id in zip(carriers, card_ids, strict=True)}
    for card in carried:
        card["carried_by"] = by_place.get((card["person_id"], uow.rules.kind(str(card["kind"])).carried_by))
    cards.add_all(tx, carried)
    ours = {"group_id": group.id, "member_id": sheet_import.member_id}
    # With whatever stood in the same row: the sheet is one act.
    journal.write_all(tx, now, [{"act": "person_added", "person_id": person_id, **ours} for person_id in ids])
    return {row.number: person_id for (row, _), person_id in zip(new, ids, strict=True)}


def _first_look(
    rules: Rulebook,
    rhythm: Rhythm,
    today: date,
    kind: str,
    end: date,
    mode: Mode,
    carrier_end: date | None,
    is_bound: bool,
) -> date | None:
    _, plan = rules.plan(kind, end, mode, insurance=True, carrier_ends_on=carrier_end, is_bound=is_bound, rhythm=rhythm)
    return first_look(plan, end, today)


def _change(
    uow: UnitOfWork,
    sheet_import: ImportView,
    candidates: Candidates,
    person_id: int,
    resident: Resident,
) -> None:
    """Only what differs, each by the step that a form would take. Contacts are added, never taken away."""
    person = people.find(uow.tx, person_id)
    if person is None:
        return
    by = sheet_import.member_id
    changes = person_changes(person, resident)
    if changes != PersonChanges():
        register.edit_person(uow, person_id=person_id, changes=changes, by=by)
    theirs = candidates.cards.get(person_id, {})
    for kind, end in resident.cards.items():
        typed, card = TypedDates(expires=end.isoformat()), theirs.get(kind)
        if card is None:
            typed_cards.add_card(uow, person_id=person_id, kind=kind, typed=typed, confirmed=True, by=by)
        elif card.expires_on != end:
            typed_cards.renew_card(uow, card_id=card.id, typed=typed, confirmed=True, by=by)
    for contact in resident.contacts:
        try:
            register.add_contact(
                uow,
                person_id=person_id,
                channel=contact.channel,
                address=contact.address,
                is_family=contact.is_family,
                consent_how=resident.consent.how if resident.consent else None,
                consent_by=f"{HEARD_BY} {resident.consent.on.isoformat()}" if resident.consent else None,
                by=by,
            )
        except ConflictError:
            continue
