"""Statements that SQLAlchemy spells differently for each database."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    Row,
    String,
    Table,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.orm.attributes import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

T = TypeVar("T")

_ROWS_AT_ONCE = 1_000
# The most values other than ids in one statement: SQLite accepts 32,766, PostgreSQL 65,535.
_AT_ONCE = 10_000


class _Ids(TypeDecorator[Collection[int]]):
    """A list of ids as one value: an array on PostgreSQL, a JSON list on SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.ARRAY(BigInteger()) if is_postgresql else String())

    def process_bind_param(self, value: Collection[int] | None, dialect: Dialect) -> object:
        ids = list(value or ())
        return ids if dialect.name == "postgresql" else json.dumps(ids)


class _Among(FunctionElement[Any]):
    """The condition that a column is one of the ids.

    It has no type: SQLAlchemy would compare a boolean with 1 on SQLite, which then could not use the column's index.
    """

    name = "among"
    type = NullType()
    inherit_cache = True


@compiles(_Among)
def _among_on_sqlite(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, ids = element.clauses
    within = f"(SELECT value FROM json_each({compiler.process(ids, **how)}))"  # noqa: S608  # a bound value's place
    return f"{compiler.process(column, **how)} IN {within}"


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, ids = element.clauses
    return f"{compiler.process(column, **how)} = ANY ({compiler.process(ids, **how)})"


def ids_param(name: str) -> ColumnElement[Any]:
    """Return a parameter for the ids of `among`, in a statement that is built once."""
    return bindparam(name, type_=_Ids())


def among(
    column: ColumnElement[int]
    | ColumnElement[int | None]
    | InstrumentedAttribute[int]
    | InstrumentedAttribute[int | None],
    ids: Iterable[int] | ColumnElement[Any],
) -> ColumnElement[bool]:
    """Return "column IN ids" for any number of ids; `ids` may be an `ids_param`.

    The ids are one value, so that no driver's limit on parameters applies, and the statement is the same for any
    number.
    """
    value = ids if isinstance(ids, ColumnElement) else bindparam(None, list(ids), type_=_Ids(), unique=True)
    return _Among(column, value)


def in_batches(values: Iterable[T], most: int = _AT_ONCE) -> Iterator[list[T]]:
    """Yield the values in lists that fit one statement."""
    rest = iter(values)
    while some := list(islice(rest, most)):
        yield some


def each(tx: Session, query: Executable, values: Mapping[str, object] | None = None) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield the rows of a possibly long list in bounded memory.

    On PostgreSQL it uses a cursor on the server. Read it to its end before the transaction ends.
    """
    return iter(tx.execute(query, values or {}, execution_options={"yield_per": _ROWS_AT_ONCE}))


def insert_or_ignore(tx: Session, table: type[DeclarativeBase], **values: object) -> bool:
    """Insert a row; return False where such a row exists already."""
    added = tx.execute(
        _insert(tx)(table).values(**values).on_conflict_do_nothing().returning(*table.__mapper__.primary_key)
    )
    return added.first() is not None


def put(
    tx: Session,
    table: type[DeclarativeBase],
    key: Mapping[str, object],
    values: Mapping[str, object],
    *,
    changed: Mapping[str, object] | None = None,
) -> None:
    """Insert a row with this key, or update it with the values of `changed` where it exists."""
    if changed is None:
        tx.execute(_put(_is_postgresql(tx), table.__table__, tuple(key), tuple(values)), {**key, **values})
    else:
        new = _insert(tx)(table).values(**key, **values)
        tx.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(changed)))


def add_to(tx: Session, table: type[DeclarativeBase], key: Mapping[str, object], counts: Mapping[str, int]) -> None:
    """Add these counts to the row with this key."""
    tx.execute(_put(_is_postgresql(tx), table.__table__, tuple(key), tuple(counts), adds=True), {**key, **counts})


def add_to_each(
    tx: Session, table: type[DeclarativeBase], key: Sequence[str], names: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """Add the counts `names` of each row to the row with its `key`; give the rows in one order, against deadlocks."""
    if rows:
        tx.execute(_put(_is_postgresql(tx), table.__table__, tuple(key), tuple(names), adds=True), list(rows))


def add_each(
    tx: Session, table: type[DeclarativeBase], key: Sequence[str], counted: str, rows: Sequence[Mapping[str, Any]]
) -> Mapping[int, int]:
    """Add the value of `counted` to the row with each key; return the new values, by the first name of `key`.

    One statement for many rows, which changes them in this order. The first name of `key` differs in all rows.
    """
    new: dict[int, int] = {}
    names = [*key, counted]
    of = cast("Table", table.__table__)
    connection = tx.connection()
    is_postgresql = connection.dialect.name == "postgresql"
    for some in in_batches(rows, _ROWS_AT_ONCE):
        columns = [_bound(connection.dialect, of.c[name], [row[name] for row in some]) for name in names]
        if is_postgresql:
            given, values = f"SELECT * FROM {_arrays(tx, of, names)}", tuple(columns)  # noqa: S608  # names of our own columns
        else:
            given = "VALUES " + ", ".join([f"({', '.join('?' * len(names))})"] * len(some))
            values = tuple(value for row in zip(*columns, strict=True) for value in row)
        sql = (
            f"INSERT INTO {of.name} ({', '.join(names)}) {given} ON CONFLICT ({', '.join(key)}) "
            f"DO UPDATE SET {counted} = {of.name}.{counted} + excluded.{counted} RETURNING {key[0]}, {counted}"
        )
        new |= {row[0]: row[1] for row in connection.exec_driver_sql(sql, values)}
    return new


@cache
def _put(
    is_postgresql: bool, table: FromClause, key: Sequence[str], names: Sequence[str], *, adds: bool = False
) -> Executable:
    """Return the statement of `put` or `add_to`: each pass runs some, and building one takes longer than running it."""
    new = (postgresql.insert if is_postgresql else sqlite.insert)(cast("Table", table))
    values = {name: table.c[name] + new.excluded[name] if adds else new.excluded[name] for name in names}
    return new.on_conflict_do_update(index_elements=list(key), set_=values)


def add_many(tx: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Insert many rows with the same columns; return their ids, in the order of the rows. See `reserve_ids`."""
    ids = reserve_ids(tx, table, len(rows))
    insert_many(tx, table, [{"id": one, **row} for one, row in zip(ids, rows, strict=True)])
    return ids


_LAST_ID = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"


def reserve_ids(tx: Session, table: Table, count: int) -> list[int]:
    """Return ids for rows that this transaction is about to insert.

    On SQLite it must be a writing transaction: nobody else takes an id meanwhile, and no other row is added before
    these.
    """
    if not count:
        return []
    if tx.get_bind().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        return list(tx.execute(select(func.nextval(sequence)).select_from(func.generate_series(1, count))).scalars())
    # Not the highest id that is there: the row with the last one may be gone.
    last = tx.connection().exec_driver_sql(_LAST_ID, (table.name,)).scalar_one()
    return list(range(last + 1, last + 1 + count))


def insert_many(tx: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows with the same columns, and values for every column without a default of the database.

    SQLAlchemy's work for each row costs more than the row, so this passes it by: column by column, as one array each on
    PostgreSQL. Each column's type still converts its values, so the guard applies as elsewhere.
    """
    if not rows:
        return
    names = list(rows[0])
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    if tx.get_bind().dialect.name == "postgresql":
        _execute(tx, f"{into} SELECT * FROM {_arrays(tx, table, names)}", table, names, rows)  # noqa: S608
    else:
        _execute(tx, f"{into} VALUES ({', '.join('?' * len(names))})", table, names, rows)


def update_many(
    tx: Session,
    table: Table,
    keys: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    *,
    also: str = "",
    only: str = "",
) -> None:
    """Update the row with the values of `keys` with all other values, for each of the rows. See insert_many.

    `also`, `only`: additional assignments, and an additional condition, in SQL.
    """
    if not rows:
        return
    others = [name for name in rows[0] if name not in keys]
    names = [*others, *keys]
    also, only = also and f", {also}", only and f" AND {only}"
    if tx.get_bind().dialect.name == "postgresql":
        change = ", ".join(f"{name} = new.{name}" for name in others)
        where = " AND ".join(f"{table.name}.{name} = new.{name}" for name in keys)
        given = f"{_arrays(tx, table, names)} AS new ({', '.join(names)})"
        _execute(tx, f"UPDATE {table.name} SET {change}{also} FROM {given} WHERE {where}{only}", table, names, rows)  # noqa: S608
    else:
        change, where = ", ".join(f"{name} = ?" for name in others), " AND ".join(f"{name} = ?" for name in keys)
        _execute(tx, f"UPDATE {table.name} SET {change}{also} WHERE {where}{only}", table, names, rows)  # noqa: S608


def _execute(tx: Session, sql: str, table: Table, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Execute `sql`, which holds only names of our own tables and columns."""
    connection = tx.connection()
    columns = [_bound(connection.dialect, table.c[name], [row[name] for row in rows]) for name in names]
    is_postgresql = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(sql, tuple(columns) if is_postgresql else list(zip(*columns, strict=True)))


def _arrays(tx: Session, table: Table, names: Sequence[str]) -> str:
    dialect = tx.get_bind().dialect
    return f"unnest({', '.join(f'%s::{table.c[name].type.compile(dialect)}[]' for name in names)})"


def _bound(dialect: Dialect, column: Column[Any], values: Sequence[object]) -> list[object]:
    """Return the values in the driver's form."""
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    bound: list[object] = []
    before, after = object(), None
    for value in values:
        # In most columns most of many rows have the same value.
        if value is not before:
            before, after = value, value if process is None else process(value)
            if isinstance(after, str):
                # A driver may misinterpret the name of an enumeration.
                after = str(after)
        bound.append(after)
    return bound


def _is_postgresql(tx: Session) -> bool:
    return tx.get_bind().dialect.name == "postgresql"


def _insert(tx: Session):  # type: ignore[no-untyped-def]  # two classes of the same shape
    return postgresql.insert if _is_postgresql(tx) else sqlite.insert
