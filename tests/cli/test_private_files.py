"""Everything that the program writes: only its own user may read it, whatever the umask."""

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reminder.storage.crypto.sealed_file import new_key as new_backup_key
from reminder.wiring import build_app, read_settings
from tests.cli.terminal import Terminal, settle

SOURCE = Path(__file__).parents[2] / "reminder"
# Every place in the source that may create a file or a folder, and what keeps others from reading it.
PLACES = {
    "storage/crypto/private_files.py": "makes private files and folders",
    "storage/crypto/keyring.py": "the keys: a private draft, then its name",
    "upkeep/backup.py": "back-ups: a private draft, then its name; folders are opened to be synchronised",
    "storage/db/session.py": "SQLite: the file is there, private, before SQLite opens it",
    "simulate.py": "a temporary folder, which is private",
    "cli/__init__.py": "the null device, where the reader of a pipe has left",
    "cli/lookup.py": "preview --svg: a drawing of a day, of nobody",
    "cli/demo_output.py": "the demo: a temporary folder, which is private, or the one that was named",
    "cli/imports.py": "template: an empty sheet, to be handed on",
    "cli/scaffold/skeletons.py": "reminder new: configuration and code",
}
CREATES = {
    "mkdir", "makedirs", "mkdtemp", "mkstemp", "touch", "write_text", "write_bytes", "hardlink_to", "symlink_to",
    "copyfile", "copytree", "NamedTemporaryFile", "TemporaryDirectory", "FileHandler",
}  # fmt: skip
UMASKS = [0o000, 0o022]


def creating(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of = (
            node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        )
        words = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        opens = name == "open" and any(word in ("w", "wb", "a", "ab", "x", "xb", "w+b") for word in words)
        if (name in CREATES and of != "private_files") or (of, name) == ("shutil", "copy") or opens or (of, name) in {
            ("os", "open"), ("sqlite3", "connect"),
        }:  # fmt: skip
            yield name


def test_every_place_that_creates_a_file_is_known() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if list(creating(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert found == PLACES.keys()


@pytest.fixture(params=UMASKS, ids=oct)
def careless(request: pytest.FixtureRequest, reminder: Terminal) -> Iterator[Terminal]:
    before = os.umask(request.param)
    yield reminder
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    return sorted(
        f"{path.relative_to(folder)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in folder.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    )


def test_what_commands_write_is_private_whatever_the_umask(careless: Terminal, tmp_path: Path) -> None:
    settle(careless)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("居室,氏名,電子証明書 有効期限\n9,花子,いつか\n", encoding="utf-8")
    sheet.chmod(0o600)
    careless.set(REMINDER_BACKUP_KEY=new_backup_key())
    for line in (
        "backup --out kigen.backup",
        "export --group 1 --out export.json",
        "export --group 1 --html --out export.html",
        "print welcome --person 1 --out welcome.html",
        "visits --group 1 --month 2027-03 --out visits.xlsx",
        "keys new --keep",
        "simulate --from 2026-12-01 --until 2026-12-31 --of-current",
    ):
        assert careless.run(*line.split()).code == 0, line
    careless.answer("group", "add", "--name", "さくら苑", "--kind", "home")
    careless.run("enrol", "sheet.csv", "--group", "2", "--report", "refused.csv")

    # While a writer is at work, SQLite's own files are there too.
    with build_app(read_settings()) as app, app.writing():
        assert {"kigen.db", "kigen.db-wal", "kigen.db-shm", "keys"} <= {path.name for path in careless.data.iterdir()}
        assert open_to_others(tmp_path) == []
    written = {path.name for path in tmp_path.iterdir()}
    assert {"kigen.backup", "export.json", "export.html", "welcome.html", "visits.xlsx", "refused.csv"} <= written


def test_what_an_earlier_version_left_open_is_closed_at_the_next_start_and_said(
    family: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    family.data.chmod(0o755)
    for path in family.data.iterdir():
        path.chmod(0o644)

    family.answer("run-once")

    assert open_to_others(family.data.parent) == []
    assert "kigen.db" in caplog.text
    caplog.clear()
    family.answer("run-once")
    assert "others could read" not in caplog.text


def test_doctor_names_what_it_cannot_close(family: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    (family.data / "keys").chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)

    done = family.run("doctor")

    assert done.code == 1
    assert f"chmod go= {family.data / 'keys'}" in done.out


def refuse(_path: Path, _mode: int) -> None:
    """As the system does for a file of another user."""
    raise PermissionError
