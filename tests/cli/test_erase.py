"""Erasing and taking along at the console: it is meant, it is whole, and it is said."""

import io
import json
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from reminder.cli import main
from tests.cli.terminal import MOTHER, Terminal


class AtTheKeyboard(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def typed(family: Terminal, monkeypatch: pytest.MonkeyPatch, answer: str, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", AtTheKeyboard(io.BytesIO(answer.encode())))
    return main([*arguments])


@pytest.mark.parametrize(("what", "its_id"), [("person", 1), ("contact", 2), ("card", 1), ("group", 1)])
def test_what_is_named_is_erased_and_not_found_again(family: Terminal, what: str, its_id: int) -> None:
    erased = family.answer("erase", f"--{what}", str(its_id), "--yes")

    assert erased == {"erased": what, "id": its_id}
    assert family.refusal("erase", f"--{what}", str(its_id), "--yes")["error"] == "not_found"


def test_of_an_erased_person_the_folder_holds_nothing(family: Terminal) -> None:
    """Not even what nobody could open."""
    with closing(sqlite3.connect(family.data / "kigen.db")) as database:
        ((words,),) = database.execute("SELECT words_sealed FROM people")
    assert words in family.bytes_kept()
    assert "つばめ".encode() not in family.bytes_kept()

    family.answer("erase", "--person", "1", "--yes")

    assert words not in family.bytes_kept()
    assert family.answer("list", "people") == []


@pytest.mark.parametrize("more", [(), ("--person", "1", "--card", "1"), ("--group", "1", "--person", "1")])
def test_one_thing_is_named_and_no_other(family: Terminal, more: tuple[str, ...]) -> None:
    before = family.rows()

    assert family.refusal("erase", *more, "--yes")["error"] == "erase_one_thing"
    assert family.rows() == before


def test_a_program_must_say_that_it_is_meant(family: Terminal) -> None:
    before = family.rows()

    refused = family.refusal("erase", "--person", "1")

    assert refused["error"] == "erase_needs_yes"
    assert "--yes" in refused["message"]
    assert family.run("erase", "--person", "1").code == 2
    assert family.rows() == before


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 2, 1), ("\n", 2, 1)])
def test_whoever_sits_there_is_asked(
    family: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
    left: int,
) -> None:
    assert typed(family, monkeypatch, answer, "erase", "--person", "1") == code

    assert "ご本人 1 を消します。元には戻せません。" in capsys.readouterr().out
    assert len(family.answer("list", "people")) == left


def test_a_question_that_is_not_answered_erases_nothing(family: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(family, monkeypatch, "", "erase", "--person", "1") != 0

    assert len(family.answer("list", "people")) == 1


def test_everything_is_written_down_as_json(family: Terminal) -> None:
    held = family.answer("export", "--group", "1")

    assert held["format"] == "kigen-dayori export 1"
    assert [contact["address"] for contact in held["people"][0]["contacts"]] == [MOTHER]
    again = json.loads(family.run("export", "--group", "1").out)
    # Each export is an act of its own.
    assert [one["act"] for one in again["activity_log"]] == [*(one["act"] for one in held["activity_log"]), "exported"]
    assert {**again, "activity_log": held["activity_log"]} == held


def test_a_file_of_it_can_be_read_by_its_owner_alone(family: Terminal, tmp_path: Path) -> None:
    target = tmp_path / "haha.html"
    target.write_text("someone else's")
    target.chmod(0o644)

    said = family.answer("export", "--group", "1", "--person", "1", "--html", "--out", str(target))

    assert said == {"file": str(target)}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "つばめ" in target.read_text(encoding="utf-8")


def test_a_page_without_a_file_goes_to_standard_output(family: Terminal) -> None:
    page = family.run("export", "--group", "1", "--html").out

    assert page.startswith("<!doctype html>")
    said = family.answer("export", "--group", "1", "--html")
    # Each export is an act of its own, and has a row.
    row = page[page.rindex("<tr>") : page.rindex("</table>")]
    assert said == {"html": page.replace(row, row + row)}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--group 9", "not_found"),
        ("--group 1 --person 9", "not_found"),
        ("--group 1 --out /nowhere/at/all", "usage_value"),
        ("", "usage_missing"),
    ],
)
def test_what_cannot_be_written_down_is_said(family: Terminal, arguments: str, code: str) -> None:
    assert family.refusal("export", *arguments.split())["error"] == code
