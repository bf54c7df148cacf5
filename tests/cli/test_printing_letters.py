"""`reminder print letters`: to a page or a PDF, for whom is asked for, and refused with what to do."""

import io
from pathlib import Path

import pypdf
import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def home(reminder: Terminal) -> Terminal:
    reminder.answer("group", "add", "--name", "見本の里", "--kind", "home")
    for label, room, end in (("髙橋ハナ", "201", "2027-01-15"), ("𠮷田トミ", "202", "2027-02-20")):
        person = reminder.answer("person", "add", "--group", "1", "--label", label, "--room", room)["id"]
        reminder.answer("card", "add", "--person", str(person), "--kind", "mynumber_user_certificate", "--expires", end)
    return reminder


def test_a_home_s_letters_are_a_page_or_a_pdf_by_the_name_of_the_file(home: Terminal, tmp_path: Path) -> None:
    page, pdf = tmp_path / "letters.html", tmp_path / "letters.pdf"

    assert home.answer("print", "letters", "--group", "1", "--out", str(page))["letters"] == 2
    found = home.answer("print", "letters", "--group", "1", "--month", "2027-02", "--furigana", "--out", str(pdf))

    assert page.read_text(encoding="utf-8").count("<section") == 2
    assert found == {"file": str(pdf), "letters": 1, "left_out": []}
    assert "𠮷田トミ" in pypdf.PdfReader(io.BytesIO(pdf.read_bytes())).pages[0].extract_text()


def test_without_a_file_the_page_goes_to_standard_output(home: Terminal) -> None:
    done = home.run("print", "letters", "--group", "1", "--person", "2")

    assert done.code == 0
    assert "𠮷田トミ" in done.out
    assert "髙橋ハナ" not in done.out


def test_who_cannot_be_printed_is_named_the_others_are_in_the_file_and_the_answer_is_2(
    home: Terminal, tmp_path: Path
) -> None:
    label = "葛\U000e01ef木"
    home.answer("person", "add", "--group", "1", "--label", label)
    home.answer("card", "add", "--person", "3", "--kind", "mynumber_user_certificate", "--expires", "2027-01-20")
    file = tmp_path / "letters.pdf"

    done = home.run("print", "letters", "--group", "1", "--out", str(file), "--json")

    assert done.code == 2
    assert done.answer["letters"] == 2
    assert done.answer["left_out"] == [{"person": 3, "label": label, "characters": ["葛\U000e01ef"]}]
    assert f"{label}（葛\U000e01ef U+845B U+E01EF）" in done.err
    assert len(pypdf.PdfReader(io.BytesIO(file.read_bytes())).pages) == 2
    alone = home.refusal("print", "letters", "--group", "1", "--person", "3", "--out", str(file))
    assert alone["error"] == "letters_unprintable"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["--group", "9"], "not_found"),
        ([], "usage_missing"),
        (["--group", "1", "--month", "February"], "month_unreadable"),
        (["--group", "1", "--month", "2029-01"], "letters_none"),
        (["--group", "1", "--kind", "library_card"], "unknown_choice"),
        (["--group", "1", "--person", "77"], "not_found"),
    ],
)
def test_what_cannot_be_printed_is_refused_with_what_to_do(home: Terminal, typed: list[str], code: str) -> None:
    assert home.refusal("print", "letters", *typed)["error"] == code


def test_a_single_sheet_still_needs_its_person(home: Terminal) -> None:
    assert home.refusal("print", "welcome")["error"] == "usage_missing"
    assert home.refusal("print", "welcome", "--person", "1", "--person", "2")["error"] == "usage_missing"


def test_where_no_pdf_can_be_made_it_says_what_to_install(
    home: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    refused = home.refusal("print", "letters", "--group", "1", "--out", str(tmp_path / "letters.pdf"))

    assert refused["error"] == "letters_not_installed"
    assert "pango" in refused["message"]
