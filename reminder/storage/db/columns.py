"""Column types: aware instants, members of an enum, and text that cannot hold a card's number."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from reminder.guard import text as guard_text


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant. SQLite stores no zone: it is removed on writing and added on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value for the driver; raises ValueError for an instant without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the value from the driver as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumText(TypeDecorator[StrEnum]):
    """A member of an enum, stored as its value.

    A CHECK made from the enum (`checks`) refuses every other value; reading one raises KeyError.
    """

    impl = String
    cache_ok = True

    def __init__(self, members: type[StrEnum], length: int) -> None:
        self.members = members
        super().__init__(length)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], StrEnum | None]:
        """Return a dictionary look-up, because it runs for every value that is read."""
        del dialect, coltype
        member_of: dict[str | None, StrEnum | None] = {member.value: member for member in self.members}
        member_of[None] = None
        return member_of.__getitem__

    def checks(self, column: str) -> str:
        """Return the SQL condition that only members of the enum fulfil."""
        values = ", ".join(f"'{member.value}'" for member in self.members)
        return f"{column} IN ({values})"


class GuardedText(TypeDecorator[str]):
    """Typed text that is checked once more before it is written to the database.

    Web, CLI and API refuse first and with a better message; an unchecked value that reaches this column is a bug of
    ours.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, *, field: str) -> None:
        self.field = field
        super().__init__(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text; raises ForbiddenNumberError."""
        del dialect
        return None if value is None else guard_text.clean(value, field=self.field)

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        """Return the text for a literal in SQL; raises ForbiddenNumberError."""
        raise NotImplementedError("people's words are never written into a statement's text")
