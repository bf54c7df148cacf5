"""A database whose key is missing: nothing starts, nothing is made beside it, and every refusal says what to do."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command

from reminder.cli import app
from reminder.storage.crypto.keyring import kept_keys, new_key, read_keys
from reminder.storage.crypto.sealed_file import new_key as new_backup_key
from tests.cli.terminal import Terminal

PERSON, CARD, CONTACT = ["--person", "1"], ["1"], ["2"]
EXPIRES = ["--expires", "2028-03-31"]
# What each command is called with here. None of them may get as far as its own work.
NEEDS_KEYS = {
    "serve": ["--port", "0"],
    "web": ["--port", "0"],
    "worker": [],
    "run-once": [],
    "tick": [],
    "health": [],
    "fetch": [],
    "simulate": ["--from", "2026-12-01", "--until", "2026-12-31", "--of-current"],
    "list": ["contacts"],
    "activity check": [],
    "activity accept": [],
    "balance": [],
    "effect": [],
    "promise list": [],
    "promise take": ["--all"],
    "account end-sessions": ["musume@example.jp"],
    "setup-code": [],
    "print": ["welcome", *PERSON],
    "erase": [*PERSON, "--yes"],
    "export": ["--group", "1"],
    "enrol": ["sheet.csv", "--group", "1"],
    "digest": ["--group", "1"],
    "visits": ["--group", "1"],
    "channel resume": ["sms"],
    "group add": ["--name", "鈴木家", "--kind", "household"],
    "group set": ["1", "--hour", "10"],
    "member add": ["--group", "1", "--email", "x@example.jp", "--role", "owner"],
    "member set": ["1", "--copies", "none"],
    "person add": ["--group", "1", "--label", "父", "--mode", "elderly"],
    "person life": ["1", "pause"],
    "contact add": [*PERSON, "--channel", "sms", "--address", "090-0000-0002"],
    "contact ask": [*CONTACT, "--told-by", "長女"],
    "contact confirm": [*CONTACT, "--consent", "spoken", "--consent-by", "長女"],
    "contact test-call": CONTACT,
    "contact verify": CONTACT,
    "contact stop": CONTACT,
    "contact stop-number": ["090-0000-0002"],
    "card add": [*PERSON, "--kind", "passport", *EXPIRES],
    "card renew": [*CARD, *EXPIRES],
    "card acknowledge": CARD,
    "card reopen": CARD,
    "card assign": [*CARD, "--contact", "1"],
    "card retire": CARD,
    "card apply": CARD,
    "card ready": CARD,
    "card book": CARD,
    "card take-back": CARD,
    "card life": CARD,
    "own-kind add": ["--group", "1", "--name", "会員証"],
    "own-kind set": ["1", "--name", "会員証"],
    "own-kind remove": ["1"],
    "own-kind list": ["--group", "1"],
    "card days": [*CARD, "60 30 7"],
    "card renewed": [*CARD, *EXPIRES],
    "card done": CARD,
    "card undone": CARD,
    "card take": [*CARD, "--contact", "1"],
    "group approve": ["1"],
    "group list": ["--usage"],
    "group quota": ["1", "people=9"],
    "group resume": ["1"],
    "group suspend": ["1", "--why", "問い合わせ中"],
    "token make": ["--group", "1", "--name", "台帳", "--scope", "read"],
    "token list": ["--group", "1"],
    "token revoke": ["1"],
    "mail address": [],
    "backup": ["--out", "kigen.backup"],
    "database close": ["--to", "elsewhere"],
    "database reopen": [],
    "database only-copy": [],
    "keys new": ["--keep"],
    "keys rotate": [],
}
# What works without them, and why.
NEEDS_NONE = {
    "demo": "a temporary file of its own",
    "migrate": "changes the shape of the tables, and opens nothing",
    "database roles": "prints what the operator may run, and reads no row of anybody",
    "doctor": "names what is wrong, and ends with 1",
    "kinds": "reads config/",
    "rules check": "reads config/",
    "rules changes": "reads config/",
    "read-date": "reads what was typed",
    "expiry": "reads what was typed",
    "preview": "reads config/",
    "check-text": "reads what was typed",
    "read-reply": "reads what was typed",
    "languages": "reads config/",
    "channels": "reads config/",
    "template": "writes an empty sheet",
    "restore": "refuses a database with rows",
    "new kind": "writes config/",
    "new language": "writes config/",
    "new channel": "writes code",
    "mail bounce": "reads a mail first; one that names a mail of ours opens the database (below)",
    "backup key": "makes a key for paper",
    "backup check": "reads a file",
    "backup keys": "shows the keys of a file",
    "keys abandon": "is for a key that is lost",
}


def commands(command: object, name: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None or getattr(command, "invoke_without_command", False):
        yield " ".join(name)
    for word, one in (inner or {}).items():
        yield from commands(one, (*name, word))


def test_every_command_is_known_to_need_the_keys_or_not() -> None:
    assert set(commands(get_command(app))) == NEEDS_KEYS.keys() | NEEDS_NONE.keys()


def kept(family: Terminal) -> tuple[list[str], dict[str, bytes]]:
    """Every row, and every other file."""
    files = {path.name: path.read_bytes() for path in family.data.iterdir() if not path.name.startswith("kigen.db")}
    return family.rows(), files


@pytest.fixture
def lost(family: Terminal) -> Terminal:
    """A family whose file of keys is gone, as where a disk is mounted late."""
    (family.data / "keys").rename(family.data.parent / "keys")
    family.set(REMINDER_BACKUP_KEY=new_backup_key(), REMINDER_PUBLIC_URL="https://kigen.example.jp")
    (family.data.parent / "sheet.csv").write_text("氏名,電子証明書 有効期限\n花子,2029-02-20\n", encoding="utf-8")
    return family


@pytest.mark.parametrize("command", NEEDS_KEYS)
def test_no_command_makes_a_key_beside_old_data_or_changes_a_byte_of_it(lost: Terminal, command: str) -> None:
    before = kept(lost)
    has_json = command not in ("serve", "web", "worker", "digest", "export", "print")

    done = lost.run(*command.split(), *NEEDS_KEYS[command], *(["--json"] if has_json else []))

    assert done.code == 2, done
    assert "keys_missing" in done.out if has_json else True
    assert "鍵" in done.err
    assert "keys abandon" in done.err
    assert kept(lost) == before
    assert not (lost.data / "keys").exists()


def test_a_bounce_of_ours_waits_with_the_mail_server_until_the_keys_are_back(lost: Terminal) -> None:
    from tests.returned import report

    bounce = report(to=f"bounces+{'a' * 45}@example.jp")

    assert lost.run("mail", "bounce", "--json", given=bounce).code == 2, "Postfix tries again"
    assert not (lost.data / "keys").exists()


WRONG = ["gone", "another", "empty setting", "another in the settings", "newest only"]


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("command", ["serve", "worker", "run-once", "list"])
def test_a_wrong_ring_refuses_as_a_missing_one_does(family: Terminal, how: str, command: str) -> None:
    file = family.data / "keys"
    old = file.read_text(encoding="ascii")
    if how == "gone":
        file.unlink()
    elif how == "another":
        file.write_text(f"{new_key()}\n", encoding="ascii")
    elif how == "newest only":
        # A key was put in front and is in use; then somebody went back to the file of before.
        assert family.run("keys", "new", "--keep").code == 0
        family.answer("person", "add", "--group", "1", "--label", "父", "--mode", "elderly")
        file.write_text(old, encoding="ascii")
    else:
        file.unlink()
        family.set(REMINDER_SECRET_KEYS=new_key() if how == "another in the settings" else "")
    before = kept(family)

    arguments = [*command.split(), *NEEDS_KEYS[command]]
    done = family.run(*arguments)

    assert (done.code, kept(family)) == (2, before)
    assert ("REMINDER_SECRET_KEYS" in done.err) == (how == "another in the settings")


def test_keys_that_appear_late_do_no_harm_and_everything_goes_on(lost: Terminal) -> None:
    assert lost.run("run-once").code == 2
    assert lost.refusal("list", "contacts")["error"] == "keys_missing"

    (lost.data.parent / "keys").rename(lost.data / "keys")

    addresses = [one["address"] for one in lost.answer("list", "contacts")]
    assert "+819000000001" in addresses
    lost.answer("run-once")


def test_the_names_in_the_refusal_are_those_of_the_missing_keys(lost: Terminal) -> None:
    ring = kept_keys(lost.data.parent)
    assert ring is not None

    refused = lost.refusal("list", "contacts")

    assert ring.ids[0] in refused["message"]
    doctor = lost.run("doctor")
    assert doctor.code == 1
    assert ring.ids[0] in doctor.out


@pytest.mark.parametrize("language", ["ja_JP.UTF-8", "en_US.UTF-8"])
def test_the_refusal_says_what_to_do_in_the_language_of_the_terminal(lost: Terminal, language: str) -> None:
    lost.set(LANG=language)

    said = lost.run("run-once").err

    assert ("Put the file or the setting back" in said) == language.startswith("en")


def test_a_running_service_keeps_its_keys_when_their_file_goes(family: Terminal) -> None:
    from reminder.wiring import build_app, read_settings
    from reminder.worker.jobs import run_once

    with build_app(read_settings()) as running:
        (family.data / "keys").unlink()
        run_once(running, running.clock.now())

    assert family.run("run-once").code == 2
    assert not (family.data / "keys").exists()


def test_after_a_rotation_the_old_key_may_go_and_before_it_may_not(family: Terminal) -> None:
    file = family.data / "keys"
    family.run("keys", "new", "--keep")
    family.answer("run-once")
    newest = file.read_text(encoding="ascii").split()[0]
    both = file.read_text(encoding="ascii")
    file.write_text(f"{newest}\n", encoding="ascii")
    assert family.refusal("list", "contacts")["error"] == "keys_missing"

    file.write_text(both, encoding="ascii")
    family.answer("keys", "rotate")
    file.write_text(f"{newest}\n", encoding="ascii")

    assert "+819000000001" in [one["address"] for one in family.answer("list", "contacts")]


def test_a_key_that_is_lost_for_good_is_given_up_by_its_name_alone(lost: Terminal) -> None:
    ring = kept_keys(lost.data.parent)
    assert ring is not None
    assert lost.refusal("keys", "abandon", "00000000")["error"] == "key_not_missing"

    assert lost.answer("keys", "abandon", ring.ids[0]) == {"abandoned": ring.ids[0]}

    lost.answer("run-once")
    assert (lost.data / "keys").exists()
    assert lost.refusal("keys", "abandon", ring.ids[0])["error"] == "key_not_missing"


def test_an_installation_of_before_is_asked_for_its_keys_too(family: Terminal) -> None:
    with closing(sqlite3.connect(family.data / "kigen.db")) as before:
        before.execute("DELETE FROM known_keys")
        before.execute("DELETE FROM installation_secrets")
        before.commit()
    shutil.move(family.data / "keys", family.data.parent / "keys")

    assert family.refusal("list", "contacts")["error"] == "keys_missing"
    assert not (family.data / "keys").exists()
    shutil.move(family.data.parent / "keys", family.data / "keys")
    assert len(family.answer("list", "contacts")) == 2


def test_a_first_run_makes_a_key_and_a_second_finds_it(reminder: Terminal) -> None:
    reminder.answer("group", "add", "--name", "田中家", "--kind", "household")
    made = (reminder.data / "keys").read_bytes()

    reminder.answer("run-once")

    assert (reminder.data / "keys").read_bytes() == made
    assert len(read_keys(made.decode().split()).ids) == 1
    assert json.dumps(made.decode())


def test_a_database_elsewhere_whose_folder_of_keys_is_mounted_late_is_refused_and_left_alone(
    family: Terminal, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere" / "kigen.db"
    elsewhere.parent.mkdir()
    shutil.move(family.data / "kigen.db", elsewhere)
    keys = (family.data / "keys").read_bytes()
    shutil.rmtree(family.data)
    family.set(REMINDER_DATABASE_URL=f"sqlite:///{elsewhere}")

    assert family.refusal("list", "contacts")["error"] == "keys_missing"
    assert list(family.data.iterdir()) == []

    (family.data / "keys").write_bytes(keys)
    assert len(family.answer("list", "contacts")) == 2
