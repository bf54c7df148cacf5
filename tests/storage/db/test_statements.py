"""Statements that each database spells its own way do the same on both."""

from typing import cast

import pytest
from sqlalchemy import Table, select
from sqlalchemy.exc import OperationalError

from reminder.errors import DatabaseNotReadyError
from reminder.storage.db import statements
from reminder.storage.db.session import Database
from reminder.storage.db.statements import among, each, in_batches
from reminder.storage.db.tables import CARDS, PEOPLE, Card, DayTotal, Person, ServiceState
from reminder.storage.registry import people
from tests.storage.conftest import DAY, END, NOW, TODAY, Rows
from tests.village import Village

# More than either driver takes as parameters of one statement.
TOO_MANY = 300_000


def test_any_number_of_ids_can_be_named(village: Village) -> None:
    village.group()
    village.person("母")
    village.person("父")

    with village.app.database.reading() as tx:
        query = select(Person.id).where(among(Person.id, range(2, TOO_MANY))).order_by(Person.id)
        others = select(Person.id).where(~among(Person.id, [2]), Person.label_index.is_not(None))
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
        assert [one.label for one in people.each_of_group(tx, 1)] == labels
        assert [row.id for row in each(tx, select(Person.id).order_by(Person.id))] == [1, 2, 3]


def test_values_come_in_lists_that_one_statement_may_name() -> None:
    assert list(in_batches(range(5), most=2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches([])) == []


def test_a_row_is_inserted_once_and_ignored_where_it_is_there(rows: Rows) -> None:
    assert statements.insert_or_ignore(rows.tx, ServiceState, name="a", value="1")
    assert not statements.insert_or_ignore(rows.tx, ServiceState, name="a", value="2")

    assert rows.column(ServiceState.value) == ["1"]


def test_a_row_is_put_whether_or_not_it_is_there(rows: Rows) -> None:
    statements.put(rows.tx, ServiceState, {"name": "a"}, {"value": "1"})
    statements.put(rows.tx, ServiceState, {"name": "a"}, {"value": "2"}, changed={"value": "3"})

    assert rows.column(ServiceState.value) == ["3"]


def test_a_row_counts_more_from_nothing_on(rows: Rows) -> None:
    for handed in (2, 3):
        statements.add_to(rows.tx, DayTotal, {"channel": "sms", "day": TODAY}, {"handed": handed})

    assert rows.column(DayTotal.handed) == [5]


def test_many_rows_count_more_at_once(rows: Rows) -> None:
    for handed in (2, 3):
        more = [{"channel": channel, "day": TODAY, "handed": handed} for channel in ("email", "sms")]
        statements.add_to_each(rows.tx, DayTotal, ("channel", "day"), ("handed",), more)
    statements.add_to_each(rows.tx, DayTotal, ("channel", "day"), ("handed",), [])

    assert rows.column(DayTotal.handed) == [5, 5]


def test_many_rows_are_added_with_ids_in_their_order_and_changed_by_their_keys(rows: Rows) -> None:
    person = rows.person(rows.group())
    nothing = {"label": "", "is_computed": False, "carried_by": None, "next_reminder_on": None, "created_at": NOW}
    kinds = ("passport", "driving_licence", "other")

    ids = statements.add_many(
        rows.tx, CARDS, [{**nothing, "person_id": person, "kind": kind, "expires_on": END} for kind in kinds]
    )
    statements.update_many(
        rows.tx,
        CARDS,
        ["id"],
        [{"id": card, "expires_on": END + DAY} for card in ids],
        also="escalation_level = 1",
        only="cards.kind <> 'other'",
    )

    assert ids == rows.column(Card.id)
    assert rows.column(Card.kind) == [*kinds]
    assert rows.column(Card.expires_on) == [END + DAY, END + DAY, END]
    assert rows.column(Card.escalation_level) == [1, 1, 0]
    assert statements.add_many(rows.tx, CARDS, []) == []
    assert len(statements.reserve_ids(rows.tx, CARDS, 2)) == 2
    assert not {*statements.reserve_ids(rows.tx, CARDS, 2)} & {*ids}
    statements.update_many(rows.tx, CARDS, ["id"], [])


def test_many_rows_without_ids_of_their_own_are_inserted_at_once(rows: Rows) -> None:
    values = [{"name": name, "value": "1"} for name in "abc"]

    statements.insert_many(rows.tx, cast(Table, ServiceState.__table__), values)
    statements.insert_many(rows.tx, PEOPLE, [])

    assert rows.column(ServiceState.name) == [*"abc"]


def test_any_number_of_ids_is_one_value_of_a_statement(rows: Rows) -> None:
    group = rows.group()
    people = [rows.person(group, label) for label in "甲乙丙"]
    prepared = select(Person.id).where(statements.among(Person.id, statements.ids_param("ids"))).order_by(Person.id)

    assert list(rows.tx.scalars(prepared, {"ids": people[1:]})) == people[1:]
    assert list(rows.tx.scalars(prepared, {"ids": []})) == []
    many = statements.among(Person.id, range(people[0], people[0] + 70_000))
    assert list(rows.tx.scalars(select(Person.id).where(many))) == people
