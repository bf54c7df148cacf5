"""A sealed file: what was written comes out, and whatever else was done to it is found."""

import hashlib
import io
import random

import pytest

from reminder.errors import RefusedInputError
from reminder.storage.crypto import sealed_file
from reminder.storage.crypto.sealed_file import CHUNK, HEAD_BYTES, Sealing, new_key, opened, read_key

KEY = read_key(new_key())
SEALED_CHUNK = CHUNK + 16
REFUSALS = {"backup_unknown", "backup_newer", "backup_key_wrong", "backup_damaged"}


def sealed(content: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    sealing = Sealing(file, key)
    sealing.write(content)
    sealing.end()
    return file.getvalue()


def read(file: bytes, key: bytes = KEY) -> bytes:
    return b"".join(opened(io.BytesIO(file), key))


def refusal(file: bytes, key: bytes = KEY) -> str:
    with pytest.raises(RefusedInputError) as refused:
        read(file, key)
    return refused.value.code


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_comes_out(length: int) -> None:
    content = random.Random(length).randbytes(length)

    assert read(sealed(content)) == content


def test_wherever_it_ends_too_early_it_is_refused() -> None:
    file = sealed(b"\0" * (3 * CHUNK))
    ends = [HEAD_BYTES + chunk * SEALED_CHUNK + bytes_more for chunk in range(3) for bytes_more in (-1, 0, 1, 16)]
    chance = random.Random(7)

    for end in [0, 1, *ends, len(file) - 1, *(chance.randrange(len(file)) for _ in range(50))]:
        assert refusal(file[:end]) in REFUSALS, end


def test_every_bit_that_is_turned_is_found() -> None:
    file = sealed(b"a" * (2 * CHUNK + 100))
    chance = random.Random(7)
    places = [*range(HEAD_BYTES + 40), *(chance.randrange(len(file)) for _ in range(200)), len(file) - 1]

    for place in places:
        changed = bytearray(file)
        changed[place] ^= 1 << chance.randrange(8)
        assert refusal(bytes(changed)) in REFUSALS, place


def test_chunks_that_change_places_or_come_twice_are_found() -> None:
    file = sealed(random.Random(1).randbytes(3 * CHUNK + 5))
    head, rest = file[:HEAD_BYTES], file[HEAD_BYTES:]
    first, second, *others = (rest[at : at + SEALED_CHUNK] for at in range(0, len(rest), SEALED_CHUNK))

    for order in ([second, first, *others], [first, first, *others], [second, *others], [first, second]):
        assert refusal(head + b"".join(order)) == "backup_damaged"
    assert refusal(file + b"\0") == "backup_damaged"
    assert refusal(file + rest) == "backup_damaged"


def test_a_chunk_of_another_file_of_the_same_key_is_found() -> None:
    one, other = sealed(b"a" * 2 * CHUNK), sealed(b"b" * 2 * CHUNK)

    assert refusal(one[: HEAD_BYTES + SEALED_CHUNK] + other[HEAD_BYTES + SEALED_CHUNK :]) == "backup_damaged"


def test_another_key_is_named_as_what_it_is() -> None:
    assert refusal(sealed(b"text"), read_key(new_key())) == "backup_key_wrong"


def test_a_file_of_a_later_form_and_one_that_is_none_are_told_apart() -> None:
    file = sealed(b"text")

    assert refusal(file.replace(b"backup 1\n", b"backup 2\n", 1)) == "backup_newer"
    assert refusal(b"SQLite format 3\0" + file) == "backup_unknown"


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        (str.lower, "small letters"),
        (lambda key: key.replace("-", " "), "blanks between the groups"),
        (lambda key: f" {key.replace('-', '')}\n", "no groups at all"),
    ],
)
def test_a_key_is_read_however_it_is_typed(spelled: object, why: str) -> None:
    key = new_key()

    assert read_key(spelled(key)) == read_key(key), why


def test_a_slip_in_a_key_is_told_from_a_wrong_key() -> None:
    key = new_key()
    slips = [key[:-1], key[1:], key + "A", "", "Ü" * 56, key.replace(key[0], "A" if key[0] != "A" else "B", 1)]

    for slip in slips:
        with pytest.raises(RefusedInputError) as refused:
            sealed_file.read_key(slip)
        assert refused.value.code == "backup_key_unreadable"


def test_a_sealed_file_is_known_by_its_beginning_and_shown_by_its_sum() -> None:
    file = io.BytesIO()
    sealing = Sealing(file, KEY)
    sealing.write(b"kept")
    shown = sealing.end()

    assert shown == hashlib.sha256(file.getvalue()).hexdigest()
    assert sealed_file.is_sealed_file(io.BytesIO(file.getvalue()))
    assert not sealed_file.is_sealed_file(io.BytesIO(b"SQLite format 3\x00"))
