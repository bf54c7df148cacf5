"""Statements that SQLAlchemy spells differently for each database."""

from collections.abc import Mapping

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


def _insert(tx: Session):  # type: ignore[no-untyped-def]  # two classes of the same shape
    return postgresql.insert if tx.get_bind().dialect.name == "postgresql" else sqlite.insert
