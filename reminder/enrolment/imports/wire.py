"""What a process that reads a sheet says of it: lines of JSON for the sheet, for portions of rows, and at the end."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from reminder.domain.model.imports import ColumnUse, Finding, ImportColumn, Level
from reminder.enrolment.imports.reader import ResidentSheet, SheetRow
from reminder.errors import RefusedInputError

END = json.dumps({"end": True})


def sheet_line(sheet: ResidentSheet) -> str:
    """Return the line for a sheet, without its rows."""
    columns = [vars(one) for one in sheet.columns]
    said = {"name": sheet.name, "names": list(sheet.names), "columns": columns, "headings_end": sheet.headings_end}
    return json.dumps({"sheet": said}, ensure_ascii=False)


def rows_line(rows: Sequence[SheetRow]) -> str:
    """Return the line for some rows."""
    said = [
        [
            row.number,
            list(row.cells.items()),
            [[one.code, int(one.level), one.place, one.details] for one in row.findings],
            row.is_total,
        ]
        for row in rows
    ]
    return json.dumps({"rows": said}, ensure_ascii=False)


def refusal_line(refused: RefusedInputError) -> str:
    """Return the line for a refusal."""
    details = {name: value for name, value in refused.details.items() if name != "field"}
    return json.dumps({"refused": refused.code, "field": refused.field, "details": details}, ensure_ascii=False)


def read_line(line: bytes) -> dict[str, Any]:
    """Return what a line says. Raises RefusedInputError for a refusal, and for a process that ended before its end."""
    if not line.endswith(b"\n"):
        raise RefusedInputError("sheet_too_costly", field="file")
    said: dict[str, Any] = json.loads(line)
    if "refused" in said:
        raise RefusedInputError(said["refused"], field=said["field"], **said["details"])
    return said


def sheet_of(said: dict[str, Any], rows: Iterator[SheetRow]) -> ResidentSheet:
    """Return the sheet with these rows."""
    columns = [
        ImportColumn(**{**column, "use": ColumnUse(column["use"]), "against": tuple(column["against"])})
        for column in said["columns"]
    ]
    return ResidentSheet(said["name"], said["names"], columns, said["headings_end"], rows)


def rows_of(said: Sequence[Any]) -> Iterator[SheetRow]:
    """Yield the rows of a line."""
    for number, cells, findings, is_total in said:
        yield SheetRow(
            number,
            dict(cells),
            [Finding(code, Level(level), place, details) for code, level, place, details in findings],
            is_total,
        )
