"""Back-ups: all rows and the keys in one encrypted file, and restored into an empty database of either kind."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from reminder.clock import random_bytes
from reminder.domain.rules.restore import ids_left_out
from reminder.errors import ConflictError, DatabaseNotReadyError, RefusedInputError
from reminder.storage.crypto import private_files, sealed_file
from reminder.storage.crypto.keyring import KeyRing, read_keys
from reminder.storage.db import schema
from reminder.storage.db.session import Database, is_there
from reminder.storage.maintenance import moving, settlement, snapshot
from reminder.storage.maintenance.snapshot import TableShape, Value
from reminder.storage.outbox import restore_guard

# Encrypted values do not compress; stronger compression of the rest is not worth its time.
_LIGHTLY = 1


@dataclass(frozen=True)
class BackupContents:
    """The header of a back-up; `version` is that of the tables."""

    version: str
    taken_at: datetime
    rows: Mapping[str, int]
    keys: tuple[str, ...]
    origin: str | None = None  # the database that it was made of, without a password

    def __repr__(self) -> str:
        return f"Contents({self.version}, {self.taken_at})"


@dataclass(frozen=True)
class WrittenBackup:
    """A complete back-up; `sha256` is the value that `sha256sum` prints."""

    contents: BackupContents
    sha256: str
    size: int


def make(
    database: Database, keys: KeyRing, key: bytes, file: Path, now: datetime, *, moves_to: str | None = None
) -> WrittenBackup:
    """Write a back-up of one moment of the database, while others write.

    `moves_to`: where the data go. Then the database is closed first, so that nothing happens in it after the back-up.
    Raises DatabaseNotReadyError for a database that this program does not know, and RefusedInputError
    (backup_would_replace) if the file is something else.
    """
    if moves_to is None:
        return _make(database, keys, key, file, now)
    moving.close(database, to=moves_to, now=now)
    try:
        return _make(database, keys, key, file, now)
    except BaseException:
        moving.take_back(database)
        raise


def _make(database: Database, keys: KeyRing, key: bytes, file: Path, now: datetime) -> WrittenBackup:
    with _written_whole(file) as out, snapshot.snapshot(database) as taken:
        if taken.version is None or not schema.is_known(taken.version):
            raise DatabaseNotReadyError("database_behind" if taken.version is None else "database_ahead")
        contents = BackupContents(taken.version, now, taken.counts, tuple(keys.written()), database.place)
        sealing, packing = sealed_file.Sealing(out, key), zlib.compressobj(_LIGHTLY)
        for line in _lines_of(contents, taken):
            sealing.write(packing.compress(line))
        sealing.write(packing.flush())
        return WrittenBackup(contents, sealing.end(), out.tell())


def _lines_of(contents: BackupContents, taken: snapshot.Snapshot) -> Iterator[bytes]:
    def line(value: object) -> bytes:
        return encode(value).encode() + b"\n"

    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
    yield line(
        {
            "version": contents.version,
            "taken_at": contents.taken_at.isoformat(),
            "rows": contents.rows,
            "keys": contents.keys,
            "origin": contents.origin,
        }
    )
    for shape in taken.tables:
        yield line({"table": shape.name, "columns": shape.columns, "next_id": shape.next_id})
        yield from map(line, taken.rows(shape))


def check(file: Path, key: bytes) -> WrittenBackup:
    """Read the whole back-up. Raises RefusedInputError if a bit of it has changed."""
    with _opened(file) as found:
        sha256 = hashlib.file_digest(found, "sha256").hexdigest()
        size = found.tell()
        found.seek(0)
        reading = _Reading(found, key)
        for shape, rows in reading.tables():
            if any(len(row) != len(shape.columns) for row in rows):
                raise RefusedInputError("backup_damaged")
    return WrittenBackup(reading.contents, sha256, size)


def contents_of(file: Path, key: bytes) -> BackupContents:
    """Return what the header says."""
    with _opened(file) as found:
        return _Reading(found, key).contents


def keys_in(file: Path, key: bytes) -> tuple[str, ...]:
    """Return the keys as REMINDER_SECRET_KEYS needs them, newest first."""
    return contents_of(file, key).keys


def restore(
    database: Database,
    file: Path,
    key: bytes,
    now: datetime,
    *,
    ring: KeyRing | None,
    keep_keys: Callable[[tuple[str, ...]], None],
    exact: bool = False,
) -> BackupContents:
    """Restore a back-up, whole or not at all, into a database without rows, and upgrade it to this program's version.

    `ring`: the present keys, which must be able to open what is restored; None: the keys of the back-up are given to
    `keep_keys`. `exact`: nothing was sent after the back-up, so everything continues from there.
    Raises RefusedInputError, and ConflictError (restore_not_empty).
    """
    with _opened(file) as found:
        reading = _Reading(found, key)
        contents = reading.contents
        if not schema.is_known(contents.version):
            raise RefusedInputError("backup_newer")
        if ring is not None and not set(read_keys(contents.keys).ids) <= set(ring.ids):
            raise RefusedInputError("restore_keys_missing")
        with schema.building(database) as building:
            building.up_to(contents.version)
            snapshot.empty(building.connection)
            next_ids = {}
            for shape, rows in reading.tables():
                snapshot.load(building.connection, shape, rows)
                next_ids[shape.name] = shape.next_id or 1
            building.up_to("head")
            with building.writing() as tx:
                moving.forget_place(tx)
                settlement.settle(tx, ring or read_keys(contents.keys), contents.version)
            leap = 0 if exact else ids_left_out(contents.taken_at, now)
            snapshot.count_on(building.connection, next_ids, leap)
            if not exact:
                with building.writing() as tx:
                    restore_guard.begin(tx, taken_at=contents.taken_at, now=now)
            if ring is None:
                # Before the rows: rows without their keys would be lost; keys without rows do no harm.
                keep_keys(contents.keys)
    return contents


@contextmanager
def origin_of(contents: BackupContents, target: Database) -> Iterator[Database | None]:
    """Yield the database that a back-up was made of; None where it is not reached from here, or is another one by now.

    `target`: what is restored into, which is no origin of itself.
    """
    place = contents.origin
    if place is None or place == target.place or not is_there(place):
        yield None
        return
    origin = Database(place)
    try:
        yield origin if moving.is_same_installation(origin, read_keys(contents.keys)) else None
    finally:
        origin.close()


def refuse_if_sent_since(contents: BackupContents, target: Database) -> None:
    """Raise ConflictError, code restore_not_exact, where the database of the back-up has sent something after it."""
    with origin_of(contents, target) as origin:
        if origin is not None:
            with origin.reading() as tx:
                if moving.has_sent_since(tx, contents.taken_at):
                    raise ConflictError("restore_not_exact")


def close_origin(contents: BackupContents, target: Database, now: datetime) -> bool | None:
    """Close the database that a back-up was made of, because its data are in `target` now.

    Return whether it is closed; None where it is not reached from here.
    """
    with origin_of(contents, target) as origin:
        if origin is None:
            return None
        try:
            moving.close(origin, to=target.place, now=now)
        except DatabaseNotReadyError as refused:
            return refused.code == "database_moved"
    return True


class _Reading:
    """A back-up that is read from its first line to its last; only then is it known to be complete."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._lines = _lines(file, key)
        head = self._next()
        self.contents = BackupContents(
            head["version"],
            datetime.fromisoformat(head["taken_at"]),
            head["rows"],
            tuple(head["keys"]),
            head.get("origin"),
        )

    def tables(self) -> Iterator[tuple[TableShape, Iterator[list[Value]]]]:
        for name, count in self.contents.rows.items():
            head = self._next()
            if head["table"] != name:
                raise RefusedInputError("backup_damaged")
            columns = tuple((column, kind) for column, kind in head["columns"])
            yield TableShape(name, columns, next_id=head["next_id"]), map(json.loads, islice(self._lines, count))
        if next(self._lines, None) is not None:
            raise RefusedInputError("backup_damaged")

    def _next(self) -> Any:
        line = next(self._lines, None)
        if line is None:
            raise RefusedInputError("backup_damaged")
        return json.loads(line)


def _lines(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    unpacking, rest = zlib.decompressobj(), b""
    for chunk in sealed_file.opened(file, key):
        *lines, rest = (rest + unpacking.decompress(chunk)).split(b"\n")
        yield from lines
    if rest or not unpacking.eof:
        raise RefusedInputError("backup_damaged")


@contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    try:
        found = file.open("rb")
    except OSError:
        raise RefusedInputError("backup_unreadable") from None
    with found:
        yield found


@contextmanager
def _written_whole(file: Path) -> Iterator[BinaryIO]:
    """Yield a file that gets its name once its last byte is on the disk; only its owner may read it."""
    if file.exists():
        with _opened(file) as there:
            if not sealed_file.is_sealed_file(there):
                raise RefusedInputError("backup_would_replace")
    draft = file.with_name(f".{file.name}-{random_bytes(8).hex()}")
    try:
        private_files.create(draft)
        with draft.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        _remember_name(file.parent)
    except OSError:
        raise RefusedInputError("backup_unwritable") from None
    finally:
        draft.unlink(missing_ok=True)


def _remember_name(folder: Path) -> None:
    """Sync the folder, so that a power cut does not bring the old name back."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
