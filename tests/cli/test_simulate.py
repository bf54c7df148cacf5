"""`demo` and `simulate`: years in seconds that leave nothing behind and change nothing that is real."""

import re
import subprocess
import tempfile
import unicodedata
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reminder.storage.crypto.keyring import kept_keys
from reminder.storage.db.session import Database
from reminder.storage.registry import people
from tests.cli.terminal import MOTHER, Terminal, settle
from tests.program import Program

ONE_SCREEN = 60
KEYS = ["at", "channel", "to", "name", "subject", "text", "segments"]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where throw-away files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@dataclass(frozen=True)
class Demo:
    """`folder` is where it could have left something, `temporary` a folder in it where it may while it runs."""

    folder: Path
    temporary: Path
    done: "subprocess.CompletedProcess[str]"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The program's own, run once for all who look at it: it takes seconds."""
    folder = tmp_path_factory.mktemp("demo")
    temporary = folder / "temporary"
    temporary.mkdir()
    program = Program(folder, TMPDIR=str(temporary))
    del program.environment["REMINDER_DATA_DIR"]
    return Demo(folder, temporary, program.run("demo"))


def test_the_demo_is_one_screen_needs_no_settings_and_leaves_only_its_files(demo: Demo) -> None:
    shown = demo.done.stdout

    assert (demo.done.returncode, demo.done.stderr) == (0, "")
    lines = shown.splitlines()
    assert len(lines) <= ONE_SCREEN
    assert max(columns(line) for line in lines if str(demo.temporary) not in line) <= 80
    assert "母へ        【期限だより・つばめ】お母さん、" in shown
    assert "母          「3月10日に行きます」と返事" in shown
    assert "「お母さまから「済んだ」と返事がありました」" in shown
    assert "2月3日（水）  次女へ" in shown
    assert "■ さくら苑の月曜日" in shown
    (files,) = demo.temporary.iterdir()
    assert f"\n  {files}\n" in shown
    assert [
        path for path in demo.folder.rglob("*") if path != demo.temporary and files not in (path, path.parent)
    ] == []


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def test_the_files_of_the_demo_hold_every_text_the_drawing_the_letters_and_the_pages(demo: Demo) -> None:
    (folder,) = demo.temporary.iterdir()
    files = {path.name: path for path in folder.iterdir()}
    texts = files["texts.txt"].read_text()

    assert sorted(files) == sorted(
        [
            *("texts.txt", "timeline.svg", "letters.pdf", "family-today.html", "family-people.html"),
            *("family-calendar.html", "home-today.html", "home-months.html"),
        ]
    )
    assert re.search(rf"10:00  SMS 1通 → 母 <{re.escape(MOTHER)}>\n    【期限だより・つばめ】お母さん、", texts)
    sms, emails = len(re.findall(r"  SMS \d通 → ", texts)), len(re.findall("  メール → ", texts))
    assert texts.splitlines()[-1].startswith(f"合計　SMS {sms}件（{sms}通）、メール {emails}件")
    assert min(sms, emails) > 10
    assert files["timeline.svg"].read_text().startswith("<svg")
    assert files["letters.pdf"].read_bytes().startswith(b"%PDF")
    for name, said in (("family-today.html", "田中家"), ("family-people.html", "母"), ("home-months.html", "月ごと")):
        page = files[name].read_text()
        assert f"<h1>{said}" in page
        assert "<style>" in page
        assert 'href="/static/house.css"' not in page
    assert {path.stat().st_mode & 0o077 for path in files.values()} == {0}, "as all that we write"


def test_the_demo_speaks_english_where_the_terminal_does(reminder: Terminal, temporary: Path) -> None:
    reminder.set(LANG="en_US.UTF-8")

    shown = reminder.run("demo").out

    assert shown.startswith("Demo of Kigen-dayori")
    assert "to Mother   Kigen Dayori (Swallow): It is time to renew your My" in shown
    assert "answers: I will go on March 10" in shown
    assert not re.search("[ぁ-ん]", shown), "no word in another language"
    assert len(shown.splitlines()) <= ONE_SCREEN
    assert not reminder.data.exists()


def test_the_demo_is_the_same_every_time_whatever_database_and_provider_there_are(
    family: Terminal, temporary: Path, tmp_path: Path, demo: Demo
) -> None:
    family.set(
        REMINDER_CLOCK_OVERRIDE=None,
        REMINDER_TWILIO_ACCOUNT_SID="AC",
        REMINDER_TWILIO_AUTH_TOKEN="token",
        REMINDER_TWILIO_FROM="+819000000000",
        REMINDER_TWILIO_BASE_URL="http://127.0.0.1:1",
    )
    before = family.rows()

    done = family.run("demo", "--out", str(tmp_path / "here"))

    (folder,) = demo.temporary.iterdir()
    assert (done.code, done.out) == (0, demo.done.stdout.replace(str(folder), str(tmp_path / "here")))
    assert family.rows() == before
    assert (tmp_path / "here" / "texts.txt").read_text() == (folder / "texts.txt").read_text()


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(reminder: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = reminder.run("demo", "--out", str(tmp_path / "file" / "here"))

    assert refused.code == 2
    assert refused.out == ""


def test_a_simulation_of_the_village_is_listed_in_order_under_fixed_names(reminder: Terminal, temporary: Path) -> None:
    sent = reminder.answer("simulate", "--from", "2026-12-01", "--until", "令和9年4月30日")

    assert all(list(row) == KEYS for row in sent)
    assert [row["at"] for row in sent] == sorted(row["at"] for row in sent)
    assert "2026-12-01" <= sent[0]["at"] < sent[-1]["at"] < "2027-05-01"
    assert {row["name"] for row in sent} >= {"母", "娘", "さくら苑 事務"}
    assert {row["segments"] for row in sent if row["channel"] == "email"} == {0}
    assert list(temporary.iterdir()) == []
    assert not reminder.data.exists()


def test_without_json_a_simulation_is_shown_as_it_would_arrive(reminder: Terminal, temporary: Path) -> None:
    shown = reminder.run("simulate", "--from", "2026-12-01", "--until", "2027-02-01").out

    assert f"→ 母 <{MOTHER}>" in shown
    assert shown.splitlines()[-1].startswith("合計")


def test_a_simulation_may_last_one_day(reminder: Terminal, temporary: Path) -> None:
    assert reminder.answer("simulate", "--from", "2026-12-01", "--until", "2026-12-01") == []


@pytest.mark.parametrize(
    ("arguments", "code", "field", "why"),
    [
        (["--from", "2027-12-01", "--until", "2026-12-01"], "dates_contradict", "until", "time does not run back"),
        (["--from", "2026-12-01", "--until", "2027-12-01", "--of-current"], "nothing_enrolled", "of_current", "of whom?"),
        (["--from", "27/3/31", "--until", "2027-12-01"], "date_ambiguous", "from", "which end is the year?"),
        (["--from", "2026-12-01", "--until", "2027-02-29"], "date_impossible", "until", "no such day"),
    ],
)  # fmt: skip
def test_a_simulation_that_cannot_be_is_refused_and_leaves_nothing(
    reminder: Terminal, temporary: Path, arguments: list[str], code: str, field: str, why: str
) -> None:
    refused = reminder.refusal("simulate", *arguments)

    assert (refused["error"], refused["field"]) == (code, field), why
    assert list(temporary.iterdir()) == []
    assert not reminder.data.exists()


def test_a_simulation_of_the_present_data_needs_a_file_to_copy(reminder: Terminal) -> None:
    key = reminder.answer("keys", "new")["key"]
    reminder.set(REMINDER_DATABASE_URL="postgresql://me@127.0.0.1:1/kigen", REMINDER_SECRET_KEYS=key)

    refused = reminder.refusal("simulate", "--from", "2026-12-01", "--until", "2027-12-01", "--of-current")

    assert refused["error"] == "simulate_needs_sqlite"


def test_a_simulation_of_the_present_data_shows_its_texts_and_changes_no_byte_of_it(
    family: Terminal, temporary: Path
) -> None:
    file = family.data / "kigen.db"
    rows, content = family.rows(), file.read_bytes()

    sent = family.answer("simulate", "--from", "2026-12-01", "--until", "2027-12-01", "--of-current")

    assert {row["to"] for row in sent} == {MOTHER, "musume@example.jp"}
    assert any("お母さん" in row["text"] for row in sent)
    assert sent[0]["at"].startswith("2027-01-04T10:00")
    assert file.read_bytes() == content
    assert family.rows() == rows
    assert list(temporary.iterdir()) == []


def test_a_simulation_while_others_write_sees_what_they_have_written(family: Terminal, temporary: Path) -> None:
    worker, keys = Database(f"sqlite:///{family.data / 'kigen.db'}"), kept_keys(family.data)
    assert keys is not None
    worker.open_with(keys)
    with closing(worker):
        with worker.writing() as tx:
            for person in people.of_group(tx, None):
                people.change(tx, replace(person, label="父"))
        # In the write-ahead log, and not yet in the file itself.
        sent = family.answer("simulate", "--from", "2026-12-01", "--until", "2027-02-01", "--of-current")

    assert any("お父さん" in row["text"] for row in sent)


@pytest.mark.parametrize("keys", ["kept in the data folder", "given by the environment"])
def test_a_simulation_reads_a_database_that_lies_elsewhere(
    reminder: Terminal, tmp_path: Path, temporary: Path, keys: str
) -> None:
    file = tmp_path / "elsewhere" / "family.db"
    reminder.set(REMINDER_DATABASE_URL=f"sqlite:///{file}")
    if keys == "given by the environment":
        reminder.set(REMINDER_SECRET_KEYS=reminder.answer("keys", "new")["key"])
    settle(reminder)
    content = file.read_bytes()

    sent = reminder.answer("simulate", "--from", "2026-12-01", "--until", "2027-02-01", "--of-current")

    assert MOTHER in {row["to"] for row in sent}
    assert file.read_bytes() == content
