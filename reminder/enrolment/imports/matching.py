"""Matching: finds whom each row of a sheet is about, as one assignment over the whole sheet.

A row is settled at once by the home's own reference, or by its name and room. All others wait until every row has been
looked at: only then is it known who is still free, and a similar name is compared with nobody else. Rows that wait are
few, except in a sheet that describes another home.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher

from reminder.domain.model.imports import (
    CARD,
    HAS_DIED,
    HAS_MOVED_OUT,
    IN_NOTES,
    LEFT_OUT,
    ColumnMapping,
    Finding,
    Level,
    RowCounts,
    RowEffect,
    RowStatus,
    SheetAnswer,
    needs_confirmation,
    status_of,
)
from reminder.domain.model.person_states import PersonState
from reminder.domain.parsing.resident_rows import Resident, RowCell, identity_of, read_resident
from reminder.domain.rules import sheet_merge
from reminder.enrolment.imports import merging
from reminder.enrolment.imports.merging import Registered, RowChange
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import imports, people, person_lives, sheet_memory
from reminder.storage.registry.imports import CheckedRow, ImportRowView, ImportView
from reminder.storage.registry.people import PersonView

# Two labels in one room that are this similar may be one person's (0: nothing in common, 1: the same).
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
    # In a column that is not used nothing does any harm. What was found in notes is about the row.
    known = [one for one in row.reader_findings if one.place is None or one.place in fields or _is_of_notes(one)]
    resident, findings = read_resident(cells, mapping.fields, known, today, fields)
    return ReadRow(row, resident, findings)


def _is_of_notes(finding: Finding) -> bool:
    return IN_NOTES in (finding.details or {})


# ---- who may be meant


@dataclass(frozen=True)
class Candidates:
    """The registered persons of a group who may be meant by some rows, and what is known of them.

    `by_key`: all who have the reference, or the name in the room, by `resident_rows.identity_of`. `as_saved`: the
    person whom the sheet named so when it was last saved.
    """

    by_key: Mapping[str, Sequence[PersonView]]
    by_label: Mapping[str, Sequence[PersonView]]
    by_room: Mapping[str, Sequence[PersonView]]
    as_saved: Mapping[str, PersonView]
    standing: Registered
    gone: Mapping[int, PersonState]


def find_candidates(uow: UnitOfWork, group_id: int, residents: Sequence[Resident]) -> Candidates:
    """Return those of the group whom the residents may be."""
    found = people.like(
        uow.tx,
        group_id,
        references={one.reference for one in residents if one.reference},
        labels={one.label for one in residents},
        rooms={one.room for one in residents if one.room},
    )
    named = sheet_memory.by_identity(uow.tx, uow.keys, group_id, [one.identity for one in residents])
    known = {person.id: person for person in found}
    known |= {one.id: one for one in people.some(uow.tx, group_id, set(named.values()) - known.keys())}
    by_key: dict[str, list[PersonView]] = {}
    by_label: dict[str, list[PersonView]] = {}
    by_room: dict[str, list[PersonView]] = {}
    for person in known.values():
        if person.reference:
            by_key.setdefault(identity_of(person.label, person.room, person.reference), []).append(person)
        by_key.setdefault(identity_of(person.label, person.room), []).append(person)
        by_label.setdefault(person.label, []).append(person)
        if person.room:
            by_room.setdefault(person.room, []).append(person)
    as_saved = {identity: known[person_id] for identity, person_id in named.items() if person_id in known}
    lives = person_lives.of_people(uow.tx, known)
    gone = {person_id: life.state for person_id, life in lives.items() if life.state.has_gone}
    return Candidates(by_key, by_label, by_room, as_saved, merging.standing_of(uow, known), gone)


@dataclass(frozen=True)
class _Option:
    """A person whom a row may be about: the likelier, the higher the `strength`. `code`: the question, "" for none."""

    strength: float
    person: PersonView
    code: str


_BY_REFERENCE, _BY_NAME_AND_ROOM, _AS_SAVED, _BY_DATES, _BY_NAME, _BY_ROOM = 6.0, 5.0, 4.0, 3.0, 2.0, 0.0


def _options(uow: UnitOfWork, candidates: Candidates, resident: Resident) -> list[_Option]:
    """Return the persons whom a row may be about, the likeliest first."""
    if resident.reference:
        theirs = candidates.by_key.get(resident.identity, ())
        if len(theirs) == 1:
            return [_Option(_BY_REFERENCE, theirs[0], "")]
        if theirs:
            return [_Option(_BY_REFERENCE, one, "maybe_namesake") for one in theirs]
    # Who has another reference is somebody else.
    exact = _not_referred(resident, candidates.by_key.get(identity_of(resident.label, resident.room), ()))
    namesakes = _not_referred(resident, candidates.by_label.get(resident.label, ()))
    if len(exact) > 1:
        return sorted(
            (_Option(_BY_NAME_AND_ROOM + _fit(uow, candidates, one, resident), one, "maybe_namesake") for one in exact),
            key=lambda one: -one.strength,
        )
    if exact:
        own = _fit(uow, candidates, exact[0], resident)
        others = [(one, _fit(uow, candidates, one, resident)) for one in namesakes if one.id != exact[0].id]
        swapped = [_Option(_BY_DATES + fit, one, "maybe_swapped") for one, fit in others if fit > own]
        if swapped:
            # What the row says is of somebody of the same name who was in another room.
            return [*swapped, _Option(_BY_DATES, exact[0], "maybe_swapped")]
        return [_Option(_BY_NAME_AND_ROOM, exact[0], "")]
    found = []
    saved = candidates.as_saved.get(resident.identity)
    if saved is not None and _not_referred(resident, [saved]):
        found.append(_Option(_AS_SAVED, saved, ""))
    if not resident.reference:
        found += [_Option(_BY_NAME + _fit(uow, candidates, one, resident), one, "maybe_moved") for one in namesakes]
        for person in candidates.by_room.get(resident.room or "", ()):
            alike = SequenceMatcher(None, person.label, resident.label).ratio()
            # After somebody has gone, another person lives in the room.
            if alike >= ALIKE and person.label != resident.label and person.id not in candidates.gone:
                found.append(_Option(_BY_ROOM + alike, person, "maybe_renamed"))
    return sorted(found, key=lambda one: -one.strength)


def _not_referred(resident: Resident, persons: Iterable[PersonView]) -> list[PersonView]:
    return [one for one in persons if not (resident.reference and one.reference)]


def _fit(uow: UnitOfWork, candidates: Candidates, person: PersonView, resident: Resident) -> float:
    """Return the share of a row's dates and contacts that a person has, or had in the sheet, from 0 to less than 1."""
    standing = candidates.standing
    theirs, last_said = standing.cards.get(person.id, {}), standing.last_said.get(person.id)
    said = merging.cells_of(resident)

    def was_said(name: str) -> bool:
        return last_said is not None and last_said.said(uow.keys, name, said[name]) is True

    fits = [
        (kind in theirs and theirs[kind].expires_on == end) or was_said(CARD + kind)
        for kind, end in resident.cards.items()
    ]
    fits += [
        merging.has_contact(uow.keys, standing, person.id, contact) or was_said(name)
        for name, contact in merging.contact_fields(resident)
    ]
    return sum(fits) / (len(fits) + 1)


@dataclass(frozen=True)
class Match:
    """The person whom a row is about, None for somebody new, and the questions about that."""

    person: PersonView | None
    findings: Sequence[Finding] = ()


def _settled(options: Sequence[_Option]) -> _Option | None:
    """Return the option that needs no look at the other rows."""
    first = options[0] if options else None
    if first is None or first.code:
        return None
    is_other_s = first.strength < _BY_REFERENCE and first.person.reference
    return None if first.strength < _BY_NAME_AND_ROOM or is_other_s else first


def _assigned(
    waiting: Mapping[int, Sequence[_Option]], taken: Mapping[int, int], gone: Mapping[int, PersonState]
) -> Mapping[int, Match]:
    """Return whom each of the waiting rows is about, by row number. `taken`: persons whom other rows are about."""
    pairs = sorted(
        ((option.strength, number, option) for number, options in waiting.items() for option in options),
        key=lambda pair: (-pair[0], pair[1]),
    )
    done: dict[int, _Option] = {}
    used = set(taken)
    for _, number, option in pairs:
        if number not in done and option.person.id not in used:
            done[number] = option
            used.add(option.person.id)
    found = {}
    for number, options in waiting.items():
        # One who is nobody's yet but for a question may be this row's, once that is answered.
        free = [one for one in options if one.person.id not in taken]
        first = done.get(number) or next(iter(free), None)
        found[number] = _asked(first, free, gone) if first else _new(options, taken)
    return found


def _new(options: Sequence[_Option], taken: Mapping[int, int]) -> Match:
    """Return the match of a row all of whose persons are other rows'."""
    sure = next((one.person for one in options if one.strength >= _AS_SAVED), None)
    if sure is None:
        return Match(None)
    details: dict[str, str | int] = {"label": sure.label, "row": taken[sure.id]}
    return Match(None, [Finding("maybe_twice", Level.CONFIRM, None, details)])


def _asked(first: _Option, free: Sequence[_Option], gone: Mapping[int, PersonState]) -> Match:
    if not first.code:
        return Match(first.person, _gone(first.person, gone))
    others = [one for one in free if one.code == first.code and one.person.id != first.person.id]
    return Match(
        first.person,
        [*(_question(one) for one in (first, *others)), *_gone(first.person, gone)],
    )


def _question(option: _Option) -> Finding:
    person = option.person
    details: dict[str, str | int] = {"room": person.room or "-", "label": person.label, "person": person.id}
    return Finding(option.code, Level.CONFIRM, None, details)


def _gone(person: PersonView, gone: Mapping[int, PersonState]) -> list[Finding]:
    state = gone.get(person.id)
    if state is None:
        return []
    code = HAS_DIED if state is PersonState.DIED else HAS_MOVED_OUT
    return [Finding(code, Level.CONFIRM, None, {"label": person.label, "person": person.id})]


# ---- checking


def check_rows(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Find out what saving each row would do and what is wrong with it; return how many there are of each kind.

    A row whose person is not certain without all others stays unchecked; see `check_waiting`.
    """
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows]
    residents = [one.resident for one in read if one.resident is not None]
    candidates = find_candidates(uow, sheet_import.group_id, residents)
    fingerprints = {resident.identity: uow.keys.blind_index(resident.identity) for resident in residents}
    first_rows = imports.first_with_fingerprint(
        uow.tx, sheet_import.id, list(fingerprints.values()), up_to=sheet_import.last_row
    )
    options = {one.row.number: _options(uow, candidates, one.resident) for one in read if one.resident is not None}
    sure = {number: found for number, some in options.items() if (found := _settled(some)) is not None}
    taken = imports.taken_people(uow.tx, sheet_import.id, {one.person.id for one in sure.values()})
    results, waiting = _Results(uow, sheet_import, candidates), []
    for one in read:
        number, resident = one.row.number, one.resident
        if resident is None:
            results.refuse(one)
            continue
        fingerprint = fingerprints[resident.identity]
        first = first_rows.setdefault(fingerprint, number)
        option = sure.get(number)
        if first != number:
            results.refuse(one, Finding("row_twice", Level.REFUSE, None, {"row": first}))
        elif not options[number]:
            results.add(one, resident, Match(None), fingerprint)
        elif option is not None and option.person.id not in taken:
            taken[option.person.id] = number
            results.add(one, resident, Match(option.person, _gone(option.person, candidates.gone)), fingerprint)
        else:
            waiting.append(CheckedRow(number, RowStatus.UNCHECKED, [], RowEffect.NONE, None, fingerprint))
    return results.store(waiting)


def check_waiting(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> RowCounts:
    """Check rows that waited for all others; return how many there are of each kind."""
    read = [read_row(sheet_import.mapping, row, uow.today) for row in rows]
    residents = [one.resident for one in read if one.resident is not None]
    candidates = find_candidates(uow, sheet_import.group_id, residents)
    options = {one.row.number: _options(uow, candidates, one.resident) for one in read if one.resident is not None}
    possible = {option.person.id for some in options.values() for option in some}
    taken = imports.taken_people(uow.tx, sheet_import.id, possible)
    matches = _assigned(options, taken, candidates.gone)
    results = _Results(uow, sheet_import, candidates)
    for one in read:
        if one.resident is None:
            results.refuse(one)
        else:
            fingerprint = uow.keys.blind_index(one.resident.identity)
            results.add(one, one.resident, matches[one.row.number], fingerprint)
    return results.store()


@dataclass(frozen=True)
class _Checked:
    """A row that was checked; `question`: what it asks, in the words by which the answer is kept."""

    row: CheckedRow
    question: str


class _Results:
    """The results of the rows of one batch."""

    def __init__(self, uow: UnitOfWork, sheet_import: ImportView, candidates: Candidates) -> None:
        self._uow, self._import, self._candidates = uow, sheet_import, candidates
        self._checked: list[_Checked] = []

    def refuse(self, read: ReadRow, *more: Finding) -> None:
        """Add a row that is not taken."""
        findings = [*read.findings, *more]
        self._checked.append(
            _Checked(CheckedRow(read.row.number, RowStatus.REFUSED, findings, RowEffect.NONE, None, None), "")
        )

    def add(self, read: ReadRow, resident: Resident, match: Match, fingerprint: bytes) -> None:
        """Add a row with the person it is about."""
        mapping, person = self._import.mapping, match.person
        findings = [*read.findings, *match.findings, *implausible(self._uow, mapping, resident)]
        effect = RowEffect.NEW
        if person is None:
            findings += unlikely_dates(self._uow, mapping, resident)
        elif person.id in self._candidates.gone:
            # What the row says of their cards matters only once it is settled that they are back.
            effect = RowEffect.CHANGED
        else:
            standing = self._candidates.standing
            last_said = standing.last_said.get(person.id)
            findings = merging.without_settled(self._uow.keys, last_said, resident, mapping.by_place, findings)
            merged = merging.merge(self._uow, standing, person, resident, places_of(mapping))
            findings += merged.findings
            effect = RowEffect.UNCHANGED if merged.is_empty else RowEffect.CHANGED
        row = CheckedRow(
            read.row.number, status_of(findings), findings, effect, person.id if person else None, fingerprint
        )
        self._checked.append(_Checked(row, question_of(resident, findings)))

    def store(self, waiting: Sequence[CheckedRow] = ()) -> RowCounts:
        """Write the results, with the answers that were given before; return the counts."""
        asked = {one.question for one in self._checked if one.question}
        answers = sheet_memory.answers(self._uow.tx, self._uow.keys, self._import.group_id, asked) if asked else {}
        rows = [
            _answered(one.row, answers[one.question]) if one.question in answers else one.row for one in self._checked
        ]
        imports.set_checked(self._uow.tx, self._import.id, [*rows, *waiting])
        return _counted(rows)


def question_of(resident: Resident, findings: Sequence[Finding]) -> str:
    """Return what a row asks, in the words by which the answer is kept, "" where it asks nothing."""
    asked = [
        [one.code, *sorted((name, str(said)) for name, said in (one.details or {}).items())]
        for one in findings
        if one.level is Level.CONFIRM
    ]
    return json.dumps([resident.identity, sorted(asked, key=str)], ensure_ascii=False) if asked else ""


def _answered(row: CheckedRow, answer: SheetAnswer) -> CheckedRow:
    """Return a row whose questions were answered when an earlier sheet asked them."""
    findings = [replace(one, level=Level.NOTE) if one.level is Level.CONFIRM else one for one in row.findings]
    if answer is SheetAnswer.LEAVE:
        findings.append(Finding(LEFT_OUT, Level.NOTE))
        return replace(row, status=status_of(findings), findings=findings, effect=RowEffect.NONE, answer=answer)
    if answer is SheetAnswer.NEW:
        row = replace(row, effect=RowEffect.NEW, person_id=None)
    return replace(row, status=status_of(findings), findings=findings, answer=answer)


def places_of(mapping: ColumnMapping) -> dict[str, int]:
    """Return the columns by field."""
    return {field: place for place, field in mapping.by_place.items()}


def implausible(uow: UnitOfWork, mapping: ColumnMapping, resident: Resident) -> list[Finding]:
    """Return the questions about dates of one row that cannot be true together."""
    places = places_of(mapping)
    return [
        Finding("outlives_carrier", Level.CONFIRM, places.get(CARD + kind), {"kind": carrier})
        for kind, carrier in sheet_merge.outlives_carrier(uow.rules.kinds, resident.cards)
    ]


def unlikely_dates(uow: UnitOfWork, mapping: ColumnMapping, resident: Resident) -> list[Finding]:
    """Return the questions about dates of somebody new that are further ahead than their kind can be."""
    places, found = places_of(mapping), []
    for kind, end in resident.cards.items():
        odd = sheet_merge.odd_date(uow.rules.kinds, kind, None, end, others={}, sheet=resident.cards, today=uow.today)
        if odd is not None:
            found.append(Finding(odd.code, Level.CONFIRM, places.get(CARD + kind), {"theirs": end.isoformat()}))
    return found


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


# ---- what would change


def changes_of_rows(
    uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]
) -> Mapping[int, Sequence[RowChange]]:
    """Return by row number what is changed, for the rows that change somebody."""
    changed = [row for row in rows if row.effect is RowEffect.CHANGED and row.person_id is not None]
    standing = merging.standing_of(uow, {row.person_id for row in changed if row.person_id is not None})
    places, found = places_of(sheet_import.mapping), {}
    for row in changed:
        one = read_row(sheet_import.mapping, row, uow.today)
        person = standing.people.get(row.person_id or 0)
        if person is not None and one.resident is not None:
            keeps = row.answer is SheetAnswer.KEEP
            merged = merging.merge(uow, standing, person, one.resident, places, keeps=keeps)
            found[row.number] = merged.changes
    return found
