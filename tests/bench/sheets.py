"""A home's sheet checked and saved, beside the least that must be done with the same rows: read them as CSV, encrypt
each telephone, insert a person, a contact and a card."""

import csv
import io
import multiprocessing
import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reminder.clock import SystemClock
from reminder.domain.model.people import GroupKind
from reminder.enrolment import register
from reminder.enrolment.imports import service
from reminder.enrolment.imports.reader import read_sheet
from reminder.storage.crypto.keyring import new_key
from reminder.storage.registry import imports
from reminder.wiring import App, build_app, read_settings
from tests import databases
from tests.conftest import migrate

HEADINGS = ("居室", "氏名", "携帯電話", "電子証明書 有効期限")
EACH = 10_000  # residents of one home who share a label


def measure(*sizes: int) -> None:
    lock = databases.begin_run()
    try:
        for rows in sizes or (10_000, 100_000):
            content = sheet(rows)
            floor = least(content)
            print(
                f"sheet of {rows:,} rows, {len(content) / 1e6:.1f} MB, the least (csv, AES-GCM, bare insert): {floor:.2f} s"
            )
            for name in ("SQLite", "PostgreSQL"):
                # A process of its own: what the one before has used says nothing about this one's memory.
                own = multiprocessing.get_context("spawn").Process(target=enrol_on, args=(name, content, floor))
                own.start()
                own.join()
                if own.exitcode:
                    raise SystemExit(f"{name}: exit {own.exitcode}")
    finally:
        databases.end_run(lock)


def enrol_on(name: str, content: bytes, floor: float) -> None:
    with {"SQLite": on_sqlite, "PostgreSQL": on_postgresql}[name]() as app:
        enrol(app, name, content, floor)


def sheet(rows: int) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(HEADINGS)
    for number in range(rows):
        label = f"{chr(0x4E00 + number // EACH)}さん"
        end = date(2028 + number % 5, number % 12 + 1, number % 28 + 1)
        writer.writerow([number % EACH, label, f"090-0000-{number % EACH:04}", end.isoformat()])
    return written.getvalue().encode()


def least(content: bytes) -> float:
    seal = AESGCM(AESGCM.generate_key(256))
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "floor.db")
        database.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, label TEXT, room TEXT);"
            "CREATE TABLE contacts (id INTEGER PRIMARY KEY, person_id INTEGER, sealed BLOB);"
            "CREATE TABLE cards (id INTEGER PRIMARY KEY, person_id INTEGER, ends TEXT);"
        )
        began = time.perf_counter()
        rows = list(csv.reader(io.StringIO(content.decode())))[1:]
        nonces = [os.urandom(12) for _ in rows]
        sealed = [nonce + seal.encrypt(nonce, row[2].encode(), b"") for nonce, row in zip(nonces, rows, strict=True)]
        ends = [date.fromisoformat(row[3]).isoformat() for row in rows]
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", ((n, row[1], row[0]) for n, row in enumerate(rows)))
        database.executemany("INSERT INTO contacts VALUES (?, ?, ?)", ((n, n, one) for n, one in enumerate(sealed)))
        database.executemany("INSERT INTO cards VALUES (?, ?, ?)", ((n, n, end) for n, end in enumerate(ends)))
        database.commit()
        took = time.perf_counter() - began
        database.close()
    return took


def enrol(app: App, name: str, content: bytes, floor: float) -> None:
    now, moved = app.clock.now(), [time.perf_counter()]
    with app.units.writing(now) as uow:
        group_id = register.add_group(uow, name="見本の里", kind=GroupKind.HOME)

    def tell(_: object) -> None:
        moved.append(time.perf_counter())

    began = time.perf_counter()
    import_id = service.begin_import(
        app.units, now, group_id=group_id, sheet=read_sheet(content, app.rules.headings), by=None
    )
    read = time.perf_counter()
    with app.writing() as uow:
        begun = imports.find(uow.tx, import_id)
        assert begun is not None
        service.set_mapping(uow, import_id=import_id, by_place=begun.mapping.by_place)
    service.process_to_end(app.units, now, import_id=import_id, on_progress=tell)
    checked = time.perf_counter()
    with app.writing() as uow:
        service.start_saving(uow, import_id=import_id)
    done = service.process_to_end(app.units, now, import_id=import_id, on_progress=tell)
    saved = time.perf_counter()
    assert done.counts.saved == done.rows, done.counts
    stillest = max(later - earlier for earlier, later in pairwise(moved))
    print(
        f"  {name}: read {read - began:.2f} s, checked {checked - read:.2f} s, saved {saved - checked:.2f} s: "
        f"{saved - began:.2f} s, {(saved - began) / floor:.0f} times the least; progress moved at least every {stillest:.2f} s"
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"    CPU {used.ru_utime + used.ru_stime:.1f} s in all, most memory {used.ru_maxrss / 1024:.0f} MB")


@contextmanager
def on_sqlite() -> Iterator[App]:
    with (
        tempfile.TemporaryDirectory() as folder,
        build_app(read_settings(data_dir=Path(folder)), clock=SystemClock()) as app,
    ):
        yield app


@contextmanager
def on_postgresql() -> Iterator[App]:
    server = databases.running_server()
    with (
        tempfile.TemporaryDirectory() as folder,
        server.database(server.template("migrated", migrate)) as url,
        build_app(
            read_settings(data_dir=Path(folder), database_url=url, secret_keys=(new_key(),)), clock=SystemClock()
        ) as app,
    ):
        yield app
