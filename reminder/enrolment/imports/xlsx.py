"""XLSX files: their values, and what a reader of values does not report.

That is formulas, error values, hidden rows and merged cells.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from xml.parsers import expat

import python_calamine

from reminder.enrolment.imports import zip_guard
from reminder.enrolment.imports.zip_guard import Bounds
from reminder.errors import RefusedInputError
from reminder.guard.numbers import forbidden

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_EPOCH, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)


@dataclass(frozen=True)
class MergedRange:
    """A range of merged cells; rows count from 1, columns from 0."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int

    @property
    def is_heading(self) -> bool:
        """Return whether it can stand above several columns, or over two rows of headings; a title is neither."""
        return (self.first_row == self.last_row and self.last_column > self.first_column) or (
            self.last_row == self.first_row + 1
        )


Merged = Sequence[MergedRange]


@dataclass(frozen=True)
class RowFlags:
    """The places of the formulas and of the error values of a row, and whether it is hidden."""

    formulas: frozenset[int] = frozenset()
    errors: frozenset[int] = frozenset()
    is_hidden: bool = False

    @property
    def holds_anything(self) -> bool:
        """Return whether it has cells that a reader of values takes for empty."""
        return bool(self.formulas or self.errors)


@dataclass(frozen=True)
class SheetTable:
    """A sheet of a workbook.

    `records()` yields all rows from the first one, as often as it is called. `flags`: by row number, if there are any.
    """

    name: str
    names: Sequence[str]
    records: Callable[[], Iterator[Sequence[object]]]
    merged: Merged
    hidden_columns: frozenset[int]
    flags: Mapping[int, RowFlags]
    epoch: date = _EPOCH
    length: int | None = None  # the most rows, if known without reading them


def is_workbook(content: bytes) -> bool:
    """Return whether it is an XLSX file. Raises RefusedInputError for one that is protected, or of an older kind."""
    if content.startswith(_OLE):
        protected = "EncryptedPackage".encode("utf-16-le") in content
        raise RefusedInputError("sheet_protected" if protected else "sheet_old_excel", field="file")
    return content.startswith(zip_guard.ZIP)


def open_sheet(content: bytes, wanted: str | None, bounds: Bounds) -> SheetTable:
    """Return the first sheet that is not hidden, or the named one.

    Raises RefusedInputError, with the code sheet_bomb where it would cost more than `bounds`.
    """
    with _unreadable_unless_well(), zipfile.ZipFile(io.BytesIO(content)) as packed:
        zip_guard.refuse_bombs(content, packed, bounds)
        parts, epoch = _sheets_in(packed)
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = [
            one.name
            for one in book.sheets_metadata
            if one.visible is python_calamine.SheetVisibleEnum.Visible and one.name in parts
        ]
        # The name of a sheet may hold a number, too.
        shown = ["" if forbidden(name) is not None else name for name in names]
        if wanted is not None and wanted not in names:
            raise RefusedInputError("sheet_name_unknown", field="sheet_name", names="、".join(filter(None, shown)))
        if not names:
            raise RefusedInputError("sheet_empty", field="file")
        place = names.index(wanted) if wanted else 0
        sheet = packed.read(parts[names[place]])
        zip_guard.refuse_repeated_texts(packed, sheet, bounds)
        flags, hidden = _layout(sheet, bounds)
        del sheet
        opened = book.get_sheet_by_name(names[place])
        start = opened.start or (0, 0)
        merged = [
            MergedRange(first[0] + 1, last[0] + 1, first[1], last[1]) for first, last in opened.merged_cell_ranges or ()
        ]

    def records() -> Iterator[Sequence[object]]:
        # Values begin at the first cell that holds anything.
        for _ in range(start[0]):
            yield ()
        before = [""] * start[1]
        for record in opened.iter_rows():
            yield [*before, *record] if before else record

    return SheetTable(shown[place], shown, records, merged, hidden, flags, epoch, start[0] + opened.height)


@contextmanager
def _unreadable_unless_well() -> Iterator[None]:
    """Turn any error that a broken file causes into a refusal that holds nothing of its content."""
    try:
        yield
    except RefusedInputError:
        raise
    except MemoryError:
        raise RefusedInputError("sheet_bomb", field="file") from None
    except BaseException as broken:
        # A panic in Rust is no Exception.
        if isinstance(broken, Exception) or type(broken).__name__ == "PanicException":
            raise RefusedInputError("sheet_unreadable", field="file") from None
        raise


def _sheets_in(packed: zipfile.ZipFile) -> tuple[dict[str, str], date]:
    """Return by name the part that holds a sheet, and the day from which the workbook counts days."""
    targets: dict[str, str] = {}
    names: list[tuple[str, str]] = []
    is_1904 = False

    def relation(tag: str, attributes: Mapping[str, str]) -> None:
        if tag.endswith("Relationship"):
            target = attributes["Target"]
            targets[attributes["Id"]] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    def book(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal is_1904
        plain = tag.rpartition(":")[2]
        if plain == "sheet":
            related = [value for name, value in attributes.items() if name.endswith(":id") or name == "id"]
            names.append((attributes["name"], related[0]))
        elif plain == "workbookPr":
            is_1904 = attributes.get("date1904", "0") in ("1", "true")

    _parse(packed.read("xl/_rels/workbook.xml.rels"), relation)
    _parse(packed.read("xl/workbook.xml"), book)
    return {name: targets[related] for name, related in names if related in targets}, (
        _EPOCH_1904 if is_1904 else _EPOCH
    )


def _parse(content: bytes, start: Callable[[str, Mapping[str, str]], None]) -> None:
    _parser(start).Parse(content, True)


def _parser(start: Callable[[str, Mapping[str, str]], None]) -> expat.XMLParserType:
    def refuse(*_: object) -> None:
        raise RefusedInputError("sheet_bomb", field="file")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    return parser


# A cell as every program writes it, within the first 104 columns and 109,999 rows: no block of these is too large for
# WHOLE.
_UNUSUAL = re.compile(
    rb"<c(?=[\s/>])(?! r=\"[A-C]?[A-Z](?:[1-9][0-9]{0,4}|10[0-9]{4})\")|:c[\s/>]|<row(?! r=\"[0-9]+\")|:row[\s/>]"
)
_ROW = re.compile(rb"<row r=\"([0-9]+)\"[^<>]*\shidden=[\"'](?:1|true)")
_FORMULA = re.compile(rb"<c r=\"([A-Z]+)([0-9]+)\"[^<>]*><f[\s/>]")
_ANY_FORMULA = re.compile(rb"<f[\s/>]|:f[\s/>]")
# A value like #N/A, also of a formula, whose cell is of the type "e".
_ERROR = re.compile(rb"<c r=\"([A-Z]+)([0-9]+)\"[^<>]*\st=[\"']e[\"']")
_ANY_ERROR = re.compile(rb"\st\s*=\s*[\"']e[\"']")


def _layout(sheet: bytes, bounds: Bounds) -> tuple[dict[int, RowFlags], frozenset[int]]:
    """Return the flags by row, and the hidden columns.

    Raises RefusedInputError for a sheet with a cell so far from the others that the block between them is too large.
    """
    formulas, errors = dict[int, set[int]](), dict[int, set[int]]()
    # The part before the rows is short.
    above = sheet[: max(sheet.find(b"<sheetData"), 0)]
    is_usual = bounds == zip_guard.WHOLE and bool(above) and not _UNUSUAL.search(sheet)
    found: list[tuple[bytes, bytes]] = []
    if is_usual and (b"<f" in sheet or b":f" in sheet):
        found = _FORMULA.findall(sheet)
        is_usual = len(found) == len(_ANY_FORMULA.findall(sheet))
    with_errors: list[tuple[bytes, bytes]] = []
    if is_usual and _ANY_ERROR.search(sheet):
        with_errors = _ERROR.findall(sheet)
        is_usual = len(with_errors) == len(_ANY_ERROR.findall(sheet))
    if not is_usual:
        return _layout_element_by_element(sheet, bounds)
    for kept, places in ((formulas, found), (errors, with_errors)):
        for letters, number in places:
            kept.setdefault(int(number), set()).add(_place(letters.decode()))
    hidden_rows = {int(number) for number in _ROW.findall(sheet)} if b"hidden=" in sheet else set()
    hidden_columns: set[int] = set()

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag.rpartition(":")[2] == "col":
            hidden_columns.update(_hidden_columns(attributes))

    _parser(start).Parse(above, False)
    return _flags(formulas, errors, hidden_rows), frozenset(hidden_columns)


def _layout_element_by_element(sheet: bytes, bounds: Bounds) -> tuple[dict[int, RowFlags], frozenset[int]]:
    """Return the same, element by element.

    It takes some seconds for a large sheet, so it is used only for an unusual or very wide one.
    """
    formulas, errors = dict[int, set[int]](), dict[int, set[int]]()
    hidden_rows: set[int] = set()
    hidden_columns: set[int] = set()
    rows: list[int] = []
    columns: list[int] = []
    row = column = 0

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal row, column, rows, columns
        plain = tag.rpartition(":")[2]
        if plain == "c":
            said = attributes.get("r", "")
            column = _place(said) if said else column + 1
            # If row and cell disagree, readers use the cell.
            row = int(said.lstrip(_LETTERS)) if said else row
            if attributes.get("t") == "e":
                errors.setdefault(row, set()).add(column)
        elif plain in ("v", "is", "f"):
            rows, columns = [min([*rows, row]), max([*rows, row])], [min([*columns, column]), max([*columns, column])]
            if plain == "f":
                formulas.setdefault(row, set()).add(column)
        elif plain == "row":
            row, column = int(attributes.get("r", row + 1)), -1
            if attributes.get("hidden") in _TRUE:
                hidden_rows.add(row)
        elif plain == "col":
            hidden_columns.update(_hidden_columns(attributes))

    _parser(start).Parse(sheet, True)
    if rows and (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1) > bounds.block:
        raise RefusedInputError("sheet_bomb", field="file")
    return _flags(formulas, errors, hidden_rows), frozenset(hidden_columns)


_TRUE = ("1", "true")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _hidden_columns(col: Mapping[str, str]) -> range:
    return range(int(col["min"]) - 1, min(int(col["max"]), 16_384)) if col.get("hidden") in _TRUE else range(0)


def _flags(
    formulas: Mapping[int, set[int]], errors: Mapping[int, set[int]], hidden_rows: set[int]
) -> dict[int, RowFlags]:
    return {
        number: RowFlags(
            frozenset(formulas.get(number, ())), frozenset(errors.get(number, ())), is_hidden=number in hidden_rows
        )
        for number in formulas.keys() | errors.keys() | hidden_rows
    }


def _place(reference: str) -> int:
    """Return the place of a column: C7 -> 2."""
    place = 0
    for mark in reference:
        if not mark.isalpha():
            break
        place = place * 26 + ord(mark.upper()) - 64
    return place - 1


def letter(place: int) -> str:
    """Return the letter of a column: 2 -> C."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
