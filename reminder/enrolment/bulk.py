"""A home's sheet, from its rows to residents: checked first and shown, then saved; good rows go ahead of bad ones.

Every step is a batch of rows in a transaction of its own, and the sheet remembers how far it has come: whoever goes on
with it, after a kill or a restart, begins behind the last batch. Saved twice, a sheet changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import SequenceMatcher
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from reminder.clock import japan_date
from reminder.domain import addresses, residents
from reminder.domain.headings import CARD, Fate
from reminder.domain.people import GroupKind, Language, Mode
from reminder.domain.residents import Cell, Finding, Level, Resident
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.preferences import Rhythm
from reminder.domain.rules.schedule import first_look
from reminder.domain.text import spreadsheet_writer
from reminder.domain.text.error_messages import explain
from reminder.domain.text.spreadsheet_writer import TableSheet
from reminder.enrolment import cards as typed_cards
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.register import DEFAULT_OFFICE, PersonChanges
from reminder.enrolment.spreadsheet import Row, Sheet
from reminder.enrolment.workbook import letter
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage import cards, contacts, groups, journal, people, uploads
from reminder.storage.groups import GroupView
from reminder.storage.keys import KeyRing
from reminder.storage.people import PersonView
from reminder.storage.session import Database, Tx
from reminder.storage.uploads import Effect, StoredRow, UploadState, UploadView

BATCH = 500
# Who heard a resident's consent, where a sheet gives only its day.
HEARD_BY = "施設の名簿"

# Two labels as like as this, in one room, are asked about.
ALIKE = 0.6


class Verdict:
    """What becomes of a row. WARNED is saved, unless it asks and nobody has said yes."""

    ACCEPTED, WARNED, REFUSED, IGNORED, SAVED = "accepted", "warned", "refused", "ignored", "saved"


# ---- reading


def begin(database: Database, keys: KeyRing, now: datetime, *, group_id: int, sheet: Sheet, by: int | None) -> int:
    """Keeps the rows of a sheet, sealed and without what was refused; nothing where reading fails in the middle."""
    shown = [
        {
            "place": column.place,
            "letter": column.letter,
            "heading": column.heading,
            "fate": column.meaning.fate,
            "field": column.meaning.field,
            "hidden": column.is_hidden,
        }
        for column in sheet.columns
    ]
    with database.writing() as tx:
        group = groups.find(tx, group_id)
        if group is None:
            raise NotFoundError(field="group")
        upload_id = uploads.add(tx, group_id=group_id, member_id=by, columns=shown, now=now)
    try:
        rows, ignored = _keep_rows(database, keys, now, upload_id, sheet.rows)
        if not rows:
            raise RefusedInputError("sheet_empty")
        with database.writing() as tx:
            mapping = _guess(sheet, groups.headings(tx, group_id))
            counts = {Verdict.IGNORED: ignored}
            uploads.change(tx, upload_id, now, state=UploadState.READ, mapping=mapping, counts=counts)
            if rows > BATCH:
                uploads.count_rows(tx)
            journal.write(tx, "sheet_read", now, group_id=group_id, member_id=by)
    except BaseException:
        forget(database, upload_id)
        raise
    return upload_id


def _keep_rows(
    database: Database, keys: KeyRing, now: datetime, upload_id: int, found: Iterator[Row]
) -> tuple[int, int]:
    """How many were kept, and how many are none: sums. Batch by batch: on SQLite nobody else writes meanwhile."""
    rows = ignored = 0
    while some := list(islice(found, BATCH)):
        kept = [row for row in some if not row.is_total]
        ignored += len(some) - len(kept)
        with database.writing() as tx:
            if _locked(tx, upload_id).state is not UploadState.READING:
                raise ConflictError("upload_state", field="upload")
            rows += uploads.add_rows(tx, keys, upload_id, ((row.number, row.cells, _facts(row)) for row in kept))
            uploads.change(tx, upload_id, now, rows=rows)
    return rows, ignored


def _facts(row: Row) -> list[Any]:
    """What reading saw, as (code, level, place, details)."""
    facts: list[Any] = []
    if row.refused is not None:
        place, looks_like = row.refused
        facts.append(["forbidden_number", Level.REFUSES, place, {"looks_like": looks_like}])
    facts += [["formula", Level.REFUSES, place, None] for place in sorted(row.formulas)]
    facts += [["date_not_birthday", Level.NOTE, place, None] for place in sorted(row.not_birthday)]
    if row.is_hidden:
        facts.append(["row_hidden", Level.ASKS, None, None])
    if row.has_left:
        facts.append(["has_left", Level.ASKS, None, None])
    return facts


def _guess(sheet: Sheet, remembered: Mapping[str, str]) -> dict[int, str]:
    """What this home said last time; else what the heading says. No field twice."""
    mapping: dict[int, str] = {}
    for column in sheet.columns:
        if column.meaning.fate in (Fate.REFUSED, Fate.FORGOTTEN):
            continue
        field = remembered.get(column.heading, column.meaning.field)
        if field and field not in mapping.values():
            mapping[column.place] = field
    return mapping


def fields(rules: Rulebook) -> Sequence[str]:
    """All that a column can be said to hold."""
    cards = [CARD + kind for kind in rules.kinds if kind != "other"]
    return list(dict.fromkeys([*rules.headings.names, *cards]))


def set_mapping(
    database: Database, rules: Rulebook, now: datetime, *, upload_id: int, mapping: Mapping[int, str]
) -> None:
    """What the columns hold, as somebody has said, remembered for this group's next sheet; checking begins.

    Raises RefusedInputError where no column names the residents, none holds a date, or two hold the same.
    """
    chosen = {place: field for place, field in mapping.items() if field}
    said = Counter(chosen.values())
    if not said.keys() <= set(fields(rules)):
        raise RefusedInputError("column_unknown", field="mapping")
    twice = next((field for field, times in said.items() if times > 1), None)
    if twice is not None:
        raise RefusedInputError("column_twice", field="mapping", column=twice)
    if not said.keys() & {"name", "label"}:
        raise RefusedInputError("column_name_needed", field="mapping")
    if not any(field.startswith(CARD) for field in said):
        raise RefusedInputError("column_date_needed", field="mapping")
    with database.writing() as tx:
        upload = _locked(tx, upload_id)
        if upload.state not in (UploadState.READ, UploadState.CHECKED):
            raise ConflictError("upload_state", field="upload")
        may_be_said = {
            column["place"]: column["heading"]
            for column in upload.columns
            if column["fate"] not in (Fate.REFUSED, Fate.FORGOTTEN)
        }
        if not chosen.keys() <= may_be_said.keys():
            raise RefusedInputError("column_unknown", field="mapping")
        headings = {heading: chosen.get(place, "") for place, heading in may_be_said.items() if heading}
        groups.remember_headings(tx, upload.group_id, headings)
        kept = {Verdict.IGNORED: upload.counts.get(Verdict.IGNORED, 0)}
        uploads.change(tx, upload_id, now, state=UploadState.CHECKING, mapping=chosen, counts=kept, reached=0, done=0)


def save(database: Database, now: datetime, *, upload_id: int, agreed: Collection[int] = (), all_agreed: bool) -> None:
    """Saving begins. `agreed`: the rows that ask and whose answer is yes. One sheet of a group at a time."""
    with database.writing() as tx:
        upload = _locked(tx, upload_id)
        groups.lock(tx, upload.group_id)
        if upload.state is not UploadState.CHECKED:
            raise ConflictError("upload_state", field="upload")
        others = uploads.of_group(tx, upload.group_id, limit=100)
        if any(other.state is UploadState.SAVING for other in others):
            raise ConflictError("upload_running", field="upload")
        uploads.agree(tx, upload_id, agreed)
        uploads.change(tx, upload_id, now, state=UploadState.SAVING, says_yes=all_agreed, reached=0, done=0)


def cancel(database: Database, now: datetime, *, upload_id: int, by: int | None) -> None:
    """What was saved stays; the rest is forgotten at once."""
    with database.writing() as tx:
        upload = _locked(tx, upload_id)
        if upload.state in (UploadState.SAVED, UploadState.CANCELLED):
            raise ConflictError("upload_state", field="upload")
        uploads.change(tx, upload_id, now, state=UploadState.CANCELLED)
        uploads.forget_rows(tx, upload_id)
        journal.write(tx, "sheet_cancelled", now, group_id=upload.group_id, member_id=by)
    database.empty_log()


def _locked(tx: Tx, upload_id: int) -> UploadView:
    upload = uploads.lock(tx, upload_id)
    if upload is None:
        raise NotFoundError(field="upload")
    return upload


# ---- working it off


def go_on(database: Database, keys: KeyRing, rules: Rulebook, now: datetime, *, only: int | None = None) -> bool:
    """One batch of one sheet that is being checked or saved; False where there is none. Any number of workers may."""
    with database.writing() as tx:
        upload = uploads.next_working(tx) if only is None else _locked(tx, only)
        if upload is None or upload.state not in uploads.WORKING:
            return False
        rows = uploads.rows_after(tx, keys, upload.id, upload.reached, BATCH)
        group = groups.find(tx, upload.group_id)
        assert group is not None  # the sheet would have gone with it
        counts = Counter(upload.counts)
        if upload.state is UploadState.CHECKING:
            after = UploadState.CHECKED
            counts.update(_check(tx, keys, now, upload, group, rows))
        else:
            after = UploadState.SAVED
            counts.update(_save(database, tx, keys, rules, now, upload, group, rows))
        is_over = len(rows) < BATCH
        uploads.change(
            tx,
            upload.id,
            now,
            state=after if is_over else upload.state,
            counts=dict(counts),
            reached=rows[-1].number if rows else upload.reached,
            done=upload.done + len(rows),
        )
        if is_over and after is UploadState.SAVED:
            journal.write(tx, "sheet_saved", now, group_id=upload.group_id, member_id=upload.member_id)
        return True


def finish(
    database: Database,
    keys: KeyRing,
    rules: Rulebook,
    now: datetime,
    *,
    upload_id: int,
    moved: Callable[[UploadView], None] = lambda _: None,
) -> UploadView:
    """Until it waits for somebody: for who sits at the console. `moved` is told after each batch."""
    while go_on(database, keys, rules, now, only=upload_id):
        with database.reading() as tx:
            found = uploads.find(tx, upload_id)
        if found is not None:
            moved(found)
    with database.reading() as tx:
        found = uploads.find(tx, upload_id)
    if found is None:
        raise NotFoundError(field="upload")
    return found


@dataclass(frozen=True)
class _Known:
    """Those of the group who may be meant by some rows."""

    by_likeness: Mapping[str, PersonView]
    by_label: Mapping[str, Sequence[PersonView]]
    by_room: Mapping[str, Sequence[PersonView]]
    cards: Mapping[int, Mapping[str, cards.CardView]]
    addresses: Mapping[int, Collection[tuple[str, bytes]]]


def _check(
    tx: Tx, keys: KeyRing, now: datetime, upload: UploadView, group: GroupView, rows: Sequence[StoredRow]
) -> Counter[str]:
    today = japan_date(now)
    read = [(row, *_read(upload, row, today)) for row in rows]
    found = [resident for _, resident, _ in read if resident is not None]
    known = _known(tx, group.id, found)
    indexes = {resident.likeness: keys.blind_index(resident.likeness) for resident in found}
    first = {}
    # A second look at a sheet finds its own rows: only earlier ones count.
    for likeness, number in uploads.first_alike(tx, upload.id, list(indexes.values())).items():
        if number <= upload.reached:
            first[likeness] = number
    counts: Counter[str] = Counter()
    values = []
    for row, resident, findings in read:
        effect, person_id, index = Effect.NONE, None, None
        if resident is not None:
            index = indexes[resident.likeness]
            if index in first:
                findings.append(Finding("row_twice", Level.REFUSES, None, {"row": first[index]}))
                index = None
            else:
                first[index] = row.number
                effect, person_id = _compare(keys, known, resident, findings)
        verdict = _verdict(findings)
        if verdict == Verdict.REFUSED:
            effect = Effect.NONE
        counts[verdict] += 1
        counts["asks"] += verdict == Verdict.WARNED and any(one.level is Level.ASKS for one in findings)
        if effect:
            counts[effect] += 1
        values.append(
            {
                "number": row.number,
                "verdict": verdict,
                "findings": [[one.code, one.level, one.place, one.details] for one in findings],
                "effect": effect,
                "person_id": person_id,
                "likeness": index,
            }
        )
    uploads.set_checked(tx, upload.id, values)
    return counts


def _read(upload: UploadView, row: StoredRow, today: date) -> tuple[Resident | None, list[Finding]]:
    fields = upload.mapping
    cells = {fields[place]: Cell(place, text) for place, text in row.cells.items() if place in fields}
    facts = [
        Finding(code, Level(level), place, details)
        for code, level, place, details in row.facts
        # A formula in a column that nobody wants harms nobody.
        if code != "formula" or place in fields
    ]
    return residents.read_resident(cells, frozenset(fields.values()), facts, today)


def _verdict(findings: Sequence[Finding]) -> str:
    worst = max((finding.level for finding in findings), default=Level.NOTE)
    if worst is Level.REFUSES:
        return Verdict.REFUSED
    return Verdict.ACCEPTED if worst is Level.NOTE else Verdict.WARNED


def _known(tx: Tx, group_id: int, found: Sequence[Resident]) -> _Known:
    somebody = people.like(
        tx,
        group_id,
        references={one.reference for one in found if one.reference},
        labels={one.label for one in found},
        rooms={one.room for one in found if one.room},
    )
    by_likeness: dict[str, PersonView] = {}
    by_label: dict[str, list[PersonView]] = {}
    by_room: dict[str, list[PersonView]] = {}
    for person in somebody:
        if person.reference:
            by_likeness[f"reference\0{person.reference}"] = person
        by_likeness.setdefault(f"label\0{person.label}\0{person.room or ''}", person)
        by_label.setdefault(person.label, []).append(person)
        if person.room:
            by_room.setdefault(person.room, []).append(person)
    ids = [person.id for person in somebody]
    return _Known(by_likeness, by_label, by_room, cards.current_of_people(tx, ids), contacts.indexes_of(tx, ids))


def _compare(keys: KeyRing, known: _Known, resident: Resident, findings: list[Finding]) -> tuple[Effect, int | None]:
    """Whom the row is about, if somebody who is registered, and whether it says anything new of them."""
    person = known.by_likeness.get(resident.likeness)
    if person is None and resident.reference:
        # Enrolled before the home gave references.
        person = known.by_likeness.get(replace(resident, reference=None).likeness)
        if person is not None and person.reference:
            person = None
    if person is None:
        person = _maybe_the_same(known, resident, findings)
    if person is None:
        return Effect.NEW, None
    is_changed = any(_changes_of_one(keys, known, person, resident))
    return (Effect.CHANGED if is_changed else Effect.UNCHANGED), person.id


def _maybe_the_same(known: _Known, resident: Resident, findings: list[Finding]) -> PersonView | None:
    """Somebody of the same name in another room, or of nearly the same in this one: asked about, never taken so."""
    if resident.reference:
        return None
    same_name = known.by_label.get(resident.label, ())
    if len(same_name) == 1:
        findings.append(Finding("maybe_moved", Level.ASKS, None, {"room": same_name[0].room or "-"}))
        return same_name[0]
    for person in known.by_room.get(resident.room or "", ()):
        if SequenceMatcher(None, person.label, resident.label).ratio() >= ALIKE:
            findings.append(Finding("maybe_renamed", Level.ASKS, None, {"label": person.label}))
            return person
    return None


@dataclass(frozen=True)
class Change:
    """What saving a row changes of somebody. `field`: as a column holds it, or the channel of a contact that is added.
    `was` is None where nothing was there."""

    field: str
    was: str | date | None
    becomes: str | date


def changes_of(
    tx: Tx, keys: KeyRing, upload: UploadView, rows: Sequence[StoredRow], today: date
) -> Mapping[int, Sequence[Change]]:
    """By row number, for those that change somebody."""
    read = [(row, _read(upload, row, today)[0]) for row in rows if row.effect is Effect.CHANGED]
    found = [(row, resident) for row, resident in read if resident is not None]
    known = _known(tx, upload.group_id, [resident for _, resident in found])
    who = {row.number: people.find(tx, row.person_id or 0) for row, _ in found}
    return {
        row.number: list(_changes_of_one(keys, known, person, resident))
        for row, resident in found
        if (person := who[row.number]) is not None
    }


def _changes_of_one(keys: KeyRing, known: _Known, person: PersonView, resident: Resident) -> Iterable[Change]:
    for field, becomes in vars(_changes(person, resident)).items():
        if becomes is not None:
            yield Change(field, getattr(person, field), becomes)
    theirs = known.cards.get(person.id, {})
    for kind, end in resident.cards.items():
        was = theirs[kind].expires_on if kind in theirs else None
        if was != end:
            yield Change(CARD + kind, was, end)
    have = known.addresses.get(person.id, ())
    for contact in resident.contacts:
        if not any((contact.channel, index) in have for index in keys.blind_indexes(contact.address)):
            yield Change(contact.channel, None, addresses.shown(contact.address))


def _changes(person: PersonView, resident: Resident) -> PersonChanges:
    """A sheet that leaves something out says nothing about it."""

    def new(said: str | None, was: str | None) -> str | None:
        return said if said and said != was else None

    return PersonChanges(
        label=new(resident.label, person.label),
        mode=resident.mode if resident.mode and resident.mode is not person.mode else None,
        reference=new(resident.reference, person.reference),
        room=new(resident.room, person.room),
        unit=new(resident.unit, person.unit),
    )


# ---- saving


def _save(
    database: Database,
    tx: Tx,
    keys: KeyRing,
    rules: Rulebook,
    now: datetime,
    upload: UploadView,
    group: GroupView,
    rows: Sequence[StoredRow],
) -> Counter[str]:
    groups.lock(tx, group.id)
    today = japan_date(now)
    wanted = []
    for row in rows:
        asks = any(level == Level.ASKS for _, level, _, _ in row.findings)
        if row.verdict in (Verdict.ACCEPTED, Verdict.WARNED) and (not asks or upload.says_yes or row.is_agreed):
            resident, _ = _read(upload, row, today)
            if resident is not None:
                wanted.append((row, resident))
    new = [(row, resident) for row, resident in wanted if row.effect is Effect.NEW]
    became: dict[int, int | None] = dict(_add_all(tx, keys, rules, now, upload, group, new))
    known = _known(tx, group.id, [resident for row, resident in wanted if row.effect is Effect.CHANGED])
    for row, resident in wanted:
        if row.effect is not Effect.NEW:
            became[row.number] = row.person_id
        if row.effect is Effect.CHANGED and row.person_id is not None:
            with database.joining(tx):
                _change(database, tx, keys, rules, now, upload, known, row.person_id, resident)
    uploads.set_saved(tx, upload.id, became)
    return Counter({Verdict.SAVED: len(became)})


def _add_all(
    tx: Tx,
    keys: KeyRing,
    rules: Rulebook,
    now: datetime,
    upload: UploadView,
    group: GroupView,
    new: Sequence[tuple[StoredRow, Resident]],
) -> Mapping[int, int]:
    """By row number, the new person. As register and cards would add them one by one, in a few statements."""
    today = japan_date(now)
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
        keys,
        [
            (
                person_id,
                contact.is_family,
                contact.channel,
                contact.address,
                resident.said[0] if resident.said else None,
                f"{HEARD_BY} {resident.said[1]}" if resident.said else None,
            )
            for person_id, resident, _ in of_person
            for contact in resident.contacts
        ],
        now,
    )
    carriers: list[dict[str, Any]] = []
    carried: list[dict[str, Any]] = []
    # Many certificates of one home end on the same few days.
    look = lru_cache(maxsize=None)(partial(_first_look, rules, group.rhythm, today))
    for person_id, resident, mode in of_person:
        for kind, end in resident.cards.items():
            carrier = rules.kind(kind).carried_by
            carrier_end, is_bound = resident.cards.get(carrier), rules.is_bound(kind, end, resident.cards)
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
        card["carried_by"] = by_place.get((card["person_id"], rules.kind(str(card["kind"])).carried_by))
    cards.add_all(tx, carried)
    ours = {"group_id": group.id, "member_id": upload.member_id}
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
    database: Database,
    tx: Tx,
    keys: KeyRing,
    rules: Rulebook,
    now: datetime,
    upload: UploadView,
    known: _Known,
    person_id: int,
    resident: Resident,
) -> None:
    """Only what differs, each by the step that a form would take. Contacts are added, never taken away."""
    person = people.find(tx, person_id)
    if person is None:
        return
    by = upload.member_id
    changes = _changes(person, resident)
    if changes != PersonChanges():
        register.edit_person(database, now, person_id=person_id, changes=changes, by=by)
    theirs = known.cards.get(person_id, {})
    for kind, end in resident.cards.items():
        typed, card = TypedDates(expires=end.isoformat()), theirs.get(kind)
        if card is None:
            typed_cards.add_card(
                database, rules, now, person_id=person_id, kind=kind, typed=typed, confirmed=True, by=by
            )
        elif card.expires_on != end:
            typed_cards.renew_card(database, rules, now, card_id=card.id, typed=typed, confirmed=True, by=by)
    for contact in resident.contacts:
        try:
            register.add_contact(
                database,
                keys,
                now,
                person_id=person_id,
                channel=contact.channel,
                address=contact.address,
                is_family=contact.is_family,
                consent_how=resident.said[0] if resident.said else None,
                consent_by=f"{HEARD_BY} {resident.said[1]}" if resident.said else None,
                by=by,
            )
        except ConflictError:
            continue


# ---- what it came to


@dataclass(frozen=True)
class RowReport:
    """`cell`: as C17; None where it is about the whole row. `sentences`: what to do about each finding. `asks`: it is
    saved once somebody has said yes."""

    number: int
    verdict: str
    effect: Effect
    codes: Sequence[str]
    cell: str | None
    sentences: Sequence[str]
    asks: bool
    person_id: int | None


def report_of(rules: Rulebook, upload: UploadView, row: StoredRow, language: Language) -> RowReport:
    """The gravest finding first."""
    found = sorted(row.findings, key=lambda finding: -finding[1])
    place = found[0][2] if found else None
    return RowReport(
        row.number,
        row.verdict,
        row.effect,
        [code for code, *_ in found],
        None if place is None else f"{letter(place)}{row.number}",
        [_sentence(rules, upload, finding, language) for finding in found],
        any(level == Level.ASKS for _, level, *_ in found),
        row.person_id,
    )


def _sentence(rules: Rulebook, upload: UploadView, finding: Sequence[Any], language: Language) -> str:
    code, _, place, details = finding
    heading = next((column["heading"] for column in upload.columns if column["place"] == place), "")
    refused = RefusedInputError(code, **{"field": heading, **(details or {})})
    said = explain(rules.wording, refused, language, own="sheet_rows")
    return f"{heading}: {said}" if heading else said


def not_saved(
    tx: Tx, keys: KeyRing, rules: Rulebook, upload: UploadView, language: Language
) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    """The rows that were not taken, to be mended and sent again: headings and cells without what was refused or
    forgotten, and why."""
    columns = [column for column in upload.columns if column["fate"] in (Fate.MAPPED, Fate.UNKNOWN)]
    words = rules.wording.of(language).table["shown"]
    assert isinstance(words, Mapping)
    headings = [str(words["reason"]), *(str(column["heading"]) for column in columns)]

    def rows() -> Iterator[Sequence[str]]:
        after = 0
        while some := uploads.rows_after(tx, keys, upload.id, after, BATCH):
            for row in some:
                report = report_of(rules, upload, row, language)
                if row.verdict == Verdict.REFUSED or (report.asks and row.verdict != Verdict.SAVED):
                    cells = (row.cells.get(int(column["place"]), "") for column in columns)
                    yield [" ".join(report.sentences), *cells]
            after = some[-1].number

    return headings, rows()


def gone(tx: Tx, upload: UploadView) -> list[PersonView]:
    """Those of the group whom the sheet does not speak of. Nothing is done to them."""
    spoken_of = uploads.matched(tx, upload.id)
    return [person for person in people.of_group(tx, upload.group_id) if person.id not in spoken_of]


def reports(
    database: Database, keys: KeyRing, rules: Rulebook, upload: UploadView, language: Language
) -> list[RowReport]:
    """Of every row, in the order of the sheet."""
    found: list[RowReport] = []
    with database.reading() as tx:
        while some := uploads.rows_after(tx, keys, upload.id, found[-1].number if found else 0, BATCH):
            found += [report_of(rules, upload, row, language) for row in some]
    return found


def returned(
    database: Database, keys: KeyRing, rules: Rulebook, upload: UploadView, language: Language, ending: str
) -> bytes:
    """The rows that were not taken as a file to be mended: ".csv", else a workbook."""
    with database.reading() as tx:
        headings, rows = not_saved(tx, keys, rules, upload, language)
        if ending.lower() == ".csv":
            return spreadsheet_writer.csv_bytes(headings, rows)
        return spreadsheet_writer.xlsx([TableSheet(headings[0], headings, rows)])


def forget(database: Database, upload_id: int) -> None:
    """The sheet itself, once nobody needs it; whom it enrolled stays."""
    with database.writing() as tx:
        uploads.forget_all(tx, upload_id)
    database.empty_log()
