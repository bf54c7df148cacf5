"""Settings that are wrong refuse to start; `doctor` lists them all, and `health` says whether the service works."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reminder.channels.registry import parts
from reminder.settings import PREFIX, SECRET, settings_with, shipped
from tests.cli.terminal import Terminal

VALUE = "himitsu"  # stands for a secret in every wrong setting below
ALL = {PREFIX + name.upper() for name in settings_with(parts()).model_fields}
TWILIO = {
    "REMINDER_TWILIO_ACCOUNT_SID": "AC",
    "REMINDER_TWILIO_AUTH_TOKEN": VALUE,
    "REMINDER_TWILIO_FROM": "KIGEN",
    "REMINDER_OPERATOR": "見本の会",
}
PUBLIC = {"REMINDER_PUBLIC_URL": "https://kigen.example.jp"}
MAIL = {"REMINDER_MAIL_FROM": "期限だより <otayori@example.jp>", "REMINDER_OPERATOR": "見本の会"}

WRONG = [
    ({"REMINDER_PASSWORD": VALUE}, "REMINDER_PASSWORD", "doctor", "there is no such setting"),
    ({"REMINDER_TWILIO_ACCOUNT_SID": VALUE}, "REMINDER_TWILIO_AUTH_TOKEN", "set it too", "half an account"),
    ({"REMINDER_TWILIO_AUTH_TOKEN": VALUE}, "REMINDER_TWILIO_ACCOUNT_SID", "set it too", "the other half"),
    (
        {"REMINDER_TWILIO_ACCOUNT_SID": VALUE, "REMINDER_TWILIO_AUTH_TOKEN": VALUE},
        "REMINDER_TWILIO_FROM",
        "TWILIO_MESSAGING_SERVICE_SID",
        "nobody would be the sender",
    ),
    ({"REMINDER_SMTP_URL": f"smtp://{VALUE}"}, "REMINDER_MAIL_FROM", "set it too", "nobody would be the sender"),
    ({"REMINDER_SMTP_URL": VALUE, **MAIL}, "REMINDER_SMTP_URL", "smtp://", "no address"),
    ({"REMINDER_SMTP_URL": f"http://{VALUE}@127.0.0.1", **MAIL}, "REMINDER_SMTP_URL", "smtp://", "no mail server"),
    ({"REMINDER_SMTP_URL": f"smtp://me:{VALUE}@127.0.0.1:x", **MAIL}, "REMINDER_SMTP_URL", "smtp://user", "no port"),
    (
        {"REMINDER_SMTP_URL": "smtp://127.0.0.1", "REMINDER_MAIL_FROM": "otayori"},
        "REMINDER_MAIL_FROM",
        "write an address",
        "no sender",
    ),
    ({"REMINDER_SECRET_KEYS": VALUE}, "REMINDER_SECRET_KEYS", "`reminder keys new`", "no key"),
    ({"REMINDER_SECRET_KEYS": f"{VALUE},{VALUE}="}, "REMINDER_SECRET_KEYS", "`reminder keys new`", "nor are two of these"),
    ({"REMINDER_DATABASE_URL": f"sqlite://{VALUE}"}, "REMINDER_DATABASE_URL", "name a file", "two strokes are too few"),
    (
        {
            "REMINDER_DATABASE_URL": f"sqlite:///{VALUE}.db",
            "REMINDER_WEB_DATABASE_URL": f"postgresql://me:{VALUE}@127.0.0.1/kigen",
        },
        "REMINDER_WEB_DATABASE_URL",
        "both",
        "the two are different databases",
    ),
    ({"REMINDER_DATABASE_URL": "sqlite:///:memory:"}, "REMINDER_DATABASE_URL", "name a file", "it would forget every date"),
    (
        {"REMINDER_DATABASE_URL": f"postgresql://me:{VALUE}@127.0.0.1/kigen"},
        "REMINDER_SECRET_KEYS",
        "`reminder keys new`",
        "several processes need the same keys",
    ),
    (
        {"REMINDER_DATABASE_URL": f"mysql://me:{VALUE}@127.0.0.1/kigen", "REMINDER_SECRET_KEYS": "{key}"},
        "REMINDER_DATABASE_URL",
        "postgresql://",
        "another database",
    ),
    (
        {"REMINDER_DATABASE_URL": f"postgresql://me:a@b:{VALUE}@127.0.0.1/kigen", "REMINDER_SECRET_KEYS": "{key}"},
        "REMINDER_DATABASE_URL",
        "postgresql://",
        "a password whose marks are not escaped",
    ),
    (
        {"REMINDER_CLOCK_OVERRIDE": "2026-12-01T08:00+09:00", "REMINDER_SMTP_URL": f"smtp://me:{VALUE}@mail.example.jp", **MAIL},
        "REMINDER_CLOCK_OVERRIDE",
        "unset it",
        "real people would be told of another day",
    ),
    (
        {"REMINDER_CLOCK_OVERRIDE": "2026-12-01T08:00+09:00", **TWILIO},
        "REMINDER_CLOCK_OVERRIDE",
        "unset it",
        "by text too",
    ),
    ({"REMINDER_CLOCK_OVERRIDE": "2026-12-01T08:00"}, "REMINDER_CLOCK_OVERRIDE", "timezone", "in which zone?"),
    ({"REMINDER_PUBLIC_URL": VALUE}, "REMINDER_PUBLIC_URL", "https://", "no address"),
    ({"REMINDER_SMS_PER_SECOND": VALUE}, "REMINDER_SMS_PER_SECOND", "number", "no number"),
    ({"REMINDER_PASS_SECONDS": "0"}, "REMINDER_PASS_SECONDS", "greater than 0", "a bell that never stops"),
    (
        {**TWILIO, "REMINDER_VOICE_ENABLED": "yes", "REMINDER_PUBLIC_URL": "https://kigen.example.jp"},
        "REMINDER_TWILIO_VOICE_FROM",
        "+81",
        "nobody is called from a foreign number",
    ),
    ({**TWILIO, "REMINDER_VOICE_ENABLED": "yes"}, "REMINDER_PUBLIC_URL", "VOICE_ENABLED", "nobody could say what to say"),
    ({**TWILIO, "REMINDER_TWO_WAY_SMS": "yes"}, "REMINDER_PUBLIC_URL", "TWO_WAY_SMS", "answers could not come in"),
    ({**TWILIO, "REMINDER_TWO_WAY_SMS": "yes", **PUBLIC}, "REMINDER_TWILIO_FROM", "TWO_WAY_SMS", "letters cannot be answered"),
    (
        {**TWILIO, "REMINDER_VOICE_ENABLED": "yes", **PUBLIC, "REMINDER_TWILIO_VOICE_FROM": "+81"},
        "REMINDER_TWILIO_VOICE_FROM",
        "+81",
        "half a number calls nobody",
    ),
    ({"REMINDER_PUBLIC_URL": f"http://{VALUE}.example.jp"}, "REMINDER_PUBLIC_URL", "https://", "links in the open"),
    ({"REMINDER_PUBLIC_URL": f"https://www.example.jp/{VALUE}"}, "REMINDER_PUBLIC_URL", "after the host", "a path"),
    ({"REMINDER_PUBLIC_URL": f"https://www.example.jp?{VALUE}"}, "REMINDER_PUBLIC_URL", "after the host", "a query"),
    ({"REMINDER_PUBLIC_URL": f"https://www.example.jp/#{VALUE}"}, "REMINDER_PUBLIC_URL", "after the host", "a fragment"),
    ({"REMINDER_PUBLIC_URL": f"https://me:{VALUE}@www.example.jp"}, "REMINDER_PUBLIC_URL", "password", "seen in every mail"),
    ({"REMINDER_PUBLIC_URL": f"https://{VALUE}@www.example.jp"}, "REMINDER_PUBLIC_URL", "user", "a user is no host"),
    (
        {**TWILIO, "REMINDER_TWILIO_FROM": "+819000000001", "REMINDER_TWO_WAY_SMS": "yes", "REMINDER_PUBLIC_URL": "http://127.0.0.1:8000"},
        "REMINDER_PUBLIC_URL",
        "Twilio",
        "Twilio cannot reach this machine by that name",
    ),
    ({"REMINDER_SMTP_URL": f"smtp://me:{VALUE}@mail.example.jp:465", **MAIL}, "REMINDER_SMTP_URL", "smtps://", "TLS at once"),
    ({"REMINDER_SMTP_URL": f"smtps://me:{VALUE}@mail.example.jp:587", **MAIL}, "REMINDER_SMTP_URL", "smtp://", "TLS later"),
    ({"REMINDER_SMTP_URL": f"smtps://me:{VALUE}@mail.example.jp:25", **MAIL}, "REMINDER_SMTP_URL", "smtp://", "a relay"),
    (
        {"REMINDER_HEARTBEAT_URL": f"https://{VALUE}.jp/1", "REMINDER_HEARTBEAT_FAIL_URL": f"https://{VALUE}.jp/1"},
        "REMINDER_HEARTBEAT_FAIL_URL",
        "another address",
        "a fault would look well",
    ),
    (
        {
            "REMINDER_SECRET_KEYS": "{key}",
            "REMINDER_DATABASE_URL": f"postgresql://me:{VALUE}@127.0.0.1/kigen",
            "REMINDER_WEB_DATABASE_URL": f"postgresql://web:{VALUE}@127.0.0.1/another",
        },
        "REMINDER_WEB_DATABASE_URL",
        "the same database",
        "pages of another database",
    ),
    ({"REMINDER_CALL_RATE": "10%"}, "REMINDER_CALL_RATE", "", "slower than anybody speaks"),
    ({"REMINDER_CONFIG": f"/nowhere/{VALUE}"}, "REMINDER_CONFIG", "folder", "no folder"),
    ({"REMINDER_DATA_DIR": "{file}"}, "REMINDER_DATA_DIR", "folder", "a file where a folder is needed"),
    ({"REMINDER_DATABASE_URL": "sqlite:///{file}/kigen.db"}, "REMINDER_DATABASE_URL", "folder", "the same"),
]  # fmt: skip


def set_wrongly(reminder: Terminal, folder: Path, settings: dict[str, str]) -> None:
    """With a key that is one and a file that is no folder where they are asked for."""
    key = reminder.answer("keys", "new")["key"]
    file = folder / "file"
    file.touch()
    if "REMINDER_CLOCK_OVERRIDE" not in settings:
        reminder.set(REMINDER_CLOCK_OVERRIDE=None)
    reminder.set(**{name: value.replace("{key}", key).replace("{file}", str(file)) for name, value in settings.items()})


@pytest.mark.parametrize(("settings", "named", "fix", "why"), WRONG, ids=[row[3] for row in WRONG])
def test_a_wrong_setting_refuses_to_start_by_name_with_the_fix_and_without_its_value(
    reminder: Terminal, tmp_path: Path, settings: dict[str, str], named: str, fix: str, why: str
) -> None:
    set_wrongly(reminder, tmp_path, settings)

    started = reminder.run("run-once", "--json")
    examined = reminder.run("doctor", "--json")

    assert started.code == 2, why
    assert started.answer["error"] == "setting_wrong"
    assert f"設定 {named} を直してください: " in started.err
    assert fix in started.err
    assert VALUE not in started.out + started.err
    assert examined.code == 1
    assert started.answer["message"] in examined.answer["troubles"]
    assert VALUE not in examined.out + examined.err
    assert set(examined.answer["settings"]) == ALL, "this is where the right names are looked up"


def break_toml(file: Path) -> None:
    file.write_text(f"password = = '{VALUE}'", encoding="utf-8")


def save_as_shift_jis(file: Path) -> None:
    file.write_bytes(f"mail_from = '期限だより {VALUE}'".encode("cp932"))


def write_an_unknown_setting(file: Path) -> None:
    file.write_text(f"password = '{VALUE}'", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage", "named", "why"),
    [
        ("reminder.toml", break_toml, "reminder.toml", "no TOML"),
        ("reminder.toml", save_as_shift_jis, "reminder.toml", "saved by an old editor"),
        ("reminder.toml", write_an_unknown_setting, "REMINDER_PASSWORD", "no such setting"),
        ("cards.toml", break_toml, "cards.toml", "no TOML"),
        ("cards.toml", Path.unlink, "cards.toml", "gone"),
        ("schedules.toml", break_toml, "schedules.toml", "no TOML"),
        ("schedules.toml", save_as_shift_jis, "schedules.toml", "saved by an old editor"),
        ("schedules.toml", Path.unlink, "schedules.toml", "gone"),
        ("pictures.toml", break_toml, "pictures.toml", "no TOML"),
        ("pictures.toml", Path.unlink, "pictures.toml", "gone"),
        ("wording/ja.toml", break_toml, "ja.toml", "the very words this is to be said with"),
        ("wording/ja.toml", Path.unlink, "ja.toml", "gone"),
        ("wording/ja.toml", Path.touch, None, "touched only"),
        ("wording/en.toml", break_toml, "en.toml", "a language that is not spoken now"),
        ("reminder.toml", Path.unlink, None, "everything in it has a default"),
    ],
)
def test_a_damaged_config_folder_refuses_to_start_and_names_the_file(
    reminder: Terminal, tmp_path: Path, name: str, damage: Callable[[Path], object], named: str | None, why: str
) -> None:
    config = shutil.copytree(shipped("config"), tmp_path / "config")
    damage(config / name)
    reminder.set(REMINDER_CONFIG=str(config))

    started = reminder.run("run-once")
    examined = reminder.run("doctor", "--json")

    assert started.code == (0 if named is None else 2), why
    assert examined.code == (0 if named is None else 1)
    assert VALUE not in started.out + started.err + examined.out + examined.err
    if named is not None:
        assert f"{named} " in started.err
        assert "を直してください" in started.err
        assert examined.answer["troubles"] == [started.err.strip()]


def test_a_config_folder_with_the_names_of_an_earlier_version_is_told_the_new_ones(
    reminder: Terminal, tmp_path: Path
) -> None:
    config = shutil.copytree(shipped("config"), tmp_path / "config")
    (config / "schedules.toml").rename(config / "ladders.toml")
    reminder.set(REMINDER_CONFIG=str(config))

    started = reminder.run("kinds")

    assert started.code == 2
    assert "config/ladders.toml" in started.err
    assert "schedules.toml" in started.err


def test_a_config_folder_of_ones_own_is_used(reminder: Terminal, tmp_path: Path) -> None:
    config = shutil.copytree(shipped("config"), tmp_path / "config")
    words = (config / "wording/ja.toml").read_text(encoding="utf-8")
    (config / "wording/ja.toml").write_text(words.replace('"期限だより"', '"きげん通信"', 1), encoding="utf-8")
    reminder.set(REMINDER_CONFIG=str(config))

    assert "【きげん通信・つばめ】" in reminder.run("preview", "mynumber_card", "2031-11-14").out


def test_doctor_lists_every_setting_with_its_value_its_source_and_its_use(reminder: Terminal, tmp_path: Path) -> None:
    config = shutil.copytree(shipped("config"), tmp_path / "config")
    (config / "reminder.toml").write_text("pass_seconds = 7\nsms_per_second = 3\n", encoding="utf-8")
    reminder.set(REMINDER_CONFIG=str(config), REMINDER_SMS_PER_SECOND="2")

    found = reminder.answer("doctor")

    assert list(found) == ["settings", "notes", "troubles"]
    assert set(found["settings"]) == ALL
    assert found["settings"]["REMINDER_PASS_SECONDS"][:2] == ["7.0", "config/reminder.toml"]
    assert found["settings"]["REMINDER_SMS_PER_SECOND"][:2] == ["2.0", "environment"], "the environment wins"
    assert found["settings"]["REMINDER_CARD_GRACE"][:2] == ["False", "default"]
    assert found["settings"]["REMINDER_PUBLIC_URL"][:2] == ["(not set)", "default"]
    assert all(len(use) > 10 for _, _, use in found["settings"].values())
    assert found["troubles"] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"REMINDER_PUBLIC_URL": "http://localhost:8000"},
        {"REMINDER_PUBLIC_URL": "http://[::1]:8000/"},
        {"REMINDER_PUBLIC_URL": "https://kigen.example.jp:8443/"},
        {"REMINDER_SMTP_URL": "smtp://127.0.0.1:587", **MAIL},
        {"REMINDER_SMTP_URL": "smtps://127.0.0.1:465", **MAIL},
        {**TWILIO, **PUBLIC, "REMINDER_TWO_WAY_SMS": "yes", "REMINDER_TWILIO_FROM": "+15005550006"},
        {**TWILIO, **PUBLIC, "REMINDER_TWO_WAY_SMS": "yes", "REMINDER_TWILIO_FROM": "12345"},
        {**TWILIO, **PUBLIC, "REMINDER_TWO_WAY_SMS": "yes", "REMINDER_TWILIO_MESSAGING_SERVICE_SID": "MG1"},
        {**TWILIO, **PUBLIC},
    ],
)
def test_what_does_not_contradict_itself_starts(reminder: Terminal, settings: dict[str, str]) -> None:
    reminder.set(REMINDER_CLOCK_OVERRIDE=None, **settings)

    assert reminder.answer("doctor")["troubles"] == []


def test_doctor_says_at_once_everything_that_is_wrong_and_a_start_the_first_of_it(reminder: Terminal) -> None:
    wrong = {
        **TWILIO,
        "REMINDER_TWO_WAY_SMS": "yes",
        "REMINDER_VOICE_ENABLED": "yes",
        "REMINDER_PUBLIC_URL": "http://www.example.jp/kigen",
        "REMINDER_SMTP_URL": "smtp://mail.example.jp:465",
        "REMINDER_PASSWORT": "x",
    }
    reminder.set(REMINDER_CLOCK_OVERRIDE=None, **wrong)

    examined, started = reminder.run("doctor", "--json"), reminder.run("run-once", "--json")

    named = [
        trouble.split("を直してください")[0].removeprefix("設定 ").strip() for trouble in examined.answer["troubles"]
    ]
    assert named == [
        "REMINDER_PASSWORT",
        "REMINDER_TWILIO_VOICE_FROM",
        "REMINDER_MAIL_FROM",
        "REMINDER_TWILIO_FROM",
        "REMINDER_PUBLIC_URL",
        "REMINDER_PUBLIC_URL",
        "REMINDER_SMTP_URL",
    ]
    assert started.answer["message"] == examined.answer["troubles"][0]


@pytest.mark.parametrize("provider", [TWILIO, {"REMINDER_SMTP_URL": "smtp://127.0.0.1:587", **MAIL}])
def test_who_runs_the_service_is_named_once_something_can_be_sent(reminder: Terminal, provider: dict[str, str]) -> None:
    reminder.set(REMINDER_CLOCK_OVERRIDE=None, **{**provider, "REMINDER_OPERATOR": None})

    (trouble,) = reminder.run("doctor", "--json").answer["troubles"]

    assert "REMINDER_OPERATOR" in trouble


def test_doctor_says_at_once_every_setting_that_cannot_be_read(reminder: Terminal) -> None:
    reminder.set(REMINDER_PASS_SECONDS="0", REMINDER_SMS_PER_SECOND="viele", REMINDER_CALL_RATE="10%")

    troubles = reminder.run("doctor", "--json").answer["troubles"]

    named = {trouble.split("を直してください")[0].removeprefix("設定 ").strip() for trouble in troubles}
    assert named == {"REMINDER_PASS_SECONDS", "REMINDER_SMS_PER_SECOND", "REMINDER_CALL_RATE"}


def test_doctor_says_of_a_secret_only_that_it_is_set(reminder: Terminal) -> None:
    key = reminder.answer("keys", "new")["key"]
    reminder.set(
        REMINDER_CLOCK_OVERRIDE=None,
        REMINDER_SECRET_KEYS=key,
        REMINDER_DATABASE_URL=f"sqlite:///{reminder.data}/{VALUE}.db",
        REMINDER_TWILIO_ACCOUNT_SID="AC",
        REMINDER_TWILIO_AUTH_TOKEN=f"{VALUE},{VALUE}2",
        REMINDER_TWILIO_FROM="KIGEN",
        REMINDER_SMTP_URL=f"smtp://me:{VALUE}@127.0.0.1:2525",
        REMINDER_LINE_TOKEN=VALUE,
        REMINDER_HEARTBEAT_URL=f"https://example.jp/{VALUE}",
        REMINDER_HEARTBEAT_FAIL_URL=f"https://example.jp/{VALUE}/fail",
        REMINDER_METRICS_TOKEN=VALUE * 3,
        REMINDER_BACKUP_KEY=VALUE,
        **MAIL,
    )

    as_json, plain = reminder.run("doctor", "--json"), reminder.run("doctor")

    assert (as_json.code, plain.code) == (0, 0), as_json.answer["troubles"]
    shown = {name.removeprefix(PREFIX).lower(): value for name, (value, _, _) in as_json.answer["settings"].items()}
    # It is for PostgreSQL: see test_database_roles.
    assert {shown[name] for name in SECRET - {"web_database_url"}} == {"(set)"}
    for done in (as_json, plain):
        assert VALUE not in done.out + done.err
        assert key not in done.out + done.err
    assert plain.out.splitlines()[-1] == "Nothing is wrong."


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({}, "SMS go to the console"),
        ({}, "E-mails go to the console"),
        ({}, "The keys are kept in"),
        ({}, "CLOCK_OVERRIDE is set"),
        ({"REMINDER_CARD_GRACE": "true"}, "REMINDER_CARD_GRACE is on."),
        (
            {
                "REMINDER_TWILIO_ACCOUNT_SID": "AC",
                "REMINDER_TWILIO_AUTH_TOKEN": VALUE,
                "REMINDER_TWILIO_FROM": "KIGEN",
                "REMINDER_OPERATOR": "見本の会",
                "REMINDER_TWILIO_BASE_URL": "http://127.0.0.1:1",
            },
            "PUBLIC_URL is not set",
        ),
    ],
)
def test_doctor_notes_what_is_right_and_may_surprise(reminder: Terminal, settings: dict[str, str], note: str) -> None:
    reminder.set(**settings)

    done = reminder.run("doctor")

    assert done.code == 0
    assert any(line.startswith(f"note: {note}") for line in done.out.splitlines())


def test_doctor_has_nothing_to_note_that_is_not_so(reminder: Terminal) -> None:
    reminder.set(REMINDER_CLOCK_OVERRIDE=None, REMINDER_SECRET_KEYS=reminder.answer("keys", "new")["key"])

    notes = " ".join(reminder.answer("doctor")["notes"])

    assert "CLOCK_OVERRIDE" not in notes
    assert "keys are kept" not in notes
    assert "is on" not in notes


def test_without_json_every_trouble_stands_on_a_line_that_says_wrong(reminder: Terminal) -> None:
    reminder.set(REMINDER_CLOCK_OVERRIDE=None, REMINDER_SECRET_KEYS=VALUE, REMINDER_SMTP_URL=VALUE, **MAIL)

    done = reminder.run("doctor")

    wrong = [line for line in done.out.splitlines() if line.startswith("WRONG: ")]
    assert done.code == 1
    assert len(wrong) == 2, "all of them, and not only the first"
    assert "Nothing is wrong." not in done.out


def test_the_service_is_healthy_only_after_its_first_pass(reminder: Terminal) -> None:
    before = reminder.run("health", "--json")
    ticked = reminder.run("run-once")
    after = reminder.run("health", "--json")

    assert before.code == 1
    assert (before.answer["ready"], before.answer["troubles"]) == (False, ["worker_silent"])
    assert ticked.code == 0
    assert after.code == 0
    assert (after.answer["ready"], after.answer["troubles"]) == (True, [])
    assert after.answer["last_pass"].startswith("2026-12-01T08:00:")
    assert list(after.answer) == [
        "ready",
        "troubles",
        "details",
        "concerns",
        "last_pass",
        "last_audit",
        "messages",
        "pauses",
        "canaries",
    ]


@pytest.mark.parametrize(
    ("now", "code", "why"),
    [
        ("2026-12-01T08:04+09:00", 0, "a restart is shorter"),
        ("2026-12-01T08:06+09:00", 1, "several bells were missed"),
    ],
)
def test_a_worker_that_fell_silent_is_noticed_after_minutes(reminder: Terminal, now: str, code: int, why: str) -> None:
    reminder.run("run-once", "--at", "2026-12-01T08:00+09:00")
    reminder.set(REMINDER_CLOCK_OVERRIDE=now)

    assert reminder.run("health").code == code, why


def test_cards_nobody_looked_at_are_a_trouble_of_their_own(family: Terminal) -> None:
    family.set(REMINDER_CLOCK_OVERRIDE="2027-02-10T08:00+09:00")

    assert family.run("health", "--json").answer["troubles"] == ["worker_silent", "cards_overdue"]


def test_health_counts_the_messages_that_are_not_over_by_state(family: Terminal) -> None:
    family.run("run-once", "--at", "2027-01-29T00:00+09:00")
    family.set(REMINDER_CLOCK_OVERRIDE="2027-01-29T00:01+09:00")
    at_night = family.run("health", "--json")
    family.run("run-once", "--at", "2027-01-29T10:00+09:00")
    family.set(REMINDER_CLOCK_OVERRIDE="2027-01-29T10:01+09:00")
    in_the_morning = family.run("health", "--json")

    assert (at_night.code, in_the_morning.code) == (0, 0)
    assert at_night.answer["messages"] == {"queued": len(family.answer("list", "messages"))} != {"queued": 0}
    assert in_the_morning.answer["messages"] == {}, "what is over is history"


def test_health_says_of_each_trouble_how_many_since_when_and_what_to_do(family: Terminal) -> None:
    family.set(REMINDER_CLOCK_OVERRIDE="2027-02-10T08:00+09:00")

    as_json, plain = family.run("health", "--json"), family.run("health")

    silent, overdue = as_json.answer["details"]
    assert (as_json.code, plain.code) == (1, 1)
    assert (silent["code"], silent["since"]) == ("worker_silent", None)
    assert (overdue["code"], overdue["count"]) == ("cards_overdue", 1)
    assert overdue["since"].endswith("T00:00:00+09:00")
    for trouble in (silent, overdue):
        assert trouble["what"].endswith("。")
        assert any(line.startswith(f"WRONG: {trouble['code']} (") for line in plain.out.splitlines())


def test_somebody_whom_nobody_can_tell_is_named_and_the_service_still_works(reminder: Terminal) -> None:
    group = reminder.answer("group", "add", "--name", "田中家", "--kind", "household")["id"]
    person = reminder.answer("person", "add", "--group", str(group), "--label", "父")["id"]
    reminder.answer(
        "card", "add", "--person", str(person), "--kind", "mynumber_user_certificate", "--expires", "2027-03-05"
    )
    reminder.run("run-once")

    health = reminder.run("health", "--json")

    assert (health.code, health.answer["ready"], health.answer["troubles"]) == (0, True, [])
    assert [(one["code"], one["count"]) for one in health.answer["concerns"]] == [("people_out_of_reach", 1)]


def test_a_role_that_was_written_past_the_program_is_wrong(family: Terminal) -> None:
    assert "メンバー 1" not in family.run("doctor").out
    with closing(sqlite3.connect(family.data / "kigen.db")) as connection, connection:
        connection.execute("UPDATE members SET role = 'viewer' WHERE id = 1")

    done = family.run("doctor")

    assert done.code == 1
    assert "メンバー 1" in done.out
