"""The key ring: what it seals only it can open, and an address is found without being readable."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reminder.errors import SettingsError
from reminder.storage.crypto import keyring
from reminder.storage.crypto.keyring import Place, SealedValue, new_key, read_keys, stored_keys
from reminder.storage.crypto.references import References

OLD, NEW = new_key(), new_key()
ADDRESS = "+819000000001"


def test_what_is_sealed_is_not_readable_and_opens_again() -> None:
    keys = read_keys([NEW])
    sealed = keys.seal(ADDRESS, "contacts.address")

    assert ADDRESS.encode() not in sealed
    assert keys.open(sealed, "contacts.address") == ADDRESS


def test_sealing_twice_gives_two_different_values() -> None:
    keys = read_keys([NEW])

    assert keys.seal(ADDRESS, "contacts.address") != keys.seal(ADDRESS, "contacts.address")


def test_after_a_change_of_keys_old_values_still_open_and_are_still_found() -> None:
    before, after = read_keys([OLD]), read_keys([NEW, OLD])

    assert after.open(before.seal(ADDRESS, "contacts.address"), "contacts.address") == ADDRESS
    assert before.blind_index(ADDRESS) in after.blind_indexes(ADDRESS)
    assert after.is_signed("7", "stop", before.sign("7", "stop"))


def test_a_body_cannot_be_passed_off_as_an_address() -> None:
    keys = read_keys([NEW])

    with pytest.raises(SettingsError):
        keys.open(keys.seal("text", "messages.body"), "contacts.address")


def test_a_missing_key_is_named_as_what_it_is() -> None:
    with pytest.raises(SettingsError) as refused:
        read_keys([NEW]).open(read_keys([OLD]).seal(ADDRESS, "contacts.address"), "contacts.address")

    assert refused.value.setting == "REMINDER_SECRET_KEYS"


def test_the_same_address_has_one_index_under_one_key_and_another_under_another() -> None:
    assert read_keys([NEW]).blind_index(ADDRESS) == read_keys([NEW]).blind_index(ADDRESS)
    assert read_keys([NEW]).blind_index(ADDRESS) != read_keys([OLD]).blind_index(ADDRESS)


def test_a_sign_holds_for_its_text_and_purpose_only_and_has_no_digits() -> None:
    keys = read_keys([NEW])
    mark = keys.sign("7", "stop")

    assert keys.is_signed("7", "stop", mark)
    assert not keys.is_signed("8", "stop", mark)
    assert not keys.is_signed("7", "start", mark)
    assert mark.isalpha(), "digits in an address would look like a number we refuse"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "none at all"),
        (["kurz"], "too short"),
        ([NEW, "x" * 44], "the second is not 32 bytes of base64"),
        (["あ" * 43], "not ASCII"),
    ],
)
def test_a_key_that_is_none_refuses_to_start(keys: list[str], why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_keys(keys)

    assert refused.value.setting == "REMINDER_SECRET_KEYS", why


def test_the_first_run_makes_a_key_that_nobody_else_may_read_and_the_second_finds_it(tmp_path: Path) -> None:
    first = stored_keys(tmp_path / "data")
    second = stored_keys(tmp_path / "data")

    assert second.open(first.seal(ADDRESS, "contacts.address"), "contacts.address") == ADDRESS
    assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["keys"]


def test_a_file_of_keys_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    assert keyring.kept_keys(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    keyring.keep_keys(tmp_path, [OLD])

    found = keyring.kept_keys(tmp_path)

    assert found is not None
    assert found.written() == [OLD]


def test_a_ring_knows_what_it_could_open_and_refers_by_the_secret_of_an_installation() -> None:
    old, ring = read_keys([OLD]), read_keys([NEW, OLD])
    assert ring.has(old.ids[0])
    assert not old.has(ring.ids[0])
    assert ring.can_open(old.seal(ADDRESS, "contacts.address"))
    assert ring.can_open(None)
    assert not old.can_open(ring.seal(ADDRESS, "contacts.address"))

    at = datetime(2027, 3, 17, tzinfo=UTC)
    assert old.references.make("stop", [1], at) == ring.references.make("stop", [1], at), "the oldest key serves"
    ours = ring.referring_by(References("secret"))
    assert ours.ids == ring.ids
    assert ours.references.make("stop", [1], at) == References("secret").make("stop", [1], at)


def test_the_ring_names_its_keys_and_writes_them_down_newest_first() -> None:
    ring = read_keys([NEW, OLD])

    assert ring.written() == [NEW, OLD]
    assert ring.ids == (*read_keys([NEW]).ids, *read_keys([OLD]).ids)
    assert keyring.sealed_with(ring.seal(ADDRESS, "contacts.address")) == ring.ids[0]
    assert not any(key in name for name in ring.ids for key in (NEW, OLD))


def test_a_token_is_letters_that_nobody_has_seen_and_only_its_hash_is_kept() -> None:
    first, second = keyring.new_token(), keyring.new_token()

    assert first.isalpha()
    assert first != second
    assert len(keyring.token_hash(first)) == 32
    assert keyring.token_hash(first) != keyring.token_hash(second)
    assert keyring.letters(b"\x00\xff" * 16).isalpha()
    assert keyring.letters(b"\x00") != keyring.letters(b"\x01")


def test_kept_keys_stay_where_some_are_and_a_new_one_goes_in_front(tmp_path: Path) -> None:
    keyring.keep_keys(tmp_path, [OLD])
    keyring.keep_keys(tmp_path, [NEW])
    assert stored_keys(tmp_path).written() == [OLD]

    keyring.keep_newest(tmp_path, NEW)

    assert stored_keys(tmp_path).written() == [NEW, OLD]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_a_proof_is_of_one_text_for_one_purpose_by_a_key_of_the_ring() -> None:
    first, second = keyring.new_key(), keyring.new_key()
    before, after = keyring.read_keys([first]), keyring.read_keys([second, first])
    proof = before.prove("7", "session")

    assert before.is_proved("7", "session", proof)
    assert after.is_proved("7", "session", proof), "an older key still proves"
    assert after.prove("7", "session") != proof
    assert keyring.sealed_with(proof) == before.ids[0]
    for text, purpose, said in (
        ("8", "session", proof),
        ("7", "token", proof),
        ("7", "session", None),
        ("7", "session", b""),
    ):
        assert not before.is_proved(text, purpose, said)
    assert not keyring.read_keys([second]).is_proved("7", "session", proof)


def test_words_are_found_by_a_short_index_under_every_key_of_the_ring() -> None:
    before, after = read_keys([OLD]), read_keys([NEW, OLD])

    assert after.word_indexes("ハナ") == [read_keys([NEW]).word_index("ハナ"), before.word_index("ハナ")]
    assert before.word_index("ハナ") != before.word_index("はな")
    assert len(before.word_index("ハナ")) == 8
    assert before.word_index("ハナ") not in (before.blind_index("ハナ")[:8], before.blind_index("ハナ"))


def test_a_value_opens_only_with_the_token_of_its_row_and_in_its_column() -> None:
    keys, place, elsewhere = read_keys([OLD]), Place("a.b_sealed", "a.b"), Place("a.c_sealed", "a.b")
    one, other = keyring.new_row_token(), keyring.new_row_token()
    content = keys.seal(ADDRESS, place, one)

    assert keys.open(SealedValue(place, one, content)) == ADDRESS
    for wrong in (
        SealedValue(place, other, content),
        SealedValue(place, None, content),
        SealedValue(elsewhere, one, content),
        SealedValue(place, one, content[:-1]),
        SealedValue(place, one, content[:7]),
    ):
        with pytest.raises(SettingsError):
            keys.open(wrong)
    unbound = keys.seal(ADDRESS, place)
    assert keys.open(SealedValue(place, None, unbound)) == keys.open(unbound, "a.b") == ADDRESS
    with pytest.raises(SettingsError):
        keys.open(SealedValue(place, one, unbound))
    assert keys.can_open(SealedValue(place, one, content))
    assert SealedValue(place, one, content).key_name == keys.ids[0]
