"""Column types: aware instants, members of an enum, text that cannot hold a card's number, and sealed values.

Every SELECT of a sealed column reads the token of its row too, in one value, so that no query can forget it. Such a
column is read from its table itself, or from a subquery that has the column `row_token` as well.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

from sqlalchemy import ColumnElement, DateTime, Label, LargeBinary, String, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from reminder.guard import text as guard_text
from reminder.storage.crypto.keyring import ROW_TOKEN_BYTES, Place, SealedValue


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


# The name of the column with the random token of a row.
ROW_TOKEN = "row_token"  # noqa: S105
# The first byte of what is read: whether a row's token follows, and whether anything is sealed at all.
_UNBOUND, _BOUND, _PLAIN = 0, 1, 2
_BEHIND = 1 + ROW_TOKEN_BYTES

# Words as they were read, sealed or not yet: sealing.reader makes a function that opens them.
Unread = NewType("Unread", object)


class _Read(FunctionElement[Any]):
    """A sealed column with the token of its row, as one value of bytes."""

    name = "read_sealed"
    inherit_cache = True

    def __init__(self, *columns: Any, type_: TypeEngine[Any]) -> None:
        self.type = type_
        super().__init__(*columns)


@compiles(_Read)
def _read_on_sqlite(element: _Read, compiler: SQLCompiler, **how: Any) -> str:
    sealed, token = _spelled(element, compiler, how)
    return f"CAST(coalesce(x'01' || {token}, x'00') || {sealed} AS BLOB)"


@compiles(_Read, "postgresql")
def _read_on_postgresql(element: _Read, compiler: SQLCompiler, **how: Any) -> str:
    sealed, token = _spelled(element, compiler, how)
    return f"(coalesce('\\x01'::bytea || {token}, '\\x00'::bytea) || {sealed})"


class _ReadWords(_Read):
    """The same of a column with words; while nothing is sealed, the words of the columns that they stood in before."""

    name = "read_words"
    inherit_cache = True


@compiles(_ReadWords)
def _read_words_on_sqlite(element: _ReadWords, compiler: SQLCompiler, **how: Any) -> str:
    sealed, token, *plain = _spelled(element, compiler, how)
    # The driver returns text as text, so it needs no mark.
    words = plain[0] if len(plain) == 1 else f"json_array({', '.join(plain)})"
    return (
        f"CASE WHEN {sealed} IS NULL THEN {words} ELSE CAST(coalesce(x'01' || {token}, x'00') || {sealed} AS BLOB) END"
    )


@compiles(_ReadWords, "postgresql")
def _read_words_on_postgresql(element: _ReadWords, compiler: SQLCompiler, **how: Any) -> str:
    sealed, token, *plain = _spelled(element, compiler, how)
    words = plain[0] if len(plain) == 1 else f"json_build_array({', '.join(plain)})"
    return (
        f"CASE WHEN {sealed} IS NULL THEN '\\x02'::bytea || convert_to({words}::text, 'UTF8') "
        f"ELSE coalesce('\\x01'::bytea || {token}, '\\x00'::bytea) || {sealed} END"
    )


def _spelled(element: FunctionElement[Any], compiler: SQLCompiler, how: Mapping[str, Any]) -> list[str]:
    return [compiler.process(one, **how) for one in element.clauses]


def _row_token(column: Any) -> ColumnElement[Any]:
    """Return the token of the row of a column; raises AttributeError for what is read from elsewhere."""
    if isinstance(column, Label):
        column = column.element
    token: ColumnElement[Any] = column.table.c[ROW_TOKEN]
    return token


def _sealed_value(place: Place, value: bytes) -> SealedValue:
    if value[0] == _UNBOUND:
        return SealedValue(place, None, value[1:])
    return SealedValue(place, value[1:_BEHIND], value[_BEHIND:])


class _Value(TypeDecorator[Any]):
    """The SealedValue of what was read as a `_Read`."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__()

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return the conversion of what is read."""
        del dialect, coltype
        place = self.place

        def read(value: bytes | None) -> SealedValue | None:
            return None if value is None else _sealed_value(place, bytes(value))

        return read


class SealedBytes(_Value):
    """A sealed value. Writers pass what KeyRing.seal returns; readers get a SealedValue, which the key ring opens.

    `place` binds it to the column; the table has a column `row_token`, which binds it to the row.
    """

    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what a SELECT reads in place of the column."""
        return _Read(column, _row_token(column), type_=self)


class SealedWords(TypeDecorator[Any]):
    """Words that somebody has typed. Readers get them `Unread`; writers pass what sealing.words returns.

    Subclasses say what the text stands for. `plain`: the columns of the same table in which the words stood before they
    were sealed; they are read where nothing is sealed.
    """

    impl = LargeBinary
    cache_ok = True
    # Values that can be changed are made anew each time.
    keeps_opened = True
    # What stands for words whose key is lost for good.
    unreadable: Any = "？"

    def __init__(self, place: Place, *plain: str) -> None:
        self.place = place
        self.plain = plain
        super().__init__()

    def read(self, text: str) -> Any:
        """Return what the text stands for."""
        raise NotImplementedError

    def spelled(self, value: Any) -> str | None:
        """Return the text that stands for a value that was stored already; None where there is nothing to seal."""
        raise NotImplementedError

    def write(self, value: Any) -> str | None:
        """Return the text that stands for a new value; None where there is nothing to seal.

        Raises ForbiddenNumberError, as GuardedText does.
        """
        raise NotImplementedError

    def of_plain(self, values: Sequence[Any]) -> Any:
        """Return the value that stood in the columns `plain`."""
        return values[0]

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        """Return the sealed value; raises TypeError for words, which are sealed before they are written."""
        del dialect
        if value is not None and not isinstance(value, bytes):
            raise TypeError("words are sealed before they are written")
        return value

    def column_expression(self, column: Any) -> ColumnElement[Any]:
        """Return what a SELECT reads in place of the column."""
        return _ReadWords(column, _row_token(column), *(column.table.c[name] for name in self.plain), type_=self)

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Return no conversion: what is read is opened by sealing.reader."""
        del dialect, coltype

    def sealed_value(self, unread: bytes) -> SealedValue | None:
        """Return the sealed value that was read, None for plain words."""
        return None if unread[0] == _PLAIN else _sealed_value(self.place, unread)

    def plain_text(self, unread: bytes | str) -> str:
        """Return the plain words that were read."""
        return unread if isinstance(unread, str) else unread[1:].decode()


def unread(column: Any) -> ColumnElement[Any]:
    """Return words as a SELECT reads them, for a subquery: only the columns of a SELECT itself are read so."""
    words: SealedWords = column.type
    plain = (column.table.c[name] for name in words.plain)
    return _ReadWords(column, _row_token(column), *plain, type_=NullType())


def sealed_value(column: Any) -> ColumnElement[Any]:
    """Return the SealedValue of a column with words, which a SELECT would open."""
    words: SealedWords = column.type
    read = _Read(column, _row_token(column), type_=LargeBinary())
    return type_coerce(read, _Value(words.place)).label(column.name)


class SealedText(SealedWords):
    """Words of one kind: a name, a label. `field`: its name in refusals."""

    cache_ok = True

    def __init__(self, place: Place, plain: str, *, field: str) -> None:
        self.field = field
        super().__init__(place, plain)

    def read(self, text: str) -> str:
        """Return the text itself."""
        return text

    def spelled(self, value: str) -> str | None:
        """Return the text; an empty one is not sealed."""
        return value or None

    def write(self, value: str) -> str | None:
        """Return the text that may be stored; raises ForbiddenNumberError."""
        return guard_text.clean(value, field=self.field) or None


class SealedJson(SealedWords):
    """A structure that holds words, such as the headings of a sheet."""

    cache_ok = True
    keeps_opened = False
    unreadable: Any = ()

    def __init__(self, place: Place, plain: str) -> None:
        super().__init__(place, plain)

    def read(self, text: str) -> Any:
        """Return the structure."""
        return _from_json(text)

    def spelled(self, value: Any) -> str | None:
        """Return its text; an empty one is not sealed."""
        return json.dumps(value, ensure_ascii=False) if value else None

    write = spelled


def _from_json(text: str) -> Any:
    # Most rows of a sheet have nothing.
    return [] if text == "[]" else json.loads(text)


class StoredWords(NamedTuple):
    """The words about a person. They are sealed together, because nearly everything that reads one reads several."""

    label: str
    reference: str | None
    room: str | None
    unit: str | None
    mark: str | None
    office: str


class SealedPersonWords(SealedWords):
    """The words about a person."""

    cache_ok = True
    unreadable: Any = StoredWords("？", None, None, None, None, "？")

    def read(self, text: str) -> StoredWords:
        """Return the words."""
        return StoredWords._make(json.loads(text))

    def spelled(self, value: StoredWords) -> str:
        """Return their text."""
        return json.dumps(value, ensure_ascii=False)

    def write(self, value: StoredWords) -> str:
        """Return the text of words that may be stored; raises ForbiddenNumberError."""
        said = [
            None if text is None else guard_text.clean(text, field=field)
            for field, text in zip(PERSON_FIELDS, value, strict=True)
        ]
        return json.dumps(said, ensure_ascii=False)

    def of_plain(self, values: Sequence[Any]) -> StoredWords | None:
        """Return the words that stood in the columns `plain`; None where they are sealed already."""
        return StoredWords(*values) if any(values) else None


# The names of a person's words in refusals.
PERSON_FIELDS = ("label", "ref", "room", "unit", "mark", "office")
