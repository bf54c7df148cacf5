"""`reminder enrol`: a home's own sheet, from the console. And the sheet to begin with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.data import Group
from reminder.cli.say import AsJson, answer, language
from reminder.errors import RefusedInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reminder.enrolment.bulk import RowReport
    from reminder.storage.uploads import UploadView


def add_to(app: typer.Typer) -> None:
    app.command("enrol")(enrol)
    app.command("template")(template)


def enrol(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX, up to 20 MB and 100,000 rows.")],
    group: Group,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check; nobody is enrolled.")] = False,
    report: Annotated[Path | None, typer.Option(help="Rows that were not taken, with why: .xlsx or .csv.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The name of the sheet, where it is not the first.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="What a column holds, as: --column O=family_mobile. Remembered.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Save the rows that ask, too: past dates, hidden rows …")] = False,
    as_json: bool = AsJson,
) -> None:
    """Enrols the residents of a home's own sheet: good rows are saved, bad ones come back with why. Columns of numbers
    are never read. Exit 0: every row was taken; 2: some were not.

    Example: reminder enrol residents.xlsx --group 1 --dry-run
    """
    from reminder.cli.opened import opened
    from reminder.enrolment import bulk
    from reminder.enrolment.spreadsheet import LARGEST, read_sheet
    from reminder.storage import uploads

    try:
        if file.stat().st_size > LARGEST:
            raise RefusedInputError("sheet_too_large", field="file", megabytes=LARGEST // (1024 * 1024))
        content = file.read_bytes()
    except OSError:
        raise RefusedInputError("file_not_there", field="file") from None
    with opened() as app:
        found = read_sheet(content, app.rules.headings, sheet=sheet)
        del content
        now = app.clock.now()
        upload_id = bulk.begin(app.database, app.keys, now, group_id=group, sheet=found, by=None)
        try:
            with app.database.reading() as tx:
                begun = uploads.find(tx, upload_id)
            assert begun is not None
            mapping = {**begun.mapping, **_said(column or [], begun)}
            bulk.set_mapping(app.database, app.rules, now, upload_id=upload_id, mapping=mapping)
            given = (app.database, app.keys, app.rules, now)
            upload = bulk.finish(*given, upload_id=upload_id, moved=_bar(as_json, "checked"))
            rows = bulk.reports(app.database, app.keys, app.rules, upload, language())
            if not dry_run:
                bulk.save(app.database, now, upload_id=upload_id, all_agreed=yes)
                upload = bulk.finish(*given, upload_id=upload_id, moved=_bar(as_json, "saved"))
            if report is not None:
                report.write_bytes(bulk.returned(app.database, app.keys, app.rules, upload, language(), report.suffix))
        finally:
            bulk.forget(app.database, upload_id)
    refused = [column["heading"] or column["letter"] for column in upload.columns if column["fate"] == "refused"]
    counts = {name: upload.counts.get(name, 0) for name in ("accepted", "warned", "refused", "asks", "ignored")}
    effects = {name: upload.counts.get(name, 0) for name in ("new", "changed", "unchanged", "saved")}
    # What asks and was not said yes to was not taken either.
    taken = upload.rows - counts["refused"] - (0 if yes else counts["asks"])
    answer(
        {
            "rows": upload.rows,
            "accepted": upload.rows - counts["refused"],
            **{name: counts[name] for name in ("warned", "refused", "asks", "ignored")},
            **effects,
            "columns_refused": refused,
            "results": [
                {"row": row.number, "verdict": row.verdict, "code": next(iter(row.codes), None), "cell": row.cell,
                 "codes": list(row.codes), "effect": str(row.effect)}
                for row in rows
            ],
        },
        as_json=as_json,
        plain=_plain(refused, {"rows": upload.rows, **counts, **effects}, rows),
    )  # fmt: skip
    if taken < upload.rows:
        raise typer.Exit(2)


def _said(written: list[str], upload: "UploadView") -> dict[int, str]:
    places = {str(column["letter"]): int(column["place"]) for column in upload.columns}
    said = {}
    for one in written:
        letter, _, field = one.partition("=")
        if letter.upper() not in places:
            raise RefusedInputError("column_unknown", field="mapping")
        said[places[letter.upper()]] = field
    return said


def _plain(refused: "Sequence[str]", counts: "Mapping[str, int]", rows: "Sequence[RowReport]") -> str:
    lines = [f"not read: {'、'.join(refused)}"] if refused else []
    lines.append("  ".join(f"{name}={number}" for name, number in counts.items()))
    lines += [
        f"{row.cell or row.number}\t{row.verdict}\t{' '.join(row.sentences)}"
        for row in rows
        if row.verdict != "accepted"
    ]
    return "\n".join(lines)


def _bar(as_json: bool, what: str) -> "Callable[[UploadView], None]":
    """How far it has come, where somebody watches."""

    def moved(upload: "UploadView") -> None:
        if sys.stderr.isatty() and not as_json:
            share = upload.done / max(upload.rows, 1)
            full = round(share * 30)
            end = "\n" if upload.done >= upload.rows else ""
            print(f"\r{what} [{'#' * full}{'.' * (30 - full)}] {upload.done}/{upload.rows}", end=end, file=sys.stderr)

    return moved


def template(
    out: Annotated[Path, typer.Option(help="Where to put it: .xlsx")] = Path("residents.xlsx"),
    as_json: bool = AsJson,
) -> None:
    """A sheet to begin with: headings, an example row, and what may be chosen.

    Example: reminder template --out residents.xlsx
    """
    from reminder.enrolment.template import template as made
    from reminder.wiring import read_rulebook, read_settings

    out.write_bytes(made(read_rulebook(read_settings()), language()))
    answer({"file": str(out)}, as_json=as_json, plain=str(out))
