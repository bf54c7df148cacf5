"""The commands `reminder enrol` and `reminder template`: a home's own sheet, and the sheet to begin with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Group
from reminder.cli.output import AsJson, print_answer, terminal_language
from reminder.errors import RefusedInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from reminder.domain.model.imports import RowCounts
    from reminder.domain.rulebook import Rulebook
    from reminder.enrolment.imports.report import RowReport
    from reminder.storage.registry.imports import ImportView


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    app.command("enrol")(enrol)
    app.command("template")(template)


def enrol(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX, up to 20 MB and 100,000 rows.")],
    group: Group,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check; nobody is enrolled.")] = False,
    report: Annotated[Path | None, typer.Option(help="Rows that were not taken, with why: .xlsx or .csv.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The name of the sheet, where it is not the first.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--map", "--column", help="What a column holds: O=passport; P= for nothing. Remembered."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take the likeliest answer about columns, and save the rows that ask.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Enrol the residents of a home's own sheet: good rows are saved, bad ones are reported with the reason.

    Every column is printed with what it is taken for. Where that is not sure, nothing is checked or saved without
    --map or --yes. Columns of numbers are never read. Exit 0: every row was taken; 2: some were not.

    Example: reminder enrol residents.xlsx --group 1 --dry-run
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.imports import ColumnUse
    from reminder.enrolment.imports import service
    from reminder.enrolment.imports.bounded_reader import read_bounded
    from reminder.enrolment.imports.reader import LARGEST
    from reminder.enrolment.imports.report import rejected_rows_file, row_reports
    from reminder.storage.crypto import private_files
    from reminder.storage.registry import imports

    try:
        if file.stat().st_size > LARGEST:
            raise RefusedInputError("sheet_too_large", field="file", megabytes=LARGEST // (1024 * 1024))
        content = file.read_bytes()
    except OSError:
        raise RefusedInputError("file_not_there", field="file") from None
    with opened_app() as app:
        now, units = app.clock.now(), app.units
        with read_bounded(content, app.rules.headings, sheet=sheet) as found:
            del content
            import_id = service.begin_import(units, now, group_id=group, sheet=found, by=None)
        try:
            with units.writing(now) as uow:
                begun = imports.find(uow.tx, import_id)
                assert begun is not None
                by_place = _answers(app.rules, begun, column or [], yes=yes, as_json=as_json)
                service.set_mapping(uow, import_id=import_id, by_place=by_place)
            done = service.process_to_end(units, now, import_id=import_id, on_progress=_bar(as_json, "checked"))
            with units.reading(now) as uow:
                rows = row_reports(uow, done, terminal_language())
            if not dry_run:
                with units.writing(now) as uow:
                    service.start_saving(uow, import_id=import_id, all_confirmed=yes)
                done = service.process_to_end(units, now, import_id=import_id, on_progress=_bar(as_json, "saved"))
            if report is not None:
                with units.reading(now) as uow:
                    rejected = rejected_rows_file(uow, done, terminal_language(), report.suffix)
                with private_files.written(report) as refused_rows:
                    refused_rows.write(rejected)
        finally:
            service.erase_import(units, now, import_id=import_id)
    refused = [column.heading or column.letter for column in done.columns if column.use is ColumnUse.REFUSED]
    counts = done.counts
    # Rows that need a confirmation and have none were not taken either.
    taken = done.rows - counts.refused - (0 if yes else counts.needs_confirmation)
    print_answer(
        {
            "rows": done.rows,
            # Warned rows are accepted too.
            **{**vars(counts), "accepted": done.rows - counts.refused},
            "columns": _columns(app.rules, done),
            "columns_refused": refused,
            "results": [
                {
                    "row": row.number,
                    "status": row.status,
                    "code": next(iter(row.codes), None),
                    "cell": row.cell,
                    "codes": list(row.codes),
                    "effect": row.effect,
                }
                for row in rows
            ],
        },
        as_json=as_json,
        plain="\n".join([*_column_lines(app.rules, done), _plain(refused, done.rows, counts, rows)]),
    )
    if taken < done.rows:
        raise typer.Exit(2)


def _answers(rules: "Rulebook", begun: "ImportView", written: list[str], *, yes: bool, as_json: bool) -> dict[int, str]:
    """Return what the columns hold, by place. Prints the questions and ends where one has no answer."""
    likeliest = {one.place: one.guess for one in begun.columns if yes and one.asked}
    by_place = {**begun.mapping.by_place, **likeliest, **_mapping_given(written, begun, rules.kinds)}
    if any(one.asked and one.place not in by_place for one in begun.columns):
        _print_questions(rules, begun, as_json=as_json)
        raise typer.Exit(2)
    return by_place


def _mapping_given(written: list[str], sheet_import: "ImportView", kinds: "Collection[str]") -> dict[int, str]:
    """Return by place of a column the field that it holds, from LETTER=FIELD; of a card its kind will do."""
    from reminder.domain.model.imports import CARD

    places = {column.letter: column.place for column in sheet_import.columns}
    given: dict[int, str] = {}
    for one in written:
        letter, _, field = one.partition("=")
        if letter.upper() not in places:
            raise RefusedInputError("column_unknown", field="mapping")
        given[places[letter.upper()]] = CARD + field if field in kinds else field
    return given


def _columns(rules: "Rulebook", sheet_import: "ImportView") -> list[dict[str, object]]:
    """Return what every column is taken for, as data."""
    from reminder.enrolment.imports.columns_report import column_reports

    return [
        {
            "column": one.column.letter,
            "heading": one.column.heading,
            "use": one.column.use,
            "field": one.field or None,
            "asked": one.column.asked if one.is_asked else None,
            "guess": (one.column.guess or None) if one.is_asked else None,
            "why": one.column.why or None,
            "sentence": one.sentence,
        }
        for one in column_reports(rules, sheet_import, terminal_language())
    ]


def _column_lines(rules: "Rulebook", sheet_import: "ImportView") -> list[str]:
    """Return a line for every column: its letter, its heading, what it is taken for, and why."""
    return [
        "\t".join(
            (
                f"{one['column']} {one['heading']}".strip(),
                str(one["field"] or ("?" if one["asked"] else "-")),
                f"{one['sentence']} ({one['guess']}?)" if one["guess"] else str(one["sentence"]),
            )
        )
        for one in _columns(rules, sheet_import)
    ]


def _print_questions(rules: "Rulebook", sheet_import: "ImportView", *, as_json: bool) -> None:
    """Print the columns with what has to be said of them before anything is checked."""
    from reminder.domain.text.error_messages import explain

    columns = _columns(rules, sheet_import)
    asked = [f"{one['column']} {one['heading']}".strip() for one in columns if one["asked"]]
    refused = RefusedInputError("column_asked", field="mapping", columns="、".join(asked))
    sentence = explain(rules.wording, refused, terminal_language())
    answer = {"error": refused.code, "sentence": sentence, "columns": columns, "rows": sheet_import.rows, "saved": 0}
    choices = " ".join(f"--map {one['column']}={one['guess'] or 'KIND'}" for one in columns if one["asked"])
    print_answer(answer, as_json=as_json, plain="\n".join([*_column_lines(rules, sheet_import), sentence, choices]))


def _plain(refused: "Sequence[str]", total: int, counts: "RowCounts", rows: "Sequence[RowReport]") -> str:
    lines = [f"not read: {'、'.join(refused)}"] if refused else []
    shown = ("accepted", "warned", "refused", "needs_confirmation", "ignored", "new", "changed", "unchanged", "saved")
    lines.append("  ".join([f"rows={total}", *(f"{name}={getattr(counts, name)}" for name in shown)]))
    lines += [
        f"{row.cell or row.number}\t{row.status}\t{' '.join(row.sentences)}" for row in rows if row.status != "accepted"
    ]
    return "\n".join(lines)


def _bar(as_json: bool, what: str) -> "Callable[[ImportView], None]":
    """Return the callback that shows the progress on a terminal."""

    def show(sheet_import: "ImportView") -> None:
        if sys.stderr.isatty() and not as_json:
            share = sheet_import.done / max(sheet_import.rows, 1)
            full = round(share * 30)
            end = "\n" if sheet_import.done >= sheet_import.rows else ""
            bar = f"{'#' * full}{'.' * (30 - full)}"
            print(f"\r{what} [{bar}] {sheet_import.done}/{sheet_import.rows}", end=end, file=sys.stderr)

    return show


def template(
    out: Annotated[Path, typer.Option(help="Where to put it: .xlsx")] = Path("residents.xlsx"),
    as_json: bool = AsJson,
) -> None:
    """Write a sheet to begin with: headings, an example row, and the allowed values.

    Example: reminder template --out residents.xlsx
    """
    from reminder.enrolment.imports.template import template as made
    from reminder.wiring import read_rulebook, read_settings

    out.write_bytes(made(read_rulebook(read_settings()), terminal_language()))
    print_answer({"file": str(out)}, as_json=as_json, plain=str(out))
