"""Statements that SQLAlchemy spells differently for each database."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Table, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert_or_ignore(tx: Session, table: type[DeclarativeBase], **values: object) -> bool:
    """False where such a row is there already."""
    added = tx.execute(
        _insert(tx)(table).values(**values).on_conflict_do_nothing().returning(*table.__mapper__.primary_key)
    )
    return added.first() is not None


def put(tx: Session, table: type[DeclarativeBase], key: Mapping[str, object], values: Mapping[str, object]) -> None:
    """The row with this key has these values from now on."""
    tx.execute(
        _insert(tx)(table).values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=dict(values))
    )


def add_many(tx: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Many rows in one statement; their ids, in the order of the rows. On SQLite the transaction must be one that
    writes: nobody else takes an id meanwhile."""
    if not rows:
        return []
    if tx.get_bind().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        ids = list(tx.execute(select(func.nextval(sequence)).select_from(func.generate_series(1, len(rows)))).scalars())
    else:
        last = tx.execute(select(func.max(table.c.id))).scalar_one() or 0
        ids = list(range(last + 1, last + 1 + len(rows)))
    tx.connection().execute(insert(table), [{"id": one, **row} for one, row in zip(ids, rows, strict=True)])
    return ids


def _insert(tx: Session):  # type: ignore[no-untyped-def]  # two classes of the same shape
    return postgresql.insert if tx.get_bind().dialect.name == "postgresql" else sqlite.insert
