"""The commands that back up, restore and change keys, as an operator types them."""

from pathlib import Path

import pytest

from tests.cli.terminal import MOTHER, Terminal

PASSED = "2026-12-01T08:10+09:00"  # later than the last pass of any worker


@pytest.fixture
def key(reminder: Terminal) -> str:
    """On paper."""
    return str(reminder.answer("backup", "key")["key"])


@pytest.fixture
def kept(family: Terminal, key: str) -> Terminal:
    """A family with a back-up of it, of which this terminal knows the key."""
    family.set(REMINDER_BACKUP_KEY=key)
    family.answer("backup", "--out", "kigen.backup")
    return family


def test_with_nothing_but_the_file_and_the_paper_another_machine_has_everything(kept: Terminal, key: str) -> None:
    before = kept.answer("list", "contacts")
    Path("paper").write_text(f"{key.lower().replace('-', ' ')}\n", encoding="ascii")
    kept.set(REMINDER_BACKUP_KEY=None, REMINDER_DATA_DIR="elsewhere")

    restored = kept.answer("restore", "kigen.backup", "--key-file", "paper")

    assert restored["rows"]["contacts"] == len(before) == 2
    assert kept.answer("list", "contacts") == before
    assert MOTHER in str(before)
    assert Path("elsewhere/keys").read_bytes() == (kept.data / "keys").read_bytes()


def test_what_is_checked_is_what_was_written(kept: Terminal) -> None:
    written = kept.answer("backup", "--out", "second.backup")

    assert kept.answer("backup", "check", "second.backup") == written
    assert kept.answer("backup", "keys", "second.backup")["keys"] == (kept.data / "keys").read_text().split()


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        (["backup"], {}, "usage_missing"),
        (["backup", "--out", "x"], {"REMINDER_BACKUP_KEY": None}, "backup_key_missing"),
        (["backup", "--out", "x"], {"REMINDER_BACKUP_KEY": "EUZL-HKY3"}, "backup_key_unreadable"),
        (["backup", "--out", "x", "--key-file", "nowhere"], {}, "backup_key_unreadable"),
        (["backup", "--out", "nowhere/x"], {}, "backup_unwritable"),
        (["backup", "check", "nowhere"], {}, "backup_unreadable"),
        (["restore", "kigen.backup"], {}, "restore_not_empty"),
        (["restore", "data/kigen.db"], {"REMINDER_DATA_DIR": "elsewhere"}, "backup_unknown"),
        (["keys", "new", "--keep"], {"REMINDER_SECRET_KEYS": "x"}, "keys_in_settings"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    kept: Terminal, arguments: list[str], given: dict[str, str | None], code: str
) -> None:
    kept.set(**given)

    assert kept.refusal(*arguments)["error"] == code


def test_another_key_opens_nothing(kept: Terminal) -> None:
    kept.set(REMINDER_BACKUP_KEY=kept.answer("backup", "key")["key"], REMINDER_DATA_DIR="elsewhere")

    assert kept.refusal("restore", "kigen.backup")["error"] == "backup_key_wrong"
    assert not Path("elsewhere/keys").exists()


def test_a_change_of_keys_from_the_new_key_to_the_end_of_the_old_one(family: Terminal) -> None:
    file = family.data / "keys"
    old = file.read_text()
    family.answer("keys", "new", "--keep")
    family.set(REMINDER_CLOCK_OVERRIDE=PASSED)

    done = family.answer("keys", "rotate")

    new, also = file.read_text().split()
    assert also == old.strip()
    assert (done["changed"], done["left"], len(done["unneeded"])) == (6, 0, 1), (
        "two addresses, words of three rows, a secret"
    )
    file.write_text(f"{new}\n")
    assert MOTHER in str(family.answer("list", "contacts"))
