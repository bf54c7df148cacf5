"""Alembic's entry: the same migrations for SQLite and PostgreSQL, on a connection or an address it is given."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, create_engine

from reminder.storage.db.columns import GuardedText, Instant
from reminder.storage.db.tables import Base


def plainly(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration speaks of plain types: it must read the same when our own column types have long changed."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, GuardedText):
        return f"sa.String(length={item.impl_instance.length})"  # type: ignore[attr-defined]
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=plainly,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").connect() as connection:
        run(connection)
