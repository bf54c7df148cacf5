"""The blind index of an address: two spellings of one e-mail address have the same."""

from reminder.domain.parsing.addresses import address_identity
from reminder.storage.crypto.keyring import KeyRing


def address_index_of(keys: KeyRing, address: str) -> bytes:
    """Return the index of an address for a new row. Addresses other than e-mail are indexed as they are."""
    return keys.blind_index(address_identity(address))


def address_indexes(keys: KeyRing, address: str) -> list[bytes]:
    """Return the indexes that rows under any key of the ring may have for an address."""
    return keys.blind_indexes(address_identity(address))
