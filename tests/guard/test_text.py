"""The door for typed text: a refusal says what and where, and never a digit of it."""

import sys
import traceback
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard.text import _NO_WORDS, clean, clean_label

NUMBER = "1234 5678 9018"  # invented


@given(st.text(alphabet="0123456789", min_size=12, max_size=12))
def test_a_refusal_holds_nothing_of_what_it_refused(digits: str) -> None:
    with pytest.raises(ForbiddenNumberError) as refused:
        clean(f"備考 {digits}", field="備考")

    error = refused.value
    said = [str(error), repr(error), str(error.args), str(error.details), *traceback.format_exception(error)]
    assert not any(digits in words for words in said)
    assert error.field == "備考"
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_clean_text_loses_what_cannot_be_seen_at_its_ends_and_nothing_else() -> None:
    assert clean("\u200b 母 \u3000\ufeff", field="label") == "母"
    assert clean("か\u3099", field="label") == "が"


@pytest.mark.parametrize(
    ("label", "code", "why"),
    [
        ("", "label_empty", "nothing"),
        (" \u200b\u3000", "label_empty", "nothing that can be seen"),
        ("あ" * 21, "label_too_long", "a story"),
        ("1234", "label_too_many_digits", "more than a room"),
        ("１２３４号", "label_too_many_digits", "in full width"),
        ("①②③④", "label_too_many_digits", "circled"),
        ("母\n父", "label_control_character", "two lines"),
        ("母\x00", "label_control_character", "not a letter"),
        ("母\u2028父", "label_control_character", "a line break of another kind"),
    ],
)
def test_a_label_that_is_none_is_refused(label: str, code: str, why: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        clean_label(label, field="label")

    assert refused.value.code == code, why


@pytest.mark.parametrize("label", ["母", "203 佐藤ハ", "三四郎", "五十嵐 一二三", "髙﨑 𠮷子", "Hanako", "あ" * 20])
def test_ordinary_labels_are_taken_as_they_are(label: str) -> None:
    assert clean_label(label, field="label") == label


def test_a_number_in_a_label_is_refused_as_a_number_before_its_length_is_looked_at() -> None:
    with pytest.raises(ForbiddenNumberError):
        clean_label("母の番号は " + NUMBER + " です、たぶん", field="label")


def test_the_short_ways_over_letters_lead_nowhere_else() -> None:
    every = [chr(point) for point in range(0x20, sys.maxunicode + 1)]

    hidden = [mark for mark in every if mark.isalpha() and any(map(str.isdigit, unicodedata.normalize("NFKC", mark)))]
    unprinted = [mark for mark in every if unicodedata.category(mark) in _NO_WORDS and mark.isprintable()]

    assert (hidden, unprinted) == ([], [])


def test_a_family_that_writes_its_name_with_a_shape_of_its_own_keeps_it() -> None:
    assert clean("\ufa10さん", field="label") == "\ufa10さん", "塚, as the family writes it"
    assert clean("か\u3099んば", field="label") == "がんば"
