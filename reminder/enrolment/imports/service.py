"""The steps of an import: a sheet is read, its columns are named, its rows are checked and shown, then saved.

Every step is a batch of rows in a transaction of its own, and the import stores its progress. After a kill or a restart
it continues behind the last batch. Saving a sheet twice changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from reminder.domain.model.card_kinds import OTHER
from reminder.domain.model.imports import (
    CARD,
    END_CHECKING,
    END_SAVING,
    IN_WORK,
    STOP_SAVING,
    ColumnMapping,
    ImportColumn,
    ImportState,
    RowCounts,
    SheetAnswer,
    answers_to,
)
from reminder.domain.parsing.column_headings import fold, without_end
from reminder.domain.parsing.resident_rows import CONTACT_FIELDS
from reminder.domain.parsing.table_meaning import Ask, Why
from reminder.domain.rules.quotas import Quota
from reminder.enrolment.imports.matching import check_rows, check_waiting, question_of, read_row
from reminder.enrolment.imports.reader import ResidentSheet, SheetRow
from reminder.enrolment.imports.saving import needed_room, save_rows
from reminder.errors import (
    ConflictError,
    DatabaseNotReadyError,
    NotFoundError,
    QuotaReachedError,
    RefusedInputError,
    TooManyRequestsError,
)
from reminder.storage.db.session import Tx
from reminder.storage.db.statements import in_batches
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.registry import groups, imports, own_kinds, quotas, sheet_memory
from reminder.storage.registry.imports import ImportRowView, ImportView, NewRow
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.storage.runtime import activity_log, request_rates, set_aside

log = logging.getLogger(__name__)

# Rows in one transaction. On SQLite nobody else can write meanwhile.
BATCH = 500
# Rows that are compared with each other at once, of those that are certain only together. More of them are compared in
# portions, in the order of the sheet: memory stays bounded, and each of them is asked about all the same.
WAITING = 2000


# ---- reading

# A turn that a killed process has not given back ends after this time.
TURN_LASTS = timedelta(minutes=5)
_TRY_AGAIN = 10
# Columns that one sentence names.
_MOST_NAMED = 5


@contextmanager
def turn_to_read(units: UnitsOfWork, now: datetime, *, group_id: int) -> Iterator[None]:
    """Hold the group's one turn to have a sheet received and read, in any process.

    Raises TooManyRequestsError while another sheet of the group has it, and QuotaReachedError where the group may send
    no more sheets now.
    """
    name, until = f"sheet {group_id}", now + TURN_LASTS
    with units.writing(now) as uow:
        require_one_more(uow, group_id)
        if not request_rates.claim(uow.tx, name, now, until=until):
            raise TooManyRequestsError("sheet_being_read", field="file", retry_after=_TRY_AGAIN)
    try:
        yield
    finally:
        with units.writing(now) as uow:
            request_rates.release(uow.tx, name, now, until=until)


def require_one_more(uow: UnitOfWork, group_id: int) -> None:
    """Raise QuotaReachedError where the group may send no more sheets now: asked before a file is unpacked."""
    wanted = {Quota.IMPORTS_OPEN: 1, Quota.IMPORTS_A_DAY: 1}
    quotas.require_room(uow.tx, uow.rules.quotas, group_id, wanted, uow.now)


def begin_import(units: UnitsOfWork, now: datetime, *, group_id: int, sheet: ResidentSheet, by: int | None) -> int:
    """Store the rows of a sheet, encrypted and without what was refused; return the id of the import.

    Nothing is stored if reading fails in the middle. `by`: the member who sent it; None on the console. Raises
    RefusedInputError, NotFoundError and QuotaReachedError.
    """
    with units.writing(now) as uow:
        require_one_more(uow, group_id)
        quotas.record_use(uow.tx, group_id, Quota.IMPORTS_A_DAY, now)
        columns = _with_own_kinds(sheet.columns, own_kinds.of_group(uow.tx, group_id))
        columns = _with_memory(columns, groups.headings(uow.tx, group_id))
        import_id = imports.add(uow.tx, group_id=group_id, member_id=by, columns=columns, now=now)
    with ExitStack() as unless_read:
        unless_read.callback(erase_import, units, now, import_id=import_id)
        rows, ignored = _keep_rows(units, now, import_id, sheet.rows)
        if not rows:
            raise RefusedInputError("sheet_empty")
        with units.writing(now) as uow:
            imports.end_reading(uow.tx, import_id, _mapping_of(columns), RowCounts(ignored=ignored), now)
            if rows > BATCH:
                imports.analyse_rows(uow.tx)
            activity_log.write(uow.tx, "sheet_read", now, group_id=group_id, member_id=by)
        unless_read.pop_all()
    return import_id


def _keep_rows(units: UnitsOfWork, now: datetime, import_id: int, found: Iterator[SheetRow]) -> tuple[int, int]:
    """Store the rows; return how many were stored, and how many were ignored as sums."""
    rows = ignored = 0
    while some := list(islice(found, BATCH)):
        kept = [NewRow(row.number, row.cells, row.findings) for row in some if not row.is_total]
        ignored += len(some) - len(kept)
        with units.writing(now) as uow:
            if _locked(uow.tx, import_id).state is not ImportState.READING:
                raise ConflictError("import_state", field="import")
            rows += imports.add_rows(uow.tx, uow.keys, import_id, kept)
            imports.set_rows_read(uow.tx, import_id, rows, now)
    return rows, ignored


def _with_own_kinds(columns: Sequence[ImportColumn], own: Sequence[OwnKindView]) -> list[ImportColumn]:
    """Return the columns with those taken for the group's own kinds whose headings name one."""
    names = {fold(kind.name): CARD + kind.public_name for kind in own}
    found: list[ImportColumn] = []
    for column in columns:
        heading = column.heading.rpartition("/")[2]
        field = names.get(fold(heading)) or names.get(without_end(heading))
        is_new = field and column.may_be_mapped and field not in [one.field for one in found]
        found.append(column.taken_for(field, Why.HEADING) if field and is_new else column)
    return found


def _with_memory(columns: Sequence[ImportColumn], saved: Mapping[str, str]) -> list[ImportColumn]:
    """Return the columns with what this group said of them last time, in a sheet of the same title and name.

    An answer that the days in the column speak against is asked for again.
    """
    return [_as_said_before(column, saved) for column in columns]


def _as_said_before(column: ImportColumn, saved: Mapping[str, str]) -> ImportColumn:
    said = saved.get(column.memory) if column.memory else None
    if said is None and not column.asked:
        # An earlier version remembered by the heading alone. Of a card that may have been another list.
        before = saved.get(column.heading, "") if column.heading else ""
        said = before if before and not before.startswith(CARD) else None
    if said is None or not column.may_be_mapped:
        return column
    if said.removeprefix(CARD) in column.against:
        return column.asked_about(Ask.VALUES_DIFFER, said)
    return column.taken_for(said, Why.SAID_BEFORE)


def _mapping_of(columns: Sequence[ImportColumn]) -> ColumnMapping:
    """Return the mapping of the columns that are sure. No field twice."""
    by_place: dict[int, str] = {}
    for column in columns:
        if column.may_be_mapped and column.field and not column.asked and column.field not in by_place.values():
            by_place[column.place] = column.field
    return ColumnMapping(by_place)


# ---- what somebody decides


def known_fields(uow: UnitOfWork, group_id: int) -> Sequence[str]:
    """Return every field that a column of this group's sheet may hold."""
    cards = [CARD + kind for kind in uow.rules.kinds if kind != OTHER]
    own = [CARD + kind.public_name for kind in own_kinds.of_group(uow.tx, group_id)]
    return list(dict.fromkeys([*uow.rules.headings.all_fields, *cards, *own]))


def set_mapping(uow: UnitOfWork, *, import_id: int, by_place: Mapping[int, str]) -> None:
    """Set what the columns hold, "" for nothing, and start checking. It is stored for the group's next such sheet.

    Raises RefusedInputError if a column that is asked about is left out, no column names the residents, none holds a
    date, or two hold the same.
    """
    mapping = ColumnMapping({place: field for place, field in by_place.items() if field})
    sheet_import = _locked(uow.tx, import_id)
    if sheet_import.state is ImportState.READ:
        # Once they have been answered, another check keeps the answers.
        _require_answers(sheet_import, by_place)
    mapping.require_usable(known_fields(uow, sheet_import.group_id))
    headings = {column.place: column.heading for column in sheet_import.columns if column.may_be_mapped}
    if not mapping.by_place.keys() <= headings.keys():
        raise RefusedInputError("column_unknown", field="mapping")
    if sheet_import.state is ImportState.CHECKED:
        imports.uncheck_rows(uow.tx, import_id)
    imports.start_checking(uow.tx, import_id, mapping, RowCounts(ignored=sheet_import.counts.ignored), uow.now)
    said = {
        column.memory: mapping.by_place.get(column.place, "")
        for column in sheet_import.columns
        if column.memory and column.place in headings
    }
    groups.save_column_headings(uow.tx, sheet_import.group_id, said)


@dataclass(frozen=True)
class RowAnswer:
    """What somebody answers to the questions of a row. `person_id`: of several who may be meant, which one."""

    answer: SheetAnswer
    person_id: int | None = None


def _require_answers(sheet_import: ImportView, by_place: Mapping[int, str]) -> None:
    asked = [column for column in sheet_import.columns if column.asked and column.place not in by_place]
    if asked:
        shown = "、".join(f"{column.letter} {column.heading}".strip() for column in asked[:_MOST_NAMED])
        raise RefusedInputError("column_asked", field="mapping", columns=shown)


def start_saving(
    uow: UnitOfWork,
    *,
    import_id: int,
    confirmed: Collection[int] = (),
    all_confirmed: bool = False,
    answers: Mapping[int, RowAnswer] | None = None,
) -> None:
    """Start saving what was checked. `confirmed`: the numbers of rows that need a confirmation and have it.

    `answers`: to the questions of rows, by number; they are kept for the next sheet, too. `all_confirmed` answers no
    question of who is meant or of which date is right. One import of a group at a time. Raises ConflictError,
    RefusedInputError for an answer that a row does not have, and QuotaReachedError with the number of rows, contacts or
    cards that are too many together: then nothing is saved.
    """
    sheet_import = _locked(uow.tx, import_id)
    groups.lock(uow.tx, sheet_import.group_id)
    given = {**{number: RowAnswer(SheetAnswer.SAME) for number in confirmed}, **(answers or {})}
    if given and sheet_import.state is ImportState.CHECKED:
        _answer(uow, sheet_import, given)
    _refuse_beyond_quotas(uow, sheet_import, confirmed, all_confirmed=all_confirmed)
    imports.start_saving(uow.tx, import_id, uow.now, confirms_all=all_confirmed)
    if imports.is_another_being_saved(uow.tx, sheet_import.group_id, import_id):
        raise ConflictError("import_running", field="import")
    imports.confirm_rows(uow.tx, import_id, confirmed)


def _answer(uow: UnitOfWork, sheet_import: ImportView, given: Mapping[int, RowAnswer]) -> None:
    """Record answers to the questions of rows, here and for the next sheet. Raises RefusedInputError."""
    same = Counter[int]()
    for numbers in in_batches(sorted(given), BATCH):
        answered: dict[int, tuple[SheetAnswer, int | None]] = {}
        kept: dict[str, tuple[SheetAnswer, int | None]] = {}
        for row in imports.rows_of_numbers(uow.tx, uow.keys, sheet_import.id, numbers):
            offered, said = answers_to(row.findings), given[row.number]
            if not offered:
                continue
            if said.answer not in offered:
                raise RefusedInputError("answer_unfit", field="answers", row=row.number)
            person_id = _meant(row, said)
            answered[row.number] = (said.answer, person_id)
            # Of somebody else nobody knows yet who it is; of a row left out it is the row that is remembered.
            about = person_id if said.answer in (SheetAnswer.SAME, SheetAnswer.KEEP) else None
            same.update([] if about is None else [about])
            resident = read_row(sheet_import.mapping, row, uow.today).resident
            if resident is not None:
                kept[question_of(resident, row.findings)] = (said.answer, about)
        imports.answer_rows(uow.tx, sheet_import.id, answered)
        sheet_memory.answer(uow.tx, uow.keys, sheet_import.group_id, kept, uow.now)
    if any(count > 1 for count in same.values()):
        raise RefusedInputError("answers_clash", field="answers")


def _meant(row: ImportRowView, said: RowAnswer) -> int | None:
    """Return the person whom an answer means; a row that is left out keeps the one who may be meant."""
    if said.person_id is None or said.answer in (SheetAnswer.NEW, SheetAnswer.LEAVE):
        return row.person_id
    possible = {(one.details or {}).get("person") for one in row.findings} | {row.person_id}
    if said.person_id not in possible:
        raise RefusedInputError("answer_unfit", field="answers", row=row.number)
    return said.person_id


def _refuse_beyond_quotas(
    uow: UnitOfWork, sheet_import: ImportView, confirmed: Collection[int], *, all_confirmed: bool
) -> None:
    """Raise QuotaReachedError where the group may not have all that is about to be saved."""
    if sheet_import.state is not ImportState.CHECKED:
        return  # start_saving refuses it
    fields = sheet_import.mapping.fields
    rows = sheet_import.counts.new + sheet_import.counts.changed
    # Reading every row takes time, so it is done only where even full rows might be too many.
    most = {
        Quota.PEOPLE: sheet_import.counts.new,
        Quota.CARDS: rows * sum(name.startswith(CARD) for name in fields),
        Quota.CONTACTS: rows * sum(name in CONTACT_FIELDS for name in fields),
    }
    try:
        quotas.require_room(uow.tx, uow.rules.quotas, sheet_import.group_id, most, uow.now)
    except QuotaReachedError:
        after, wanted = 0, Counter[Quota]()
        while rows_read := imports.rows_after(uow.tx, uow.keys, sheet_import.id, after, BATCH):
            wanted += needed_room(uow, sheet_import, rows_read, confirmed, all_confirmed=all_confirmed)
            after = rows_read[-1].number
        quotas.require_room(uow.tx, uow.rules.quotas, sheet_import.group_id, wanted, uow.now)


def cancel_import(units: UnitsOfWork, now: datetime, *, import_id: int, by: int | None) -> None:
    """Cancel an import. What was saved stays; the rest is erased at once. Raises ConflictError."""
    with units.writing(now) as uow:
        sheet_import = _locked(uow.tx, import_id)
        imports.cancel(uow.tx, import_id, now)
        imports.delete_rows(uow.tx, import_id)
        activity_log.write(uow.tx, "sheet_cancelled", now, group_id=sheet_import.group_id, member_id=by)
        uow.note_erasure()


def record_return(uow: UnitOfWork, sheet_import: ImportView, *, by: int | None) -> None:
    """Record that the rows that were not taken leave as a file."""
    activity_log.write(uow.tx, "sheet_returned", uow.now, group_id=sheet_import.group_id, member_id=by)


def erase_import(units: UnitsOfWork, now: datetime, *, import_id: int) -> None:
    """Erase the import with all its rows; the people that it registered stay."""
    with units.writing(now) as uow:
        imports.delete_imports(uow.tx, [import_id])
        uow.note_erasure()


def _locked(tx: Tx, import_id: int) -> ImportView:
    sheet_import = imports.lock(tx, import_id)
    if sheet_import is None:
        raise NotFoundError(field="import")
    return sheet_import


# ---- the work


def process_next_batch(units: UnitsOfWork, now: datetime, *, only: int | None = None) -> bool:
    """Check or save one batch of rows; return False if there is nothing to do.

    Any number of workers may call it. `only`: of this import; else of the oldest one that nobody else works on. Where
    others have taken the room meanwhile, this batch is not saved, and the import waits for somebody to decide. One that
    cannot be worked on is set aside.
    """
    held: list[int] = []
    try:
        return _process(units, now, only, held)
    except QuotaReachedError:
        # Another worker may have found the same.
        with units.writing(now) as uow, suppress(ConflictError):
            imports.end_work(uow.tx, held[0], STOP_SAVING, now)
        return True
    except DatabaseNotReadyError:
        raise
    except Exception:
        if not held or only is not None:
            raise
        log.exception("import %s is set aside", held[0])
        with units.writing(now) as uow:
            set_aside.add(uow.tx, set_aside.IMPORTS, held, now)
        return True


def _process(units: UnitsOfWork, now: datetime, only: int | None, held: list[int]) -> bool:
    """Check or save a batch; `held` gets the id of its import."""
    with units.writing(now) as uow:
        next_id = imports.next_in_work(uow.tx, aside=set_aside.ids(uow.tx, set_aside.IMPORTS)) if only is None else only
        if next_id is None:
            return False
        held.append(next_id)
        sheet_import = _locked(uow.tx, next_id)
        if sheet_import.state not in IN_WORK:
            return False
        rows = imports.rows_after(uow.tx, uow.keys, sheet_import.id, sheet_import.last_row, BATCH)
        if sheet_import.state is ImportState.CHECKING:
            counts, done, is_over = _check(uow, sheet_import, rows)
            ending = END_CHECKING
        else:
            counts, done, is_over = save_rows(uow, sheet_import, rows), len(rows), len(rows) < BATCH
            ending = END_SAVING
        imports.set_progress(
            uow.tx,
            sheet_import.id,
            sheet_import.counts + counts,
            now,
            last_row=rows[-1].number if rows else sheet_import.last_row,
            done=sheet_import.done + done,
        )
        if is_over:
            imports.end_work(uow.tx, sheet_import.id, ending, now)
            if ending is END_SAVING:
                whose = {"group_id": sheet_import.group_id, "member_id": sheet_import.member_id}
                activity_log.write(uow.tx, "sheet_saved", now, **whose)
        return True


def _check(uow: UnitOfWork, sheet_import: ImportView, rows: Sequence[ImportRowView]) -> tuple[RowCounts, int, bool]:
    """Check a batch; return the counts, the number of rows that are settled, and whether all rows are.

    Rows whose person depends on others come last, once every row has been looked at.
    """
    counts = check_rows(uow, sheet_import, rows)
    if len(rows) == BATCH:
        return counts, counts.checked, False
    waiting = imports.unsettled_rows(uow.tx, uow.keys, sheet_import.id, WAITING)
    counts += check_waiting(uow, sheet_import, waiting)
    return counts, counts.checked, len(waiting) < WAITING


def process_to_end(
    units: UnitsOfWork, now: datetime, *, import_id: int, on_progress: Callable[[ImportView], None] = lambda _: None
) -> ImportView:
    """Check or save all batches, for the console; return the import once it waits for a human.

    `on_progress` is called after each batch. Raises NotFoundError.
    """
    while process_next_batch(units, now, only=import_id):
        on_progress(_found(units, now, import_id))
    return _found(units, now, import_id)


def _found(units: UnitsOfWork, now: datetime, import_id: int) -> ImportView:
    with units.reading(now) as uow:
        sheet_import = imports.find(uow.tx, import_id)
    if sheet_import is None:
        raise NotFoundError(field="import")
    return sheet_import
