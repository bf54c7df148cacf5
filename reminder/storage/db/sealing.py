"""Sealing in rows: words and other values are sealed for their column and bound to the random token of their row.

A row of before has no token. It gets one when it is written next, or from the settlement after the migration
(maintenance/settlement.py): its values are sealed again then, and its plain words are emptied, all at once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    and_,
    or_,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import InstrumentedAttribute, Session

from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing, SealedValue, letters, new_row_token
from reminder.storage.db.columns import ROW_TOKEN, SealedBytes, SealedWords, StoredWords
from reminder.storage.db.session import KEYS
from reminder.storage.db.statements import update_many
from reminder.storage.db.tables import CARDS, PEOPLE, Base

# How an empty structure is stored.
_NO_JSON = ("{}", "[]", "null")


# Opened words that are kept in memory of one column: of people some 15 MB.
MOST_KEPT = 30_000


def keys_of(tx: Session) -> KeyRing:
    """Return the keys of this transaction; raises SettingsError where there are none. See Database.open_with."""
    keys: KeyRing | None = tx.info.get(KEYS)
    if keys is None:
        raise SettingsError("REMINDER_SECRET_KEYS", "the keys of this database are missing; put them back first")
    return keys


# It opens nothing.
_NO_KEYS = KeyRing([])


def reader(keys: KeyRing, column: InstrumentedAttribute[Any]) -> Callable[[Any], Any]:
    """Return the function that opens what was read from a column with words; None stays None.

    It raises SettingsError for what cannot be opened, unless its key is given up; then it returns "？". Equal bytes in
    one column are the same words, so they are kept in memory as long as the ring is in use, and most lists open nothing
    twice.
    """
    type_ = cast(SealedWords, column.type)
    found = keys.readers.get(type_.place.column)
    if found is None:
        found = keys.readers[type_.place.column] = _reader(keys, type_)
    return found


def _reader(keys: KeyRing, type_: SealedWords) -> Callable[[Any], Any]:
    read, keeps_opened, opened_before = type_.read, type_.keeps_opened, dict[bytes, Any]()

    def opened(unread: bytes | str | None) -> Any:
        if unread is None:
            return None
        if isinstance(unread, str):
            return read(unread)
        unread = bytes(unread)
        known = opened_before.get(unread)
        if known is not None:
            return known
        sealed = type_.sealed_value(unread)
        if sealed is None:
            return read(type_.plain_text(unread))
        try:
            known = read(keys.open(sealed))
        except SettingsError:
            if sealed.key_name not in keys.given_up:
                raise
            # Whoever sees it can type the words again.
            return type_.unreadable
        if keeps_opened:
            if len(opened_before) >= MOST_KEPT:
                opened_before.clear()
            opened_before[unread] = known
        return known

    return opened


def reader_of(tx: Session, column: InstrumentedAttribute[Any]) -> Callable[[Any], Any]:
    """Return the same with the keys of this transaction. Without keys it reads what is not sealed, and nothing else."""
    keys: KeyRing | None = tx.info.get(KEYS)
    return reader(_NO_KEYS if keys is None else keys, column)


def words(keys: KeyRing, column: InstrumentedAttribute[Any], value: Any, row_token: bytes) -> bytes | None:
    """Return words sealed for this column of the row with this token; None where there is nothing to seal.

    Raises ForbiddenNumberError: words are guarded once more before they are written.
    """
    type_ = cast(SealedWords, column.type)
    text = None if value is None else type_.write(value)
    return None if text is None else keys.seal(text, type_.place, row_token)


class WordIndexes(NamedTuple):
    """The short indexes by which a person is found within a group; None where there is no such word."""

    reference_index: bytes | None
    label_index: bytes | None
    room_index: bytes | None


def person_indexes(keys: KeyRing, group_id: int, said: StoredWords) -> WordIndexes:
    """Return the indexes of a person's reference, label and room for a new row."""
    return WordIndexes(
        *(
            keys.word_index(index_text(group_id, name, word)) if word else None
            for name, word in (("reference", said.reference), ("label", said.label), ("room", said.room))
        )
    )


def index_text(group_id: int, name: str, word: str) -> str:
    """Return the text that is indexed: the same word has another index in another group, and as another word."""
    return f"people\0{group_id}\0{name}\0{word}"


def card_index(keys: KeyRing, person_id: int, label: str) -> str:
    """Return the index of a card's label among the cards of its person, "" for no label."""
    return letters(keys.word_index(f"cards\0{person_id}\0{label}")) if label else ""


class RowSeals(NamedTuple):
    """The sealed columns of one table: those of SealedValues, and those of words that are opened as they are read."""

    table: Table
    sealed: tuple[Column[Any], ...]
    words: tuple[Column[Any], ...]

    @property
    def key(self) -> list[Column[Any]]:
        """The primary key of the table."""
        return list(self.table.primary_key)

    def unbound(self) -> ColumnElement[bool]:
        """Return the condition that a row has something to seal or to bind, and no token yet."""
        kept = [type_coerce(column, LargeBinary).is_not(None) for column in (*self.sealed, *self.words)]
        return and_(self.table.c[ROW_TOKEN].is_(None), or_(*kept, *self.plain_words()))

    def plain_words(self) -> list[ColumnElement[bool]]:
        """Return the conditions, one of which a row with words that are not sealed fulfils."""
        return [
            sql_cast(column, String).not_in(_NO_JSON) if isinstance(column.type, JSON) else column != ""
            for column in self.plain
        ]

    @property
    def plain(self) -> list[Column[Any]]:
        """The columns in which words stood before they were sealed."""
        return [self.table.c[name] for column in self.words for name in cast(SealedWords, column.type).plain]

    def rows(self) -> Select[Any]:
        """Return a query for the primary key and everything that binding a row needs, as it is stored."""
        stored = [type_coerce(column, LargeBinary).label(column.name) for column in (*self.sealed, *self.words)]
        owners = [self.table.c[name] for name in ("group_id", "person_id") if name in self.table.c]
        shown = {column.name for column in (*self.key, *owners)}
        others = [column for column in owners if column not in self.key]
        return select(*self.key, *others, *stored, *(one for one in self.plain if one.name not in shown))


@cache
def row_seals() -> tuple[RowSeals, ...]:
    """Return the sealed columns of every table that has any, in the order in which tables refer to one another."""
    found = []
    for table in Base.metadata.sorted_tables:
        sealed = tuple(column for column in table.columns if isinstance(column.type, SealedBytes))
        of_words = tuple(column for column in table.columns if isinstance(column.type, SealedWords))
        if sealed or of_words:
            found.append(RowSeals(table, sealed, of_words))
    return tuple(found)


def seals_of(table: Table) -> RowSeals:
    """Return the sealed columns of a table."""
    return next(one for one in row_seals() if one.table is table)


def token_of(tx: Session, table: type[Base], row_id: object) -> bytes:
    """Return the token of a row whose sealed columns are about to be written, locked until the transaction ends.

    A row of before is bound first. Raises NoResultFound where there is no such row.
    """
    seals = seals_of(cast(Table, table.__table__))
    (key,) = seals.key
    query = select(seals.table.c[ROW_TOKEN]).where(key == row_id).with_for_update()
    token: bytes | None = tx.execute(query).scalar_one()
    if token is not None:
        return bytes(token)
    row = tx.execute(seals.rows().where(key == row_id)).one()
    return _bind(tx, keys_of(tx), seals, [row])[0]


def bind_rows(
    tx: Session, keys: KeyRing, seals: RowSeals, ids: Collection[tuple[Any, ...]], *, waits: bool = False
) -> set[tuple[Any, ...]]:
    """Bind those of these rows that have no token yet, and return their keys.

    A row with a value whose key is not on the ring stays as it is. So does one that somebody else has locked, unless
    this `waits`.
    """
    if not ids:
        return set()
    these = seals.rows().where(tuple_(*seals.key).in_(ids), seals.unbound()).with_for_update(skip_locked=not waits)
    rows = [row for row in tx.execute(these) if can_bind(keys, seals, row)]
    _bind(tx, keys, seals, rows)
    return {tuple(row[: len(seals.key)]) for row in rows}


def can_bind(keys: KeyRing, seals: RowSeals, row: Row[Any]) -> bool:
    """Return whether the keys of all sealed values of a row of `seals.rows()` are on the ring."""
    return all(
        keys.can_open(_unbound_value(column, row._mapping[column.name])) for column in (*seals.sealed, *seals.words)
    )


def _unbound_value(column: Column[Any], content: bytes | None) -> SealedValue | None:
    place = cast(SealedBytes | SealedWords, column.type).place
    return None if content is None else SealedValue(place, None, bytes(content))


def _bind(tx: Session, keys: KeyRing, seals: RowSeals, rows: Sequence[Row[Any]]) -> list[bytes]:
    """Give each row a token, seal again what it has, and seal its plain words; return the tokens."""
    tokens, values = [], []
    for row in rows:
        token = new_row_token()
        tokens.append(token)
        stored: dict[str, Any] = dict(row._asdict())
        value: dict[str, Any] = {column.name: stored[column.name] for column in seals.key} | {ROW_TOKEN: token}
        for column in seals.sealed:
            value[column.name] = _again(keys, column, stored[column.name], token)
        for column in seals.words:
            value |= _sealed_words(keys, column, stored, token)
        values.append(value)
    update_many(tx, seals.table, [column.name for column in seals.key], values)
    return tokens


def _again(keys: KeyRing, column: Column[Any], content: bytes | None, token: bytes) -> bytes | None:
    """Return the value bound to its row; one that cannot be opened stays as it is, and cannot be opened."""
    found = _unbound_value(column, content)
    if found is None:
        return None
    try:
        return keys.seal(keys.open(found), found.place, token)
    except SettingsError:
        return found.content


def _sealed_words(keys: KeyRing, column: Column[Any], stored: Mapping[str, Any], token: bytes) -> dict[str, Any]:
    type_ = cast(SealedWords, column.type)
    said = type_.of_plain([stored[name] for name in type_.plain])
    text = type_.spelled(said) if said else None
    value: dict[str, Any] = {column.name: None if text is None else keys.seal(text, type_.place, token)}
    for name in type_.plain:
        value[name] = _empty(column.table.c[name])
    index = _INDEXES.get(column.table)
    return value | (index(keys, stored, said) if index else {})


def no_plain_words(table: Table) -> dict[str, Any]:
    """Return the values of the columns in which words stood before they were sealed."""
    return {column.name: _empty(column) for column in seals_of(table).plain}


def _empty(column: Column[Any]) -> Any:
    """Return what stands in a column of before once its words are sealed."""
    if isinstance(column.type, JSON):
        return {} if column.table.name == "groups" else []
    return None if column.nullable else ""


def index_words(
    tx: Session, keys: KeyRing, column: Column[Any], values: Sequence[dict[str, Any]], texts: Sequence[str]
) -> None:
    """Add the indexes of words that are sealed again to the values of their rows, which hold the primary key."""
    index = _INDEXES.get(column.table)
    if index is None or not isinstance(column.type, SealedWords):
        return
    owner = column.table.c["group_id" if "group_id" in column.table.c else "person_id"]
    query = select(column.table.c.id, owner).where(column.table.c.id.in_([value["id"] for value in values]))
    owners = dict(list(tx.execute(query)))
    for value, text in zip(values, texts, strict=True):
        value.update(index(keys, {owner.name: owners[value["id"]]}, column.type.read(text)))


def _of_person(keys: KeyRing, stored: Mapping[str, Any], said: StoredWords | None) -> dict[str, Any]:
    return {} if said is None else person_indexes(keys, stored["group_id"], said)._asdict()


def _of_card(keys: KeyRing, stored: Mapping[str, Any], said: str | None) -> dict[str, Any]:
    return {"label_index": card_index(keys, stored["person_id"], said or "")}


_INDEXES: Mapping[Table, Callable[[KeyRing, Mapping[str, Any], Any], dict[str, Any]]] = {
    PEOPLE: _of_person,
    CARDS: _of_card,
}
