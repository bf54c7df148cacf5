"""Statements that are spelled differently for each database."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from reminder.errors import DatabaseNotReadyError
from reminder.storage.session import Database
from reminder.storage.statements import among, each, in_batches
from reminder.storage.tables import Card, Person
from tests.village import Village

# More than either driver takes as parameters of one statement.
TOO_MANY = 300_000


def test_any_number_of_ids_can_be_named(village: Village) -> None:
    village.group()
    village.person("母")
    village.person("父")

    with village.app.database.reading() as tx:
        query = select(Person.id).where(among(Person.id, range(2, TOO_MANY))).order_by(Person.id)
        others = select(Person.id).where(~among(Person.id, [2]), Person.mark.is_(None))
        nobody = select(Person.id).where(among(Person.id, []))

        assert list(tx.scalars(query)) == [2]
        assert list(tx.scalars(others)) == [1]
        assert list(tx.scalars(nobody)) == []


def test_an_error_in_a_statement_is_not_taken_for_a_database_that_is_away(village: Village) -> None:
    """Drivers call it by the same name as a connection that was lost."""
    with pytest.raises(OperationalError), village.app.database.reading() as tx:
        tx.scalars(select(Card.id).where(Card.id.in_(range(TOO_MANY)))).all()


def test_a_database_that_refuses_connections_is_away() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(DatabaseNotReadyError) as refused, database.reading() as tx:
        tx.scalars(select(Card.id)).all()

    assert refused.value.code == "database_unreachable"


def test_a_long_list_is_read_to_its_end(village: Village) -> None:
    village.group()
    labels = [f"{chr(0x4E00 + number)}さん" for number in range(3)]
    for label in labels:
        village.person(label)

    with village.app.database.reading() as tx:
        assert [row.label for row in each(tx, select(Person.label).order_by(Person.id))] == labels


def test_values_come_in_lists_that_one_statement_may_name() -> None:
    assert list(in_batches(range(5), most=2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches([])) == []
