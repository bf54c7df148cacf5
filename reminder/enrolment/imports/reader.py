"""Reader of a home's sheet, from bytes to rows: CSV in four encodings, and XLSX.

Columns of numbers are never read, nor are discarded columns (利用者番号 has ten digits and may). A number in a note or
in any other cell is found here, and its cell is dropped. The file is held once, in memory, and never written anywhere.
"""

import codecs
import csv
import io
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice

from reminder.domain.model.imports import CARD, CELL_ERROR, FORMULA, ColumnUse, Finding, ImportColumn, Level
from reminder.domain.parsing import dates
from reminder.domain.parsing.column_headings import BORN, NOTES, ColumnHeadings, ColumnMeaning
from reminder.domain.parsing.table_meaning import SeenColumn, SeenTable, memory_of, understand
from reminder.enrolment.imports import xlsx
from reminder.enrolment.imports.zip_guard import WHOLE, Bounds
from reminder.errors import DateError, RefusedInputError
from reminder.guard.numbers import LooksLike, forbidden, forbidden_in_a_date_or_phone, long_number

LARGEST = 20 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 1_000  # columns that hold anything
LONGEST_HEADING = 200
# Characters that are searched of notes, which are not kept. The guard refuses longer cells that are (TOO_LONG).
LONGEST_NOTES = 1_000
# Titles, notes and empty rows may come before the headings.
LOOKED_THROUGH = 30
# Rows below the headings whose values help to find out what a column means.
SEEN_ROWS = 300
_PIECE = 1 << 16
# So many # and nothing else are what a sheet saves as text for a value that its column was too narrow for.
NARROW = 3


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet as it was read.

    `number` as a spreadsheet counts rows. `cells`: those that hold anything, by place; none of a refused or discarded
    column, no formula, no error value and no number. `findings`: what only the reader can see: these, a hidden row.
    `is_total`: a sum, which is no resident.
    """

    number: int
    cells: Mapping[int, str]
    findings: Sequence[Finding]
    is_total: bool


@dataclass(frozen=True)
class ResidentSheet:
    """A sheet whose headings are known.

    `rows` can be read once. `names`: of all sheets of the file that are not hidden. A heading of two rows reads
    "upper/lower"; one that holds a number itself is empty.
    """

    name: str
    names: Sequence[str]
    columns: Sequence[ImportColumn]
    headings_end: int
    rows: Iterator[SheetRow]


def read_sheet(
    content: bytes, headings: ColumnHeadings, *, sheet: str | None = None, bounds: Bounds = WHOLE
) -> ResidentSheet:
    """Return the sheet in a file; its first bytes decide on the format, not its name.

    What strangers send goes through `bounded_reader`: reading within WHOLE may take a minute and half a gigabyte.

    Raises RefusedInputError if it cannot be read, is too large or protected, or has no known headings.
    """
    if len(content) > LARGEST:
        raise RefusedInputError("sheet_too_large", field="file", megabytes=LARGEST // (1024 * 1024))
    if xlsx.is_workbook(content):
        book = xlsx.open_sheet(content, sheet, bounds)
        return _sheet(book, headings)
    return _sheet(_open_csv(content, headings), headings)


# ---- CSV


def _open_csv(content: bytes, headings: ColumnHeadings) -> xlsx.SheetTable:
    encoding = _encoding_of(content)
    if _is_page(content):
        raise RefusedInputError("sheet_old_excel", field="file")
    delimiter = _delimiter_of(content, encoding, headings)

    def records() -> Iterator[Sequence[object]]:
        return _records(content, encoding, delimiter)

    return xlsx.SheetTable("", (), records, merged=(), hidden_columns=frozenset(), flags={})


def _records(content: bytes, encoding: str, delimiter: str) -> Iterator[Sequence[str]]:
    """Yield the records. Raises RefusedInputError at the end if a quotation mark stayed open."""

    def lines() -> Iterator[str]:
        yield from io.TextIOWrapper(io.BytesIO(content), encoding, newline="")
        # It becomes a record of its own, or a part of one that is still open.
        yield "\n"

    number, before = 0, None
    try:
        for record in csv.reader(lines(), delimiter=delimiter):
            if before is not None:
                yield before
            number, before = number + 1, record
    except csv.Error:
        raise RefusedInputError("sheet_unreadable", field="file") from None
    if before:
        raise RefusedInputError("sheet_quote_open", field="file", row=number)


def _is_page(content: bytes) -> bool:
    """Return whether the file is a web page or XML, which many programs call .xls."""
    start = content[:1024].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    return start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta"))


def _encoding_of(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried: Sequence[str] = ("utf-16",)
    elif b"\0" in content:
        tried = ()
    else:
        tried = ("utf-8-sig", "cp932")
    for encoding in tried:
        if _decodes(content, encoding):
            return encoding
    raise RefusedInputError("sheet_unreadable", field="file")


def _decodes(content: bytes, encoding: str) -> bool:
    """Return whether the bytes decode, piece by piece, so that the text is not held beside the bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for place in range(0, len(content), _PIECE):
            text = decoder.decode(content[place : place + _PIECE])
            # Characters that no text holds: a picture or a program that happens to decode.
            if "\0" in text or "\x1a" in text:
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(content: bytes, encoding: str, headings: ColumnHeadings) -> str:
    """Return the delimiter that separates the most known headings; titles and data rows do not count."""

    def known(delimiter: str) -> int:
        try:
            top = list(islice(_records(content, encoding, delimiter), LOOKED_THROUGH))
        except RefusedInputError:
            return 0
        return max((_weight(map(_heading, record[:MOST_COLUMNS]), headings) for record in top), default=0)

    return max(",\t;", key=known)


# ---- both


def _sheet(table: xlsx.SheetTable, headings: ColumnHeadings) -> ResidentSheet:
    top = []
    for record in table.records():
        top.append(_without_end([_text(cell) for cell in record]))
        if len(top) > LOOKED_THROUGH:
            break
    if not any(top):
        raise RefusedInputError("sheet_empty", field="file")
    if max(sum(map(bool, record)) for record in top) > MOST_COLUMNS:
        raise RefusedInputError("sheet_too_many_columns", field="file", most=MOST_COLUMNS)
    first, last = _headings_in(top, table.merged, headings)
    columns = _columns(top, first, last, table, headings)
    fields = [column.field for column in columns if column.use is ColumnUse.MAPPED]
    twice = next((column for column in columns if column.field and fields.count(column.field) > 1), None)
    if twice is not None:
        raise RefusedInputError("sheet_heading_twice", field="file", heading=twice.heading)
    held = (number for number, _ in _held(table) if number > last)
    # A short workbook need not be read twice.
    is_short = table.length is not None and table.length - last <= MOST_ROWS
    rows = sum(1 for _ in (islice(held, 1) if is_short else held))
    if rows > MOST_ROWS:
        raise RefusedInputError("sheet_too_many_rows", field="file", most=MOST_ROWS, rows=rows)
    if not rows:
        raise RefusedInputError("sheet_empty", field="file")
    return ResidentSheet(table.name, table.names, columns, last, _rows(table, columns, last))


def _held(table: xlsx.SheetTable) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield the rows that hold anything with their numbers, also if that is a formula or an error value."""
    flagged = {number for number, flags in table.flags.items() if flags.holds_anything}
    number = 0
    for number, record in enumerate(table.records(), 1):
        if number in flagged or any(map(_holds, record)):
            yield number, record
    yield from ((beyond, ()) for beyond in sorted(flagged) if beyond > number)


def _without_end(cells: list[str]) -> list[str]:
    """Return the cells without the empty ones at the end: some programs fill a row to its end."""
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _headings_in(top: Sequence[Sequence[str]], merged: xlsx.Merged, headings: ColumnHeadings) -> tuple[int, int]:
    """Return the numbers of the first and last row of the headings: those with the most known words."""
    numbers = range(1, min(len(top), LOOKED_THROUGH) + 1)
    doubles = [(one, one + 1) for one in numbers if one < len(top) and _may_be_double(top, one, merged)]
    best, found = 0, (0, 0)
    # If one row says as much as two, it is one row; what is above is a note.
    for first, last in [*((one, one) for one in numbers), *doubles]:
        texts = _flattened(top, first, last, merged)
        score = _weight(texts, headings)
        if score > best:
            best, found = score, (first, last)
    if not best:
        raise RefusedInputError("sheet_no_headings", field="file")
    return found


def _weight(texts: Iterable[str], headings: ColumnHeadings) -> int:
    """Return how much a row looks like headings.

    A word that is only discarded may occur in any sentence. A cell that holds a number is no heading.
    """
    short = (text for text in texts if 0 < len(text) <= LONGEST_HEADING)
    return sum(_weight_of(headings.meaning(text)) for text in short if forbidden(text) is None)


def _weight_of(meaning: ColumnMeaning) -> int:
    return 2 if meaning.is_end else _WEIGHTS[meaning.use]


_WEIGHTS = {ColumnUse.MAPPED: 2, ColumnUse.REFUSED: 2, ColumnUse.DISCARDED: 1, ColumnUse.UNKNOWN: 0}


def _may_be_double(top: Sequence[Sequence[str]], number: int, merged: xlsx.Merged) -> bool:
    """Return whether the headings may take two rows.

    Merged cells show it. A CSV made from them, or a sheet without merged cells, has gaps above words.
    """
    if any(range_.first_row == number and range_.is_heading for range_ in merged):
        return True
    upper, lower = top[number - 1], top[number]
    return any(
        not above.strip() and below.strip() and upper[: place + 1] != [""] * (place + 1)
        for place, (above, below) in enumerate(zip(upper, lower, strict=False))
    ) and not any(map(str.isdigit, "".join(lower)))


def _flattened(top: Sequence[Sequence[str]], first: int, last: int, merged: xlsx.Merged) -> list[str]:
    """Return one heading a column: the upper text, a slash, the lower text."""
    upper = list(top[first - 1])
    if first == last:
        return [_heading(text) for text in upper]
    lower = list(top[last - 1])
    width = max(len(upper), len(lower))
    upper += [""] * (width - len(upper))
    lower += [""] * (width - len(lower))
    spread = [range_ for range_ in merged if range_.first_row == first]
    for range_ in spread:
        for place in range(range_.first_column, min(range_.last_column + 1, width)):
            upper[place] = upper[range_.first_column]
    if not spread:
        for place in range(1, width):
            if not upper[place].strip() and lower[place].strip():
                upper[place] = upper[place - 1]
    return [
        "/".join(dict.fromkeys(part for part in (_heading(above), _heading(below)) if part))
        for above, below in zip(upper, lower, strict=True)
    ]


def _heading(text: str) -> str:
    return " ".join(text.split())


def _columns(
    top: Sequence[Sequence[str]], first: int, last: int, table: xlsx.SheetTable, headings: ColumnHeadings
) -> list[ImportColumn]:
    """Return the columns, also those without a heading, whose cells are searched for numbers."""
    texts = _flattened(top, first, last, table.merged)
    seen = _seen_table(top, first, last, table, texts, headings)
    found: list[ImportColumn] = []
    for said, memory, text in zip(understand(headings, seen), memory_of(headings, seen), texts, strict=True):
        place = len(found)
        found.append(
            ImportColumn(
                place,
                xlsx.letter(place),
                "" if forbidden(text) is not None else text[:60],
                said.use,
                said.field,
                place in table.hidden_columns,
                why=said.why or "",
                asked=said.ask or "",
                guess=said.guess,
                against=tuple(said.against),
                memory=memory,
            )
        )
    return found


def _seen_table(
    top: Sequence[Sequence[str]],
    first: int,
    last: int,
    table: xlsx.SheetTable,
    texts: Sequence[str],
    headings: ColumnHeadings,
) -> SeenTable:
    """Return the table with the first rows of the columns that may hold ends. No other column is looked at."""
    meanings = [headings.meaning(text) for text in texts]
    ends = [place for place, meaning in enumerate(meanings) if meaning.is_end]
    birthdays = [place for place, meaning in enumerate(meanings) if meaning.field == BORN]
    cells: dict[int, dict[int, str]] = {place: {} for place in ends}
    born: dict[int, date] = {}
    if ends:
        for number, record in islice((one for one in _held(table) if one[0] > last), SEEN_ROWS):
            for place in birthdays:
                day = _day(_date_text(record[place], table.epoch)) if place < len(record) else None
                if day is not None:
                    born[number] = day
            for place in ends:
                text = _date_text(record[place], table.epoch).strip() if place < len(record) else ""
                if text and len(text) <= LONGEST_HEADING:
                    cells[place][number] = text
    titles = [cell for record in top[: first - 1] for cell in record if cell.strip() and len(cell) <= LONGEST_HEADING]
    columns = [SeenColumn(place, text, cells.get(place, {})) for place, text in enumerate(texts)]
    return SeenTable([title for title in titles if forbidden(title) is None], table.name, columns, born)


_TOTALS = frozenset({"計", "合計", "小計", "総計", "total", "sum"})
_LEFT = ("退所", "退去", "逝去", "死亡", "転出", "永眠", "moved out", "deceased")
_DATED = (BORN, "consent_date")
_TELEPHONES = ("mobile", "phone", "family_mobile")
_ENDS_ON_BIRTHDAYS = frozenset({CARD + "mynumber_user_certificate", CARD + "mynumber_signature_certificate"})
# A couple's room is often one cell over two rows.
_SHARED = ("room", "unit")


@dataclass(frozen=True, slots=True)
class _Reading:
    """The way in which the cells of a column are read; `number_in`: what they are searched for."""

    place: int
    field: str
    is_kept: bool
    is_date: bool
    ends_on_birthday: bool
    number_in: Callable[[str], LooksLike | None]


def _reading(column: ImportColumn) -> _Reading | None:
    """Return how a column is read, or None for a column that is not read."""
    field = column.field
    is_discarded = column.use is ColumnUse.DISCARDED
    if column.use is ColumnUse.REFUSED or (is_discarded and field not in (BORN, NOTES)):
        return None
    is_date = field.startswith(CARD) or field in _DATED or bool(column.asked)
    number_in = forbidden
    if is_date or field in _TELEPHONES:
        number_in = forbidden_in_a_date_or_phone
    elif field == "family_email":
        number_in = long_number
    return _Reading(column.place, field, not is_discarded, is_date, field in _ENDS_ON_BIRTHDAYS, number_in)


def _rows(table: xlsx.SheetTable, columns: Sequence[ImportColumn], headings_end: int) -> Iterator[SheetRow]:
    read = [reading for column in columns if (reading := _reading(column)) is not None]
    no_flags = xlsx.RowFlags()
    shared = {
        (range_.first_row, range_.first_column): range_.last_row
        for range_ in table.merged
        if range_.first_row > headings_end and range_.first_column == range_.last_column
    }
    rooms = [reading.place for reading in read if reading.field in _SHARED] if shared else []
    above: dict[int, tuple[int, object]] = {}
    # Lives as long as the sheet, because it holds birthdays.
    day = lru_cache(maxsize=4096)(_day)
    for number, record in _held(table):
        if number <= headings_end:
            continue
        cells = record
        for place in rooms:
            if (number, place) in shared and place < len(cells):
                above[place] = shared[number, place], cells[place]
            elif place in above and number <= above[place][0] and place < len(cells) and not _holds(cells[place]):
                cells = [*cells[:place], above[place][1], *cells[place + 1 :]]
        yield _row(number, cells, read, table.flags.get(number, no_flags), table.epoch, day)


def _cell(reading: _Reading, record: Sequence[object], flags: xlsx.RowFlags, epoch: date) -> str | Finding | None:
    """Return the text of a cell, None for an empty one, or why it refuses its row."""
    place = reading.place
    for code, places in ((FORMULA, flags.formulas), (CELL_ERROR, flags.errors)):
        if place in places:
            return Finding(code, Level.REFUSE, place) if reading.is_kept else None
    value = record[place] if place < len(record) else None
    if value is None or value == "":
        return None
    whole = (_date_text(value, epoch) if reading.is_date else _text(value)).strip()
    text = whole if reading.is_kept else whole[:LONGEST_NOTES]
    if reading.is_kept and is_error_value(text):
        return Finding(CELL_ERROR, Level.REFUSE, place)
    looks_like = reading.number_in(text) if text else None
    if looks_like is not None:
        code = "text_too_long" if looks_like is LooksLike.TOO_LONG else "forbidden_number"
        return Finding(code, Level.REFUSE, place, {"looks_like": looks_like})
    return text or None


def _row(
    number: int,
    record: Sequence[object],
    read: Sequence[_Reading],
    flags: xlsx.RowFlags,
    epoch: date,
    day: Callable[[str], date | None],
) -> SheetRow:
    cells: dict[int, str] = {}
    refused: list[Finding] = []
    born: date | None = None
    has_left = False
    ends: list[int] = []
    for reading in read:
        place = reading.place
        match _cell(reading, record, flags, epoch):
            case None:
                pass
            case Finding() as finding:
                refused.append(finding)
            case text if reading.is_kept:
                cells[place] = text
                if reading.ends_on_birthday:
                    ends.append(place)
            case text if reading.field == BORN:
                born = day(text)
            case text:
                has_left = has_left or any(word in text.lower() for word in _LEFT)
    numbers = [one for one in refused if one.code not in (FORMULA, CELL_ERROR)]
    findings = numbers[:1]
    findings += [one for code in (FORMULA, CELL_ERROR) for one in refused if one.code == code]
    # A sheet has a column for every kind with a date: only certificates end on birthdays.
    not_birthday = {place for place in ends if born and _is_on_another_day(day(cells[place]), born)}
    findings += [Finding("date_not_birthday", Level.NOTE, place) for place in sorted(not_birthday)]
    if flags.is_hidden:
        findings.append(Finding("row_hidden", Level.CONFIRM))
    if has_left:
        findings.append(Finding("has_left", Level.CONFIRM))
    return SheetRow(number, cells, findings, _is_total(cells, read, day))


# What Excel, LibreOffice and Google Sheets write for a value that they cannot compute.
_ERROR_VALUES = frozenset(
    (
        *("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!"),
        *("#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#EXTERNAL!", "#PYTHON!", "#GETTING_DATA", "#ERROR!"),
    )
)


def is_error_value(text: str) -> bool:
    """Return whether a cell holds what a spreadsheet shows instead of a value."""
    found = unicodedata.normalize("NFKC", text).strip().upper()
    is_number = found.startswith("ERR:") and found[4:].isdecimal()
    is_too_narrow = len(found) >= NARROW and not found.strip("#")
    return found in _ERROR_VALUES or is_number or is_too_narrow


def _is_on_another_day(end: date | None, born: date) -> bool:
    return end is not None and (end.month, end.day) != (born.month, born.day)


def _is_total(cells: Mapping[int, str], read: Sequence[_Reading], day: Callable[[str], date | None]) -> bool:
    """Return whether the row is a sum: few cells, one of them 合計, and no date. Somebody may be called 計."""
    if len(cells) > 3 or not any(text.lower() in _TOTALS for text in cells.values()):
        return False
    return not any(reading.is_date and day(cells.get(reading.place, "")) for reading in read)


def _holds(cell: object) -> bool:
    return cell is not None and cell != "" and (not isinstance(cell, str) or bool(cell.strip()))


def _day(text: str) -> date | None:
    try:
        return dates.read_date(text)
    except DateError:
        return None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# The number of a day in a spreadsheet whose column is not formatted as dates: from 1954 to 2119.
_SERIALS = range(20_000, 80_001)


def _date_text(value: object, epoch: date) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, float | int) and math.isfinite(value) and int(value) in _SERIALS:
        return (epoch + timedelta(days=int(value))).isoformat()
    text = _text(value)
    if len(text) == 5 and text.isascii() and text.isdecimal() and int(text) in _SERIALS:
        return (epoch + timedelta(days=int(text))).isoformat()
    return text
