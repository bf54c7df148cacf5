"""What an installation knows of itself: its keys by name, and the secrets that outlive them."""

from sqlalchemy import delete, select

from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db.tables import InstallationSecret, KnownKey
from reminder.storage.maintenance import installation, key_rotation
from tests.storage.conftest import DAY, NOW, Rows

OLD, NEW = new_key(), new_key()


def test_a_fresh_database_knows_no_key_and_then_those_that_have_sealed(rows: Rows) -> None:
    assert installation.known_keys(rows.tx) == set()
    assert installation.missing_keys(rows.tx, None) == []
    assert installation.found_references(rows.tx, rows.keys) is None

    installation.note_keys(rows.tx, rows.keys, NOW)
    installation.note_keys(rows.tx, rows.keys, NOW)

    assert installation.known_keys(rows.tx) == set(rows.keys.ids)
    assert installation.missing_keys(rows.tx, rows.keys) == []
    assert installation.missing_keys(rows.tx, None) == list(rows.keys.ids)
    assert installation.missing_keys(rows.tx, read_keys([OLD])) == list(rows.keys.ids)


def test_a_database_of_before_is_asked_for_its_keys_in_its_sealed_columns(rows: Rows) -> None:
    rows.contact(person_id=rows.person(rows.group()))

    assert installation.known_keys(rows.tx) == set(rows.keys.ids)
    both = read_keys([NEW, *rows.keys.written()])
    installation.note_keys(rows.tx, both, NOW)

    assert installation.known_keys(rows.tx) == set(both.ids)


def test_keys_that_nothing_needs_any_more_are_forgotten_and_lost_ones_are_not_asked_for(rows: Rows) -> None:
    old, both = read_keys([OLD]), read_keys([NEW, OLD])
    installation.note_keys(rows.tx, old, NOW)
    installation.note_keys(rows.tx, both, NOW)
    installation.secret(rows.tx, old, "made with the old", NOW)

    installation.forget_keys(rows.tx, ["00000000"])
    assert installation.known_keys(rows.tx) == set(both.ids)
    assert not installation.abandon_key(rows.tx, "00000000", NOW)
    assert installation.abandon_key(rows.tx, old.ids[0], NOW)

    assert installation.known_keys(rows.tx) == {both.ids[0]}
    assert installation.abandoned_keys(rows.tx) == {old.ids[0]}
    assert list(rows.tx.scalars(select(InstallationSecret.name))) == [], "what nobody can open is made anew"
    installation.forget_keys(rows.tx, both.ids)
    assert list(rows.tx.scalars(select(KnownKey.name))) == []


def test_a_secret_is_made_once_and_outlives_the_key_that_sealed_it(rows: Rows) -> None:
    old, both, new = read_keys([OLD]), read_keys([NEW, OLD]), read_keys([NEW])
    assert installation.find_secret(rows.tx, old, "a") is None
    made = installation.secret(rows.tx, old, "a", NOW)

    assert installation.secret(rows.tx, both, "a", NOW + DAY) == installation.find_secret(rows.tx, old, "a") == made
    assert installation.secret(rows.tx, old, "b", NOW) != made
    installation.keep_secret(rows.tx, both, "a", "another", NOW)
    installation.keep_secret(rows.tx, both, "c", "third", NOW)

    assert installation.find_secret(rows.tx, new, "a") == "another"
    assert installation.find_secret(rows.tx, new, "c") == "third"
    assert {sealed.name for sealed in key_rotation.SEALED} >= {"installation_secrets.value_sealed"}


def test_references_are_those_of_the_installation_and_know_what_was_there_before(rows: Rows) -> None:
    fresh = installation.references_of(rows.tx, rows.keys, NOW)
    assert not fresh.is_older(NOW)
    installation.note_keys(rows.tx, rows.keys, NOW)
    found = installation.found_references(rows.tx, rows.keys)
    assert found is not None
    assert found.make(MESSAGE, [1], NOW) == fresh.make(MESSAGE, [1], NOW)

    rows.tx.execute(delete(InstallationSecret))
    rows.message(rows.contact(person_id=rows.person(rows.group())))
    grown = installation.references_of(rows.tx, rows.keys, NOW + DAY)

    assert grown.make(MESSAGE, [1], NOW) != fresh.make(MESSAGE, [1], NOW)
    assert grown.is_older(NOW)
    assert not grown.is_older(NOW + DAY)
