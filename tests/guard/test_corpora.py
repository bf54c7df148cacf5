"""The guard on the corpora of tests/data/guard: what it must refuse and what it must let through, with floors.

The half that is called sealed was looked at only as these figures. `python -m tests.guard.recall` prints them.
"""

import re
from collections import Counter

import pytest

from reminder.guard import secrets
from reminder.guard.numbers import LooksLike, forbidden_in_record
from tests.guard.recall import FIRST, LATER, SEALED, TUNED, entries, measured
from tests.guard.steps import beginnings

RECALL, FALSE_ALARMS = 0.95, 0.01


def test_the_corpora_are_large_and_their_halves_alike() -> None:
    of = Counter((one.corpus, one.is_hostile, one.half) for one in entries())

    for corpus in (FIRST, LATER):
        assert sum(of[corpus, True, half] for half in (TUNED, SEALED)) >= 150
        assert sum(of[corpus, False, half] for half in (TUNED, SEALED)) >= 200
        assert all(of[corpus, kind, half] >= 75 for kind in (True, False) for half in (TUNED, SEALED))
    assert len({one.text for one in entries()}) == of.total()


@pytest.mark.parametrize("half", [TUNED, SEALED])
@pytest.mark.parametrize("corpus", [FIRST, LATER])
def test_the_guard_finds_hidden_numbers_and_lets_ordinary_life_through(corpus: str, half: str) -> None:
    found = measured(corpus, half)

    assert found.recall >= RECALL
    assert found.false_alarms <= FALSE_ALARMS


@pytest.mark.parametrize(
    ("fields", "looks_like", "why"),
    [
        (("母493", "82716", "0454"), LooksLike.MY_NUMBER, "twelve digits over three fields"),
        (("母", "A-12", "203"), None, "a room and a reference"),
        (("203 佐藤", "12345", "203", "2階"), None, "a room that stands in two fields counts once"),
        (("花子", None, "", "2026-12-01", "203"), None, "a date explains its digits"),
        (("暗証", "1234"), LooksLike.PASSCODE, "the word in one field, the digits in another"),
        (
            ("よんきゅう", "さんはちになな", "いちろくぜろ", "よんごよん"),
            LooksLike.MY_NUMBER,
            "digit words over four fields",
        ),
    ],
)
def test_a_record_is_looked_at_as_a_whole(
    fields: tuple[str | None, ...], looks_like: LooksLike | None, why: str
) -> None:
    assert forbidden_in_record(fields) == looks_like, why


@pytest.mark.parametrize("words", secrets.WORDS, ids=lambda words: words.pattern[:12])
def test_the_quick_look_for_a_secret_word_misses_none(words: re.Pattern[str]) -> None:
    for beginning in beginnings(words):
        assert secrets.may_name_secret(beginning), beginning
