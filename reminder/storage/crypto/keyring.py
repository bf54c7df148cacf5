"""The key ring: addresses and texts are sealed with it, and addresses are found again by a keyed blind index.

A sealed value names its key, so that keys can be changed while running: the newest seals, every one opens.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reminder.clock import random_bytes
from reminder.errors import SettingsError

KEY_BYTES = 32
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_ID_BYTES, _NONCE_BYTES = 4, 12


class _Key:
    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = hashlib.sha256(b"kigen key id" + secret).digest()[:_ID_BYTES]
        self.seal = AESGCMSIV(_derive(secret, b"seal"))
        self.index = _derive(secret, b"index")
        self.sign = _derive(secret, b"sign")


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"kigen " + purpose).derive(secret)


class KeyRing:
    """`purpose` binds a sealed value to its column: a body cannot be passed off as an address."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = [_Key(secret) for secret in secrets]
        self._by_id = {key.id: key for key in self._keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the keys, newest first; they tell nothing of the keys."""
        return tuple(key.id.hex() for key in self._keys)

    def written(self) -> list[str]:
        """As REMINDER_SECRET_KEYS holds them; for a sealed back-up only."""
        return [_write(key.secret) for key in self._keys]

    def seal(self, text: str, purpose: str) -> bytes:
        key, nonce = self._keys[0], random_bytes(_NONCE_BYTES)
        return key.id + nonce + key.seal.encrypt(nonce, text.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """Raises SettingsError when its key is not on the ring, or it was changed or belongs to another purpose."""
        key = self._by_id.get(sealed[:_ID_BYTES])
        if key is None:
            raise SettingsError(
                "REMINDER_SECRET_KEYS", "the key that sealed this database is missing; add it at the end"
            )
        nonce, sealed_text = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :]
        try:
            return key.seal.decrypt(nonce, sealed_text, purpose.encode()).decode()
        except InvalidTag:
            raise SettingsError("REMINDER_SECRET_KEYS", "a sealed value was changed; restore the database") from None

    def blind_index(self, address: str) -> bytes:
        """What a new row keeps, so that an address can be found without being readable."""
        return self.blind_indexes(address)[0]

    def blind_indexes(self, address: str) -> list[bytes]:
        """What rows sealed under any key of the ring may have kept."""
        return [hmac.digest(key.index, address.encode(), "sha256") for key in self._keys]

    def sign(self, text: str, purpose: str) -> str:
        """A short URL-safe mark that only this ring can make; the same for the same text."""
        return _mark(self._keys[0].sign, text, purpose)

    def is_signed(self, text: str, purpose: str, mark: str) -> bool:
        return any(hmac.compare_digest(_mark(key.sign, text, purpose).encode(), mark.encode()) for key in self._keys)


def _mark(key: bytes, text: str, purpose: str) -> str:
    return letters(hmac.digest(key, f"{purpose}\0{text}".encode(), "sha256")[:16])


def letters(value: bytes) -> str:
    """Letters only: a run of digits in an address would look like a number we refuse."""
    return value.hex().translate(_LETTERS)


def new_token() -> str:
    """256 bits that nobody can guess, in letters."""
    return letters(random_bytes(32))


def token_hash(token: str) -> bytes:
    """What is kept of a token. It has 256 bits, so a quick hash will do."""
    return hashlib.sha256(token.encode()).digest()


def sealed_with(sealed: bytes) -> str:
    """The name of the key that sealed this."""
    return sealed[:_ID_BYTES].hex()


def new_key() -> str:
    return _write(random_bytes(KEY_BYTES))


def _write(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode()


def read_keys(written: Sequence[str]) -> KeyRing:
    """From REMINDER_SECRET_KEYS, newest first."""
    try:
        secrets = [base64.urlsafe_b64decode(key) for key in written]
    except ValueError:
        secrets = []
    if not secrets or any(len(secret) != KEY_BYTES for secret in secrets):
        raise SettingsError(
            "REMINDER_SECRET_KEYS", "each key is 32 bytes in URL-safe base64; `reminder keys new` makes one"
        )
    return KeyRing(secrets)


def keys_kept_in(data_dir: Path) -> KeyRing:
    """The keys in DATA_DIR/keys, made at the first run and readable by nobody else."""
    if not (data_dir / "keys").exists():
        keep_keys(data_dir, [new_key()])
    return read_keys(_kept(data_dir))


def keep_keys(data_dir: Path, written: Sequence[str]) -> None:
    """Into DATA_DIR/keys where there are none yet; those that are there stay."""
    with _drafted(data_dir, written) as draft, suppress(FileExistsError):
        # Made whole under another name and then linked, so that two first runs at once agree on one key.
        (data_dir / "keys").hardlink_to(draft)


def keep_newest(data_dir: Path, written: str) -> None:
    """In front of the keys in DATA_DIR/keys: from the next start on it seals."""
    keys_kept_in(data_dir)
    with _drafted(data_dir, [written, *_kept(data_dir)]) as draft:
        draft.replace(data_dir / "keys")


def _kept(data_dir: Path) -> list[str]:
    return (data_dir / "keys").read_text(encoding="ascii").split()


@contextmanager
def _drafted(data_dir: Path, written: Sequence[str]) -> Iterator[Path]:
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f".keys-{random_bytes(8).hex()}"
    draft.touch(mode=0o600)
    try:
        draft.write_text("".join(f"{key}\n" for key in written), encoding="ascii")
        yield draft
    finally:
        draft.unlink(missing_ok=True)
