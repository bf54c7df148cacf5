"""References: names for the world outside that nobody can guess, change or use for something else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.crypto.references import ASSIGN, CARD, LETTERS, MESSAGE, STOP, VERIFY, References

AT = datetime(2027, 3, 17, 1, 0, 0, 250_000, tzinfo=UTC)
OURS = References("secret")


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=2), st.sampled_from([MESSAGE, STOP, CARD]))
def test_a_reference_is_read_as_it_was_made_and_is_the_same_each_time(ids: list[int], purpose: str) -> None:
    made = OURS.make(purpose, ids, AT)

    found = OURS.read(purpose, made, ids=len(ids))

    assert made == References("secret").make(purpose, ids, AT)
    assert found is not None
    assert found.ids == tuple(ids)
    assert found.was_made(AT)
    assert not found.was_made(AT + timedelta(seconds=1))


@given(st.integers(0, 44), st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
def test_a_changed_letter_makes_it_worth_nothing(place: int, letter: str) -> None:
    made = OURS.make(MESSAGE, [17], AT)
    changed = made[:place] + letter + made[place + 1 :]

    assert (OURS.read(MESSAGE, changed) is None) == (changed != made)


@given(st.text(max_size=60) | st.text("abcz", min_size=LETTERS, max_size=LETTERS))
def test_what_we_did_not_make_names_nothing(text: str) -> None:
    assert OURS.read(MESSAGE, text) is None
    assert OURS.read(ASSIGN, text, ids=2) is None


def test_it_serves_one_purpose_of_one_installation_and_so_many_rows() -> None:
    made = OURS.make(MESSAGE, [17], AT)

    others = [OURS.read(purpose, made) for purpose in (STOP, VERIFY, CARD, ASSIGN, "")]
    assert others == [None] * 5
    assert References("other").read(MESSAGE, made) is None
    assert OURS.read(MESSAGE, made, ids=2) is None
    assert OURS.read(MESSAGE, made.upper()) is None


def test_neighbours_have_nothing_in_common_and_a_return_path_has_room_for_each() -> None:
    made = [OURS.make(MESSAGE, [number], AT) for number in range(200)]

    assert len({one[:8] for one in made}) == len({one[-8:] for one in made}) == 200
    assert {len(one) for one in made} == {LETTERS}
    assert all(one.isalpha() and one.islower() for one in made), "a run of digits would look like a number we refuse"
    assert 16 + len("+") + LETTERS <= 64


@pytest.mark.parametrize(
    ("until", "made_at", "is_older"),
    [(None, AT, False), (AT, AT, True), (AT, AT + timedelta(microseconds=1), False), (AT, AT - timedelta(1), True)],
)
def test_what_was_there_before_is_known_by_its_instant(
    until: datetime | None, made_at: datetime, is_older: bool
) -> None:
    assert References("secret", until).is_older(made_at) is is_older


def test_what_sheets_say_has_a_key_of_its_own_for_each_installation() -> None:
    first, other = References("one secret"), References("another secret")
    ring = read_keys([new_key()])

    assert len(first.sheets) == 32
    assert first.sheets != other.sheets
    kept = ring.referring_by(first).sheet_fingerprint("201", 8)
    assert kept == read_keys([new_key()]).referring_by(first).sheet_fingerprint("201", 8)
    assert kept != ring.referring_by(other).sheet_fingerprint("201", 8)
