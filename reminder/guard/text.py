"""The guard of typed text: it returns text that may be stored."""

import re
import unicodedata
from functools import lru_cache
from typing import NewType

from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard import digit_words, ordinary, outgoing
from reminder.guard.numbers import forbidden

CleanText = NewType("CleanText", str)

# Longer texts are hardly ever repeated.
SHORT = 40
# Invisible characters at the ends of a pasted word: zero-width spaces and joiners, byte order marks, white space.
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad \u3000\t\r\n"


_NO_WORDS = ("Cc", "Zl", "Zp", "Cs", "Co", "Cn")


class _RefusedError(Exception):
    pass


def _passed(text: str) -> bool:
    """Return whether a short text may be stored; cached, because the same few words are in thousands of rows."""
    try:
        _pass(text)
    except _RefusedError:
        return False
    return True


@lru_cache(maxsize=4096)
def _pass(text: str) -> None:
    """Raise _RefusedError for a refused text, so that it is not cached."""
    if forbidden(text) is not None:
        raise _RefusedError


def clean(text: str, *, field: str) -> CleanText:
    """Return the text without invisible characters at its ends.

    Raises ForbiddenNumberError, which holds nothing of the text.
    """
    looks_like = None if len(text) <= SHORT and _passed(text) else forbidden(text)
    if looks_like is not None:
        raise ForbiddenNumberError(field=field, looks_like=looks_like)
    return CleanText(_composed(text).strip(_UNSEEN))


# Shapes of kanji in some families' names; composition would replace them by the usual shape.
_OWN_SHAPES = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f])")


def _composed(text: str) -> str:
    """Return the text with か and ゛ composed to が, so that a word is the same however it was typed."""
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(
        part if _OWN_SHAPES.fullmatch(part) else unicodedata.normalize("NFC", part) for part in _OWN_SHAPES.split(text)
    )


def clean_label(
    text: str, *, field: str, longest: int = 20, most_digits: int = 3, counts_dates_and_phones: bool = True
) -> CleanText:
    """Return a short name such as 母, 花子さん or 203: one line, few digits, and nothing that may not leave us.

    Raises RefusedInputError.
    """
    label = clean(text, field=field)
    if not label:
        raise RefusedInputError("label_empty", field=field)
    # None of these is printable, and most texts are.
    if not label.isprintable() and any(unicodedata.category(character) in _NO_WORDS for character in label):
        raise RefusedInputError("label_control_character", field=field)
    if len(label) > longest:
        raise RefusedInputError("label_too_long", field=field, longest=longest)
    counted = label if counts_dates_and_phones else ordinary.mask_plain(unicodedata.normalize("NFKC", label))
    if _digit_count(counted) > most_digits:
        raise RefusedInputError("label_too_many_digits", field=field, most_digits=most_digits)
    outgoing.refuse_unsafe(label, field=field)
    return label


def has_unexplained_digits(text: str) -> bool:
    """Return whether a text holds digits other than those of dates, times and telephone numbers, or digit words."""
    plain = unicodedata.normalize("NFKC", text)
    return any(map(str.isnumeric, ordinary.mask_plain(plain))) or digit_words.may_hold_words(plain.lower())


def _digit_count(label: str) -> int:
    """Return the number of digits; kanji count as words: 三四郎 has none, nor has a text of letters only."""
    if label.isalpha():
        return 0
    if label.isascii():
        return sum(map(str.isdecimal, label))
    return sum(unicodedata.digit(character, None) is not None for character in unicodedata.normalize("NFKC", label))
