"""A home's sheet enrolled in a village, as somebody at its office would."""

import json
from collections.abc import Mapping
from pathlib import Path

from reminder.enrolment import bulk
from reminder.enrolment.spreadsheet import read_sheet
from reminder.storage import uploads
from reminder.storage.uploads import StoredRow, UploadView
from tests.village import Village

SHEETS = Path(__file__).parent / "data" / "home_sheets"
EXPECTED = json.loads((SHEETS / "EXPECTED.json").read_text(encoding="utf-8"))


def checked(
    village: Village, content: bytes, group_id: int = 1, mapping: Mapping[int, str] | None = None
) -> UploadView:
    app = village.app
    sheet = read_sheet(content, app.rules.headings)
    upload_id = bulk.begin(app.database, app.keys, village.now, group_id=group_id, sheet=sheet, by=None)
    with app.database.reading() as tx:
        begun = uploads.find(tx, upload_id)
    assert begun is not None
    bulk.set_mapping(app.database, app.rules, village.now, upload_id=upload_id, mapping=mapping or begun.mapping)
    return bulk.finish(app.database, app.keys, app.rules, village.now, upload_id=upload_id)


def saved(village: Village, upload: UploadView, *, yes: bool = False) -> UploadView:
    app = village.app
    bulk.save(app.database, village.now, upload_id=upload.id, all_agreed=yes)
    return bulk.finish(app.database, app.keys, app.rules, village.now, upload_id=upload.id)


def rows_of(village: Village, upload: UploadView) -> dict[int, StoredRow]:
    with village.app.database.reading() as tx:
        return {row.number: row for row in uploads.rows_after(tx, village.app.keys, upload.id, 0, 200_000)}
