"""What an installation knows of itself: the keys with which it has sealed, and the secrets that outlive them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from reminder.errors import DatabaseNotReadyError
from reminder.storage.crypto.keyring import KeyRing, new_token, sealed_with
from reminder.storage.crypto.references import References
from reminder.storage.db import row_security
from reminder.storage.db.statements import insert_or_ignore, put
from reminder.storage.db.tables import Card, Contact, InstallationSecret, KnownKey, Message
from reminder.storage.maintenance.key_rotation import OF_INSTALLATION, keys_in_use

REFERENCES, ACTIVITY_CHAIN, CHAIN_HEAD = "references", "activity_chain", "chain_head"


def known_keys(tx: Session) -> set[str]:
    """Return the names of the keys without which something here cannot be opened.

    A database of an earlier version has no list of them; then every sealed column is read once. Raises
    DatabaseNotReadyError where only the worker may do that.
    """
    rows = tx.execute(select(KnownKey.name, KnownKey.abandoned_at)).all()
    if not rows:
        _leave_to_worker(tx)
        return keys_in_use(tx)
    return {name for name, abandoned_at in rows if abandoned_at is None}


def _leave_to_worker(tx: Session) -> None:
    """Raise DatabaseNotReadyError where rows of groups are to be looked at that this role does not see."""
    if row_security.has_groups(tx):
        raise DatabaseNotReadyError("database_not_begun")


def missing_keys(tx: Session, keys: KeyRing | None) -> list[str]:
    """Return the names of the known keys that the ring has not, in order. `keys`: None where there is no ring yet."""
    return sorted(name for name in known_keys(tx) if keys is None or not keys.has(name))


def note_keys(tx: Session, keys: KeyRing, now: datetime) -> None:
    """Record that this ring's newest key seals here from now on, and the keys of earlier versions with it."""
    if tx.execute(select(KnownKey.name).limit(1)).first() is None:
        for name in sorted(keys_in_use(tx)):
            insert_or_ignore(tx, KnownKey, name=name, seen_at=now, abandoned_at=None)
    insert_or_ignore(tx, KnownKey, name=keys.ids[0], seen_at=now, abandoned_at=None)


def forget_keys(tx: Session, names: Collection[str]) -> None:
    """Remove keys from the list that nothing needs any more."""
    for name in names:
        found = tx.get(KnownKey, name)
        if found is not None:
            tx.delete(found)
    tx.flush()


def abandon_key(tx: Session, name: str, now: datetime) -> bool:
    """Record that a key is lost, so that the service starts without it; return False for one that nothing needs.

    What it has sealed stays, and cannot be read. Secrets that it has sealed are deleted, to be made anew. With the one
    of the ledger of consents the old records cannot be found any more: the next start fills the ledger again from the
    contacts that are there.
    """
    if name not in known_keys(tx):
        return False
    put(tx, KnownKey, {"name": name}, {"seen_at": now, "abandoned_at": now}, changed={"abandoned_at": now})
    for secret in tx.scalars(select(InstallationSecret)):
        if sealed_with(secret.value_sealed) == name:
            tx.delete(secret)
            if secret.name == REFERENCES:
                forgotten = update(Contact).values(consent_index=None)
                tx.execute(forgotten.execution_options(synchronize_session=False))
    tx.flush()
    return True


# Of each table the row with the highest id: to look for the latest instant would read all rows.
_NEWEST = [
    select(table.created_at).where(table.id == select(func.max(table.id)).scalar_subquery()).scalar_subquery()
    for table in (Card, Contact, Message)
]


def secret(tx: Session, keys: KeyRing, name: str, now: datetime) -> str:
    """Return a secret of this installation, in letters; it is made at the first call, in a writing transaction.

    Raises SettingsError where its key is not on the ring, and DatabaseNotReadyError where only the worker may make it.
    """
    found = _secret(tx, name)
    if found is None:
        _leave_to_worker(tx)
        newest = [at for at in tx.execute(select(*_NEWEST)).one() if at is not None]
        insert_or_ignore(
            tx,
            InstallationSecret,
            name=name,
            value_sealed=keys.seal(new_token(), OF_INSTALLATION),
            older_until=max(newest, default=None),
            created_at=now,
        )
        # Another process may have made it at the same moment.
        found = _secret(tx, name)
    assert found is not None
    return keys.open(found.value_sealed, OF_INSTALLATION)


def find_secret(tx: Session, keys: KeyRing, name: str) -> str | None:
    """Return a secret; None where it was never made. Raises SettingsError where it cannot be opened."""
    found = _secret(tx, name)
    return None if found is None else keys.open(found.value_sealed, OF_INSTALLATION)


def keep_secret(tx: Session, keys: KeyRing, name: str, value: str, now: datetime) -> None:
    """Store a secret, or replace it."""
    sealed = keys.seal(value, OF_INSTALLATION)
    values = {"value_sealed": sealed, "older_until": None, "created_at": now}
    put(tx, InstallationSecret, {"name": name}, values, changed={"value_sealed": sealed})


def references_of(tx: Session, keys: KeyRing, now: datetime) -> References:
    """Return the maker of references; its secret is made at the first call, in a writing transaction."""
    value = secret(tx, keys, REFERENCES, now)
    found = _secret(tx, REFERENCES)
    return References(value, None if found is None else found.older_until)


def found_references(tx: Session, keys: KeyRing) -> References | None:
    """Return the maker of references; None where this ring's newest key or the secret is not recorded yet."""
    found = _secret(tx, REFERENCES)
    is_noted = tx.execute(
        select(KnownKey.name).where(KnownKey.name == keys.ids[0], KnownKey.abandoned_at.is_(None))
    ).first()
    if found is None or is_noted is None:
        return None
    return References(keys.open(found.value_sealed, OF_INSTALLATION), found.older_until)


def _secret(tx: Session, name: str) -> InstallationSecret | None:
    return tx.execute(
        select(InstallationSecret).where(InstallationSecret.name == name).execution_options(populate_existing=True)
    ).scalar_one_or_none()
