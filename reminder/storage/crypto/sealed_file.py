"""A file that only its key opens, in chunks bound to their places: any cut, move or change is detected.

Head: a line with the format, the key's name, a salt. Chunks: AES-256-GCM under a key of this file; a chunk's nonce is
its number and whether it is the last one (the construction is STREAM, as in the file format of age).
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reminder.clock import random_bytes
from reminder.errors import RefusedInputError

_WHAT, _VERSION = b"kigen-dayori backup ", b"1\n"
_KEY_BYTES, _NAME_BYTES, _SALT_BYTES, _TAG_BYTES = 32, 8, 32, 16
HEAD_BYTES = len(_WHAT + _VERSION) + _NAME_BYTES + _SALT_BYTES
CHUNK = 64 * 1024
_KEY_LETTERS, _PADDING = 52, "===="


def new_key() -> str:
    """Return a new key for paper: groups of four of A to Z and 2 to 7, the last of which is a checksum."""
    return _grouped(random_bytes(_KEY_BYTES))


def read_key(typed: str) -> bytes:
    """Return the key that was typed; raises RefusedInputError: backup_key_unreadable."""
    plain = "".join(typed.split()).replace("-", "").upper()
    try:
        key = base64.b32decode(plain[:_KEY_LETTERS] + _PADDING)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES or _grouped(key).replace("-", "") != plain:
        raise RefusedInputError("backup_key_unreadable")
    return key


def _grouped(key: bytes) -> str:
    plain = base64.b32encode(key).decode().rstrip("=")
    plain += base64.b32encode(hashlib.sha256(b"kigen backup key" + key).digest()).decode()[:4]
    return "-".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def is_sealed_file(file: BinaryIO) -> bool:
    """Return whether the file begins as a sealed file."""
    return file.read(len(_WHAT)) == _WHAT


class Sealing:
    """A writer that seals its content; `opened` refuses a file that was not finished by `end`."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._whole = hashlib.sha256()
        name, salt = _derive(key, None, b"name")[:_NAME_BYTES], random_bytes(_SALT_BYTES)
        self._cipher = AESGCM(_derive(key, salt, _WHAT + _VERSION + name))
        self._waiting = bytearray()
        self._count = 0
        self._put(_WHAT + _VERSION + name + salt)

    def write(self, content: bytes) -> None:
        """Write content, sealed in chunks."""
        self._waiting += content
        # The last chunk is known only at the end, so one is always buffered.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), is_last=False)
            del self._waiting[:CHUNK]

    def end(self) -> str:
        """Write the last chunk; return the SHA-256 of the whole file, as `sha256sum` shows it."""
        self._seal(bytes(self._waiting), is_last=True)
        return self._whole.hexdigest()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._put(self._cipher.encrypt(_nonce(self._count, is_last), chunk, None))
        self._count += 1

    def _put(self, content: bytes) -> None:
        self._whole.update(content)
        self._file.write(content)


def opened(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """Yield the content chunk by chunk; it is complete when the iterator ends.

    Raises RefusedInputError: backup_unknown, backup_newer, backup_key_wrong, backup_damaged.
    """
    head = file.read(HEAD_BYTES)
    if not head.startswith(_WHAT):
        raise RefusedInputError("backup_unknown")
    if not head.startswith(_WHAT + _VERSION):
        raise RefusedInputError("backup_newer")
    if len(head) < HEAD_BYTES:
        raise RefusedInputError("backup_damaged")
    name, salt = head[-_NAME_BYTES - _SALT_BYTES : -_SALT_BYTES], head[-_SALT_BYTES:]
    if name != _derive(key, None, b"name")[:_NAME_BYTES]:
        raise RefusedInputError("backup_key_wrong")
    cipher = AESGCM(_derive(key, salt, _WHAT + _VERSION + name))
    count, chunk = 0, _read(file)
    while True:
        following = _read(file)
        try:
            yield cipher.decrypt(_nonce(count, not following), chunk, None)
        except InvalidTag:
            raise RefusedInputError("backup_damaged") from None
        if not following:
            return
        count, chunk = count + 1, following


def _read(file: BinaryIO) -> bytes:
    """Return the next chunk in full; a pipe may return less than it is asked for."""
    parts, missing = [], CHUNK + _TAG_BYTES
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _nonce(count: int, is_last: bool) -> bytes:
    return count.to_bytes(11) + bytes([is_last])


def _derive(key: bytes, salt: bytes | None, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=salt, info=b"kigen backup " + purpose).derive(key)
