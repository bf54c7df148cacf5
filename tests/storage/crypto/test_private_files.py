"""Files that only their owner may read, whatever the umask, from the moment they are there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reminder.storage.crypto import private_files

UMASKS = [0o000, 0o002, 0o022, 0o027, 0o077]


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_new_file_and_a_new_folder_are_private_under_every_umask(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "inner"
    private_files.make_folder(folder)
    private_files.make_folder(folder)
    private_files.create(folder / "keys")
    with private_files.written(folder / "export.json") as file:
        assert mode(folder / "export.json") == 0o600, "before the first byte"
        file.write(b"{}")

    assert [mode(path) for path in (folder.parent, folder)] == [0o700, 0o700]
    assert [mode(path) for path in folder.iterdir()] == [0o600, 0o600]
    assert (folder / "export.json").read_bytes() == b"{}"


def test_a_file_that_is_there_is_kept_or_refused_or_made_private_before_it_is_written(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("before", encoding="ascii")
    there.chmod(0o644)

    with pytest.raises(FileExistsError):
        private_files.create(there)
    private_files.create(there, anew=False)
    assert (there.read_text(encoding="ascii"), mode(there)) == ("before", 0o644)
    with private_files.written(there) as file:
        assert mode(there) == 0o600
        file.write(b"after")

    assert there.read_text(encoding="ascii") == "after"
    with private_files.written(Path(os.devnull)) as device:
        device.write(b"x")


def test_what_is_too_open_is_found_and_closed(tmp_path: Path) -> None:
    file, private, missing = tmp_path / "open", tmp_path / "private", tmp_path / "missing"
    file.touch(mode=0o644)
    private_files.create(private)
    tmp_path.chmod(0o755)
    paths = [tmp_path, file, private, missing]

    assert private_files.too_open(paths) == [tmp_path, file]
    assert private_files.tighten(paths) == ([tmp_path, file], [])

    assert private_files.too_open(paths) == []
    assert (mode(tmp_path), mode(file)) == (0o700, 0o600)


def test_a_folder_that_everybody_shares_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)

    assert private_files.tighten([shared]) == ([], [shared])
    assert mode(shared) == 0o1777


def test_the_files_of_sqlite_are_four() -> None:
    names = [path.name for path in private_files.of_sqlite(Path("/data/kigen.db"))]

    assert names == ["kigen.db", "kigen.db-wal", "kigen.db-shm", "kigen.db-journal"]
