"""Workbooks of a few kilobytes that unpack to a quarter of a gigabyte, or to millions of cells."""

import resource
from collections.abc import Callable

import pytest

from reminder.enrolment.imports.bounded_reader import read_bounded
from reminder.errors import RefusedInputError
from tests.enrolment.imports.test_bounded_reader import with_sheet
from tests.rules import HEADINGS

FAR = [b'<row r="%d"><c r="CV%d"><v>1</v></c></row>' % (number, number) for number in range(3, 60_000)]
HEAVY = [
    pytest.param(lambda: with_sheet(b" " * (240 << 20)), id="blanks, a thousand times what is sent"),
    pytest.param(lambda: with_sheet(b"".join(FAR)), id="a block of six million cells, in columns that are usual"),
    pytest.param(lambda: with_sheet(b"<row/>" * 3_000_000), id="three million empty rows"),
]


@pytest.mark.parametrize("made", HEAVY)
def test_a_heavy_workbook_costs_this_process_nothing_but_its_bytes(made: Callable[[], bytes]) -> None:
    content = made()
    before = peak()

    said = outcome(content)

    assert said in ("read", "sheet_bomb", "sheet_too_costly", "sheet_unreadable", "sheet_too_many_rows")
    assert peak() - before < 60 << 20


def outcome(content: bytes) -> str:
    try:
        with read_bounded(content, HEADINGS) as sheet:
            for _ in sheet.rows:
                pass
    except RefusedInputError as refused:
        return refused.code
    return "read"


def peak() -> int:
    """The most memory that this process ever had, in bytes: what it made here is over by now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
