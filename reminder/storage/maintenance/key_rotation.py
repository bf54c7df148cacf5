"""Key rotation: sealed values are sealed again with the newest key, and keyed indexes are computed again.

It works in batches, each in a short transaction, while others read and write: every key of the ring opens and finds
meanwhile. Locked rows are left for the next round, so that no two transactions ever wait for one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, Executable, LargeBinary, Row, Select, Table, func, select, tuple_, type_coerce, union
from sqlalchemy.orm import Session

from reminder.domain.parsing.addresses import address_identity
from reminder.errors import SettingsError
from reminder.storage.auth.proofs import PROOFS, Proof, prove_row, row_is_proved
from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import KeyRing, Place, SealedValue, sealed_with
from reminder.storage.db import sealing
from reminder.storage.db.columns import SealedWords, sealed_value
from reminder.storage.db.session import Database
from reminder.storage.db.statements import update_many
from reminder.storage.db.tables import Base

AT_ONCE = 500


@dataclass(frozen=True)
class Sealed:
    """A sealed column. `index`: the keyed index of the same text; rows with the same text always share one index."""

    table: Table
    column: str
    index: str | None = None

    @property
    def name(self) -> str:
        """The name of the column, with its table."""
        return f"{self.table.name}.{self.column}"

    @property
    def key(self) -> list[Column[Any]]:
        """The primary key of the table."""
        return list(self.table.primary_key)

    @property
    def purpose(self) -> Place:
        """What its values are bound to, beside their rows."""
        place: Place = self.table.c[self.column].type.place  # type: ignore[attr-defined]
        return place

    def rows(self) -> Select[Any]:
        """Return a query for the primary key, the SealedValue, and the index."""
        index = [] if self.index is None else [self.table.c[self.index]]
        kept = self.table.c[self.column]
        value = sealed_value(kept) if isinstance(kept.type, SealedWords) else kept
        return select(*self.key, value, *index).where(type_coerce(kept, LargeBinary).is_not(None))


def _every_sealed_column() -> Iterator[Sealed]:
    for seals in sealing.row_seals():
        for column in (*seals.sealed, *seals.words):
            index = column.name.replace("_sealed", "_index")
            # A label's index is made of its words, as those of a person are; it is not that of an address.
            is_address = column in seals.sealed and index in seals.table.c
            yield Sealed(seals.table, column.name, index if is_address else None)


# Every column with a type of sealed values, in every table.
SEALED = tuple(_every_sealed_column())
# Keyed hashes that cannot be computed again: each is deleted after a day, a sheet's rows after a week, that of a
# failing channel when it works again.
FORGOTTEN_SOON = (
    "login_codes.network_index",
    "login_codes.mailbox_index",
    "idempotency_keys.key_hash",
    "idempotency_keys.request_hash",
    "import_rows.row_fingerprint",
    "address_usage.address_index",
    "sent_traces.trace_index",
    "channel_breakers.first_address_index",
)
# Compared only within a day: after a rotation the count of equal texts starts again.
COUNTED_FOR_A_DAY = ("messages.body_fingerprint",)
# Made with a secret of the installation, which is sealed and outlives keys: a rotation leaves them as they are.
BY_A_SECRET = (
    "consent_records.address_index",
    "contacts.consent_index",
    "canaries.address_index",
    "sheet_people.identity_fingerprint",
    "sheet_people.cells_fingerprint",
    "sheet_answers.question_fingerprint",
)


@dataclass(frozen=True)
class Batch:
    """The result of one batch. `held`: rows that were locked by others."""

    changed: int = 0
    held: int = 0
    unreadable: int = 0


def renew(database: Database, keys: KeyRing, sealed: Sealed) -> Iterator[Batch]:
    """Rotate a column, from its first row to its last, and yield the result of each batch."""
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
    value: SealedValue


def _old(keys: KeyRing, sealed: Sealed, rows: Sequence[Row[Any]]) -> tuple[list[_Opened], int]:
    """Return the rows that an older key has sealed or indexed, and the number of rows that no key opens."""
    width, old, unreadable = len(sealed.key), [], 0
    for row in rows:
        value: SealedValue = row[width]
        is_new = value.key_name == keys.ids[0]
        if is_new and sealed.index is None:
            continue
        try:
            text = keys.open(value)
        except SettingsError:
            unreadable += 1
            continue
        if not is_new or row[width + 1] != address_index_of(keys, text):
            old.append(_Opened(tuple(row[:width]), text, value))
    return old, unreadable


def _renew_some(database: Database, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> int:
    names = [column.name for column in sealed.key]
    with database.writing() as tx:
        free = _of_same_text(tx, keys, sealed, old) if sealed.index else _unheld(tx, keys, sealed, old)
        values = [
            dict(zip(names, one.key, strict=True))
            | {sealed.column: keys.seal(one.text, one.value.place, one.value.row_token)}
            | ({sealed.index: address_index_of(keys, one.text)} if sealed.index else {})
            for one in free
        ]
        sealing.index_words(tx, keys, sealed.table.c[sealed.column], values, [one.text for one in free])
        update_many(tx, sealed.table, names, values)
    return len(values)


def _unheld(tx: Session, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> list[_Opened]:
    """Return the unlocked rows with their present values, which may have changed meanwhile."""
    these = sealed.rows().where(tuple_(*sealed.key).in_([one.key for one in old]))
    return _old(keys, sealed, tx.execute(these.with_for_update(skip_locked=True)).all())[0]


def _of_same_text(tx: Session, keys: KeyRing, sealed: Sealed, old: Sequence[_Opened]) -> list[_Opened]:
    """Return the rows with every other row of the same text.

    Two people with one telephone are found by its index, which therefore changes for both at once, or for neither.
    """
    text_of = {index: address_identity(one.text) for one in old for index in address_indexes(keys, one.text)}
    index = sealed.table.c[sealed.index or ""]
    these = select(*sealed.key, index).where(index.in_(text_of))
    free = tx.execute(these.with_for_update(skip_locked=True)).all()
    unheld = {tuple(row[:-1]) for row in free}
    held = {text_of[row[-1]] for row in tx.execute(these) if tuple(row[:-1]) not in unheld}
    open_to = [tuple(row[:-1]) for row in free if text_of[row[-1]] not in held]
    if not open_to:
        return []
    # Each keeps its own spelling.
    again = tx.execute(sealed.rows().where(tuple_(*sealed.key).in_(open_to)))
    return [_Opened(tuple(row[:-2]), keys.open(row[-2]), row[-2]) for row in again]


def renew_proofs(database: Database, keys: KeyRing, of: Proof) -> int:
    """Make the proofs of a table again with the newest key, and return how many; a row without one gets none."""
    count, query = 0, of.rows().where(of.table.c[of.column].is_not(None)).order_by(of.table.c.id).limit(AT_ONCE)
    behind = query
    while True:
        with database.writing() as tx:
            rows = tx.execute(behind.with_for_update(skip_locked=True)).all()
            old = [row for row in rows if sealed_with(row[1]) != keys.ids[0] and row_is_proved(keys, of, row)]
            values = [{"id": row.id, of.column: prove_row(keys, of, row)} for row in old]
            update_many(tx, of.table, ["id"], values)
        count += len(values)
        if not rows:
            return count
        behind = query.where(of.table.c.id > rows[-1].id)


def keys_in_use(tx: Session) -> set[str]:
    """Return the names of the keys that some sealed value or some proof still needs."""
    return {sealed_with(bytes(beginning)) for beginning in tx.scalars(_beginnings())}


@cache
def _beginnings() -> Executable:
    """Return the statement for the distinct first bytes of all that is sealed, which name its key; built once."""
    kept = [*(one.table.c[one.column] for one in SEALED), *(one.table.c[one.column] for one in PROOFS)]
    return union(*(select(func.substr(column, 1, 4)).where(column.is_not(None)).distinct() for column in kept))


def has_short_lived_rows(tx: Session) -> bool:
    """Return whether short-lived rows with keyed hashes exist."""
    names = {one.partition(".")[0] for one in FORGOTTEN_SOON}
    return any(tx.execute(select(Base.metadata.tables[name]).limit(1)).first() is not None for name in names)
