"""Statements that SQLAlchemy spells differently for each database."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Executable,
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
# How many values that are no ids one statement names: SQLite takes 32,766, PostgreSQL 65,535.
_AT_ONCE = 10_000


class _Ids(TypeDecorator[Collection[int]]):
    """Ids as one value: an array on PostgreSQL, a list in JSON on SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.ARRAY(BigInteger()) if is_postgresql else String())

    def process_bind_param(self, value: Collection[int] | None, dialect: Dialect) -> object:
        ids = list(value or ())
        return ids if dialect.name == "postgresql" else json.dumps(ids)


class _Among(FunctionElement[Any]):
    """The column is one of the ids. Without a type: SQLAlchemy would compare a truth value with 1 on SQLite, which
    then could not use the column's index."""

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
    """Return the open place of a statement that is made once, for the ids of `among`."""
    return bindparam(name, type_=_Ids())


def among(
    column: ColumnElement[int]
    | ColumnElement[int | None]
    | InstrumentedAttribute[int]
    | InstrumentedAttribute[int | None],
    ids: Iterable[int] | ColumnElement[Any],
) -> ColumnElement[bool]:
    """Return "column IN ids" for any number of ids: they travel as one value, so that no driver's bound on parameters
    is reached, and the statement is the same for every number of them. `ids` may be an `ids_param`."""
    value = ids if isinstance(ids, ColumnElement) else bindparam(None, list(ids), type_=_Ids(), unique=True)
    return _Among(column, value)


def in_batches(values: Iterable[T], most: int = _AT_ONCE) -> Iterator[list[T]]:
    """Yield the values in lists that one statement may name."""
    rest = iter(values)
    while some := list(islice(rest, most)):
        yield some


def each(tx: Session, query: Executable, values: Mapping[str, object] | None = None) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield the rows of a list that may be long, without ever holding all of them: on PostgreSQL by a cursor on the
    server. Read it to its end before the transaction ends."""
    return iter(tx.execute(query, values or {}, execution_options={"yield_per": _ROWS_AT_ONCE}))


def insert_or_ignore(tx: Session, table: type[DeclarativeBase], **values: object) -> bool:
    """False where such a row is there already."""
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
    """The row with this key has these values from now on; or, where it is there already, those of `changed`."""
    new = _insert(tx)(table).values(**key, **values)
    tx.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(changed or values)))


def add_to(tx: Session, table: type[DeclarativeBase], key: Mapping[str, object], counts: Mapping[str, int]) -> None:
    """The row with this key counts so much more."""
    more = {name: getattr(table, name) + count for name, count in counts.items()}
    tx.execute(_insert(tx)(table).values(**key, **counts).on_conflict_do_update(index_elements=list(key), set_=more))


def add_many(tx: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Add many rows with the same columns; return their ids, in the order of the rows. As `reserve_ids`."""
    ids = reserve_ids(tx, table, len(rows))
    insert_many(tx, table, [{"id": one, **row} for one, row in zip(ids, rows, strict=True)])
    return ids


def reserve_ids(tx: Session, table: Table, count: int) -> list[int]:
    """Return ids for rows that this transaction is about to add. On SQLite it must be one that writes: nobody else
    takes an id meanwhile, and no other row is added before these."""
    if not count:
        return []
    if tx.get_bind().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        return list(tx.execute(select(func.nextval(sequence)).select_from(func.generate_series(1, count))).scalars())
    last = tx.execute(select(func.max(table.c.id))).scalar_one() or 0
    return list(range(last + 1, last + 1 + count))


def insert_many(tx: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows with the same columns, and values for what has no default of the database's own.

    Past what SQLAlchemy does for each row, which costs more than the row: column by column, as one array each on
    PostgreSQL. A column's type is asked all the same, so the guard sees what it sees elsewhere.
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
    """The row that has the values of `keys` gets all others. As insert_many. `also`, `only`: what all of them get, and
    which alone, in SQL."""
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
    """`sql` is made of names of our own tables and columns alone."""
    connection = tx.connection()
    columns = [_bound(connection.dialect, table.c[name], [row[name] for row in rows]) for name in names]
    is_postgresql = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(sql, tuple(columns) if is_postgresql else list(zip(*columns, strict=True)))


def _arrays(tx: Session, table: Table, names: Sequence[str]) -> str:
    dialect = tx.get_bind().dialect
    return f"unnest({', '.join(f'%s::{table.c[name].type.compile(dialect)}[]' for name in names)})"


def _bound(dialect: Dialect, column: Column[Any], values: Sequence[object]) -> list[object]:
    """As the driver takes them."""
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    bound: list[object] = []
    before, after = object(), None
    for value in values:
        # Most of many rows say the same in most columns.
        if value is not before:
            before, after = value, value if process is None else process(value)
            if isinstance(after, str):
                # A driver may take a name of an enumeration for something else.
                after = str(after)
        bound.append(after)
    return bound


def _insert(tx: Session):  # type: ignore[no-untyped-def]  # two classes of the same shape
    return postgresql.insert if tx.get_bind().dialect.name == "postgresql" else sqlite.insert
