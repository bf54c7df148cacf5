"""A closed database: what the row says, and who is refused."""

from datetime import UTC, datetime

import pytest

from reminder.errors import DatabaseNotReadyError
from reminder.storage.db import fence, schema
from reminder.storage.db.session import Database
from reminder.storage.runtime import service_state

AT = datetime(2026, 12, 1, 3, tzinfo=UTC)
TO = "postgresql://new.example.jp/kigen"


def test_the_row_says_when_and_where_to_and_of_a_long_place_the_end() -> None:
    there = fence.moved(AT, TO)
    long = fence.moved(AT, f"sqlite:///{'x' * 90}/kigen.db")

    assert fence.read(there.value) == there == (AT, TO)
    assert len(long.value) == 80
    assert long.to.startswith("…")
    assert long.to.endswith("/kigen.db")
    assert fence.read(None) is None


def test_only_a_value_refuses_and_the_refusal_names_day_and_place() -> None:
    fence.refuse(None)

    with pytest.raises(DatabaseNotReadyError) as refused:
        fence.refuse(fence.moved(AT, TO).value)
    assert (refused.value.code, refused.value.details) == ("database_moved", {"at": "2026-12-01", "to": TO})
    assert refused.value.is_final


def test_a_closed_database_is_found_is_not_written_and_is_not_served(database: Database) -> None:
    with database.writing() as tx:
        assert fence.find(tx.connection()) is None
        fence.refuse_moved(tx.connection())
        service_state.replace(tx, fence.NAME, fence.moved(AT, TO).value)
    database.write_only_at(schema.newest())

    with database.reading() as tx:
        assert fence.find(tx.connection()) == (AT, TO), "who only reads may read"
    with pytest.raises(DatabaseNotReadyError, match="database_moved"), database.writing():
        pytest.fail("nothing is written")
    with pytest.raises(DatabaseNotReadyError, match="database_moved"):
        database.refuse_moved()
    assert database.write_trouble == "database_moved"
    with database.writing(even_closed=True) as tx:
        service_state.replace(tx, "sender", "1")
    database.serve()
    with pytest.raises(DatabaseNotReadyError, match="database_moved"), database.reading():
        pytest.fail("nothing is shown to others")
