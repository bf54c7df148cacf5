"""Whatever a sheet holds: nothing crashes, no row is dropped without a word, and no number is kept."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reminder.domain.model.imports import RowStatus
from reminder.domain.model.people import GroupKind
from reminder.domain.text import spreadsheet_writer
from reminder.domain.text.spreadsheet_writer import TableSheet
from reminder.enrolment.imports.reader import read_sheet
from reminder.errors import RefusedInputError
from tests.homes import checked, rejected, rows_of, saved
from tests.rules import HEADINGS
from tests.village import Village, open_village

ANY_HEADING = st.sampled_from(
    [
        "カード期限",
        "資格確認書",
        "備考",
        "個人番号",
        "被保険者番号",
        "携帯",
        "家族メール",
        "同意日",
        "整理番号",
        "生年月日",
        "",
        "なにか",
    ]
)
WRITTEN = st.one_of(
    st.text(alphabet="0123456789ー-年月日RH.〃=＝+@ 　,\"'\n番号ﾏｲﾅ①９髙𠮷", max_size=20),
    st.sampled_from(
        ["2030-11-16", "R12.11.16", "令和12年11月16日", "２０３０／１１／１６", "平成39年2月14日", "2027-02-30", "更新中", "不明", "〃",
         "090-0000-0001", "9000000001", "family@example.jp", "family＠example.jp", "1234 5678 9018", "123456789018", "合計", "退所",
         "=1+1", "暗証1234"]
    ),
)  # fmt: skip
TYPED = st.one_of(
    WRITTEN,
    st.none(),
    st.booleans(),
    st.integers(-5, 10**13),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.dates(date(1900, 3, 1), date(2199, 12, 31)),
    st.datetimes(datetime.combine(date(1900, 3, 1), time()), datetime.combine(date(2199, 12, 31), time())),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    folder: Path = tmp_path_factory.mktemp("home")
    with open_village(f"sqlite:///{folder}/kigen.db", folder, "2026-11-23 10:00", durable=False) as village:
        village.group(GroupKind.HOME, "見本の里")
        yield village


def hold(content: bytes, rows_in: list[list[object]], home: Village) -> None:
    """Rows in are rows accepted, warned, refused or named as a sum; what is saved or comes back is all that there was."""
    held = [row for row in rows_in if any(value is not None and str(value).strip() for value in row)]
    written, sums = len(held), sum("合計" in row for row in held)
    try:
        read_sheet(content, HEADINGS)
        sheet_import = checked(home, content)
    except RefusedInputError as refused:
        code = refused.code
    else:
        code = ""
    if code:
        # A whole file, with what is wrong with it; one with rows only where it says two things at once.
        assert written <= sums or code in ("sheet_heading_twice", "sheet_no_headings", "sheet_quote_open"), code
        return
    counts, rows = sheet_import.counts, rows_of(home, sheet_import)
    statuses = [row.status for row in rows.values()]
    assert sheet_import.rows == len(rows) == counts.accepted + counts.warned + counts.refused
    assert sheet_import.rows + counts.ignored == written
    assert set(statuses) <= {"accepted", "warned", "refused"}
    assert all(row.findings for row in rows.values() if row.status is RowStatus.REFUSED)
    kept = json.dumps([dict(row.cells) for row in rows.values()], ensure_ascii=False)
    assert "5678 9018" not in kept
    assert "567890" not in kept
    after = saved(home, sheet_import)
    returned = rejected(home, after)
    came_back = len(list(csv.reader(io.StringIO(returned)))) - 1
    assert after.counts.saved + came_back == sheet_import.rows


HARD = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@given(
    more=st.lists(ANY_HEADING, max_size=5, unique=True),
    rows=st.lists(st.lists(WRITTEN, max_size=9), max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp932"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    notes=st.lists(st.sampled_from(["入居者一覧", "", "令和8年4月"]), max_size=2),
)
@HARD
def test_any_csv(
    home: Village, more: list[str], rows: list[list[str]], encoding: str, delimiter: str, notes: list[str]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([*([note] for note in notes), ["居室", "氏名", "電子証明書期限", *more], *rows])

    hold(text.getvalue().encode(encoding, "ignore" if encoding == "cp932" else "strict"), rows, home)


@given(
    more=st.lists(ANY_HEADING, max_size=5, unique=True),
    rows=st.lists(st.lists(TYPED, max_size=9), max_size=6),
    notes=st.integers(0, 2),
    hidden=st.sets(st.integers(1, 8), max_size=2),
)
@example(more=[], rows=[["=A2", "=B2"], ["", "ハナ"], ["", "=B3"]], notes=0, hidden={1})
@HARD
def test_any_workbook(home: Village, more: list[str], rows: list[list[object]], notes: int, hidden: set[int]) -> None:
    book = openpyxl.Workbook()
    page = book.active
    for _ in range(notes):
        page.append(["ご確認ください"])
    page.append(["居室", "氏名", "電子証明書期限", *more])
    for number, row in enumerate(rows, page.max_row + 1):
        for place, value in enumerate(row, 1):
            cell = page.cell(number, place)
            # What begins with = becomes a formula, whose value nobody has worked out.
            if not isinstance(value, str) or value.strip():
                cell.value = value
    for number in hidden:
        page.row_dimensions[number + notes + 1].hidden = True
    kept = io.BytesIO()
    book.save(kept)
    hold(kept.getvalue(), rows, home)


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4), st.sampled_from("=+-@\t\r\n＝＋－＠"))
@settings(max_examples=60, deadline=None)
def test_no_cell_that_we_write_is_a_formula(words: list[str], first: str) -> None:
    cells = [first + "".join(mark for mark in word if mark.isprintable()) for word in words]

    text = spreadsheet_writer.csv_bytes(["理由", *cells], [["", *cells]]).decode("utf-8-sig")
    book = openpyxl.load_workbook(
        io.BytesIO(spreadsheet_writer.xlsx([TableSheet("表", ["理由"], [[one] for one in cells])]))
    )

    assert all(cell.startswith("'") for row in csv.reader(io.StringIO(text, newline="")) for cell in row[1:])
    assert {cell.data_type for row in book.active.iter_rows(min_row=2) for cell in row} <= {"s", "n"}
