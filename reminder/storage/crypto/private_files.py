"""Files and folders that only their owner may read, whatever the umask: made so, not changed afterwards."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FILE_MODE, FOLDER_MODE = 0o600, 0o700
# Of SQLite: beside its file. They get the mode of the file when they are made, and keep it.
BESIDE = ("", "-wal", "-shm", "-journal")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that only their owner may enter. One that is there stays as it is.

    Raises OSError, also where something else has its name.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(folder)
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        try:
            one.mkdir(mode=FOLDER_MODE)
        except FileExistsError:
            continue


def create(file: Path, *, anew: bool = True) -> None:
    """Create an empty file that only its owner may read or write.

    `anew`: raises FileExistsError where it is there; otherwise one that is there is left alone.
    """
    try:
        # A mode that is set after the file was created leaves a moment in which others may open it.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    except FileExistsError:
        if anew:
            raise


@contextmanager
def written(file: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, which replaces one of that name; never is it readable for others.

    A file that is there is made private before anything is written. Raises OSError.
    """
    create(file, anew=False)
    # A device or a pipe, such as /dev/stdout, has no mode of ours.
    if file.is_file():
        file.chmod(FILE_MODE)
    with file.open("wb") as out:
        yield out


def too_open(paths: Iterable[Path]) -> list[Path]:
    """Return those of the files and folders that others than their owner may read, write or enter."""
    return [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def tighten(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Make files and folders private; return those that were changed, and those that cannot be."""
    changed, left = [], []
    for path in too_open(paths):
        try:
            if path.is_dir() and path.stat().st_mode & stat.S_ISVTX:
                # A folder that everybody shares, such as /tmp, is not ours to close.
                left.append(path)
                continue
            path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
            changed.append(path)
        except OSError:
            left.append(path)
    return changed, left


def of_sqlite(file: Path) -> list[Path]:
    """Return the file of a SQLite database and those that SQLite makes beside it."""
    return [file.with_name(file.name + ending) for ending in BESIDE]
