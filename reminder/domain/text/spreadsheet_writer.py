"""Writer of XLSX and CSV. Typed text stays text and is never run as a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int | date | None

_WIDEST, _NARROWEST = 50, 8


@dataclass(frozen=True)
class TableSheet:
    """One sheet of a table. `choices`: allowed values, by column from 0. `notes`: lines above the headings."""

    name: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    notes: Sequence[str] = ()
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)


def xlsx(sheets: Sequence[TableSheet]) -> bytes:
    """Return an XLSX file: the headings are frozen, columns fit their cells, a page is A4 in landscape."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook(write_only=True)
    for table in sheets:
        page = book.create_sheet(table.name)
        page.page_setup.orientation, page.page_setup.paperSize = "landscape", 9
        page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
        page.sheet_properties.pageSetUpPr.fitToPage = True
        first = len(table.notes) + 1
        page.freeze_panes = f"A{first + 1}"
        page.print_title_rows = f"{first}:{first}"
        rows = [list(row) for row in table.rows]
        for place, heading in enumerate(table.headings):
            longest = max([_width(heading), *(_width(row[place]) for row in rows[:200] if place < len(row))])
            width = min(max(longest + 2, _NARROWEST), _WIDEST)
            page.column_dimensions[get_column_letter(place + 1)].width = width
        for place, choices in table.choices.items():
            may = DataValidation(type="list", formula1='"' + ",".join(choices) + '"', allow_blank=True)
            letter = get_column_letter(place + 1)
            may.add(f"{letter}{first + 1}:{letter}{first + 1000}")
            page.data_validations.append(may)

        def cell(value: Cell, *, bold: bool = False) -> WriteOnlyCell:
            made = WriteOnlyCell(page, value=None)  # noqa: B023  # used within its own turn
            if isinstance(value, str):
                made.value = value
                # A leading = + - @ is read as text.
                made.data_type = "s"
                made.number_format = "@"
                made.alignment = Alignment(wrap_text=len(value) > _WIDEST, vertical="top")
            elif value is not None:
                made.value = value
                if isinstance(value, date):
                    made.number_format = "yyyy/mm/dd"
            if bold:
                made.font, made.fill = Font(bold=True), PatternFill("solid", fgColor="E6EEF7")
            return made

        for note in table.notes:
            page.append([cell(note)])
        page.append([cell(heading, bold=True) for heading in table.headings])
        for row in rows:
            page.append([cell(value) for value in row])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def csv_bytes(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return CSV for Excel: UTF-8 with a byte order mark, an apostrophe before anything that would run as a formula."""
    kept = io.StringIO()
    writer = csv.writer(kept)
    for row in (headings, *rows):
        writer.writerow([_plain(value) for value in row])
    return kept.getvalue().encode("utf-8-sig")


def _plain(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    begins = unicodedata.normalize("NFKC", text[:1])
    return f"'{text}" if begins and begins in "=+-@\t\r\n" and not isinstance(value, int) else text


def _width(value: Cell) -> int:
    """Return the width in half-width characters."""
    return sum(2 if unicodedata.east_asian_width(mark) in "FWA" else 1 for mark in str(value or ""))
