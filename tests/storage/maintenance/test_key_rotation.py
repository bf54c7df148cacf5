"""A change of keys: everything sealed is sealed anew, column by column."""

from dataclasses import replace

import pytest

from reminder.storage.auth import login_codes
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.maintenance import key_rotation
from reminder.storage.maintenance.key_rotation import SEALED, Sealed
from tests.storage.conftest import DAY, NOW, Rows

OLD, NEW = new_key(), new_key()
BEFORE, AFTER = read_keys([OLD]), read_keys([NEW, OLD])


def test_each_sealed_column_is_named_and_asked_for_with_its_key() -> None:
    names = [sealed.name for sealed in SEALED]

    assert len(names) == len(set(names))
    assert "contacts.address_sealed" in names
    assert all([column.name for column in sealed.rows().selected_columns][: len(sealed.key)] == [
        column.name for column in sealed.key
    ] for sealed in SEALED)  # fmt: skip


@pytest.mark.parametrize("sealed", SEALED, ids=lambda sealed: sealed.name)
def test_a_round_over_a_column_without_rows_changes_nothing(database: Database, sealed: Sealed) -> None:
    assert list(key_rotation.renew(database, AFTER, sealed)) == []


def test_after_a_round_over_every_column_the_old_key_is_needed_by_nothing(database: Database) -> None:
    with database.writing() as tx:
        rows = Rows(tx, BEFORE)
        rows.account()
        phone = rows.contact(person_id=rows.person(rows.group()), address="+819000000001")
        rows.message(phone)
        assert key_rotation.keys_in_use(tx) == {*BEFORE.ids}
        assert not key_rotation.has_short_lived_rows(tx)

    changed = sum(batch.changed for sealed in SEALED for batch in key_rotation.renew(database, AFTER, sealed))

    assert changed == 5
    with database.writing() as tx:
        assert key_rotation.keys_in_use(tx) == {AFTER.ids[0]}
        login_codes.add(
            tx, AFTER, address="a@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
        )
        assert key_rotation.has_short_lived_rows(tx)


def test_what_no_key_opens_is_counted_and_stays(database: Database) -> None:
    with database.writing() as tx:
        Rows(tx, BEFORE).account()
    (accounts, *_) = SEALED

    (batch,) = key_rotation.renew(database, read_keys([NEW]), accounts)

    assert (batch.changed, batch.unreadable) == (0, 1)
    assert replace(batch, unreadable=0) == key_rotation.Batch()
