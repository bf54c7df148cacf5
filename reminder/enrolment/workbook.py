"""An XLSX file opened: its values, and what a reader of values does not tell: formulas, hidden rows, merged cells."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from xml.parsers import expat

import python_calamine

from reminder.errors import RefusedInputError

# A hundred thousand rows of twenty columns unpack to a half of this.
LARGEST_UNPACKED = 250 * 1024 * 1024
MOST_PARTS = 2_000
_PIECE = 1 << 18
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_EPOCH, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)


@dataclass(frozen=True)
class MergedRange:
    """Rows count from 1, columns from 0."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int

    @property
    def is_heading(self) -> bool:
        """One that can stand over several columns, or over two rows of headings; a title is neither."""
        return (self.first_row == self.last_row and self.last_column > self.first_column) or (
            self.last_row == self.first_row + 1
        )


Merged = Sequence[MergedRange]


@dataclass(frozen=True)
class Flags:
    """Of one row: the places of its formulas, and whether it is hidden."""

    formulas: frozenset[int]
    is_hidden: bool


@dataclass(frozen=True)
class Table:
    """`records()` goes through all rows from the first one, as often as it is called. `flags`: by row number, where
    there is anything to say."""

    name: str
    names: Sequence[str]
    records: Callable[[], Iterator[Sequence[object]]]
    merged: Merged
    hidden_columns: frozenset[int]
    flags: Mapping[int, Flags]
    epoch: date = _EPOCH


def is_workbook(content: bytes) -> bool:
    """Or something else that is no text. Raises RefusedInputError for one that is protected, or of an older kind."""
    if content.startswith(_OLE):
        protected = "EncryptedPackage".encode("utf-16-le") in content
        raise RefusedInputError("sheet_protected" if protected else "sheet_old_excel", field="file")
    return content.startswith(_ZIP)


def open_sheet(content: bytes, wanted: str | None) -> Table:
    """The first sheet that is not hidden, or the one that is named. Raises RefusedInputError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            _refuse_bombs(content, packed)
            paths, epoch = _sheets_in(packed)
            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
            names = [
                one.name
                for one in book.sheets_metadata
                if one.visible is python_calamine.SheetVisibleEnum.Visible and one.name in paths
            ]
            if wanted is not None and wanted not in names:
                raise RefusedInputError("sheet_name_unknown", field="sheet_name", names="、".join(names))
            if not names:
                raise RefusedInputError("sheet_empty", field="file")
            name = wanted or names[0]
            opened = book.get_sheet_by_name(name)
            flags, hidden = _flags(packed, paths[name])
    except RefusedInputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        KeyError,
        ValueError,
        OSError,
        NotImplementedError,
        python_calamine.CalamineError,
    ) as broken:
        raise RefusedInputError("sheet_unreadable", field="file") from broken
    start = opened.start or (0, 0)

    def records() -> Iterator[Sequence[object]]:
        # Values begin at the first cell that holds anything.
        for _ in range(start[0]):
            yield ()
        before = [""] * start[1]
        for record in opened.iter_rows():
            yield [*before, *record] if before else record

    merged = [
        MergedRange(first[0] + 1, last[0] + 1, first[1], last[1]) for first, last in opened.merged_cell_ranges or ()
    ]
    return Table(name, names, records, merged, hidden, flags, epoch)


def _refuse_bombs(content: bytes, packed: zipfile.ZipFile) -> None:
    """What each part unpacks to is measured, not believed."""
    parts = packed.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        raise RefusedInputError("sheet_bomb", field="file")
    if any(part.filename == "mimetype" for part in parts):
        raise RefusedInputError("sheet_old_excel", field="file")
    total = 0
    for part in parts:
        if part.flag_bits & 1:
            raise RefusedInputError("sheet_protected", field="file")
        for piece in _unpacked(content, part):
            total += len(piece)
            if total > LARGEST_UNPACKED:
                raise RefusedInputError("sheet_bomb", field="file")
            # A declared entity can be made to grow without end; no spreadsheet program writes one.
            if b"<!ENTITY" in piece or b"<!DOCTYPE" in piece:
                raise RefusedInputError("sheet_bomb", field="file")


def _unpacked(content: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    at = part.header_offset
    if content[at : at + 4] != _ZIP:
        raise zipfile.BadZipFile
    begin = at + 30 + int.from_bytes(content[at + 26 : at + 28], "little")
    begin += int.from_bytes(content[at + 28 : at + 30], "little")
    packed = memoryview(content)[begin : begin + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield bytes(packed)
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile
    inflate, waiting = zlib.decompressobj(-zlib.MAX_WBITS), bytes(packed)
    while waiting and not inflate.eof:
        piece = inflate.decompress(waiting, _PIECE)
        waiting = inflate.unconsumed_tail
        if not piece and not waiting:
            break
        yield piece


def _sheets_in(packed: zipfile.ZipFile) -> tuple[dict[str, str], date]:
    """By name, the part a sheet is kept in; and from which day it counts days."""
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
            related = next(value for name, value in attributes.items() if name.endswith(":id") or name == "id")
            names.append((attributes["name"], related))
        elif plain == "workbookPr":
            is_1904 = attributes.get("date1904", "0") in ("1", "true")

    _parse(packed.read("xl/_rels/workbook.xml.rels"), relation)
    _parse(packed.read("xl/workbook.xml"), book)
    return {name: targets[related] for name, related in names if related in targets}, (
        _EPOCH_1904 if is_1904 else _EPOCH
    )


def _parse(content: bytes, start: Callable[[str, Mapping[str, str]], None]) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(content, True)


# Only a sheet that has any of these is gone through element by element.
_TELLING = re.compile(rb"<(?:\w+:)?f[\s>/]|hidden=[\"'](?:1|true)")


def _flags(packed: zipfile.ZipFile, part: str) -> tuple[dict[int, Flags], frozenset[int]]:
    if not _tells(packed, part):
        return {}, frozenset()
    formulas: dict[int, set[int]] = {}
    hidden_rows: set[int] = set()
    hidden_columns: set[int] = set()
    row = column = 0

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal row, column
        plain = tag.rpartition(":")[2]
        if plain == "c":
            said = attributes.get("r")
            column = _place(said) if said else column + 1
        elif plain == "f":
            formulas.setdefault(row, set()).add(column)
        elif plain == "row":
            row, column = int(attributes.get("r", row + 1)), -1
            if attributes.get("hidden") in ("1", "true"):
                hidden_rows.add(row)
        elif plain == "col" and attributes.get("hidden") in ("1", "true"):
            hidden_columns.update(range(int(attributes["min"]) - 1, min(int(attributes["max"]), 16_384)))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with packed.open(part) as opened:
        while piece := opened.read(_PIECE):
            parser.Parse(piece)
        parser.Parse(b"", True)
    told = formulas.keys() | hidden_rows
    flags = {number: Flags(frozenset(formulas.get(number, ())), number in hidden_rows) for number in told}
    return flags, frozenset(hidden_columns)


def _tells(packed: zipfile.ZipFile, part: str) -> bool:
    with packed.open(part) as opened:
        before = b""
        while piece := opened.read(_PIECE):
            if _TELLING.search(before + piece):
                return True
            before = piece[-32:]
    return False


def _place(reference: str) -> int:
    """C7 -> 2."""
    place = 0
    for mark in reference:
        if not mark.isalpha():
            break
        place = place * 26 + ord(mark.upper()) - 64
    return place - 1


def letter(place: int) -> str:
    """2 -> C."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
