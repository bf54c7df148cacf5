"""A home's sheet imported in a village, as somebody at its office would."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from reminder.domain.model.people import Language
from reminder.enrolment.imports import report, service
from reminder.enrolment.imports.reader import read_sheet
from reminder.enrolment.imports.service import RowAnswer
from reminder.storage.registry import imports
from reminder.storage.registry.imports import ImportRowView, ImportView
from tests.village import Village

SHEETS = Path(__file__).parent / "data" / "home_sheets"
EXPECTED = json.loads((SHEETS / "EXPECTED.json").read_text(encoding="utf-8"))


def begun(village: Village, content: bytes, group_id: int = 1) -> ImportView:
    sheet = read_sheet(content, village.app.rules.headings)
    import_id = service.begin_import(village.app.units, village.now, group_id=group_id, sheet=sheet, by=None)
    return found(village, import_id)


def found(village: Village, import_id: int) -> ImportView:
    with village.app.database.reading() as tx:
        sheet_import = imports.find(tx, import_id)
    assert sheet_import is not None
    return sheet_import


def checked(
    village: Village, content: bytes, group_id: int = 1, mapping: Mapping[int, str] | None = None
) -> ImportView:
    sheet_import = begun(village, content, group_id)
    by_place = sheet_import.mapping.by_place if mapping is None else mapping
    with village.app.units.writing(village.now) as uow:
        service.set_mapping(uow, import_id=sheet_import.id, by_place=by_place)
    return service.process_to_end(village.app.units, village.now, import_id=sheet_import.id)


def start_saving(
    village: Village,
    sheet_import: ImportView,
    *,
    yes: bool = False,
    confirmed: Collection[int] = (),
    answers: Mapping[int, RowAnswer] | None = None,
) -> None:
    with village.app.units.writing(village.now) as uow:
        service.start_saving(uow, import_id=sheet_import.id, confirmed=confirmed, all_confirmed=yes, answers=answers)


def saved(
    village: Village,
    sheet_import: ImportView,
    *,
    yes: bool = False,
    confirmed: Collection[int] = (),
    answers: Mapping[int, RowAnswer] | None = None,
) -> ImportView:
    start_saving(village, sheet_import, yes=yes, confirmed=confirmed, answers=answers)
    return service.process_to_end(village.app.units, village.now, import_id=sheet_import.id)


def rows_of(village: Village, sheet_import: ImportView) -> dict[int, ImportRowView]:
    with village.app.database.reading() as tx:
        return {row.number: row for row in imports.rows_after(tx, village.app.keys, sheet_import.id, 0, 200_000)}


def rejected(village: Village, sheet_import: ImportView) -> str:
    """The rows that were not taken, as a CSV file."""
    with village.app.units.reading(village.now) as uow:
        return report.rejected_rows_file(uow, sheet_import, Language.JAPANESE, ".csv").decode("utf-8-sig")
