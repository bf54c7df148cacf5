"""The commands that keep and run: their fixed names, their JSON, and a family from the first row to the last text."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from reminder.cli import app, main
from reminder.storage.crypto.keyring import kept_keys
from tests.cli.terminal import FATHER, MOTHER, Terminal, settle
from tests.program import PATIENCE, PROGRAM, Program

FIXED = [
    "demo",
    "serve",
    "web",
    "worker",
    "run-once",
    "migrate",
    "doctor",
    "health",
    "kinds",
    "read-date",
    "expiry",
    "preview",
    "check-text",
    "read-reply",
    "group",
    "person",
    "contact",
    "card",
    "member",
    "list",
    "simulate",
    "keys",
]
FIXED_BELOW = {
    "group": {"add"},
    "member": {"add"},
    "person": {"add"},
    "contact": {"add"},
    "card": {"add", "renew", "retire"},
}
# They show or run until they are stopped; the others answer.
NO_ANSWER = [["demo"], ["serve"], ["web"], ["worker"]]
# Their examples give them something to read.
READ_INPUT = [["check-text"], ["read-reply"], ["mail", "bounce"]]
# What it prints is read by another program, on PostgreSQL; test_database_roles.py runs both.
PIPED = [["database", "roles"]]
# They write into the checkout; test_new.py runs them in a folder of its own.
WRITE_CODE = [["new", "kind"], ["new", "language"], ["new", "channel"]]


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[list[str], bool]]:
    """Every command with whether it does something itself, and is not only a group of others."""
    if path:
        yield [*path], not isinstance(command, TyperGroup)
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from commands(below, (*path, name))


ALL = list(commands(get_command(app)))
LEAVES = [path for path, is_leaf in ALL if is_leaf]


def joined(path: list[str]) -> str:
    return " ".join(path)


def example_of(reminder: Terminal, path: list[str]) -> list[str]:
    """The words that the help's example says to type."""
    shown = reminder.run(*path, "--help").out
    found = re.search(r"Example:\s+(reminder .*?)(?:\n\s*\n|\Z)", shown, re.DOTALL)
    assert found is not None, shown
    return shlex.split(found[1])


def test_every_fixed_command_is_there() -> None:
    names = {path[0] for path, _ in ALL}
    below = {name: {path[1] for path in LEAVES if path[0] == name} for name in FIXED_BELOW}

    assert names >= set(FIXED)
    assert all(below[name] >= fixed for name, fixed in FIXED_BELOW.items())


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=joined)
def test_the_help_of_every_command_says_what_it_does_and_shows_an_example_of_itself(
    reminder: Terminal, path: list[str]
) -> None:
    done = reminder.run(*path, "--help")

    assert done.code == 0
    assert len(done.out.split("Example:")[0].split("\n\n", 1)[1].strip()) > 10, "a sentence under the usage"
    assert example_of(reminder, path)[: len(path) + 1] == ["reminder", *path]
    assert not reminder.data.exists(), "asking for help keeps nothing"


@pytest.fixture(scope="session")
def exemplary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples speak of: made by the first of them, and then copied."""
    return tmp_path_factory.mktemp("exemplary") / "data"


@pytest.mark.parametrize(
    "path", [path for path in LEAVES if path not in (*NO_ANSWER, *READ_INPUT, *PIPED, *WRITE_CODE)], ids=joined
)
def test_the_example_of_the_help_works_as_it_stands(reminder: Terminal, path: list[str], exemplary: Path) -> None:
    if exemplary.exists():
        shutil.copytree(exemplary, reminder.data)
    else:
        settle(reminder)
        reminder.answer("person", "add", "--group", "1", "--label", "父")
        for kind in ("mynumber_user_certificate", "mynumber_signature_certificate", "mynumber_card"):
            reminder.answer("card", "add", "--person", "2", "--kind", kind, "--expires", "2031-05-05")
        reminder.answer("contact", "stop", "2")
        reminder.answer("own-kind", "add", "--group", "1", "--name", "会員証")
        reminder.answer("token", "make", "--group", "1", "--name", "表計算")
        shutil.copytree(reminder.data, exemplary)
    phone = ["--channel", "sms", "--address", "090-0000-0002"]
    if path == ["contact", "ask"]:
        reminder.set(REMINDER_TWO_WAY_SMS="on")
    elif path == ["contact", "test-call"]:
        reminder.set(REMINDER_VOICE_ENABLED="on")
        phone = ["--channel", "voice", "--address", "03-3500-0001", "--consent", "spoken", "--consent-by", "長女"]
    else:
        phone += ["--consent", "spoken", "--consent-by", "長女"]
    reminder.answer("contact", "add", "--person", "2", *phone)
    reminder.answer("run-once")
    if path == ["contact", "add"]:
        reminder.answer("person", "add", "--group", "1", "--label", "祖母")
    if path == ["mail", "address"]:
        reminder.set(REMINDER_PUBLIC_URL="https://kigen.example.jp")
    if path == ["setup-code"]:
        # Of an installation that nobody uses yet.
        reminder.set(REMINDER_DATA_DIR=f"{reminder.data}-new")
    if path == ["group", "approve"]:
        with closing(sqlite3.connect(reminder.data / "kigen.db")) as connection, connection:
            connection.execute("UPDATE groups SET trial_since = '2026-12-01 00:00:00'")
    if path == ["group", "resume"]:
        reminder.answer("group", "suspend", "1", "--why", "問い合わせ中")
    if path == ["card", "take-back"]:
        reminder.answer("card", "acknowledge", "4")
    if path == ["digest"]:
        reminder.answer("group", "add", "--name", "さくら苑", "--kind", "home")
    if path == ["enrol"]:
        reminder.run("template")
    if path[0] in ("backup", "restore"):
        reminder.set(REMINDER_BACKUP_KEY=reminder.answer("backup", "key")["key"])
        reminder.answer("backup", "--out", "kigen.backup")
    if path == ["restore"]:
        reminder.set(REMINDER_DATA_DIR=f"{reminder.data}-of-another-machine")
    given = {"contact add": ("--person 1", "--person 3"), "member add": ("musume@", "mago@")}.get(joined(path))
    if path == ["keys", "abandon"]:
        ring = kept_keys(reminder.data)
        assert ring is not None
        (reminder.data / "keys").unlink()
        given = ("1a2b3c4d", ring.ids[0])

    example = shlex.join(example_of(reminder, path)[1:])
    done = reminder.run(*shlex.split(example.replace(*given) if given else example))

    assert done.code == 0, done.err
    assert done.out


@pytest.mark.parametrize("path", LEAVES, ids=joined)
def test_every_command_that_answers_can_answer_in_json(reminder: Terminal, path: list[str]) -> None:
    assert ("--json" in reminder.run(*path, "--help").out) is (path not in NO_ANSWER)


@pytest.mark.parametrize("path", [[], ["card"], ["keys"]], ids=joined)
def test_the_beginning_of_a_command_gets_the_list_of_what_may_follow(reminder: Terminal, path: list[str]) -> None:
    done = reminder.run(*path)

    assert done.code == 2
    assert done.err.startswith(f"Usage: {joined(['reminder', *path])}")
    assert "Commands:" in done.err


def test_asking_for_help_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("sqlalchemy", "alembic", "twilio", "aiohttp", "fastapi", "uvicorn", "apscheduler", "phonenumbers")
    look = f"import sys; from reminder.cli import main; main(['--help']); sys.exit(str([*({set(heavy)} & set(sys.modules))]))"

    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "read-date" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_group_says_how_it_wants_to_be_told_and_takes_it_back(reminder: Terminal) -> None:
    settle(reminder)

    chosen = reminder.answer(
        "group", "set", "1", "--days", "６０日前、３０ 7", "--hour", "11時", "--holidays", "--preset", "few"
    )
    assert chosen == {"id": 1, "preset": "few", "days": "60 30 7", "hour": 11, "holidays": True, "organisation": ""}
    assert reminder.answer("group", "set", "1", "--no-holidays") == {**chosen, "holidays": False}
    assert reminder.answer("list", "groups") == [
        {
            "id": 1,
            "name": "田中家",
            "kind": "household",
            "preset": "few",
            "days": "60 30 7",
            "hour": 11,
            "holidays": False,
            "organisation": "",
        }
    ]
    back = reminder.answer("group", "set", "1", "--days", "", "--hour", "", "--preset", "")
    assert back == {"id": 1, "preset": "", "days": "", "hour": None, "holidays": False, "organisation": ""}
    assert "いつもどおり" in reminder.run("group", "set", "1", "--preset", "").out


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        (["group", "set", "1", "--days", "60 50"], "own_days_gaps_grow", "gaps that grow"),
        (["group", "set", "1", "--days", "soon"], "own_days_unreadable", "no number"),
        (["group", "set", "1", "--days", " ".join(["1234"] * 3)], "forbidden_number", "a card's number"),
        (["group", "set", "1", "--hour", "8"], "hour_out_of_range", "too early"),
        (["group", "set", "1", "--preset", "daily"], "unknown_choice", "no such preset"),
        (["group", "set", "9", "--hour", "10"], "not_found", "no such group"),
        (["member", "set", "9", "--copies", "near"], "not_found", "no such member"),
        (["preview", "passport", "2031-05-05", "--days", "60 50"], "own_days_gaps_grow", "gaps that grow"),
        (["preview", "passport", "2031-05-05", "--preset", "daily"], "unknown_choice", "no such preset"),
    ],
)
def test_a_preferences_that_cannot_be_kept_is_refused(
    reminder: Terminal, arguments: list[str], error: str, why: str
) -> None:
    settle(reminder)

    refused = reminder.refusal(*arguments)

    assert refused["error"] == error, why
    assert "1234" not in json.dumps(refused)
    assert reminder.answer("list", "groups")[0]["days"] == ""


def test_a_member_chooses_their_copies(reminder: Terminal) -> None:
    settle(reminder)

    assert reminder.answer("member", "set", "1", "--copies", "none") == {"id": 1, "copies": "none"}


def test_a_family_is_enrolled_renewed_and_retired(reminder: Terminal) -> None:
    person = ["--label", "母", "--mode", "elderly", "--lang", "ja", "--mark", "つばめ", "--ref", "203"]
    phone = ["--channel", "sms", "--address", "０９０−００００−０００１", "--consent", "spoken", "--consent-by", "長女"]
    kind = ["--kind", "mynumber_user_certificate"]

    assert reminder.answer("group", "add", "--name", "田中家", "--kind", "household") == {"id": 1}
    assert reminder.answer("member", "add", "--group", "1", "--email", "musume@example.jp", "--role", "owner") == {
        "id": 1
    }
    assert reminder.answer("person", "add", "--group", "1", *person) == {"id": 1}
    assert reminder.answer("contact", "add", "--person", "1", *phone) == {"id": 2}
    assert reminder.answer("contact", "add", "--member", "1", "--channel", "sms", "--address", "090-0000-0002") == {
        "id": 3
    }
    added = reminder.answer("card", "add", "--person", "1", *kind, "--expires", "令和9年3月31日")
    assert added == {
        "id": 1,
        "expires_on": "2027-03-31",
        "computed": False,
        "next_reminder_on": "2027-01-04",
        "offers": [
            {"kind": "mynumber_signature_certificate", "expires_on": "2027-03-31"},
            {"kind": "smartphone_certificate", "expires_on": "2027-03-31"},
            {"kind": "mynumber_card", "expires_on": None},
        ],
        "asks": [],
    }

    [listed] = reminder.answer("list", "people")
    assert (listed["label"], listed["mode"], listed["mark"], listed["reference"]) == ("母", "elderly", "つばめ", "203")
    assert [(contact["address"], contact["state"]) for contact in reminder.answer("list", "contacts")] == [
        ("musume@example.jp", "confirmed"),
        (MOTHER, "confirmed"),
        (FATHER, "confirmed"),
    ]
    [card] = reminder.answer("list", "cards")
    assert (card["expires_on"], card["state"], card["renewed_at"]) == ("2027-03-31", "current", None)

    renewed = reminder.answer("card", "renew", "1", "--expires", "2032/3/31")
    assert (renewed["expires_on"], renewed["next_reminder_on"]) == ("2032-03-31", "2032-01-05")
    assert (renewed["computed"], renewed["offers"], renewed["asks"]) == (False, [], [])
    assert reminder.answer("card", "retire", "1") == {"id": 1, "state": "retired"}
    [card] = reminder.answer("list", "cards")
    assert (card["expires_on"], card["state"], card["next_reminder_on"]) == ("2032-03-31", "retired", None)

    assert reminder.answer("contact", "stop", "2") == {"id": 2, "state": "opted_out"}
    assert [contact["id"] for contact in reminder.answer("list", "contacts", "--state", "opted_out")] == [2]


def test_a_pass_tells_what_is_due_and_the_lists_say_so(family: Terminal) -> None:
    done = family.run("run-once", "--at", "2027-01-29T10:00+09:00", "--json")

    report = json.loads(done.out)
    assert (report["planned"], report["sent"]) == (2, 2)
    assert list(report) == [
        "clock_mended", "tried_again", "receipts", "strays_explained", "reconciled", "weeks_begun", "answered", "arrivals_asked", "promises", "planned", "escalated",
        "sender_changed", "verified",
        "words_checked", "failures_reported", "notified", "limits_told", "digests", "canaries", "balanced", "balance_mailed", "effect_counted", "deleted", "sent", "sheets",
    ]  # fmt: skip
    [reminded] = family.answer("list", "reminders")
    assert (reminded["step"], reminded["due_on"], reminded["state"]) == ("d60", "2027-01-29", "open")
    messages = family.answer("list", "messages")
    assert {message["channel"] for message in messages} == {"sms", "email"}
    text = next(message for message in messages if message["channel"] == "sms")
    assert text["text"].startswith("【期限だより・つばめ】")
    assert text["text"] in done.err, "without a provider the text is shown, beside the answer"
    assert text["scheduled_at"] == "2027-01-29T10:00:00+09:00", "instants are shown as they are in Japan"


@pytest.mark.parametrize(
    ("arguments", "ids", "why"),
    [
        (["cards", "--group", "1"], [1], "of this family"),
        (["cards", "--group", "2"], [], "the other family has none"),
        (["cards", "--state", "current"], [1], "still told of"),
        (["cards", "--state", "retired"], [], "none is"),
        (["people", "--group", "2"], [2], "its own"),
        (["contacts", "--state", "confirmed"], [1, 2], "a member's address and a phone with consent"),
        (["contacts", "--state", "confirmed", "--group", "2"], [], "both at once"),
        (["messages", "--state", "accepted"], [], "nothing was sent yet"),
        (["groups"], [1, 2], "both"),
    ],
)
def test_a_list_shows_only_what_was_asked_for(family: Terminal, arguments: list[str], ids: list[int], why: str) -> None:
    family.answer("group", "add", "--name", "さくら苑", "--kind", "home")
    family.answer("person", "add", "--group", "2", "--label", "タケさん")

    assert [row["id"] for row in family.answer("list", *arguments)] == ids, why


def test_without_json_a_list_is_one_line_a_row_and_says_so_when_it_is_empty(family: Terminal) -> None:
    assert "label=母" in family.run("list", "people").out
    assert len(family.run("list", "contacts").out.splitlines()) == 2
    assert family.run("list", "messages").out == "なし / none\n"


def test_a_resident_of_a_home_is_spoken_to_as_a_resident_unless_said_otherwise(reminder: Terminal) -> None:
    reminder.answer("group", "add", "--name", "さくら苑", "--kind", "home")
    reminder.answer("person", "add", "--group", "1", "--label", "タケさん")
    reminder.answer("person", "add", "--group", "1", "--label", "ハナさん", "--mode", "standard")

    assert [person["mode"] for person in reminder.answer("list", "people")] == ["home", "standard"]


def test_migrating_is_harmless_a_second_time_and_says_the_version(reminder: Terminal) -> None:
    first = reminder.answer("migrate")

    assert list(first) == ["version"]
    assert reminder.answer("migrate") == first


def test_a_database_of_a_newer_program_is_left_alone_and_the_exit_code_is_a_failures(family: Terminal) -> None:
    with closing(sqlite3.connect(family.data / "kigen.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    done = family.run("list", "people", "--json")

    assert done.code == 1
    assert done.answer["error"] == "database_ahead"


def test_new_keys_differ_and_can_be_used(reminder: Terminal) -> None:
    keys = [reminder.answer("keys", "new")["key"], reminder.run("keys", "new").out.strip()]

    assert keys[0] != keys[1]
    reminder.set(REMINDER_SECRET_KEYS=",".join(keys))
    assert reminder.run("list", "contacts").code == 0


def test_a_contact_sealed_with_an_older_key_is_still_listed_and_without_that_key_the_setting_is_named(
    reminder: Terminal,
) -> None:
    old, new = (reminder.answer("keys", "new")["key"] for _ in range(2))
    reminder.set(REMINDER_SECRET_KEYS=old)
    settle(reminder)

    reminder.set(REMINDER_SECRET_KEYS=f"{new},{old}")
    assert MOTHER in reminder.run("list", "contacts").out
    reminder.set(REMINDER_SECRET_KEYS=new)
    lost = reminder.run("list", "contacts")
    assert lost.code == 2
    assert "REMINDER_SECRET_KEYS" in lost.err


def test_addresses_are_not_readable_in_any_file(family: Terminal) -> None:
    family.run("run-once", "--at", "2027-01-29T10:00+09:00")

    kept = family.bytes_kept()

    assert b"musume" not in kept
    assert b"9000000001" not in kept
    assert "マイナンバーカード".encode() not in kept, "nor are texts"


def test_an_argument_that_is_not_text_at_all_is_refused_like_any_other(family: Terminal) -> None:
    broken = "母\udcff"  # how a byte arrives that is no UTF-8

    assert family.refusal("person", "add", "--group", "1", "--label", broken)["error"] == "label_control_character"
    assert family.refusal("read-date", broken)["error"] == "date_unreadable"


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["kept back", "printed at once"])
@pytest.mark.parametrize("line", ["kinds", "preview mynumber_card 2031-11-14", "doctor", "read-date x --json"])
def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path, line: str, unbuffered: str) -> None:
    program = Program(tmp_path, PYTHONUNBUFFERED=unbuffered)
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [*PROGRAM, *shlex.split(line)],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=program.environment,
            cwd=tmp_path,
            timeout=PATIENCE,
        )

    assert done.returncode == 0
    assert "Error" not in done.stderr


def test_a_command_that_is_interrupted_ends_without_a_word(tmp_path: Path) -> None:
    program = Program(tmp_path, PYTHONUNBUFFERED="1")
    # Whoever runs tests in the background hands down that interrupts are ignored.
    listens = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    waiting = subprocess.Popen(
        [sys.executable, "-c", f"{listens}; from reminder.cli import main; sys.exit(main())", "check-text"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=program.environment,
        cwd=tmp_path,
    )
    assert waiting.stdin is not None
    assert waiting.stdout is not None
    waiting.stdin.write(b"203\n")
    waiting.stdin.flush()
    assert waiting.stdout.readline() == b"ok\n"

    waiting.send_signal(signal.SIGINT)

    assert waiting.communicate(timeout=PATIENCE) == (b"", b"")
    assert waiting.returncode == 130


def test_a_terminal_that_knows_no_japanese_gets_an_answer_that_json_reads(tmp_path: Path) -> None:
    program = Program(tmp_path, PYTHONIOENCODING="ascii")

    listed = program.answer("kinds")

    assert isinstance(listed, list)
    assert listed[0]["ja"] == "マイナンバーカード"
    assert program.run("preview", "mynumber_card", "2031-11-14").returncode == 0


def test_main_takes_what_was_typed_when_it_is_given_nothing(
    reminder: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["reminder", "read-date", "R8.3.31", "--json"])

    assert main() == 0
    assert json.loads(capsys.readouterr().out) == {"date": "2026-03-31"}


def test_a_sheet_is_printed_in_the_person_s_language_to_a_file_or_to_the_screen(
    family: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "welcome.html"

    shown = family.run("print", "welcome", "--person", "1")
    kept = family.run("print", "welcome", "--person", "1", "--out", str(file))

    assert (shown.code, kept.code, kept.out.strip()) == (0, 0, str(file))
    assert file.read_text(encoding="utf-8") == shown.out == family.answer("print", "welcome", "--person", "1")["html"]
    assert "しるしの言葉" in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["novel", "--person", "1"], "unknown_choice", "no such sheet"),
        (["welcome", "--person", "99"], "not_found", "nobody"),
        (["letter", "--person", "1"], "letter_needs_card", "of which card?"),
        (["welcome", "--person", "1", "--card", "1"], "letter_needs_card", "a welcome speaks of none"),
        (["letter", "--person", "1", "--card", "99"], "not_found", "no such card"),
        (["welcome", "--person", "1", "--out", "/nowhere/welcome.html"], "usage_value", "no such folder"),
    ],
)
def test_a_sheet_that_cannot_be_made_is_refused(family: Terminal, arguments: list[str], code: str, why: str) -> None:
    assert family.refusal("print", *arguments)["error"] == code, why
