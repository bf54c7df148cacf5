"""A home's sheet from bytes to rows: CSV in four encodings, and XLSX.

What a column of numbers holds is never looked at; a number anywhere else is found here, and its cell goes no further.
The file is held once, in memory, and never written anywhere.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from reminder.domain import dates
from reminder.domain.headings import BORN, CARD, NOTES, Fate, Headings, Meaning
from reminder.enrolment import workbook
from reminder.errors import DateError, RefusedInputError
from reminder.guard.numbers import LooksLike, forbidden, long_number

LARGEST = 20 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 1_000  # that have a heading
# Titles, notes and empty rows stand above the headings.
LOOKED_THROUGH = 30
_PIECE = 1 << 16


@dataclass(frozen=True)
class Column:
    """`place` counts from 0; `letter` is how spreadsheets call it. A heading of two rows reads "upper/lower"; one that
    holds a number itself is empty."""

    place: int
    letter: str
    heading: str
    meaning: Meaning
    is_hidden: bool


@dataclass(frozen=True)
class Row:
    """`number` as a spreadsheet counts rows. `cells`: those that hold anything, by place; none of a column that is
    refused or forgotten, no formula and no number. `refused`: the first cell that held a number, and of what kind.
    `not_birthday`: ends of certificates on another day of the year than the birthday, which is used here and dropped.
    """

    number: int
    cells: Mapping[int, str]
    refused: tuple[int, LooksLike] | None
    formulas: frozenset[int]
    is_hidden: bool
    has_left: bool
    not_birthday: frozenset[int]
    is_total: bool


@dataclass(frozen=True)
class Sheet:
    """`rows` can be gone through once. `names`: of all sheets that are not hidden."""

    name: str
    names: Sequence[str]
    columns: Sequence[Column]
    headings_end: int
    rows: Iterator[Row]


def read_sheet(content: bytes, headings: Headings, *, sheet: str | None = None) -> Sheet:
    """What it is, its first bytes say, whatever its name. Raises RefusedInputError: for one that cannot be read, is too
    large, protected, or has no headings we know."""
    if len(content) > LARGEST:
        raise RefusedInputError("sheet_too_large", field="file", megabytes=LARGEST // (1024 * 1024))
    if workbook.is_workbook(content):
        book = workbook.open_sheet(content, sheet)
        return _sheet(book, headings)
    return _sheet(_open_csv(content), headings)


# ---- CSV


def _open_csv(content: bytes) -> workbook.Table:
    encoding = _encoding_of(content)
    delimiter = _delimiter_of(content, encoding)

    def records() -> Iterator[Sequence[object]]:
        lines = io.TextIOWrapper(io.BytesIO(content), encoding, newline="")
        try:
            yield from csv.reader(lines, delimiter=delimiter)
        except csv.Error:
            raise RefusedInputError("sheet_unreadable", field="file") from None

    return workbook.Table("", (), records, merged=(), hidden_columns=frozenset(), flags={})


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
    """Piece by piece: the text is not held beside the bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for place in range(0, len(content), _PIECE):
            text = decoder.decode(content[place : place + _PIECE])
            # What no text holds: a picture or a program that happens to decode.
            if "\0" in text or "\x1a" in text:
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(content: bytes, encoding: str) -> str:
    for line in io.TextIOWrapper(io.BytesIO(content), encoding, newline=""):
        if line.strip():
            outside = "".join(line.split('"')[::2])
            return max(",\t;", key=outside.count)
    return ","


# ---- both


def _sheet(table: workbook.Table, headings: Headings) -> Sheet:
    top = []
    for record in table.records():
        top.append([_text(cell) for cell in record])
        if len(top) > LOOKED_THROUGH:
            break
    if not any(any(cell.strip() for cell in record) for record in top):
        raise RefusedInputError("sheet_empty", field="file")
    first, last = _headings_in(top, table.merged, headings)
    columns = _columns(top, first, last, table, headings)
    if sum(bool(column.heading) for column in columns) > MOST_COLUMNS:
        raise RefusedInputError("sheet_too_many_columns", field="file", most=MOST_COLUMNS)
    fields = [column.meaning.field for column in columns if column.meaning.fate is Fate.MAPPED]
    twice = next(
        (column for column in columns if column.meaning.field and fields.count(column.meaning.field) > 1), None
    )
    if twice is not None:
        raise RefusedInputError("sheet_heading_twice", field="file", heading=twice.heading)
    rows = 0
    for number, record in enumerate(table.records(), 1):
        rows += number > last and any(map(_holds, record))
        if rows > MOST_ROWS:
            raise RefusedInputError("sheet_too_many_rows", field="file", most=MOST_ROWS)
    if not rows:
        raise RefusedInputError("sheet_empty", field="file")
    return Sheet(table.name, table.names, columns, last, _rows(table, columns, last))


def _headings_in(top: Sequence[Sequence[str]], merged: workbook.Merged, headings: Headings) -> tuple[int, int]:
    """Numbers of the first and the last row of the headings: those of whose words most are known."""
    numbers = range(1, min(len(top), LOOKED_THROUGH) + 1)
    doubles = [(one, one + 1) for one in numbers if one < len(top) and _may_be_double(top, one, merged)]
    best, found = 0, (0, 0)
    # Of two that say as much, one row: what stands above it is a note.
    for first, last in [*((one, one) for one in numbers), *doubles]:
        texts = _flattened(top, first, last, merged)
        score = sum(headings.meaning(text).fate is not Fate.UNKNOWN for text in texts)
        if score > best:
            best, found = score, (first, last)
    if not best:
        raise RefusedInputError("sheet_no_headings", field="file")
    return found


def _may_be_double(top: Sequence[Sequence[str]], number: int, merged: workbook.Merged) -> bool:
    """Merged cells say so; a CSV made of one has gaps above where there are words below, and has no other."""
    if merged:
        return any(range_.first_row == number and range_.is_heading for range_ in merged)
    upper, lower = top[number - 1], top[number]
    return any(
        not above.strip() and below.strip() and upper[: place + 1] != [""] * (place + 1)
        for place, (above, below) in enumerate(zip(upper, lower, strict=False))
    ) and not any(map(str.isdigit, "".join(lower)))


def _flattened(top: Sequence[Sequence[str]], first: int, last: int, merged: workbook.Merged) -> list[str]:
    """One heading a column: what stands above, a stroke, what stands below."""
    upper = list(top[first - 1])
    if first == last:
        return [_heading(text) for text in upper]
    lower = list(top[last - 1])
    width = max(len(upper), len(lower))
    upper += [""] * (width - len(upper))
    lower += [""] * (width - len(lower))
    if merged:
        for range_ in merged:
            if range_.first_row == first:
                for place in range(range_.first_column, min(range_.last_column + 1, width)):
                    upper[place] = upper[range_.first_column]
    else:
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
    top: Sequence[Sequence[str]], first: int, last: int, table: workbook.Table, headings: Headings
) -> list[Column]:
    """Also those without a heading, whose cells are looked through."""
    texts = _flattened(top, first, last, table.merged)
    found = []
    for place, text in enumerate(texts):
        meaning = headings.meaning(text)
        shown = "" if forbidden(text) is not None else text[:60]
        found.append(Column(place, workbook.letter(place), shown, meaning, place in table.hidden_columns))
    return found


_TOTALS = frozenset({"計", "合計", "小計", "総計", "total", "sum"})
_LEFT = ("退所", "退去", "逝去", "死亡", "転出", "永眠", "moved out", "deceased")


def _rows(table: workbook.Table, columns: Sequence[Column], headings_end: int) -> Iterator[Row]:
    read = [column for column in columns if column.meaning.fate is not Fate.REFUSED]
    no_flags = workbook.Flags(frozenset(), is_hidden=False)
    for number, record in enumerate(table.records(), 1):
        if number <= headings_end or not any(map(_holds, record)):
            continue
        flags = table.flags.get(number, no_flags)
        yield _row(number, record, read, flags, table.epoch)


def _row(number: int, record: Sequence[object], read: Sequence[Column], flags: workbook.Flags, epoch: date) -> Row:
    cells: dict[int, str] = {}
    refused, formulas, born, has_left = None, set(), None, False
    for column in read:
        if column.place >= len(record):
            break
        value, meaning = record[column.place], column.meaning
        if value is None or value == "":
            continue
        if column.place in flags.formulas:
            if meaning.fate is not Fate.FORGOTTEN:
                formulas.add(column.place)
            continue
        is_date = meaning.field.startswith(CARD) or meaning.field in _DATED
        text = (_date_text(value, epoch) if is_date else _text(value)).strip()
        if not text:
            continue
        looks_like = _number_in(text, meaning)
        if looks_like is not None:
            refused = refused or (column.place, looks_like)
        elif meaning.fate is not Fate.FORGOTTEN:
            cells[column.place] = text
        elif meaning.field == BORN:
            born = _day(text)
        elif meaning.field == NOTES:
            has_left = has_left or any(word in text.lower() for word in _LEFT)
    # A sheet has a column for every kind it dates: only certificates end on birthdays.
    certificates = [column.place for column in read if column.meaning.field in _ENDS_ON_BIRTHDAYS]
    ends = {place: _day(cells[place]) for place in certificates if place in cells} if born else {}
    differs = {place for place, end in ends.items() if end and born and (end.month, end.day) != (born.month, born.day)}
    is_total = len(cells) <= 3 and any(text.strip().lower() in _TOTALS for text in cells.values())
    return Row(number, cells, refused, frozenset(formulas), flags.is_hidden, has_left, frozenset(differs), is_total)


_DATED = (BORN, "consent_date")
_TELEPHONES = ("mobile", "phone", "family_mobile", "family_email")
_ENDS_ON_BIRTHDAYS = frozenset({CARD + "mynumber_user_certificate", CARD + "mynumber_signature_certificate"})


def _number_in(text: str, meaning: Meaning) -> LooksLike | None:
    """Six digits are a date or a telephone where one belongs; anywhere else, or longer, they are a number."""
    is_known = meaning.field.startswith(CARD) or meaning.field in (*_DATED, *_TELEPHONES)
    if is_known or (meaning.fate is Fate.FORGOTTEN and meaning.field != NOTES):
        return long_number(text)
    return forbidden(text)


def _holds(cell: object) -> bool:
    return cell is not None and cell != "" and (not isinstance(cell, str) or bool(cell.strip()))


@lru_cache(maxsize=4096)
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


# A day number of a spreadsheet whose column nobody has formatted as dates: from 1954 to 2119.
_SERIALS = range(20_000, 80_001)


def _date_text(value: object, epoch: date) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool) and int(value) in _SERIALS:
        return (epoch + timedelta(days=int(value))).isoformat()
    text = _text(value)
    if len(text) == 5 and text.isascii() and text.isdecimal() and int(text) in _SERIALS:
        return (epoch + timedelta(days=int(text))).isoformat()
    return text
