"""The index of addresses in the ledger of consents, which outlives contacts, keys and restores.

Telephone numbers are few: whoever has the key of an index tries them all. So it is no key of the ring, which rotates:
it is derived from a random secret of the installation, which the ring seals, and which a rotation only seals anew. A
stolen database without the key ring shows neither the secret nor any number.
"""

import hmac

from reminder.domain.parsing.addresses import address_identity


class ConsentIndex:
    """The maker of indexes. `key`: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, address: str) -> bytes:
        """Return the index of an address in its stored form: E.164, an e-mail address, or a provider's id.

        All spellings of a number are one stored form, and all capital letters of an e-mail address are one address.
        """
        return hmac.digest(self._key, address_identity(address).encode(), "sha256")
