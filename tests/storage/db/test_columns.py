"""Column types of our own: instants stay aware, and no column holds what looks like a card's number."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import literal, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import CompileError, StatementError

from reminder.domain.model.people import Copies
from reminder.errors import ForbiddenNumberError
from reminder.storage.crypto.keyring import SealedValue
from reminder.storage.db.columns import EnumText, GuardedText, Instant
from reminder.storage.db.tables import Contact, Group
from tests.storage.conftest import NOW, Rows

NUMBER = "1234 5678 9018"


def test_an_instant_comes_back_aware_in_utc_from_whatever_zone_it_was_given_in(rows: Rows) -> None:
    dialect = rows.tx.get_bind().dialect
    in_japan = NOW.astimezone(timezone(timedelta(hours=9)))

    bound = Instant().process_bind_param(in_japan, dialect)

    assert bound is not None
    assert bound.replace(tzinfo=UTC) == NOW
    assert Instant().process_result_value(bound, dialect) == NOW
    assert Instant().process_bind_param(None, dialect) is Instant().process_result_value(None, dialect) is None
    kept = rows.tx.execute(select(literal(in_japan, Instant()))).scalar_one()
    assert (kept, kept.utcoffset()) == (NOW, timedelta())


def test_an_instant_without_its_zone_is_refused(rows: Rows) -> None:
    with pytest.raises(StatementError, match="needs its zone"):
        rows.tx.execute(select(literal(datetime(2026, 12, 1, 8), Instant())))  # noqa: DTZ001


def test_what_looks_like_a_number_is_refused_on_its_way_into_the_database(rows: Rows) -> None:
    text = GuardedText(60, field="name")

    assert text.process_bind_param("田中家", rows.tx.get_bind().dialect) == "田中家"
    with pytest.raises(ForbiddenNumberError):
        text.process_bind_param(NUMBER, rows.tx.get_bind().dialect)
    with pytest.raises((ForbiddenNumberError, StatementError)):
        rows.group(NUMBER)


def test_peoples_words_are_never_written_into_a_statements_text(rows: Rows) -> None:
    dialect = rows.tx.get_bind().dialect

    with pytest.raises(NotImplementedError):
        GuardedText(60, field="name").process_literal_param("田中家", dialect)
    with pytest.raises(CompileError):
        select(Group.id).where(Group.name == "田中家").compile(dialect=dialect, compile_kwargs={"literal_binds": True})


def test_a_member_of_an_enum_comes_back_as_itself_and_an_unknown_value_is_an_error(rows: Rows) -> None:
    kind = EnumText(Copies, 10)

    read = kind.result_processor(rows.tx.get_bind().dialect, None)

    assert [read(value) for value in ("near", None)] == [Copies.NEAR, None]
    with pytest.raises(KeyError):
        read("elsewhere")
    assert kind.checks("copies") == "copies IN ('all', 'near', 'none')"
    assert rows.tx.execute(select(literal(Copies.NONE, kind))).scalar_one() is Copies.NONE


def test_a_sealed_column_is_read_with_the_token_of_its_row_by_every_select() -> None:
    sealed, words = Contact.__table__.c.address_sealed, Group.__table__.c.name_sealed

    for column in (sealed, words):
        read = str(column.type.column_expression(column).compile(dialect=sqlite.dialect()))
        assert "row_token" in read
        assert column.name in read
    assert "groups.name " in str(words.type.column_expression(words).compile(dialect=sqlite.dialect()))
    read_value = sealed.type.result_processor(sqlite.dialect(), None)
    assert read_value(None) is None
    assert read_value(b"\0x") == SealedValue(sealed.type.place, None, b"x")
    assert read_value(b"\1" + bytes(16) + b"x") == SealedValue(sealed.type.place, bytes(16), b"x")
    assert words.type.result_processor(sqlite.dialect(), None) is None
    with pytest.raises(AttributeError):
        sealed.type.column_expression(literal_column("x"))
