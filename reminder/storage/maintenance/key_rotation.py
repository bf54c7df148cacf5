"""What is sealed is sealed again with the newest key, and what is found by a keyed index is indexed with it.

Batch by batch, each in a short transaction, while others read and write: every key of the ring opens and finds
meanwhile. Rows that somebody holds are left for the next round, so that no two ever wait for one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Column, Row, Select, Table, func, select, tuple_
from sqlalchemy.orm import Session

from reminder.errors import SettingsError
from reminder.storage.auth import accounts, idempotency, login_codes
from reminder.storage.crypto.keyring import KeyRing, sealed_with
from reminder.storage.db.session import Database
from reminder.storage.db.statements import update_many
from reminder.storage.db.tables import (
    CONTACTS,
    IMPORT_ROWS,
    MESSAGES,
    Account,
    Base,
    IdempotencyKey,
    Invitation,
    LoginCode,
    Reply,
)
from reminder.storage.outbox import sealed_body
from reminder.storage.registry import contacts, imports
from reminder.storage.reminders import replies

AT_ONCE = 500


@dataclass(frozen=True)
class Sealed:
    """A sealed column. `index`: the keyed index of the same text; rows of one text keep one index all the while."""

    table: Table
    column: str
    purpose: str
    index: str | None = None

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column}"

    @property
    def key(self) -> list[Column[Any]]:
        return list(self.table.primary_key)

    def rows(self) -> Select[Any]:
        """The key, what is sealed, and the index."""
        kept = self.table.c[self.column]
        index = [] if self.index is None else [self.table.c[self.index]]
        return select(*self.key, kept, *index).where(kept.is_not(None))


def _table(of: type[Base]) -> Table:
    return cast(Table, of.__table__)


SEALED = (
    Sealed(_table(Account), "address_sealed", accounts.ADDRESS, "address_index"),
    Sealed(CONTACTS, "address_sealed", contacts.ADDRESS, "address_index"),
    Sealed(_table(Invitation), "address_sealed", accounts.INVITED, "address_index"),
    Sealed(_table(LoginCode), "address_sealed", login_codes.ADDRESS, "address_index"),
    Sealed(_table(IdempotencyKey), "body_sealed", idempotency.BODY),
    Sealed(MESSAGES, "address_sealed", contacts.ADDRESS),
    Sealed(MESSAGES, "body_sealed", sealed_body.BODY),
    Sealed(_table(Reply), "body_sealed", replies.BODY),
    Sealed(IMPORT_ROWS, "cells_sealed", imports.CELLS),
)
# Keyed, and nothing to work them out from again: each is forgotten after a day, a sheet's rows after a week.
FORGOTTEN_SOON = (
    "login_codes.network_index",
    "idempotency_keys.key_hash",
    "idempotency_keys.request_hash",
    "import_rows.row_fingerprint",
)
# Held only against those of the same day: after a change of keys the count of equal words begins anew.
COUNTED_FOR_A_DAY = ("messages.body_fingerprint",)


@dataclass(frozen=True)
class Batch:
    """`held`: rows that somebody else had in hand."""

    changed: int = 0
    held: int = 0
    unreadable: int = 0


def renew(database: Database, keys: KeyRing, sealed: Sealed) -> Iterator[Batch]:
    """One round over a column, from its first row to its last."""
    query, width = sealed.rows().order_by(*sealed.key).limit(AT_ONCE), len(sealed.key)
    behind = query
    while True:
        with database.reading() as tx:
            rows = tx.execute(behind).all()
        if not rows:
            return
        behind = query.where(tuple_(*sealed.key) > tuple_(*rows[-1][:width]))
        old, unreadable = _old(keys, sealed, rows)
        changed = _renew_some(database, keys, sealed, old) if old else 0
        yield Batch(changed, max(0, len(old) - changed), unreadable)


@dataclass(frozen=True)
class _Opened:
    key: tuple[object, ...]
    text: str


def _old(keys: KeyRing, sealed: Sealed, rows: Sequence[Row[Any]]) -> tuple[list[_Opened], int]:
    """The rows that an older key has sealed or indexed; and how many no key opens."""
    width, old, unreadable = len(sealed.key), [], 0
    for row in rows:
        is_new = sealed_with(row[width]) == keys.ids[0]
        if is_new and sealed.index is None:
            continue
        try:
            text = keys.open(row[width], sealed.purpose)
        except SettingsError:
            unreadable += 1
            continue
        if not is_new or row[width + 1] != keys.blind_index(text):
            old.append(_Opened(tuple(row[:width]), text))
    return old, unreadable


def _renew_some(database: Database, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> int:
    names = [column.name for column in sealed.key]
    with database.writing() as tx:
        free = _of_same_text(tx, keys, sealed, old) if sealed.index else _unheld(tx, keys, sealed, old)
        values = [
            dict(zip(names, one.key, strict=True))
            | {sealed.column: keys.seal(one.text, sealed.purpose)}
            | ({sealed.index: keys.blind_index(one.text)} if sealed.index else {})
            for one in free
        ]
        update_many(tx, sealed.table, names, values)
    return len(values)


def _unheld(tx: Session, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> list[_Opened]:
    """As they are now, for somebody may have written them meanwhile."""
    these = sealed.rows().where(tuple_(*sealed.key).in_([one.key for one in old]))
    return _old(keys, sealed, tx.execute(these.with_for_update(skip_locked=True)).all())[0]


def _of_same_text(tx: Session, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> list[_Opened]:
    """With every other row of the same text: two people with one telephone are found by its index, and so it changes
    for both at once, or for neither."""
    text_of = {index: one.text for one in old for index in keys.blind_indexes(one.text)}
    index = sealed.table.c[sealed.index or ""]
    these = select(*sealed.key, index).where(index.in_(text_of))
    free = tx.execute(these.with_for_update(skip_locked=True)).all()
    unheld = {tuple(row[:-1]) for row in free}
    held = {text_of[row[-1]] for row in tx.execute(these) if tuple(row[:-1]) not in unheld}
    return [_Opened(tuple(row[:-1]), text_of[row[-1]]) for row in free if text_of[row[-1]] not in held]


def keys_in_use(tx: Session) -> set[str]:
    """The names of the keys without which something could not be opened."""
    found: set[str] = set()
    for sealed in SEALED:
        kept = sealed.table.c[sealed.column]
        beginnings = select(func.substr(kept, 1, 4).label("beginning")).where(kept.is_not(None)).distinct()
        found |= {sealed_with(bytes(beginning)) for beginning in tx.scalars(beginnings)}
    return found


def has_what_is_forgotten_soon(tx: Session) -> bool:
    names = {one.partition(".")[0] for one in FORGOTTEN_SOON}
    return any(tx.execute(select(Base.metadata.tables[name]).limit(1)).first() is not None for name in names)
