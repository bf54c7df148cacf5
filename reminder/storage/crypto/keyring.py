"""The key ring: it seals addresses and texts, and finds addresses again by a keyed blind index.

A sealed value names its key, so that keys can be rotated at run time: the newest key seals, every key opens.
It is bound to its place, which is a column, and to the random token of its row: in another row or column it is refused.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reminder.clock import random_bytes
from reminder.errors import SettingsError
from reminder.storage.crypto import private_files
from reminder.storage.crypto.references import References

KEY_BYTES = 32
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
TOKEN_LETTERS = 64
_ID_BYTES, _NONCE_BYTES = 4, 12
ROW_TOKEN_BYTES = 16
# Short: it finds candidates, whose words are compared once they are open.
_WORD_INDEX_BYTES = 8


class Place(NamedTuple):
    """A sealed column. `before`: what its values were bound to before rows had tokens; "" for a newer column."""

    column: str
    before: str = ""


class SealedValue(NamedTuple):
    """A sealed value as it was read. `row_token`: that of its row; None where the row has none yet."""

    place: Place
    row_token: bytes | None
    content: bytes

    @property
    def key_name(self) -> str:
        """The name of the key that sealed it."""
        return sealed_with(self.content)


class _Key:
    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = hashlib.sha256(b"kigen key id" + secret).digest()[:_ID_BYTES]
        self.seal = AESGCMSIV(_derive(secret, b"seal"))
        self.index = _derive(secret, b"index")
        self.words = _derive(secret, b"index of words")
        self.sign = _derive(secret, b"sign")


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"kigen " + purpose).derive(secret)


class KeyRing:
    """The keys, newest first."""

    def __init__(
        self, secrets: Sequence[bytes], references: References | None = None, given_up: Collection[str] = ()
    ) -> None:
        self._keys = [_Key(secret) for secret in secrets]
        self._by_id = {key.id: key for key in self._keys}
        # Without a database there is no secret of its own: the oldest key serves, which is the last to change.
        # Names of keys that are lost for good: what they have sealed is not waited for.
        self.given_up = frozenset(given_up)
        # Functions that open columns with words, by column; see storage/db/sealing.py.
        self.readers: dict[str, Callable[[Any], Any]] = {}
        oldest = self._keys[-1].secret if self._keys else b""
        self.references = references or References(letters(_derive(oldest, b"references")))

    def referring_by(self, references: References, given_up: Collection[str] = ()) -> "KeyRing":
        """Return a ring of the same keys that makes and reads references with the secret of an installation.

        `given_up`: the names of its keys that are lost for good.
        """
        return KeyRing([key.secret for key in self._keys], references, given_up)

    def consent_index(self, address: str) -> bytes:
        """Return the index of an address in the ledger of consents; no key of the ring changes it."""
        return self.references.consents.of(address)

    def sheet_fingerprint(self, text: str, size: int) -> bytes:
        """Return the fingerprint, `size` bytes, of what a home's sheet says; no key of the ring changes it."""
        return hashlib.blake2b(text.encode(), key=self.references.sheets, digest_size=size).digest()

    def has(self, name: str) -> bool:
        """Return whether the key of this name is on the ring."""
        return name in self.ids

    def can_open(self, sealed: SealedValue | bytes | None) -> bool:
        """Return whether the key that sealed this value is on the ring; None needs none."""
        content = sealed.content if isinstance(sealed, SealedValue) else sealed
        return content is None or content[:_ID_BYTES] in self._by_id

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the keys, newest first; they reveal nothing about the keys."""
        return tuple(key.id.hex() for key in self._keys)

    def written(self) -> list[str]:
        """Return the keys in the format of REMINDER_SECRET_KEYS; for a sealed back-up only."""
        return [_write(key.secret) for key in self._keys]

    def seal(self, text: str, place: Place | str, row_token: bytes | None = None) -> bytes:
        """Return the text sealed with the newest key, for this column of the row with this token.

        Without a token it is bound as before rows had them, for a row that has none; so is one for a purpose that is no
        column.
        """
        key, nonce = self._keys[0], random_bytes(_NONCE_BYTES)
        return key.id + nonce + key.seal.encrypt(nonce, text.encode(), _bound_to(place, row_token))

    def open(self, sealed: SealedValue | bytes, purpose: Place | str = "") -> str:
        """Return the text of a sealed value. `purpose`: of bytes that were sealed without a row's token.

        Raises SettingsError where its key is not on the ring, or where it was changed or belongs to another column or
        another row.
        """
        value = sealed if isinstance(sealed, SealedValue) else SealedValue(_place(purpose), None, sealed)
        content = value.content
        key = self._by_id.get(content[:_ID_BYTES])
        if key is None:
            raise SettingsError(
                "REMINDER_SECRET_KEYS", "the key that sealed this database is missing; add it at the end"
            )
        nonce, sealed_text = content[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], content[_ID_BYTES + _NONCE_BYTES :]
        try:
            return key.seal.decrypt(nonce, sealed_text, _bound_to(value.place, value.row_token)).decode()
        except (InvalidTag, ValueError):  # a cut-off value has no whole nonce
            raise SettingsError("REMINDER_SECRET_KEYS", "a sealed value was changed; restore the database") from None

    def word_index(self, words: str) -> bytes:
        """Return the short index of words for a new row: equal words can be found, but not read."""
        return self.word_indexes(words)[0]

    def word_indexes(self, words: str) -> list[bytes]:
        """Return the short indexes that rows under any key of the ring may have for these words."""
        said = words.encode()
        return [hashlib.blake2b(said, key=key.words, digest_size=_WORD_INDEX_BYTES).digest() for key in self._keys]

    def blind_index(self, address: str) -> bytes:
        """Return the index of an address for a new row: the address can be found, but not read."""
        return self.blind_indexes(address)[0]

    def blind_indexes(self, address: str) -> list[bytes]:
        """Return the indexes that rows under any key of the ring may have for an address."""
        return [hmac.digest(key.index, address.encode(), "sha256") for key in self._keys]

    def sign(self, text: str, purpose: str) -> str:
        """Return a short URL-safe signature that only this ring can make; the same for the same text."""
        return _mark(self._keys[0].sign, text, purpose)

    def prove(self, text: str, purpose: str) -> bytes:
        """Return the proof that only this ring can make, with the name of its key in front; see `is_proved`."""
        return self._keys[0].id + _proof(self._keys[0].sign, text, purpose)

    def is_proved(self, text: str, purpose: str, proof: bytes | None) -> bool:
        """Return whether `proof` was made for this text by a key of the ring; a row without a proof is nobody's."""
        key = None if proof is None else self._by_id.get(proof[:_ID_BYTES])
        if proof is None or key is None:
            return False
        return hmac.compare_digest(_proof(key.sign, text, purpose), proof[_ID_BYTES:])

    def is_signed(self, text: str, purpose: str, mark: str) -> bool:
        """Return whether `mark` is the signature of the text under any key of the ring."""
        return any(hmac.compare_digest(_mark(key.sign, text, purpose).encode(), mark.encode()) for key in self._keys)


def _place(purpose: Place | str) -> Place:
    return purpose if isinstance(purpose, Place) else Place("", purpose)


def _bound_to(place: Place | str, row_token: bytes | None) -> bytes:
    """Return the associated data of a sealed value. No purpose of before is the name of a column."""
    place = _place(place)
    if row_token is None:
        return place.before.encode()
    return place.column.encode() + b"\0" + row_token


def _proof(key: bytes, text: str, purpose: str) -> bytes:
    return hmac.digest(key, f"proof {purpose}\0{text}".encode(), "sha256")


def _mark(key: bytes, text: str, purpose: str) -> str:
    return letters(hmac.digest(key, f"{purpose}\0{text}".encode(), "sha256")[:16])


def letters(value: bytes) -> str:
    """Return the value in letters only: a run of digits in an address would look like a number we refuse."""
    return value.hex().translate(_LETTERS)


def new_row_token() -> bytes:
    """Return a random token for a new row, which no row had before."""
    return random_bytes(ROW_TOKEN_BYTES)


def new_token() -> str:
    """Return a random token of 256 bits, in TOKEN_LETTERS letters."""
    return letters(random_bytes(TOKEN_LETTERS // 2))


def token_hash(token: str) -> bytes:
    """Return the stored hash of a token. A token has 256 bits, so a fast hash is sufficient."""
    return hashlib.sha256(token.encode()).digest()


def sealed_with(sealed: SealedValue | bytes) -> str:
    """Return the name of the key that sealed this value."""
    content = sealed.content if isinstance(sealed, SealedValue) else sealed
    return content[:_ID_BYTES].hex()


def new_key() -> str:
    """Return a new random key in its text form."""
    return _write(random_bytes(KEY_BYTES))


def _write(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode()


def read_keys(written: Sequence[str]) -> KeyRing:
    """Return the key ring of REMINDER_SECRET_KEYS, newest first."""
    try:
        secrets = [base64.urlsafe_b64decode(key) for key in written]
    except ValueError:
        secrets = []
    if not secrets or any(len(secret) != KEY_BYTES for secret in secrets):
        raise SettingsError(
            "REMINDER_SECRET_KEYS", "each key is 32 bytes in URL-safe base64; `reminder keys new` makes one"
        )
    return KeyRing(secrets)


def stored_keys(data_dir: Path) -> KeyRing:
    """Return the keys in DATA_DIR/keys, which is created at the first run, readable by its owner only."""
    if not (data_dir / "keys").exists():
        keep_keys(data_dir, [new_key()])
    return read_keys(_kept(data_dir))


def kept_keys(data_dir: Path) -> KeyRing | None:
    """Return the keys in DATA_DIR/keys; None where there is no such file. Nothing is made."""
    return read_keys(_kept(data_dir)) if (data_dir / "keys").exists() else None


def keep_keys(data_dir: Path, written: Sequence[str]) -> None:
    """Write the keys into DATA_DIR/keys unless it exists."""
    with _drafted(data_dir, written) as draft, suppress(FileExistsError):
        # Written under another name and then linked, so that two simultaneous first runs agree on one key.
        (data_dir / "keys").hardlink_to(draft)


def keep_newest(data_dir: Path, written: str) -> None:
    """Put a key before those in DATA_DIR/keys: it seals from the next start on."""
    stored_keys(data_dir)
    with _drafted(data_dir, [written, *_kept(data_dir)]) as draft:
        draft.replace(data_dir / "keys")


def _kept(data_dir: Path) -> list[str]:
    return (data_dir / "keys").read_text(encoding="ascii").split()


@contextmanager
def _drafted(data_dir: Path, written: Sequence[str]) -> Iterator[Path]:
    private_files.make_folder(data_dir)
    draft = data_dir / f".keys-{random_bytes(8).hex()}"
    private_files.create(draft)
    try:
        draft.write_text("".join(f"{key}\n" for key in written), encoding="ascii")
        yield draft
    finally:
        draft.unlink(missing_ok=True)
