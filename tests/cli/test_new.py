"""`reminder new …` writes skeletons that work, and `--check` lists what they lack, file by file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reminder import settings, wiring
from reminder.settings import shipped
from tests.cli.terminal import Terminal

TOP = Path(__file__).parents[2]
MARK = re.compile(r"\bTODO:? ?")


@pytest.fixture
def config(reminder: Terminal, tmp_path: Path) -> Path:
    """A folder of settings and words of one's own."""
    folder = Path(shutil.copytree(shipped("config"), tmp_path / "config"))
    reminder.set(REMINDER_CONFIG=str(folder), LANG="en_US.UTF-8")
    return folder


def read_afresh() -> None:
    """Forget the files that were read: a command does so by being a new process."""
    settings.read_table.cache_clear()
    wiring._rules_in.cache_clear()


def missing(reminder: Terminal, what: str) -> list[tuple[str, str]]:
    """The file and the place of each thing that `reminder <what> --check` lists."""
    read_afresh()
    done = reminder.run(what, "--check", "--json")
    found = [(row["file"], row["place"]) for row in done.answer]
    assert done.code == (1 if found else 0)
    return found


@pytest.mark.parametrize("what", ["kinds", "languages", "channels"])
def test_nothing_is_missing_of_what_is_shipped(reminder: Terminal, what: str) -> None:
    assert missing(reminder, what) == []
    assert reminder.run(what, "--check").out == "Nothing is missing.\n"


def test_a_new_kind_is_written_into_its_files_and_all_of_it_is_to_be_read_again(
    reminder: Terminal, config: Path
) -> None:
    written = reminder.answer("new", "kind", "boat_licence", "--like", "driving_licence")

    files = [str(Path(file).relative_to(config)) for file in written["files"]]
    assert files == ["cards.toml", "wording/en.toml", "wording/ja-easy.toml", "wording/ja.toml", "pictures.toml"]
    assert "boat_licence" in {kind["kind"] for kind in reminder.answer("kinds")}
    by_file = [file for file, _ in missing(reminder, "kinds")]
    assert {file: by_file.count(file) for file in by_file} == {
        "config/cards.toml": 1,
        "config/wording/en.toml": 15,
        "config/wording/ja-easy.toml": 15,
        "config/wording/ja.toml": 15,
        "config/pictures.toml": 1,
    }


def test_what_is_still_marked_may_be_looked_at_and_reaches_nobody(reminder: Terminal, config: Path) -> None:
    reminder.answer("new", "kind", "boat_licence", "--like", "driving_licence")

    planned = reminder.answer("preview", "boat_licence", "2027-02-20")
    refused = reminder.refusal("group", "add", "--name", "田中家", "--kind", "household")

    assert any("TODO" in text["text"] for text in planned)
    assert "kinds.boat_licence.name" in refused["message"]
    assert "config/wording/" in refused["message"]


def test_a_kind_whose_marks_are_gone_works(reminder: Terminal, config: Path) -> None:
    reminder.answer("new", "kind", "boat_licence", "--like", "driving_licence")
    for file in ("cards.toml", "pictures.toml", *(f"wording/{name}.toml" for name in ("ja", "ja-easy", "en"))):
        _without_marks(config / file)

    assert missing(reminder, "kinds") == []
    reminder.answer("group", "add", "--name", "田中家", "--kind", "household")


def test_a_kind_that_lacks_a_word_or_a_picture_is_listed_with_both(reminder: Terminal, config: Path) -> None:
    for file, gone in (
        ("wording/en.toml", r"(?s)(\[kinds\.passport\].*?)stops = .*?\n"),
        ("pictures.toml", "(?m)^passport = .*\n"),
    ):
        text = (config / file).read_text(encoding="utf-8")
        kept = r"\1" if "(?s)" in gone else ""
        (config / file).write_text(re.sub(gone, kept, text, count=1), encoding="utf-8")

    assert missing(reminder, "kinds") == [
        ("config/wording/en.toml", "kinds.passport.stops"),
        ("config/pictures.toml", "kinds.passport"),
    ]


def test_a_new_language_has_every_word_marked_and_works_once_they_are_translated(
    reminder: Terminal, config: Path
) -> None:
    reminder.answer("new", "language", "ko")
    for folder in ("wording", "pages"):
        assert f"config/{folder}/ko.toml" in {file for file, _ in missing(reminder, "languages")}

    for folder in ("wording", "pages"):
        _without_marks(config / folder / "ko.toml")

    assert missing(reminder, "languages") == []
    assert {"language": "ko", "name": "its name in itself", "tag": "ko"} in reminder.answer("languages")
    assert reminder.answer("preview", "passport", "2027-02-20", "--lang", "ko")


def test_a_language_without_pages_and_one_with_a_strange_entry_are_listed(reminder: Terminal, config: Path) -> None:
    reminder.answer("new", "language", "ko")
    _without_marks(config / "wording" / "ko.toml")
    (config / "pages" / "ko.toml").unlink()
    english = config / "pages" / "en.toml"
    english.write_text(english.read_text(encoding="utf-8").replace('skip = "', 'skap = "', 1), encoding="utf-8")

    assert missing(reminder, "languages") == [
        ("config/pages/en.toml", "page.skip"),
        ("config/pages/en.toml", "page.skap"),
        ("config/pages/ko.toml", "the file"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("kind", "passport"), "name_taken"),
        (("kind", "Boat"), "name_unusable"),
        (("kind", "boat", "--like", "boats"), "unknown_choice"),
        (("language", "en"), "name_taken"),
        (("language", "../en"), "name_unusable"),
        (("language", "ko", "--like", "kr"), "unknown_choice"),
        (("channel", "sms"), "name_taken"),
        (("channel", "x" * 11), "name_unusable"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(
    reminder: Terminal, config: Path, arguments: tuple[str, ...], code: str
) -> None:
    before = {path: path.read_bytes() for path in config.rglob("*.toml")}

    done = reminder.run("new", *arguments, "--json")

    assert (done.code != 0, done.answer["error"]) == (True, code)
    assert {path: path.read_bytes() for path in config.rglob("*.toml")} == before


# What somebody does with a fax machine in a household, in a process of its own.
STORY = """
from datetime import date
from pathlib import Path
import tempfile
from reminder.domain.model.people import ChannelName, Mode
from reminder.web.api.shapes import Channel
from tests.village import open_village
from tests.web.browsing import Browser
from pydantic import TypeAdapter

FAX = ChannelName("fax")
folder = Path(tempfile.mkdtemp())
with open_village(f"sqlite:///{folder}/kigen.db", folder, "2026-12-01 08:00", fax_token="invented") as village:
    village.person("母", mode=Mode.ELDERLY)
    village.contact("母", FAX, "03-0000-0002")
    village.card("母", date(2027, 1, 20))
    village.run_until("2026-12-20 18:00")
    sent = [one.outgoing.text for one in village.world.all_sent() if one.channel is FAX]
    assert sent and all("1月20日" in text for text in sent), sent
    assert [one.channel for one in village.messages()] == [FAX] * len(sent)
    village.member("長女", "musume@example.jp")
    browser = Browser(village)
    browser.sign_in("musume@example.jp")
    assert 'value="fax"' in browser.get("/people/1/contacts/new").text
assert "fax" in TypeAdapter(Channel).json_schema()["enum"]
print("sent", len(sent))
"""


def test_a_new_channel_is_one_folder_and_a_line_and_its_messages_leave(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for folder in ("reminder", "config", "migrations", "tests", "docs"):
        leave_out = shutil.ignore_patterns("__pycache__", "home_sheets", "vendor")
        shutil.copytree(TOP / folder, checkout / folder, ignore=leave_out)
    shutil.copy(TOP / "pyproject.toml", checkout)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REMINDER_")}
        return subprocess.run(  # ours
            [sys.executable, *arguments],
            cwd=checkout,
            env={**inherited, "PYTHONPATH": str(checkout), "LANG": "en_US.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )

    made = run("-m", "reminder", "new", "channel", "fax")
    listed = run("-m", "reminder", "channels", "--check")
    assert made.returncode == 0, made.stderr
    assert listed.returncode == 1
    for file in (
        "config/pages/ja.toml",
        "config/wording/en.toml",
        "docs/operating.md",
        "reminder/channels/fax/errors.py",
    ):
        assert file in listed.stdout

    for path in [*checkout.glob("config/*/*.toml"), *checkout.glob("*/channels/fax/*.py")]:
        _without_marks(path)
    operating = checkout / "docs" / "operating.md"
    operating.write_text(f"{operating.read_text(encoding='utf-8')}\nREMINDER_FAX_TOKEN, REMINDER_FAX_BASE_URL\n")

    assert run("-m", "reminder", "channels", "--check").stdout == "Nothing is missing.\n"
    assert run("-m", "pytest", "-n0", "-q", "tests/channels/fax", "-p", "no:cacheprovider").returncode == 0
    assert "REMINDER_FAX_TOKEN" in run("-m", "reminder", "doctor").stdout
    told = run("-c", STORY)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("sent")


def _without_marks(path: Path) -> None:
    path.write_text(MARK.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
