"""The chain of the activity log: whatever is changed in it afterwards shows, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db.session import Database, Tx
from reminder.storage.db.tables import ActivityEntry, InstallationSecret
from reminder.storage.maintenance import activity_chain, installation
from reminder.storage.maintenance.activity_chain import ChainCheck
from reminder.storage.runtime import activity_log
from tests.storage.conftest import HOUR, NOW, Rows

WHOLE = 9


def chained(rows: Rows, count: int = WHOLE) -> None:
    for number in range(count):
        activity_log.write(rows.tx, "card_renewed", NOW + timedelta(seconds=number), group_id=1, card_id=number)
    while activity_chain.extend(rows.tx, rows.keys, NOW, limit=4):
        pass
    rows.tx.expire_all()


def change(position: int, /, **values: object) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(update(ActivityEntry).where(ActivityEntry.position == position).values(**values))


def without(*positions: int) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(delete(ActivityEntry).where(ActivityEntry.position.in_(positions)))


def swapped(tx: Tx) -> None:
    """Two rows exchange what they say, and all that is known of them but their keys."""
    for position, card in ((3, 4), (5, 2)):
        change(position, card_id=card)(tx)


def exchanged(tx: Tx) -> None:
    change(3, position=100)(tx)
    change(5, position=3)(tx)
    change(100, position=5)(tx)


def inserted(tx: Tx) -> None:
    row = tx.execute(select(ActivityEntry).where(ActivityEntry.position == 5)).scalar_one()
    copied = {name: getattr(row, name) for name in ("act", "at", "group_id", "content_hash", "chain_hash")}
    tx.execute(insert(ActivityEntry), [{**copied, "position": 5}])


def appended(tx: Tx) -> None:
    tx.execute(
        insert(ActivityEntry), [{"act": "x", "at": NOW, "position": WHOLE + 1, "content_hash": b"", "chain_hash": b""}]
    )


def unchained(tx: Tx) -> None:
    """As if the last rows had never been chained, to be chained anew with other words."""
    change(WHOLE, position=None, content_hash=None, chain_hash=None, act="other")(tx)


def without_secret(name: str) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(delete(InstallationSecret).where(InstallationSecret.name == name))


TAMPERED = {
    "another act": (change(4, act="card_retired"), 4),
    "another instant": (change(4, at=NOW + HOUR), 4),
    "another group": (change(1, group_id=2), 1),
    "another member": (change(9, member_id=7), 9),
    "another person": (change(4, person_id=7), 4),
    "another contact": (change(4, contact_id=7), 4),
    "another card": (change(4, card_id=None), 4),
    "another message": (change(4, message_id=7), 4),
    "another hash of the content": (change(4, content_hash=b"x"), 4),
    "another hash of the chain": (change(4, chain_hash=b"x"), 4),
    "another hash at the end": (change(9, chain_hash=b"x"), 9),
    "the first is gone": (without(1), 1),
    "one is gone": (without(4), 4),
    "the last is gone": (without(9), 9),
    "the last three are gone": (without(7, 8, 9), 7),
    "all are gone": (without(*range(1, 10)), 1),
    "two have exchanged their words": (swapped, 3),
    "two have exchanged their places": (exchanged, 3),
    "one stands there twice": (inserted, 6),
    "one more at the end": (appended, 10),
    "the last is taken back": (unchained, 9),
    "the end is gone": (without_secret(installation.CHAIN_HEAD), 1),
    "the key is gone": (without_secret(installation.ACTIVITY_CHAIN), 1),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_is_changed_afterwards_shows_with_its_place(rows: Rows, what: str) -> None:
    chained(rows)
    assert activity_chain.check_all(rows.tx, rows.keys) == ChainCheck(None, WHOLE)
    tamper, place = TAMPERED[what]

    tamper(rows.tx)
    rows.tx.expire_all()

    found = activity_chain.check_all(rows.tx, rows.keys)
    assert found.wrong is not None
    assert abs(found.wrong - place) <= 1


def test_what_goes_on_is_chained_to_what_was_there_and_a_gap_stays(rows: Rows) -> None:
    chained(rows)
    without(9)(rows.tx)
    chained(rows, 2)

    assert activity_chain.check_all(rows.tx, rows.keys) == ChainCheck(9, WHOLE + 2)
    activity_chain.restart(rows.tx)
    assert activity_chain.check_all(rows.tx, rows.keys) == ChainCheck(None, 0)
    assert activity_chain.extend(rows.tx, rows.keys, NOW) == WHOLE + 1
    assert activity_chain.check_all(rows.tx, rows.keys) == ChainCheck(None, WHOLE + 1)


def test_a_check_of_some_places_sees_those_and_the_end(rows: Rows) -> None:
    chained(rows)
    change(4, act="other")(rows.tx)
    rows.tx.expire_all()

    assert activity_chain.check(rows.tx, rows.keys, first=1, limit=3).wrong is None
    assert activity_chain.check(rows.tx, rows.keys, first=4, limit=1).wrong == 4
    assert activity_chain.check(rows.tx, rows.keys, first=6, limit=9) == ChainCheck(None, WHOLE)
    assert activity_chain.check(rows.tx, rows.keys, limit=3).wrong is None
    assert activity_chain.check(rows.tx, rows.keys, limit=20).wrong == 4
    assert activity_chain.check(rows.tx, rows.keys, first=99).wrong is None


def test_nothing_is_chained_or_wrong_where_nothing_was_done(rows: Rows) -> None:
    assert activity_chain.extend(rows.tx, rows.keys, NOW) == 0
    assert activity_chain.check_all(rows.tx, rows.keys) == ChainCheck(None, 0)


def test_the_chain_outlives_its_keys_and_nobody_checks_it_without_them(rows: Rows, keys: KeyRing) -> None:
    chained(rows)
    both = read_keys([new_key(), *keys.written()])
    for secret in (installation.ACTIVITY_CHAIN, installation.CHAIN_HEAD):
        value = installation.find_secret(rows.tx, keys, secret)
        assert value is not None
        installation.keep_secret(rows.tx, both, secret, value, NOW)

    assert activity_chain.check_all(rows.tx, read_keys(both.written()[:1])) == ChainCheck(None, WHOLE)
    with pytest.raises(SettingsError):
        activity_chain.check_all(rows.tx, keys)


def test_two_auditors_at_once_give_no_place_twice(database: Database, keys: KeyRing) -> None:
    with database.writing() as tx:
        for number in range(40):
            activity_log.write(tx, "card_renewed", NOW, card_id=number)
        activity_chain.extend(tx, keys, NOW, limit=1)

    def chain(_: int) -> int:
        with database.writing() as tx:
            return activity_chain.extend(tx, keys, NOW, limit=10)

    with ThreadPoolExecutor(4) as auditors:
        assert sum(auditors.map(chain, range(8))) == 39
    with database.reading() as tx:
        assert activity_chain.check_all(tx, keys) == ChainCheck(None, 40)
