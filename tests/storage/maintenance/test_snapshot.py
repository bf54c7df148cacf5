"""One moment of a database: what is read of it fills an empty one on either database."""

import pytest
from sqlalchemy import select

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Card, Group, Person
from reminder.storage.maintenance import snapshot
from reminder.storage.maintenance.snapshot import Snapshot
from tests.storage.conftest import Rows


@pytest.fixture
def filled(database: Database, keys: KeyRing) -> Database:
    """A family with a card."""
    with database.writing() as tx:
        rows = Rows(tx, keys)
        rows.message(rows.contact(person_id=rows.person(rows.group())))
        rows.card(1)
    return database


def everything(taken: Snapshot) -> dict[str, list[list[object]]]:
    return {shape.name: [list(row) for row in taken.rows(shape)] for shape in taken.tables}


def test_a_snapshot_holds_one_moment_whatever_is_written_meanwhile(filled: Database, keys: KeyRing) -> None:
    with snapshot.snapshot(filled) as taken:
        (people,) = (shape for shape in taken.tables if shape.name == "people")
        before = list(taken.rows(people))
        with filled.writing() as tx:
            Rows(tx, keys).person(1, "母")
        assert list(taken.rows(people)) == before
        assert taken.counts["people"] == len(before) == 1


def test_a_database_that_was_emptied_is_filled_again_and_counts_on(filled: Database, keys: KeyRing) -> None:
    with snapshot.snapshot(filled) as taken:
        shapes, rows = taken.tables, everything(taken)
        next_ids = {shape.name: 100 for shape in shapes}
    with filled.engine.execution_options(kigen_writes=True).begin() as connection:
        snapshot.empty(connection)
        assert connection.execute(select(Group.id)).all() == []

        loaded = {shape.name: snapshot.load(connection, shape, rows[shape.name]) for shape in shapes}
        snapshot.count_on(connection, next_ids)

    assert loaded == {name: len(of) for name, of in rows.items()}
    with snapshot.snapshot(filled) as again:
        assert everything(again) == rows
    with filled.writing() as tx:
        assert list(tx.scalars(select(Card.id))) == [1]
        added = Rows(tx, keys).person(1, "母")
        assert added == 100
        assert list(tx.scalars(select(Person.id).order_by(Person.id))) == [1, added]


def test_after_a_leap_every_table_goes_on_at_a_round_number(filled: Database, keys: KeyRing) -> None:
    with filled.engine.execution_options(kigen_writes=True).begin() as connection:
        snapshot.count_on(connection, {"people": 1_500_000}, leap=1_000_000)

    with filled.writing() as tx:
        assert Rows(tx, keys).person(1, "母") == 3_000_001
        assert Rows(tx, keys).group() == 2_000_001
