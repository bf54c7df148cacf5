"""What travels inside the wheel: the rules, the words, the migrations and the pages, so that it works anywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.patience import PATIENCE

HERE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = next(WheelBuilder(str(HERE)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]))
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(folder)
    return folder


def test_every_file_that_is_not_code_travels_too(unpacked: Path) -> None:
    expected = {
        f"reminder/shipped/{file.relative_to(HERE)}"
        for folder in ("config", "migrations")
        for file in (HERE / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    expected |= {
        str(file.relative_to(HERE))
        for folder in ("templates", "static")
        for file in (HERE / "reminder" / "web" / folder).iterdir()
    }

    assert {name for name in expected if not (unpacked / name).is_file()} == set()
    assert not any(name.parts[0] == "tests" for name in (path.relative_to(unpacked) for path in unpacked.rglob("*")))


def test_away_from_the_checkout_the_first_run_works(unpacked: Path, tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("REMINDER_")}
    where = {"PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1", "REMINDER_DATA_DIR": str(tmp_path / "data")}

    done = subprocess.run(
        [sys.executable, "-m", "reminder", "group", "add", "--name", "田中家", "--kind", "household", "--json"],
        check=False, capture_output=True, text=True, env={**bare, **where}, cwd=tmp_path, timeout=PATIENCE,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, '{"id": 1}\n'), done.stderr
    probe = "import reminder.settings as s; print(s.config_dir())"
    found = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True, env={**bare, **where}, cwd=tmp_path
    )
    assert found.stdout.strip() == str(unpacked / "reminder" / "shipped" / "config")
