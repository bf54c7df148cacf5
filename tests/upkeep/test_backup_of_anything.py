"""Whatever rows there are: from SQLite to PostgreSQL and back they are the same."""

import random
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Date, DateTime, Integer, LargeBinary, String, Table
from sqlalchemy.exc import IntegrityError

from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db import schema
from reminder.storage.db.columns import EnumText
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Base
from reminder.storage.maintenance import snapshot
from reminder.upkeep import backup
from tests import databases

KEY, AT = b"k" * 32, datetime(2027, 3, 20, tzinfo=UTC)
RING = read_keys([new_key()])
AWKWARD = ["", "母", "\\N", "a\tb\\", "'; --", '"', "\n", "𠮷🎴", "null", "é" * 3]
JSONS = ["[]", "{}", '{"a": [1, null, "母\\n"]}', "null", '[ 1.50 , "x" ]']


def value(column: object, chance: random.Random, parents: dict[str, list[tuple[object, ...]]]) -> object:
    if column.nullable and chance.random() < 0.4:
        return None
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column.table.name
        return chance.choice(parents[target])[0] if parents.get(target) else None
    kind = column.type
    if isinstance(kind, Boolean):
        return chance.random() < 0.5
    if isinstance(kind, Integer):
        return chance.choice([0, 1, -5, 30_000])
    if isinstance(kind, Date):
        return (date(1, 1, 1) + timedelta(days=chance.randrange(3_600_000))).isoformat()
    if isinstance(getattr(kind, "impl_instance", kind), DateTime):
        at = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(
            seconds=chance.randrange(10**10), microseconds=chance.choice([0, 1, 999_999])
        )
        return at.replace(tzinfo=None).isoformat(" ", "microseconds")
    if isinstance(getattr(kind, "impl_instance", kind), LargeBinary):
        return chance.randbytes(chance.choice([0, 1, 40]))
    if isinstance(kind, EnumText):
        return chance.choice(list(kind.members))
    if isinstance(getattr(kind, "impl_instance", kind), String):
        return chance.choice([*AWKWARD, f"{chance.random()}"])[: kind.length or 10]
    return chance.choice(JSONS)


def fill(database: Database, chance: random.Random) -> None:
    """What the constraints do not allow is left out."""
    parents: dict[str, list[tuple[object, ...]]] = {}
    for table in Base.metadata.sorted_tables:
        for number in range(chance.randrange(5)):
            row = _row(table, chance, parents, number + chance.randrange(1, 10) * 100)
            sql = f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
            try:
                with database.writing() as tx:
                    tx.connection().exec_driver_sql(sql, tuple(row.values()))
            except IntegrityError:
                continue
            parents.setdefault(table.name, []).append(tuple(row[column.name] for column in table.primary_key))


def _row(
    table: Table, chance: random.Random, parents: dict[str, list[tuple[object, ...]]], number: int
) -> dict[str, object]:
    own_id = "id" if "id" in table.c else None
    return {
        column.name: number if column.name == own_id else value(column, chance, parents) for column in table.columns
    }


def raw(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """As SQLite itself keeps it, to the byte."""
    with database.reading() as tx:
        names = [table.name for table in Base.metadata.sorted_tables]
        return {
            name: sorted(map(tuple, tx.connection().exec_driver_sql(f"SELECT * FROM {name}")), key=repr)
            for name in names
        }


def moved(source: Database, url: str, folder: Path) -> Database:
    file, target = folder / "move.backup", Database(url)
    backup.make(source, RING, KEY, file, AT)
    backup.restore(target, file, KEY, AT, ring=RING, keep_keys=lambda keys: None, exact=True)
    return target


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_went_to_postgresql_and_back_are_the_same(
    seed: int, postgres: databases.Server, sqlite_url: str
) -> None:
    first = Database(sqlite_url)
    fill(first, random.Random(seed))

    with postgres.database() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        second = moved(first, url, folder)
        third = moved(second, f"sqlite:///{folder / 'back.db'}", folder)
        with snapshot.snapshot(first) as one, snapshot.snapshot(second) as two:
            assert one.counts == two.counts
            assert sum(one.counts.values()) > 10
        assert raw(third) == raw(first)
        assert schema.differences(third) == []
        for database in (first, second, third):
            database.close()
