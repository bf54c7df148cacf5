"""Two spellings of one e-mail address have one index; whatever is no e-mail address keeps its own."""

from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import new_key, read_keys


def test_capital_letters_make_no_other_index() -> None:
    keys = read_keys([new_key(), new_key()])

    assert address_index_of(keys, "Hana@Example.jp") == address_index_of(keys, "hana@example.JP")
    assert address_indexes(keys, "HANA@example.jp") == keys.blind_indexes("hana@example.jp")
    assert address_index_of(keys, "hana+a@example.jp") != address_index_of(keys, "hana@example.jp")
    assert address_index_of(keys, "+819000000001") == keys.blind_index("+819000000001")
