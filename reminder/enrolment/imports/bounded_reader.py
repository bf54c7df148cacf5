"""Reading a stranger's sheet within bounds: a small one at once, any other one in a process of its own.

What a file unpacks to cannot be told from its size: 0.2 megabytes of blanks become 240. A sheet that costs little is
read here. Every other one is read in a child process, which the system ends when it has used its time or memory.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reminder.domain.parsing.column_headings import ColumnHeadings
from reminder.enrolment.imports import wire, xlsx
from reminder.enrolment.imports.reader import LARGEST, ResidentSheet, SheetRow, read_sheet
from reminder.enrolment.imports.zip_guard import LIGHT
from reminder.errors import RefusedInputError, TooManyRequestsError
from reminder.settings import config_dir

# A CSV file of this size is read in a fifth of a second.
LIGHT_TEXT = 256 * 1024
# Child processes at a time, of all groups: more of them would take the processors from the pages.
_places = threading.BoundedSemaphore(2)
MODULE = "reminder.enrolment.imports.reader_process"
# All that the child gets of our environment: no secret is among it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH")
_WAIT = 15


@contextmanager
def read_bounded(content: bytes, headings: ColumnHeadings, *, sheet: str | None = None) -> Iterator[ResidentSheet]:
    """Yield the sheet in a file; its rows can be read once, inside the context.

    Raises RefusedInputError as `read_sheet`, also while the rows are read; `sheet_too_costly` for a file that takes
    too much time or memory; TooManyRequestsError while too many files are being read.
    """
    if len(content) > LARGEST:
        raise RefusedInputError("sheet_too_large", field="file", megabytes=LARGEST // (1024 * 1024))
    light = _read_light(content, headings, sheet)
    if light is not None:
        yield light
        return
    if not _places.acquire(blocking=False):
        raise TooManyRequestsError("sheets_being_read", field="file", retry_after=_WAIT)
    try:
        with _child() as child:
            yield _read_in(child, content, sheet)
    finally:
        _places.release()


def _read_light(content: bytes, headings: ColumnHeadings, sheet: str | None) -> ResidentSheet | None:
    """Return a sheet that costs little to read, else None."""
    if not xlsx.is_workbook(content):
        return read_sheet(content, headings, sheet=sheet) if len(content) <= LIGHT_TEXT else None
    try:
        return read_sheet(content, headings, sheet=sheet, bounds=LIGHT)
    except RefusedInputError as refused:
        if refused.code == "sheet_bomb":
            return None
        raise


@contextmanager
def _child() -> Iterator["subprocess.Popen[bytes]"]:
    ours = str(Path(__file__).parents[3])
    before = os.environ.get("PYTHONPATH")
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = ours if before is None else f"{ours}{os.pathsep}{before}"
    child = subprocess.Popen(  # noqa: S603  # our own program; the file goes to its standard input
        # Not the current directory: whatever lies there is no part of the program.
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # What a library says of a broken file may hold a part of it.
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        yield child
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout):
            # Something may still wait to be written to a child that has ended.
            with suppress(OSError, AttributeError):
                pipe.close()  # type: ignore[union-attr]
        child.wait()


def _read_in(child: "subprocess.Popen[bytes]", content: bytes, sheet: str | None) -> ResidentSheet:
    assert child.stdin is not None
    assert child.stdout is not None
    asked = {"sheet": sheet, "headings": str((config_dir() / "headings.toml").resolve())}
    with suppress(OSError):  # it has ended already, and its answer says that
        child.stdin.write(json.dumps(asked).encode() + b"\n")
        child.stdin.write(content)
        child.stdin.close()
    said = wire.read_line(child.stdout.readline())
    return wire.sheet_of(said["sheet"], _rows(child))


def _rows(child: "subprocess.Popen[bytes]") -> Iterator[SheetRow]:
    assert child.stdout is not None
    while "end" not in (said := wire.read_line(child.stdout.readline())):
        yield from wire.rows_of(said["rows"])
