"""Passkeys, and the challenges that they sign once."""

import pytest

from reminder.storage.auth import passkeys
from reminder.storage.auth.passkeys import PasskeyView
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_passkey_is_found_by_its_credential_and_counts_its_use(rows: Rows) -> None:
    account, other = rows.account(), rows.account("taro@example.jp")
    passkeys.add(
        rows.tx,
        rows.keys,
        account_id=account,
        credential_id=b"id",
        public_key=b"key",
        sign_count=1,
        device="iPhone",
        now=NOW,
    )

    found = passkeys.find(rows.tx, rows.keys, b"id")

    assert found is not None
    assert found == PasskeyView(found.id, account, b"id", b"key", 1, "iPhone", NOW, None)
    assert passkeys.of_account(rows.tx, account) == [found]
    assert passkeys.find(rows.tx, rows.keys, b"other") is None
    assert [passkeys.is_registered(rows.tx, one) for one in (b"id", b"other")] == [True, False]
    passkeys.used(rows.tx, found.id, 2, NOW + HOUR)
    (used,) = passkeys.of_account(rows.tx, account)
    assert (used.sign_count, used.used_at) == (2, NOW + HOUR)
    assert not passkeys.remove(rows.tx, other, found.id)
    assert passkeys.remove(rows.tx, account, found.id)
    assert passkeys.of_account(rows.tx, account) == []


@pytest.mark.parametrize("is_known", [True, False], ids=["of an account", "of whoever comes"])
def test_a_challenge_is_used_once(rows: Rows, is_known: bool) -> None:
    account = rows.account() if is_known else None

    assert passkeys.use_challenge(rows.tx, b"sign me", account, NOW + HOUR)
    assert not passkeys.use_challenge(rows.tx, b"sign me", account, NOW + HOUR)
    assert not passkeys.use_challenge(rows.tx, b"sign me", None, NOW + HOUR)
    assert passkeys.use_challenge(rows.tx, b"sign me, too", account, NOW + HOUR)
