"""Every command says whether it leaves a line in the activity log; what changes, exports or reads addresses does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from reminder.cli import app
from reminder.storage.crypto.keyring import read_keys
from tests.cli.terminal import Terminal
from tests.cli.test_missing_keys import commands

CALLED = "2026-12-01T10:00+09:00"
SMS = ["--channel", "sms", "--address", "090-0000-0002", "--consent", "spoken", "--consent-by", "長女"]


def with_backup_key(family: Terminal) -> None:
    family.set(REMINDER_BACKUP_KEY=family.answer("backup", "key")["key"])


def with_backup(family: Terminal) -> None:
    with_backup_key(family)
    family.answer("backup", "--out", "kigen.backup")
    family.set(REMINDER_DATA_DIR="elsewhere")
    family.data = Path("elsewhere")


def with_lost_key(family: Terminal) -> None:
    """The values are sealed with a second key, and then it is gone."""
    first = (family.data / "keys").read_text(encoding="ascii")
    assert len(first.split()) == 1
    family.answer("keys", "new", "--keep")
    family.answer("keys", "rotate")
    newest = (family.data / "keys").read_text(encoding="ascii").split()[0]
    (family.data / "keys").write_text(first, encoding="ascii")
    LOGS["keys abandon"][0][:] = read_keys([newest]).ids


def closed(family: Terminal) -> None:
    family.answer("database", "close", "--to", "elsewhere")


def another_copy(family: Terminal) -> None:
    from reminder.cli.app_context import opened_app
    from reminder.storage.runtime import copy_notice

    with opened_app() as app, app.writing() as uow:
        copy_notice.notice(uow.tx, uow.now)


def suspended(family: Terminal) -> None:
    family.answer("group", "suspend", "1", "--why", "問い合わせ中")


def with_sheet(_family: Terminal) -> None:
    Path("sheet.csv").write_text("居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n", encoding="utf-8")


def home_with_sheet(family: Terminal) -> None:
    family.answer("group", "add", "--name", "見本の里", "--kind", "home")
    with_sheet(family)


def nothing(_family: Terminal) -> None:
    pass


def acknowledged(family: Terminal) -> None:
    family.answer("card", "acknowledge", "1")


def with_kind(family: Terminal) -> None:
    family.answer("own-kind", "add", "--group", "1", "--name", "会員証")


def with_token(family: Terminal) -> None:
    family.answer("token", "make", "--group", "1", "--name", "台帳")


def two_way(family: Terminal) -> None:
    family.set(REMINDER_TWO_WAY_SMS="on")
    family.answer("contact", "add", "--person", "1", "--channel", "sms", "--address", "090-0000-0002")


def unconfirmed(family: Terminal) -> None:
    family.answer("contact", "add", "--person", "1", "--channel", "sms", "--address", "090-0000-0002")


def with_voice(family: Terminal) -> None:
    family.set(REMINDER_VOICE_ENABLED="on")
    told = ["--consent", "spoken", "--consent-by", "長女"]
    family.answer("contact", "add", "--person", "1", "--channel", "voice", "--address", "03-3500-0001", *told)


def of_trial(family: Terminal) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(family.data / "kigen.db")) as connection, connection:
        connection.execute("UPDATE groups SET trial_since = '2026-11-01 00:00:00'")


Prepare = Callable[[Terminal], None]
# What each is called with, what must be there, and the act that it leaves.
LOGS: dict[str, tuple[list[str], Prepare, str]] = {
    "account end-sessions": (["--everybody"], nothing, "all_signed_out"),
    "activity accept": ([], nothing, "activity_log_accepted"),
    "promise take": (["--all"], nothing, "promises_taken"),
    "activity check": ([], nothing, "activity_log_checked"),
    "backup": (["--out", "kigen.backup"], with_backup_key, "backed_up"),
    "restore": (["kigen.backup"], with_backup, "restored"),
    "list": (["contacts"], nothing, "addresses_listed"),
    "export": (["--group", "1"], nothing, "exported"),
    "erase": (["--person", "1", "--yes"], nothing, "person_erased"),
    "enrol": (["sheet.csv", "--group", "2"], home_with_sheet, "sheet_saved"),
    "channel resume": (["sms"], nothing, "channel_resumed"),
    "database close": (["--to", "elsewhere"], nothing, "database_closed"),
    "database only-copy": ([], another_copy, "other_copy_gone"),
    "database reopen": ([], closed, "database_reopened"),
    "keys abandon": ([], with_lost_key, "key_abandoned"),
    "keys rotate": ([], nothing, "keys_rotated"),
    "group add": (["--name", "鈴木家", "--kind", "household"], nothing, "group_added"),
    "group approve": (["1"], of_trial, "group_approved"),
    "group quota": (["1", "people=9"], nothing, "group_quotas_changed"),
    "group resume": (["1"], suspended, "group_resumed"),
    "group set": (["1", "--hour", "10"], nothing, "preferences_changed"),
    "group suspend": (["1", "--why", "問い合わせ中"], nothing, "group_suspended"),
    "member add": (["--group", "1", "--email", "x@example.jp", "--role", "viewer"], nothing, "member_added"),
    "member set": (["1", "--copies", "none"], nothing, "member_changed"),
    "person life": (["1", "pause"], nothing, "person_pause"),
    "person add": (["--group", "1", "--label", "父"], nothing, "person_added"),
    "contact add": (["--person", "1", *SMS], nothing, "contact_added"),
    "contact ask": (["3", "--told-by", "長女"], two_way, "consent_asked"),
    "contact confirm": (["3", "--consent", "spoken", "--consent-by", "長女"], unconfirmed, "contact_confirmed"),
    "contact stop": (["2"], nothing, "contact_stopped"),
    "contact stop-number": (["090-0000-0009"], nothing, "number_stopped"),
    "contact test-call": (["3"], with_voice, "test_called"),
    "contact verify": (["2"], nothing, "contact_verified"),
    "card acknowledge": (["1"], nothing, "card_acknowledged"),
    "card add": (["--person", "1", "--kind", "passport", "--expires", "2028-03-31"], nothing, "card_added"),
    "card assign": (["1", "--contact", "1"], nothing, "card_assigned"),
    "card renew": (["1", "--expires", "2028-03-31", "--yes"], nothing, "card_renewed"),
    "card reopen": (["1"], acknowledged, "card_reopened"),
    "card retire": (["1"], nothing, "card_retired"),
    "card apply": (["1"], nothing, "card_applied"),
    "card ready": (["1"], nothing, "card_ready"),
    "card book": (["1"], nothing, "card_unbooked"),
    "own-kind add": (["--group", "1", "--name", "会員証"], nothing, "own_kind_added"),
    "own-kind set": (["1", "--name", "回数券"], with_kind, "own_kind_changed"),
    "own-kind remove": (["1"], with_kind, "own_kind_removed"),
    "card days": (["1", "60 30 7"], nothing, "card_days_changed"),
    "card take-back": (["1"], acknowledged, "card_taken_back"),
    "token make": (["--group", "1", "--name", "台帳"], nothing, "token_made"),
    "token revoke": (["1"], with_token, "token_revoked"),
}
# Names of earlier versions for the same commands.
OLD = {"card done": "acknowledge", "card undone": "reopen", "card take": "assign", "card renewed": "renew"}
CONFIG, TYPED = "reads config/, or writes there", "reads what was typed"
WORKS = "is the program itself; what it does is in its own rows"
NO_ADDRESS = "shows dates and names, no address and no text"
LOGS_NOTHING = {
    **dict.fromkeys(
        (
            "channels",
            "kinds",
            "languages",
            "preview",
            "rules changes",
            "rules check",
            "template",
            "new channel",
            "new kind",
            "new language",
        ),
        CONFIG,
    ),
    **dict.fromkeys(("check-text", "expiry", "read-date", "read-reply"), TYPED),
    **dict.fromkeys(("run-once", "serve", "tick", "web", "worker", "mail bounce"), WORKS),
    **dict.fromkeys(
        (
            "balance",
            "effect",
            "card life",
            "digest",
            "doctor",
            "fetch",
            "group list",
            "own-kind list",
            "health",
            "print",
            "promise list",
            "simulate",
            "token list",
            "visits",
        ),
        NO_ADDRESS,
    ),
    "backup check": "reads a file, and no database",
    "backup key": "makes a key for paper",
    "backup keys": "shows the keys of a file, and opens no database",
    "demo": "has a temporary file of its own",
    "keys new": "writes a file; `keys rotate` begins to use it, and is logged",
    "mail address": "shows the address for a mail server, which lets nobody in",
    "database roles": "prints SQL, and changes nothing",
    "migrate": "the version is in the database itself",
    "setup-code": "is logged where a code is made: an installation with an owner has none (tests/cli/test_setup_code.py)",
}


def acts(terminal: Terminal) -> list[str]:
    rows = (row for row in terminal.rows() if row.startswith('INSERT INTO "activity_log"'))
    return [
        next(part.strip("' ") for part in row.split(",") if part.strip("' ").replace("_", "").isalpha()) for row in rows
    ]


def test_every_command_says_whether_it_is_logged() -> None:
    assert set(commands(get_command(app))) == LOGS.keys() | OLD.keys() | LOGS_NOTHING.keys()
    assert not LOGS.keys() & LOGS_NOTHING.keys()


@pytest.mark.parametrize("name", LOGS)
def test_a_command_leaves_its_line(family: Terminal, name: str) -> None:
    arguments, prepare, act = LOGS[name]
    prepare(family)
    before = acts(family).count(act) if (family.data / "kigen.db").exists() else 0

    done = family.run(*name.split(), *arguments)

    assert done.code == 0, done.err
    assert acts(family).count(act) == before + 1


@pytest.mark.parametrize("what", ["contacts", "messages", "replies"])
def test_lists_with_addresses_or_texts_leave_a_line_and_others_none(family: Terminal, what: str) -> None:
    family.answer("list", what)
    assert acts(family).count("addresses_listed") == 1

    for other in ("groups", "people", "cards", "reminders"):
        family.answer("list", other)
    assert acts(family).count("addresses_listed") == 1


def test_what_is_refused_leaves_no_line(family: Terminal) -> None:
    with_backup_key(family)
    before = acts(family)

    for refused in (
        ["backup", "--out", "nowhere/x"],
        ["restore", "nowhere"],
        ["export", "--group", "7"],
        ["token", "make", "--group", "7", "--name", "台帳"],
        ["token", "revoke", "7"],
        ["channel", "resume", "pigeon"],
        ["keys", "abandon", "1a2b3c4d"],
        ["account", "end-sessions"],
        ["promise", "take"],
        ["list", "birds"],
    ):
        family.refusal(*refused)

    assert acts(family) == before
