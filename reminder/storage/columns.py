"""Column types of our own: instants that stay aware, and text that cannot hold a card's number."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from reminder.guard import text as guard_text


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class GuardedText(TypeDecorator[str]):
    """The last lock: text that people typed is looked at once more on its way into the database.

    The doors refuse first and with a better sentence; what reaches this column unchecked is a mistake of ours.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, *, field: str) -> None:
        self.field = field
        super().__init__(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else guard_text.clean(value, field=self.field)

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        raise NotImplementedError("people's words are never written into a statement's text")
