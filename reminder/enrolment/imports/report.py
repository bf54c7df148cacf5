"""The report of an import: a sentence for each finding, the rows to correct, and who is missing from the sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reminder.domain.model.imports import Finding, RowEffect, RowStatus, needs_confirmation
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.text import spreadsheet_writer
from reminder.domain.text.error_messages import explain
from reminder.domain.text.spreadsheet_writer import TableSheet
from reminder.enrolment.imports.xlsx import letter
from reminder.errors import RefusedInputError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import imports, people
from reminder.storage.registry.imports import ImportRowView, ImportView
from reminder.storage.registry.people import PersonView

# Rows that are held in memory at once.
_AT_ONCE = 500


@dataclass(frozen=True)
class RowReport:
    """The result of a row.

    `cell`: as C17; None if it is about the whole row. `codes`, `sentences`: of each finding, the gravest first, and
    what to do about it. `needs_confirmation`: it is saved once somebody has confirmed it.
    `returned`: a cell of it is left out, to be mended and sent again.
    """

    number: int
    status: RowStatus
    effect: RowEffect
    codes: Sequence[str]
    cell: str | None
    sentences: Sequence[str]
    needs_confirmation: bool
    person_id: int | None
    returned: bool = False


def report_of(rules: Rulebook, sheet_import: ImportView, row: ImportRowView, language: Language) -> RowReport:
    """Return the result of a row, in words."""
    findings = sorted(row.findings, key=lambda finding: -finding.level)
    place = findings[0].place if findings else None
    return RowReport(
        number=row.number,
        status=row.status,
        effect=row.effect,
        codes=[finding.code for finding in findings],
        cell=None if place is None else f"{letter(place)}{row.number}",
        sentences=[_sentence(rules, sheet_import, finding, language) for finding in findings],
        needs_confirmation=needs_confirmation(findings),
        person_id=row.person_id,
        returned=any(finding.is_returned for finding in findings),
    )


def _sentence(rules: Rulebook, sheet_import: ImportView, finding: Finding, language: Language) -> str:
    heading = next((column.heading for column in sheet_import.columns if column.place == finding.place), "")
    # A finding that comes from a refusal names its field itself.
    details: dict[str, Any] = {"field": heading, **(finding.details or {})}
    refused = RefusedInputError(finding.code, **details)
    said = explain(rules.wording, refused, language, own="sheet_rows")
    if finding.is_returned:
        words = rules.wording.of(language).table["sheet_rows"]
        assert isinstance(words, Mapping)
        said = f"{said} {words['cell_returned']}"
    return f"{heading}: {said}" if heading else said


def row_reports(uow: UnitOfWork, sheet_import: ImportView, language: Language) -> list[RowReport]:
    """Return the result of every row, in the order of the sheet."""
    return [report_of(uow.rules, sheet_import, row, language) for row in _all_rows(uow, sheet_import)]


def _all_rows(uow: UnitOfWork, sheet_import: ImportView) -> Iterator[ImportRowView]:
    after = 0
    while rows := imports.rows_after(uow.tx, uow.keys, sheet_import.id, after, _AT_ONCE):
        yield from rows
        after = rows[-1].number


def rejected_rows_file(uow: UnitOfWork, sheet_import: ImportView, language: Language, suffix: str) -> bytes:
    """Return the rows that were not taken, with the reason, as a file to correct and send again: ".csv", else XLSX.

    It holds nothing of a column that is refused or discarded.
    """
    words = uow.rules.wording.of(language).table["shown"]
    assert isinstance(words, Mapping)
    columns = [column for column in sheet_import.columns if column.may_be_mapped]
    headings = [str(words["reason"]), *(column.heading for column in columns)]
    places = [column.place for column in columns]
    rows = _rejected_rows(uow, sheet_import, language, places)
    if suffix.lower() == ".csv":
        return spreadsheet_writer.csv_bytes(headings, rows)
    return spreadsheet_writer.xlsx([TableSheet(headings[0], headings, rows)])


def _rejected_rows(
    uow: UnitOfWork, sheet_import: ImportView, language: Language, places: Sequence[int]
) -> Iterator[Sequence[str]]:
    for row in _all_rows(uow, sheet_import):
        report = report_of(uow.rules, sheet_import, row, language)
        is_left_over = report.needs_confirmation and row.status is not RowStatus.SAVED
        if row.status is RowStatus.REFUSED or is_left_over or report.returned:
            yield [" ".join(report.sentences), *(row.cells.get(place, "") for place in places)]


def people_not_in_sheet(uow: UnitOfWork, sheet_import: ImportView) -> list[PersonView]:
    """Return the people of the group who are not in the sheet. Nothing is done to them."""
    matched = imports.matched_people(uow.tx, sheet_import.id)
    return [person for person in people.of_group(uow.tx, sheet_import.group_id) if person.id not in matched]
