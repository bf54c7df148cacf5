"""References: the names of our rows that leave the house, in links, Message-IDs, return paths and callbacks.

A reference holds the id of a row and the second in which the row was made, sealed with a secret of the installation
(AES-SIV, RFC 5297). So it cannot be guessed or changed, tells nothing, is the same each time, and never names a later
row with the same id. It serves one purpose: a Message-ID is no link. The secret outlives keys, restores and moves.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import product
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reminder.storage.crypto.consent_index import ConsentIndex

# Letters only, and in one case: a run of digits in an address would look like a number that we refuse, and mail
# servers change the case of return paths.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
# Each message has a reference. Dividing a large number takes long, so it is first divided into numbers of twelve
# letters, and these are read three letters at a time.
_THREE_LETTERS = tuple(map("".join, product(_ALPHABET, repeat=3)))
_PART, _PART_LETTERS = len(_ALPHABET) ** 12, 12
# What a reference may be for.
MESSAGE, STOP, ASSIGN, VERIFY, CARD = "message", "stop", "take", "reached", "card"
AGREE = "agree"
_TAG_BYTES, _ID_BYTES, _SECOND_BYTES = 16, 6, 4


@cache
def _length(ids: int) -> int:
    """Return the number of letters of a reference to so many rows."""
    letters, most = 0, 1 << 8 * (_TAG_BYTES + _ID_BYTES * ids + _SECOND_BYTES)
    while most > 1:
        letters, most = letters + 1, -(-most // len(_ALPHABET))
    return letters


# The most letters of a reference to one row; a return path has room for it beside a name of 16 characters.
LETTERS = _length(1)
# The numbers of letters that a reference in an address may have: our links and callbacks name one row or two.
LENGTHS = (LETTERS, _length(2))


class Referred(NamedTuple):
    """What a reference names: the ids of rows, and the second (Unix time) in which the last of them was made."""

    ids: tuple[int, ...]
    second: int

    def was_made(self, at: datetime) -> bool:
        """Return whether a row that was made at this instant is the one that is meant."""
        return _second(at) == self.second


class References:
    """The maker and reader of the references of one installation.

    `older_until`: rows up to this instant (aware UTC) may have been named in the way of before: by an id with a
    signature, or by an id alone. None where there are no such rows.
    """

    def __init__(self, secret: str, older_until: datetime | None = None) -> None:
        self._secret = secret
        self._cipher = AESSIV(self._derive("references", 64))
        self._older_until = older_until

    def _derive(self, purpose: str, length: int) -> bytes:
        info = f"kigen {purpose}".encode()
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(self._secret.encode())

    @cached_property
    def consents(self) -> ConsentIndex:
        """The index of addresses in the ledger of consents, of the same secret."""
        return ConsentIndex(self._derive("consents", 32))

    @cached_property
    def sheets(self) -> bytes:
        """The key of what is remembered of a home's sheets: 32 bytes."""
        return self._derive("sheets", 32)

    def make(self, purpose: str, ids: Sequence[int], made_at: datetime) -> str:
        """Return the reference to these rows for one purpose. `made_at`: when the last of them was made."""
        plain = b"".join(one.to_bytes(_ID_BYTES) for one in ids) + _second(made_at).to_bytes(_SECOND_BYTES)
        value = int.from_bytes(self._cipher.encrypt(plain, [purpose.encode()]))
        length, parts = _length(len(ids)), []
        for _ in range(-(-length // _PART_LETTERS)):
            value, part = divmod(value, _PART)
            parts.append(_twelve_letters(part))
        return "".join(reversed(parts))[-length:]

    def read(self, purpose: str, reference: str, *, ids: int = 1) -> Referred | None:
        """Return what a reference names; None for one that we did not make for this purpose and so many rows."""
        if len(reference) != _length(ids) or not _VALUE.keys() >= set(reference):
            return None
        value = 0
        for letter in reference:
            value = value * len(_ALPHABET) + _VALUE[letter]
        size = _TAG_BYTES + _ID_BYTES * ids + _SECOND_BYTES
        if value >> 8 * size:
            return None
        try:
            plain = self._cipher.decrypt(value.to_bytes(size), [purpose.encode()])
        except InvalidTag:
            return None
        found = tuple(int.from_bytes(plain[at : at + _ID_BYTES]) for at in range(0, ids * _ID_BYTES, _ID_BYTES))
        return Referred(found, int.from_bytes(plain[-_SECOND_BYTES:]))

    def is_older(self, made_at: datetime) -> bool:
        """Return whether a row that was made at this instant may have been named in the way of before."""
        return self._older_until is not None and made_at <= self._older_until


def _twelve_letters(part: int) -> str:
    part, last = divmod(part, len(_THREE_LETTERS))
    part, third = divmod(part, len(_THREE_LETTERS))
    first, second = divmod(part, len(_THREE_LETTERS))
    return _THREE_LETTERS[first] + _THREE_LETTERS[second] + _THREE_LETTERS[third] + _THREE_LETTERS[last]


def _second(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) & 0xFFFFFFFF
