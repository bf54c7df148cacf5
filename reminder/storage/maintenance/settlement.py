"""What a migration leaves to be filled with the keys: proofs, indexes of e-mail addresses, the ledger of consents.

It runs in the transaction of the migration, once, for the rows that were there before. A row that is added later
without a proof gets none, however it came into the database.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Table, delete, func, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName
from reminder.domain.parsing.addresses import address_identity
from reminder.errors import SettingsError
from reminder.storage.auth.proofs import MEMBER, PROOFS, Proof, prove_row, row_is_proved
from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import KeyRing, sealed_with
from reminder.storage.db import schema
from reminder.storage.db.session import Tx
from reminder.storage.db.statements import among, update_many
from reminder.storage.db.tables import (
    CONTACTS,
    Account,
    Base,
    Contact,
    Invitation,
    LoginCode,
    Member,
)
from reminder.storage.maintenance import consent_backfill, installation
from reminder.storage.maintenance.key_rotation import SEALED, Sealed

_INDEXED = [one for one in SEALED if one.index is not None]
FIRST_WITH_PROOFS, FIRST_WITH_CONSENTS = "0016", "0020"
AT_ONCE = 500


def settling(keys: KeyRing | None) -> schema.Settle:
    """Return `settle` with these keys, for schema.migrate."""
    return lambda tx, version: settle(tx, keys, version)


def settle(tx: Tx, keys: KeyRing | None, version: str) -> None:
    """Fill what the migrations after `version` have added.

    Raises SettingsError where addresses are there and no key opens any: then the migration does not happen.
    """
    unproved = [of for of in PROOFS if schema.is_before(version, of.since)]
    proving = _proving(tx, keys) if unproved else None
    if proving is not None:
        if schema.is_before(version, FIRST_WITH_PROOFS):
            # A proof names the account that owns a row, which is known only afterwards.
            unite_spellings(tx, proving)
        prove_rows(tx, proving, unproved)
    if schema.is_before(version, FIRST_WITH_CONSENTS) and keys is not None:
        fill_consents(tx, keys)


def fill_consents(tx: Tx, keys: KeyRing) -> None:
    """Fill the ledger of consents from every contact that a key of the ring opens.

    Its secret is made here where the installation has none yet: it is as old as the newest contact.
    """
    newest = tx.execute(select(func.max(Contact.created_at))).scalar_one()
    if newest is None:
        return
    with_secret = keys.referring_by(installation.references_of(tx, keys, newest))
    last: int | None = 0
    while last is not None:
        last = consent_backfill.fill_some(tx, with_secret, after=last)


def _proving(tx: Tx, keys: KeyRing | None) -> KeyRing | None:
    """Return the keys; None where there is neither a key nor anything to prove. Raises SettingsError."""
    if keys is not None and _opens_any(tx, keys):
        return keys
    if any(tx.execute(of.rows().limit(1)).first() is not None for of in _INDEXED):
        raise SettingsError("REMINDER_SECRET_KEYS", "the keys of this database are missing; put them back first")
    return None


def _opens_any(tx: Session, keys: KeyRing) -> bool:
    used = {sealed_with(bytes(sealed)) for of in _INDEXED for _, sealed, *_ in tx.execute(_newest(of))}
    return not used or not used.isdisjoint(keys.ids)


def _newest(of: Sealed) -> Select[Any]:
    return of.rows().order_by(of.table.c.id.desc()).limit(1)


def prove_rows(tx: Session, keys: KeyRing, which: Sequence[Proof] = PROOFS) -> int:
    """Prove every row that is there without a proof of these kinds, and return how many."""
    count = 0
    for of in which:
        rows = tx.execute(of.rows().where(of.table.c[of.column].is_(None))).all()
        update_many(tx, of.table, ["id"], [{"id": row.id, of.column: prove_row(keys, of, row)} for row in rows])
        count += len(rows)
    return count


def unite_spellings(tx: Session, keys: KeyRing) -> int:
    """Index every e-mail address by what makes two the same, and return how many rows changed.

    Two accounts of one address become one, with its groups, devices and passkeys, unless both are in one group. Two
    equal contacts of one owner become one if both may be written to, or neither. What is left apart keeps its old
    index, and `divided` finds it. It may run again at any time.
    """
    return _accounts(tx, keys) + _contacts(tx, keys) + _plainly(tx, keys, Invitation) + _plainly(tx, keys, LoginCode)


@dataclass(frozen=True)
class _Spelled:
    id: int
    identity: str
    owner: tuple[int | None, int | None]
    is_indexed: bool


def _spelled(tx: Session, keys: KeyRing, table: Table, owner: Sequence[str] = ()) -> Iterator[_Spelled]:
    """Yield the rows of a table with an e-mail address that is not spelled as its identity, or indexed otherwise."""
    of = next(one for one in _INDEXED if one.table is table)
    only = [table.c.channel == ChannelName.EMAIL] if "channel" in table.c else []
    query = select(table.c.id, table.c[of.column], table.c[of.index or ""], *(table.c[name] for name in owner))
    last = 0
    while rows := tx.execute(query.where(table.c.id > last, *only).order_by(table.c.id).limit(AT_ONCE)).all():
        last = rows[-1].id
        for row in rows:
            # What no key opens stays as it is, like everything else that this key has sealed.
            with suppress(SettingsError):
                yield _one(keys, of.purpose, row)


def _one(keys: KeyRing, purpose: str, row: Row[Any]) -> _Spelled:
    row_id, sealed, index, *owners = tuple(row)
    identity = address_identity(keys.open(sealed, purpose))
    owner = (owners[0], owners[1]) if owners else (None, None)
    return _Spelled(row_id, identity, owner, index in address_indexes(keys, identity))


def _plainly(tx: Session, keys: KeyRing, table: type[Invitation] | type[LoginCode]) -> int:
    wrong = [one for one in _spelled(tx, keys, table.__table__) if not one.is_indexed]  # type: ignore[arg-type]
    for one in wrong:
        tx.execute(update(table).where(table.id == one.id).values(address_index=address_index_of(keys, one.identity)))
    return len(wrong)


def _grouped(tx: Session, keys: KeyRing, table: Table, owner: Sequence[str] = ()) -> list[list[_Spelled]]:
    """Return the rows of one owner and one identity together, where any needs another index."""
    found: dict[tuple[str, tuple[int | None, int | None]], list[_Spelled]] = defaultdict(list)
    for one in _spelled(tx, keys, table, owner):
        if not one.is_indexed:
            found[one.identity, one.owner].append(one)
    for (identity, owners), some in found.items():
        theirs = [table.c[name].is_not_distinct_from(value) for name, value in zip(owner, owners, strict=False)]
        equal = select(table.c.id).where(table.c.address_index.in_(address_indexes(keys, identity)), *theirs)
        some.extend(_Spelled(row_id, identity, owners, True) for row_id in tx.scalars(equal))
    return list(found.values())


def _accounts(tx: Session, keys: KeyRing) -> int:
    count = 0
    for some in _grouped(tx, keys, Account.__table__):  # type: ignore[arg-type]
        # The one that has the index already keeps it: two rows cannot have it, not even for a moment.
        first, *others = sorted(some, key=lambda one: (not one.is_indexed, one.id))
        for other in others:
            if not _share_a_group(tx, first.id, other.id):
                _merge_accounts(tx, keys, first.id, other.id)
        if not first.is_indexed:
            index = address_index_of(keys, first.identity)
            tx.execute(update(Account).where(Account.id == first.id).values(address_index=index))
        count += len(some)
    return count


def _share_a_group(tx: Session, one: int, other: int) -> bool:
    groups = select(Member.group_id).where(Member.account_id == one)
    shared = select(Member.id).where(Member.account_id == other, Member.group_id.in_(groups))
    return tx.execute(shared).first() is not None


def _merge_accounts(tx: Session, keys: KeyRing, into: int, away: int) -> None:
    owned = [of for of in PROOFS if "account_id" in of.over]
    good = {
        of: [
            row.id for row in tx.execute(of.rows().where(of.table.c.account_id == away)) if row_is_proved(keys, of, row)
        ]
        for of in owned
    }
    _point_elsewhere(tx, Account, into, away)
    # A proof names the account.
    for of in owned:
        rows = tx.execute(of.rows().where(of.table.c.id.in_(good[of]))).all()
        update_many(tx, of.table, ["id"], [{"id": row.id, of.column: prove_row(keys, of, row)} for row in rows])
    tx.execute(delete(Account).where(Account.id == away))


def _point_elsewhere(tx: Session, to: type[Account] | type[Contact], into: int, away: int) -> None:
    """Let every row that refers to the one row refer to the other."""
    its_id = to.__table__.c.id
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if any(key.column is its_id for key in column.foreign_keys):
                tx.execute(update(table).where(column == away).values({column.name: into}))


def _contacts(tx: Session, keys: KeyRing) -> int:
    count = 0
    for some in _grouped(tx, keys, CONTACTS, ("person_id", "member_id")):
        first, *others = sorted(some, key=lambda one: (not one.is_indexed, one.id))
        states = {row.id: (row.state, row.is_family) for row in tx.execute(_states([one.id for one in some]))}
        for other in others:
            if states[other.id] == states[first.id]:
                _merge_contacts(tx, first.id, other.id)
        if not first.is_indexed:
            index = address_index_of(keys, first.identity)
            tx.execute(update(Contact).where(Contact.id == first.id).values(address_index=index))
        count += len(some)
    return count


def _states(ids: Collection[int]) -> Any:
    return select(Contact.id, Contact.state, Contact.is_family).where(among(Contact.id, ids))


def _merge_contacts(tx: Session, into: int, away: int) -> None:
    _point_elsewhere(tx, Contact, into, away)
    reached = select(func.max(Contact.reached_at)).where(Contact.id.in_((into, away))).scalar_subquery()
    tx.execute(update(Contact).where(Contact.id == into).values(reached_at=reached))
    tx.execute(delete(Contact).where(Contact.id == away))


@dataclass(frozen=True)
class Divided:
    """Rows of one e-mail address that could not become one: the ids of accounts, or of contacts of one owner."""

    table: str
    ids: tuple[int, ...]


def divided(tx: Session, keys: KeyRing) -> list[Divided]:
    """Return what an operator must decide: which of two accounts, or of two contacts, is to stay."""
    found = []
    for table, owner in ((Account.__table__, ()), (CONTACTS, ("person_id", "member_id"))):
        for some in _grouped(tx, keys, table, owner):  # type: ignore[arg-type]
            found.append(Divided(table.name, tuple(sorted(one.id for one in some))))  # type: ignore[attr-defined]
    return found


def unproved_roles(tx: Session, keys: KeyRing) -> list[int]:
    """Return the members whose role the program has not given: somebody has written them into the database."""
    return [row[0] for row in tx.execute(MEMBER.rows().order_by(Member.id)) if not row_is_proved(keys, MEMBER, row)]
