"""The door for text that people typed: what comes out may be kept."""

import re
import unicodedata
from functools import lru_cache
from typing import NewType

from reminder.errors import ForbiddenNumberError, RefusedInputError
from reminder.guard.numbers import forbidden

CleanText = NewType("CleanText", str)

# Longer texts are hardly ever the same twice.
SHORT = 40
# What nobody sees at the ends of a pasted word: zero-width spaces and joiners, byte order marks, white space.
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad \u3000\t\r\n"


_NO_WORDS = ("Cc", "Zl", "Zp", "Cs", "Co", "Cn")


class _RefusedError(Exception):
    pass


def _passed(text: str) -> bool:
    """Whether a short text may be kept: the same few words stand in thousands of rows."""
    try:
        _pass(text)
    except _RefusedError:
        return False
    return True


@lru_cache(maxsize=4096)
def _pass(text: str) -> None:
    """Raises _RefusedError, so that what is refused is not remembered."""
    if forbidden(text) is not None:
        raise _RefusedError


def clean(text: str, *, field: str) -> CleanText:
    """The text without what is unseen at its ends. Raises ForbiddenNumberError, which holds nothing of the text."""
    looks_like = None if len(text) <= SHORT and _passed(text) else forbidden(text)
    if looks_like is not None:
        raise ForbiddenNumberError(field=field, looks_like=looks_like)
    return CleanText(_composed(text).strip(_UNSEEN))


# Shapes of kanji that some families write their names with; composing would put the usual shape in their place.
_OWN_SHAPES = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f])")


def _composed(text: str) -> str:
    """か and ゛ become が, so that a word is the same however it was typed."""
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(
        part if _OWN_SHAPES.fullmatch(part) else unicodedata.normalize("NFC", part) for part in _OWN_SHAPES.split(text)
    )


def clean_label(text: str, *, field: str, longest: int = 20, most_digits: int = 3) -> CleanText:
    """A short name such as 母, 花子さん or 203: one line, few digits. Raises RefusedInputError."""
    label = clean(text, field=field)
    if not label:
        raise RefusedInputError("label_empty", field=field)
    # Most are printable, which none of these is.
    if not label.isprintable() and any(unicodedata.category(character) in _NO_WORDS for character in label):
        raise RefusedInputError("label_control_character", field=field)
    if len(label) > longest:
        raise RefusedInputError("label_too_long", field=field, longest=longest)
    if _digit_count(label) > most_digits:
        raise RefusedInputError("label_too_many_digits", field=field, most_digits=most_digits)
    return label


def _digit_count(label: str) -> int:
    """Kanji are counted as the words they mostly are: 三四郎 has no digits, and what is all letters has none either."""
    if label.isalpha():
        return 0
    if label.isascii():
        return sum(map(str.isdecimal, label))
    return sum(unicodedata.digit(character, None) is not None for character in unicodedata.normalize("NFKC", label))
