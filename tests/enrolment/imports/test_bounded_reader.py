"""Sheets of strangers: read within bounds of time and memory, and outside of the process that answers pages."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import openpyxl
import psutil
import pytest

from reminder.domain.model.people import GroupKind
from reminder.enrolment.imports import bounded_reader, reader_process, service
from reminder.enrolment.imports.bounded_reader import LIGHT_TEXT, read_bounded
from reminder.enrolment.imports.reader import ResidentSheet, read_sheet
from reminder.enrolment.imports.zip_guard import LIGHT
from reminder.errors import RefusedInputError, TooManyRequestsError
from reminder.storage.registry import imports
from tests.homes import SHEETS
from tests.rules import HEADINGS
from tests.village import Village, open_village

HEAD = "居室,氏名,電子証明書期限,備考\n"


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        opened.group(GroupKind.HOME, "さくら苑")
        yield opened


def book(rows: int = 1, cell: object = "2027-11-16") -> bytes:
    made = openpyxl.Workbook(write_only=True)
    sheet = made.create_sheet()
    sheet.append(["居室", "氏名", "電子証明書期限"])
    for number in range(rows):
        sheet.append([number, f"ハナ{number}", cell])
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()


def with_sheet(change: bytes, place: bytes = b"</sheetData>") -> bytes:
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book())) as sound,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
    ):
        for part in sound.namelist():
            content = sound.read(part)
            made.writestr(part, content.replace(place, change + place) if "sheet1" in part else content)
    return changed.getvalue()


def everything(sheet: ResidentSheet) -> object:
    return sheet.name, list(sheet.names), list(sheet.columns), sheet.headings_end, list(sheet.rows)


def in_child(content: bytes, sheet: str | None = None) -> ResidentSheet:
    with bounded_reader._child() as child:
        found = bounded_reader._read_in(child, content, sheet)
        return ResidentSheet(found.name, found.names, found.columns, found.headings_end, iter(list(found.rows)))


def outcome(content: bytes) -> str:
    try:
        with read_bounded(content, HEADINGS) as sheet:
            list(sheet.rows)
    except RefusedInputError as refused:
        return refused.code
    return "read"


@pytest.mark.parametrize("name", sorted(path.name for path in SHEETS.iterdir() if path.suffix in (".xlsx", ".csv")))
def test_a_child_process_reads_what_this_process_would(name: str) -> None:
    content = (SHEETS / name).read_bytes()
    try:
        here: object = everything(read_sheet(content, HEADINGS))
    except RefusedInputError as refused:
        here = (refused.code, refused.field, dict(refused.details))
    try:
        there: object = everything(in_child(content))
    except RefusedInputError as refused:
        there = (refused.code, refused.field, dict(refused.details))

    assert there == here


@pytest.mark.parametrize(
    ("content", "is_light"),
    [
        (lambda: HEAD.encode() + b"1,a,2027-11-16,\n" * 100, True),
        (lambda: HEAD.encode() + b"1,a,2027-11-16,\n" * (LIGHT_TEXT // 16 + 1), False),
        (book, True),
        (lambda: book(500), True),
        (lambda: book(40_000), False),
        (lambda: with_sheet(b'<row r="9999"><c r="CV9999"><v>1</v></c></row>'), False),
        (lambda: with_sheet(b" " * (LIGHT.unpacked + 1)), False),
    ],
    ids=["a small text", "a long text", "a small book", "a home's book", "a large book", "a far cell", "blanks"],
)
def test_only_what_costs_little_is_read_in_this_process(content: Callable[[], bytes], is_light: bool) -> None:
    assert (bounded_reader._read_light(content(), HEADINGS, None) is not None) is is_light


def test_the_child_knows_no_secret_and_may_not_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMINDER_SECRET_KEYS", "a secret")
    with bounded_reader._child() as child:
        environment = psutil.Process(child.pid).environ()

    assert not [name for name in environment if name.startswith("REMINDER_")]
    assert "a secret" not in json.dumps(environment)


def limited(code: str) -> "subprocess.CompletedProcess[bytes]":
    """A process with the limits of one that reads a sheet."""
    program = f"from reminder.enrolment.imports import reader_process as p; p.limit_resources(); {code}"
    environment = {**os.environ, "PYTHONPATH": str(Path(reader_process.__file__).parents[3])}
    return subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (f"x = bytearray({reader_process.MEMORY})", b"MemoryError"),
        ("open('written', 'w').write('x' * 99999)", b"OSError"),
    ],
    ids=["memory", "a file"],
)
def test_the_child_is_held_to_its_limits(
    code: str, error: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = limited("import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + code)

    assert ended.returncode != 0
    assert error in ended.stderr


def test_time_is_limited_by_the_system() -> None:
    ended = limited(
        "import resource; print(resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )

    assert ended.stdout.split() == [str(reader_process.CPU_SECONDS).encode(), b"0"]


def readers() -> list[psutil.Process]:
    """The children that read a sheet; the tests have others, such as a database."""
    return [child for child in psutil.Process().children() if any("reader_process" in word for word in child.cmdline())]


@pytest.mark.parametrize("lines", [0, 1])
def test_a_child_that_is_killed_leaves_nothing_half_stored(village: Village, lines: int) -> None:
    content = HEAD.encode() + b"1,a,2027-11-16,\n" * 40_000
    app = village.app

    def half(sheet: ResidentSheet) -> Iterator[object]:
        for place, row in enumerate(sheet.rows):
            if place == lines:
                (child,) = readers()
                child.kill()
                child.wait()
            yield row

    def begin() -> None:
        with read_bounded(content, HEADINGS) as sheet:
            killed = ResidentSheet(sheet.name, sheet.names, sheet.columns, sheet.headings_end, half(sheet))
            service.begin_import(app.units, village.now, group_id=1, sheet=killed, by=None)

    with pytest.raises(RefusedInputError) as refused:
        begin()

    assert refused.value.code == "sheet_too_costly"
    with app.database.reading() as tx:
        assert imports.of_group(tx, 1) == []
    assert readers() == []


def test_whoever_gives_up_in_the_middle_leaves_no_process(village: Village) -> None:
    content = HEAD.encode() + b"1,a,2027-11-16,\n" * 40_000

    with read_bounded(content, HEADINGS) as sheet:
        next(iter(sheet.rows))

    assert readers() == []


def test_only_so_many_files_are_read_at_a_time() -> None:
    content = HEAD.encode() + b"1,a,2027-11-16,\n" * 40_000

    with ExitStack() as reading:
        for _ in range(2):
            reading.enter_context(read_bounded(content, HEADINGS))
        with pytest.raises(TooManyRequestsError) as refused, read_bounded(content, HEADINGS):
            pass

    assert (refused.value.code, refused.value.retry_after) == ("sheets_being_read", bounded_reader._WAIT)
    assert outcome(content) == "read"


def test_a_group_sends_one_sheet_at_a_time_and_delays_no_other(village: Village) -> None:
    units, now = village.app.units, village.now
    other = village.group(GroupKind.HOME, "ひまわり苑")

    with service.turn_to_read(units, now, group_id=1):
        with pytest.raises(TooManyRequestsError), service.turn_to_read(units, now, group_id=1):
            pass
        with service.turn_to_read(units, now, group_id=other):
            pass
    with service.turn_to_read(units, now, group_id=1):
        pass


def test_the_turn_of_a_killed_process_ends(village: Village) -> None:
    units, now = village.app.units, village.now

    with service.turn_to_read(units, now, group_id=1):
        later = now + service.TURN_LASTS
        with service.turn_to_read(units, later, group_id=1):
            pass


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_cell_without_end_is_refused_and_costs_no_search(kind: str) -> None:
    long = "1-O" * 40_000
    rows = {"csv": f"{HEAD}1,{long},2027-11-16,\n2,ハナ,2027-11-16,\n".encode(), "xlsx": book(2, "1-O" * 10_000)}

    with read_bounded(rows[kind], HEADINGS) as sheet:
        found = [[(one.code, one.details) for one in row.findings] for row in sheet.rows]

    assert [code for code, _ in found[0]] == ["text_too_long"]


def test_of_long_notes_only_the_beginning_is_looked_at() -> None:
    notes = "よく眠る。" * 400
    with read_bounded(f"{HEAD}1,ハナ,2027-11-16,{notes}\n".encode(), HEADINGS) as sheet:
        (row,) = sheet.rows

    assert row.findings == []


def test_a_turn_lasts_longer_than_reading_may() -> None:
    assert timedelta(seconds=reader_process.SECONDS) <= service.TURN_LASTS
