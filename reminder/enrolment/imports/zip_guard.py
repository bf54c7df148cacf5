"""The guard against zip bombs: checks an XLSX file before any of it is unpacked."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from reminder.errors import RefusedInputError

MOST_PARTS = 2_000


@dataclass(frozen=True)
class Bounds:
    """The most that reading a workbook may cost, whatever its size says.

    `unpacked`: bytes of all parts. `texts`: bytes of all cells, with a copy of a shared text for each: a text that a
    thousand cells share is once in the file and a thousand times in memory. `block`: cells from the first one to the
    last one: one word in the last corner of a sheet would make that half a terabyte.
    """

    unpacked: int
    texts: int
    block: int


# A hundred thousand rows of twenty columns unpack to half of this; 100,000 rows of 200 columns are the block.
WHOLE = Bounds(unpacked=250 * 1024 * 1024, texts=500 * 1024 * 1024, block=20_000_000)
# Read in a tenth of a second, and in a few megabytes: the sheet of a home with some hundred residents.
LIGHT = Bounds(unpacked=2 * 1024 * 1024, texts=8 * 1024 * 1024, block=100_000)
ZIP = b"PK\x03\x04"
_PIECE = 1 << 18
_DOCTYPE = b"<!DOCTYPE"


def refuse_bombs(content: bytes, packed: zipfile.ZipFile, bounds: Bounds) -> None:
    """Refuse a file that unpacks to too much; the size of each part is measured, not read from its header."""
    parts = packed.infolist()
    names = {part.filename for part in parts}
    if len(names) < len(parts):
        # Two parts of one name: one reader would take the first and another the last.
        raise zipfile.BadZipFile
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > bounds.unpacked:
        raise RefusedInputError("sheet_bomb", field="file")
    if names & {"mimetype", "xl/workbook.bin"}:
        raise RefusedInputError("sheet_old_excel", field="file")
    total = 0
    for part in parts:
        if part.flag_bits & 1:
            raise RefusedInputError("sheet_protected", field="file")
        before = b""
        for piece in _unpacked(content, part):
            total += len(piece)
            # A declared entity can expand without end; no spreadsheet program writes one.
            if total > bounds.unpacked or _DOCTYPE in before + piece[:16] or _DOCTYPE in piece:
                raise RefusedInputError("sheet_bomb", field="file")
            before = piece[-16:]


def _unpacked(content: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    at = part.header_offset
    if content[at : at + 4] != ZIP:
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


_PLACE_OF_TEXT = re.compile(rb"v>([0-9]{1,7})</")
_DECIMAL = re.compile(rb"v>-?(?:[0-9]{8,}|[0-9]+\.[0-9]+)(?:E[+-]?[0-9]+)?</")


def refuse_repeated_texts(packed: zipfile.ZipFile, sheet: bytes, bounds: Bounds) -> None:
    """Refuse a sheet whose cells would hold too much text, counting a copy of its text for each."""
    part = next((name for name in packed.namelist() if name.lower() == "xl/sharedstrings.xml"), None)
    if part is None:
        return
    texts = packed.read(part)
    is_plain = b"<!--" not in texts and b"<![CDATA[" not in texts
    lengths = [len(text) for text in texts.split(b"</si>")] if is_plain else [len(texts)]
    longest, cells = max(lengths), sheet.count(b"<v") + sheet.count(b":v")
    if cells * longest <= bounds.texts:
        return
    used = [int(place) for place in _PLACE_OF_TEXT.findall(sheet)]
    total = sum(lengths[place] for place in used if place < len(lengths))
    # A value that is neither a day nor a decimal may be an index of a text, written so that only an XML parser reads
    # it.
    others = max(cells - len(used) - len(_DECIMAL.findall(sheet)), 0)
    if total + others * longest > bounds.texts:
        raise RefusedInputError("sheet_bomb", field="file")
