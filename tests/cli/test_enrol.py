"""`reminder enrol`: what it answers, with which exit code, and what comes back in a file."""

import io
from pathlib import Path

import openpyxl
import pytest

from tests.cli.terminal import TWELVE, Terminal
from tests.homes import EXPECTED, SHEETS

HEAD = "居室,氏名,電子証明書期限"
GOOD, PAST, WRONG = "201,ハナ,2027-11-16", "202,キヨ,2020-01-05", "203,トミ,2027-02-30"


@pytest.fixture
def home(reminder: Terminal) -> Terminal:
    reminder.answer("group", "add", "--name", "見本の里", "--kind", "home")
    return reminder


def a_file(folder: Path, *rows: str, head: str = HEAD) -> str:
    file = folder / "residents.csv"
    file.write_text("\n".join([head, *rows]), encoding="utf-8-sig")
    return str(file)


def labels(home: Terminal) -> list[str]:
    return [one["label"] for one in home.answer("list", "people")]


@pytest.mark.parametrize(
    ("rows", "more", "code", "enrolled"),
    [
        ([GOOD], [], 0, ["ハナ"]),
        ([GOOD], ["--dry-run"], 0, []),
        ([GOOD, PAST], [], 2, ["ハナ"]),
        ([GOOD, PAST], ["--yes"], 0, ["ハナ", "キヨ"]),
        ([GOOD, WRONG], [], 2, ["ハナ"]),
        ([GOOD, WRONG], ["--yes"], 2, ["ハナ"]),
        ([WRONG], ["--dry-run"], 2, []),
        ([GOOD, PAST], ["--dry-run", "--yes"], 0, []),
    ],
)
def test_the_exit_code_says_whether_every_row_was_taken(
    home: Terminal, tmp_path: Path, rows: list[str], more: list[str], code: int, enrolled: list[str]
) -> None:
    done = home.run("enrol", a_file(tmp_path, *rows), "--group", "1", *more)

    assert (done.code, labels(home)) == (code, enrolled)


def test_the_answer_counts_the_rows_and_says_of_each_what_became_of_it(home: Terminal, tmp_path: Path) -> None:
    file = a_file(tmp_path, f"{GOOD},{TWELVE}", f"{PAST},", f"{WRONG},", head=f"{HEAD},個人番号")

    done = home.run("enrol", file, "--group", "1", "--json")

    answer = done.answer
    assert {name: answer[name] for name in ("rows", "accepted", "warned", "refused", "columns_refused")} == {
        "rows": 3, "accepted": 2, "warned": 1, "refused": 1, "columns_refused": ["個人番号"],
    }  # fmt: skip
    assert [{name: row[name] for name in ("row", "status", "code", "cell")} for row in answer["results"]] == [
        {"row": 2, "status": "accepted", "code": None, "cell": None},
        {"row": 3, "status": "warned", "code": "date_past", "cell": "C3"},
        {"row": 4, "status": "refused", "code": "date_impossible", "cell": "C4"},
    ]
    assert TWELVE not in done.out + done.err
    assert TWELVE.encode() not in home.bytes_kept()


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_what_was_not_taken_comes_back_as_a_file_that_can_be_sent_again(
    home: Terminal, tmp_path: Path, ending: str
) -> None:
    report = tmp_path / f"out.{ending}"
    home.run("enrol", a_file(tmp_path, GOOD, WRONG), "--group", "1", "--report", str(report))

    if ending == "csv":
        report.write_text(report.read_text("utf-8-sig").replace("2027-02-30", "2027-02-28"), "utf-8")
    else:
        book = openpyxl.load_workbook(io.BytesIO(report.read_bytes()))
        cell = next(cell for row in book.active.iter_rows() for cell in row if cell.value == "2027-02-30")
        cell.value = "2027-02-28"
        book.save(report)

    assert home.run("enrol", str(report), "--group", "1").code == 0
    assert labels(home) == ["ハナ", "トミ"]


def test_a_second_time_nothing_is_new(home: Terminal, tmp_path: Path) -> None:
    file = a_file(tmp_path, GOOD)
    home.answer("enrol", file, "--group", "1")

    again = home.answer("enrol", file, "--group", "1")

    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 1)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_samples_are_taken_as_far_as_they_can_be(home: Terminal, name: str) -> None:
    done = home.run("enrol", str(SHEETS / name), "--group", "1", "--json")

    assert done.code == 2
    assert done.answer["rows"] == EXPECTED[name]["data_rows"]
    assert done.answer["saved"] == done.answer["accepted"] - done.answer["needs_confirmation"] == len(labels(home))


@pytest.mark.parametrize(
    ("written", "more", "code"),
    [
        (b"", [], "sheet_empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", [], "sheet_unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [], "sheet_old_excel"),
        (f"{HEAD}\n{GOOD}".encode(), ["--column", "Z=room"], "column_unknown"),
        (f"{HEAD}\n{GOOD}".encode(), ["--column", "A=shoes"], "column_unknown"),
        (f"{HEAD}\n{GOOD}".encode(), ["--group", "9"], "not_found"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_and_nothing_is_left_of_it(
    home: Terminal, tmp_path: Path, written: bytes, more: list[str], code: str
) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(written)

    assert home.refusal("enrol", str(file), "--group", "1", *more)["error"] == code
    assert not [line for line in home.rows() if line.startswith('INSERT INTO "import')]


def test_a_file_that_is_not_there_is_said(home: Terminal) -> None:
    assert home.refusal("enrol", "nowhere.csv", "--group", "1")["error"] == "file_not_there"


UNSURE = ["201,ハナ,R9.3.31", "202,キヨ,R9.6.30", "203,トミ,R9.8.31"]
BARE = "居室,氏名,有効期限"


@pytest.mark.parametrize(
    ("more", "code", "kinds"),
    [
        ([], 2, []),
        (["--dry-run"], 2, []),
        (["--map", "C=care_certification"], 0, ["care_certification"]),
        (["--map", "C=card:passport"], 0, ["passport"]),
        (["--yes"], 0, ["care_certification"]),
    ],
)
def test_an_end_that_names_no_card_is_saved_only_once_somebody_has_said_which(
    home: Terminal, tmp_path: Path, more: list[str], code: int, kinds: list[str]
) -> None:
    done = home.run("enrol", a_file(tmp_path, *UNSURE, head=BARE), "--group", "1", "--json", *more)

    assert done.code == code
    assert sorted({card["kind"] for card in home.answer("list", "cards")}) == kinds
    if not kinds:
        asked = done.answer["columns"][2]
        assert (done.answer["error"], done.answer["saved"]) == ("column_asked", 0)
        assert (asked["asked"], asked["guess"], asked["field"]) == ("which_card", "card:care_certification", None)


def test_every_column_is_printed_with_what_it_is_taken_for(home: Terminal, tmp_path: Path) -> None:
    file = a_file(tmp_path, f"{GOOD},x,,{TWELVE},", head=f"{HEAD},なにか,年齢,個人番号,負担割合証")

    done = home.run("enrol", file, "--group", "1")

    said = [line.split("\t")[:2] for line in done.out.splitlines() if line[1:2] == " "]
    assert said == [
        ["A 居室", "room"], ["B 氏名", "name"], ["C 電子証明書期限", "card:mynumber_user_certificate"], ["D なにか", "-"], ["E 年齢", "-"],
        ["F 個人番号", "-"], ["G 負担割合証", "card:care_burden_ratio"],
    ]  # fmt: skip
