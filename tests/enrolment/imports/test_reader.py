"""Files as they come from offices, and files made to do harm: each is read right, or refused with a reason."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import openpyxl
import pytest

from reminder.domain.model.imports import ColumnUse
from reminder.domain.model.people import GroupKind
from reminder.enrolment.imports.reader import MOST_ROWS, is_error_value, read_sheet
from reminder.errors import RefusedInputError
from reminder.storage.registry import cards, contacts, people
from tests.homes import checked, rejected, rows_of, saved
from tests.rules import HEADINGS
from tests.village import Village

CASES = {
    str(case["id"]): case
    for case in json.loads((Path(__file__).parents[2] / "data" / "csv_cases.json").read_text(encoding="utf-8"))["cases"]
}
WORDS = {
    "{PHONE}": "電話番号",
    "{PHONE:variant}": "ＴＥＬ",
    "{NAME}": "氏名",
    "{NAME:variant}": "お 名 前",
    "{EXPIRY}": "電子証明書期限",
    "{EXPIRY:variant}": "電子証明書の有効期限",
}
REFUSED = {
    "png_named_csv": "sheet_unreadable",
    "zip_named_xlsx_broken": "sheet_unreadable",
    "empty_file": "sheet_empty",
    "only_whitespace": "sheet_empty",
    "header_only": "sheet_empty",
    "header_row_absent": "sheet_no_headings",
    "header_duplicate_recipient_variant": "sheet_heading_twice",
    "header_duplicate_other": "sheet_heading_twice",
    "rows_over_limit": "sheet_too_many_rows",
    "rows_far_over_limit_400k": "sheet_too_many_rows",
    "columns_16384_named": "sheet_too_many_columns",
}
# By row, as a spreadsheet counts them, with what it is refused for.
ROWS_REFUSED = {
    "forbidden_number_in_note": {2: "forbidden_number"},
    "row_mixed_errors": {3: "no_date", 4: "phone_unreadable"},
    "phone_excel_scientific": {2: "phone_digits_lost"},
    "duplicate_person_same_file": {3: "row_twice"},
    "error_in_last_of_500": {501: "phone_unreadable"},
    # Where names begin like that somebody plays with formulas: it is asked for, not carried on.
    "formula_injection": {2: "formula"},
}
# A name is called by its first 20 characters.
SHORTENED = {"html_in_name"}


def content_of(name: str) -> bytes:
    case = CASES[name]
    if "bytes_hex" in case:
        return bytes.fromhex(case["bytes_hex"])
    text = case["text"] if "text" in case else repeated(**case["repeat"])
    for token, word in WORDS.items():
        text = text.replace(token, word)
    return str(text).encode(case.get("encoding", "utf-8"))


def repeated(
    header: str,
    row: str,
    times: int | str,
    header_pad: tuple[str, int] = ("", 0),
    row_pad: tuple[str, int] = ("", 0),
    then: str = "",
) -> str:
    count = {"LIMIT": MOST_ROWS, "LIMIT+1": MOST_ROWS + 1}[times] if isinstance(times, str) else times
    (head, heads), (pad, pads) = header_pad, row_pad
    return "\n".join([header + head * heads, *[row + pad * pads] * count, *([then] if then else [])])


def registered(village: Village) -> list[dict[str, str]]:
    app = village.app
    with app.database.reading() as tx:
        return [
            {
                "NAME": person.label,
                "PHONE": contacts.of_person(tx, app.keys, person.id)[0].address,
                "EXPIRY": cards.current_of_person(tx, person.id)[0].expires_on.isoformat(),
            }
            for person in people.of_group(tx, 1)
        ]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "rows" in case])
def test_a_file_as_it_is_written_anywhere_becomes_the_people_in_it(name: str, village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    wanted = CASES[name]["rows"]

    saved(village, checked(village, content_of(name)))

    shown = [one | {"NAME": one["NAME"][:20]} for one in wanted] if name in SHORTENED else wanted
    # A name in quotation marks of print is in them still.
    found = [one | {"NAME": one["NAME"].strip("“”")} for one in registered(village)]
    assert found == [one | {"NAME": one["NAME"].strip("“”")} for one in shown]


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_list_of_people_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        read_sheet(content_of(name), HEADINGS)

    assert refused.value.code == REFUSED[name]


@pytest.mark.parametrize("name", ROWS_REFUSED)
def test_a_row_that_cannot_be_taken_is_named_with_its_reason_and_the_others_are_taken(
    name: str, village: Village
) -> None:
    village.group(GroupKind.HOME, "見本の里")

    sheet_import = checked(village, content_of(name))

    found = {number: [one.code for one in row.findings] for number, row in rows_of(village, sheet_import).items()}
    assert all(code in found[number] for number, code in ROWS_REFUSED[name].items())
    counts = sheet_import.counts
    assert counts.accepted + counts.warned + counts.refused == sheet_import.rows == len(found)


def test_every_case_that_was_collected_is_tried() -> None:
    # What these say is tried below, or elsewhere, by a story of its own.
    told = {
        "header_missing_recipient",
        "forbidden_number_column",
        "semicolon_separated",
        "same_file_uploaded_twice",
        "rows_at_limit",
        "columns_10000_empty",
    }

    assert set(CASES) == told | set(REFUSED) | set(ROWS_REFUSED) | {n for n, case in CASES.items() if "rows" in case}


@pytest.mark.parametrize("name", ["rows_at_limit", "columns_10000_empty", "semicolon_separated"])
def test_a_file_up_to_the_limits_is_read_to_its_end(name: str) -> None:
    rows = list(read_sheet(content_of(name), HEADINGS).rows)

    assert (len(rows), len(rows[-1].cells)) == (
        {"rows_at_limit": MOST_ROWS, "columns_10000_empty": 100}.get(name, 2),
        3,
    )


def test_a_resident_without_a_telephone_is_enrolled(village: Village) -> None:
    # A home sees to it itself, or tells the family.
    village.group(GroupKind.HOME, "見本の里")

    sheet_import = saved(village, checked(village, content_of("header_missing_recipient")))

    assert sheet_import.counts.accepted == 1


def test_a_file_with_a_column_of_numbers_is_taken_without_it(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")

    sheet_import = checked(village, content_of("forbidden_number_column"))

    assert [column.heading for column in sheet_import.columns if column.use is ColumnUse.REFUSED] == ["マイナンバー"]
    assert [len(row.cells) for row in rows_of(village, sheet_import).values()] == [3]


def test_what_would_be_a_formula_comes_back_as_words(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    sheet_import = saved(village, checked(village, "氏名,電子証明書期限,居室\n花,2027-02-30,+1+1\n".encode()))

    returned = rejected(village, sheet_import)

    assert "'+1+1" in returned


# ---- workbooks


def test_a_row_of_formulas_that_nobody_has_worked_out_is_named_and_not_dropped() -> None:
    content = book(
        ["居室", "氏名", "電子証明書期限"], [201, "ハナ", "2027-11-16"], ["=A2", "=B2", "=C2"], [], ["", "=B2", ""]
    )

    rows = {
        row.number: {one.place for one in row.findings if one.code == "formula"}
        for row in read_sheet(content, HEADINGS).rows
    }

    assert rows == {2: set(), 3: {0, 1, 2}, 5: {1}}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("value", ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_error_value_is_named_in_whatever_column_it_stands(value: str, place: int, wide: bool) -> None:
    cells: list[object] = [201, "ハナ", "2027-11-16", "2029-02-20"]
    cells[place] = value
    # Beyond the usual columns the workbook is read element by element.
    beyond = [""] * 150 + ["x"] if wide else []

    rows = read_sheet(
        book(["居室", "氏名", "電子証明書期限", "カード期限"], cells, [202, "ふね", "2027-11-16", None, *beyond]),
        HEADINGS,
    ).rows
    found = {row.number: {(one.code, one.place) for one in row.findings} for row in rows}

    assert found == {2: {("cell_error", place)}, 3: set()}


@pytest.mark.parametrize("value", ["#N/A", "＃Ｎ／Ａ", "#ref!", "Err:502", "#########", "###"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_an_error_value_that_was_saved_as_text_is_named_too(value: str, encoding: str) -> None:
    content = f"居室,氏名,電子証明書期限,カード期限\n201,ハナ,2027-11-16,{value}\n202,{value},2027-11-16,\n"

    rows = read_sheet(content.encode(encoding), HEADINGS).rows
    found = {row.number: {(one.code, one.place) for one in row.findings} for row in rows}

    assert found == {2: {("cell_error", 3)}, 3: {("cell_error", 1)}}


@pytest.mark.parametrize("value", ["#1", "＃", "##", "N/A", "Err", "花子#", "#201号"])
def test_a_cell_that_only_resembles_an_error_value_is_read(value: str) -> None:
    assert not is_error_value(value)


def book(*rows: list[object], change: Callable[[openpyxl.Workbook], None] | None = None) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    for row in rows or (["居室", "氏名", "電子証明書期限"], [201, "ハナ", "2027-11-16"]):
        sheet.append(row)
    if change is not None:
        change(made)
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()


def with_parts(more: Mapping[str, bytes] = MappingProxyType({}), **changes: Callable[[bytes], bytes]) -> bytes:
    """A sound workbook, some parts of it written otherwise, by the last word of their name; and more of them."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book())) as sound, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as made:
        for part in sound.namelist():
            change = changes.get(Path(part).stem, bytes)
            made.writestr(part, change(sound.read(part)))
        for part, content in more.items():
            made.writestr(part, content)
    return changed.getvalue()


def with_row(xml: bytes) -> bytes:
    return with_parts(sheet1=lambda sheet: sheet.replace(b"</sheetData>", xml + b"</sheetData>"))


def read_or_refused(content: bytes) -> str | int:
    try:
        return len(list(read_sheet(content, HEADINGS).rows))
    except RefusedInputError as refused:
        return refused.code


DOCTYPE = b'<?xml version="1.0"?>%b<!DOCTYPE x [<!ENTITY a "b">]>'


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        pytest.param(
            lambda: with_row(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
            "sheet_bomb",
            id="a cell in the last corner",
        ),
        pytest.param(
            lambda: with_row(b'<row r="1048576"><c r="XFD1048576" s="1"/></row>'),
            1,
            id="an empty cell in the last corner",
        ),
        pytest.param(
            lambda: with_row(b'<row r="99999999"><c r="ZZZZ99999999"><v>1</v></c></row>'),
            "sheet_bomb",
            id="a cell beyond all",
        ),
        pytest.param(lambda: with_row(b'<row r="3"><c r="C3"><v>NaN</v></c></row>'), 2, id="no number"),
        pytest.param(
            lambda: with_row(b'<row r="3"><c r="A3" t="s"><v>99999</v></c></row>'),
            "sheet_unreadable",
            id="a text that is not there",
        ),
        pytest.param(
            lambda: with_row(b'<row r="3"><c r="??"><v>9</v></c></row>'),
            "sheet_unreadable",
            id="a cell without a place",
        ),
        pytest.param(
            lambda: with_row(b'<row r="x" hidden="1"><c r="A3"><v>9</v></c></row>'),
            "sheet_unreadable",
            id="a row without a number",
        ),
        pytest.param(
            lambda: with_row(b'<row r="3"><c r="C3" t="d"><v>2027-13-45T</v></c></row>'),
            2,
            id="a day that does not exist",
        ),
        pytest.param(lambda: with_parts(sheet1=lambda sheet: sheet[:-40]), "sheet_unreadable", id="cut off"),
        pytest.param(lambda: with_parts(sheet1=lambda sheet: DOCTYPE % b"" + sheet), "sheet_bomb", id="an entity"),
        pytest.param(
            lambda: with_parts(sheet1=lambda sheet: DOCTYPE % (b" " * ((1 << 18) - 26)) + sheet),
            "sheet_bomb",
            id="an entity between two pieces",
        ),
        pytest.param(
            lambda: with_parts(workbook=lambda book: book.replace(b'r:id="rId1"', b"")),
            "sheet_unreadable",
            id="a sheet without its part",
        ),
        pytest.param(
            lambda: with_parts(sheet1=lambda sheet: sheet + b" " * (300 << 20)),
            "sheet_bomb",
            id="far too large when unpacked",
        ),
    ],
)
def test_a_workbook_that_was_made_by_hand_is_read_or_refused_and_never_crashes(
    made: Callable[[], bytes], outcome: str | int
) -> None:
    assert read_or_refused(made()) == outcome


def test_a_text_that_many_cells_share_does_not_fill_the_memory() -> None:
    long, cell = "あ" * 30_000, b'<c r="C%d" t="s"><v>0</v></c>'
    rows = b"".join(b'<row r="%d">' % number + cell % number + b"</row>" for number in range(3, 10_000))

    content = with_parts(
        {"xl/sharedStrings.xml": f"<sst><si><t>{long}</t></si></sst>".encode()},
        sheet1=lambda sheet: sheet.replace(b"</sheetData>", rows + b"</sheetData>"),
    )

    assert read_or_refused(content) == "sheet_bomb"


def test_the_name_of_a_sheet_that_holds_a_number_is_not_said() -> None:
    def rename(made: openpyxl.Workbook) -> None:
        made.active.title = "1234-5678-9012"
        made.create_sheet("二階")

    with pytest.raises(RefusedInputError) as refused:
        read_sheet(book(change=rename), HEADINGS, sheet="三階")

    assert refused.value.details["names"] == "二階"


def test_a_cover_sheet_is_passed_over_and_every_sheet_is_named() -> None:
    def cover(made: openpyxl.Workbook) -> None:
        made.active.title = "2F"
        made.create_sheet("表紙", 0).append(["入居者一覧", "", "令和8年12月"])
        made.create_sheet("空", 1)

    sheet = read_sheet(book(change=cover), HEADINGS)

    assert (sheet.name, list(sheet.names)) == ("2F", ["表紙", "空", "2F"])
    assert [dict(row.cells) for row in sheet.rows] == [{0: "201", 1: "ハナ", 2: "2027-11-16"}]


def test_a_couple_shares_the_room_that_stands_once_beside_both() -> None:
    def merge(made: openpyxl.Workbook) -> None:
        made.active.merge_cells("A2:A3")

    content = book(
        ["居室", "氏名", "電子証明書期限"], [201, "ハナ", "2027-11-16"], ["", "太郎", "2028-01-05"], change=merge
    )

    rows = list(read_sheet(content, HEADINGS).rows)

    assert [row.cells[0] for row in rows] == ["201", "201"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('氏名,電子証明書期限\n"ハナ,2027-11-16\nキヨ,2027-12-01\n', "sheet_quote_open"),
        ("<html><table><tr><td>氏名</td></tr></table></html>", "sheet_old_excel"),
        ('<?xml version="1.0"?><Workbook/>', "sheet_old_excel"),
    ],
)
def test_what_only_looks_like_a_list_says_what_is_wrong_with_it(text: str, code: str) -> None:
    assert read_or_refused(text.encode()) == code


def test_commas_in_a_title_do_not_hide_what_parts_the_columns() -> None:
    text = "入居者一覧,令和8年,2階,3階,印刷\n\n氏名;電子証明書期限\nハナ;2027-11-16\n"

    sheet = read_sheet(text.encode(), HEADINGS)

    assert [dict(row.cells) for row in sheet.rows] == [{0: "ハナ", 1: "2027-11-16"}]
