"""Readings behind words that are hard to read: 期限（きげん）. In an e-mail's page they become furigana."""

import re
from collections.abc import Callable, Sequence

_KANJI = "[\u3005\u4e00-\u9fff]+"
_READING = re.compile("（[ぁ-ゖー]+）")
# Left unchanged: placeholders, words with a reading, and dates, whose readings follow rules of their own.
_AS_IT_IS = rf"\{{[^}}]*\}}|{_KANJI}{_READING.pattern}|[0-9０-９○＿]+[年月日]|（[月火水木金土日]）"


def annotator(words: Sequence[str]) -> Callable[[str], str]:
    """Return a function that adds readings to a text. `words`: each with its reading, as 行（い）って.

    The longest word is matched first; an existing reading stays.
    """
    with_reading = {_READING.sub("", word): word for word in words}
    if not with_reading:
        return str
    longest_first = sorted(map(re.escape, with_reading), key=len, reverse=True)
    found = re.compile("|".join([_AS_IT_IS, *longest_first]))
    return lambda text: found.sub(lambda match: with_reading.get(match[0], match[0]), text)


def everywhere(table: object, annotate: Callable[[str], str]) -> object:
    """Return the same table with every text annotated."""
    if isinstance(table, dict):
        return {name: everywhere(value, annotate) for name, value in table.items()}
    return annotate(table) if isinstance(table, str) else table


# From the first of its kanji: tried at each, a long run of them would cost its square.
_RUBY = re.compile(rf"(?<![\u3005\u4e00-\u9fff])({_KANJI})（([ぁ-ゖー]+)）")


def as_ruby(html: str) -> str:
    """Return escaped text with furigana above the words whose reading stands behind them.

    For any program: one that knows no ruby, as some that read mail, shows the reading in brackets.
    """
    return _RUBY.sub(r"<ruby>\1<rp>（</rp><rt>\2</rt><rp>）</rp></ruby>", html)


def as_ruby_for_browsers(html: str) -> str:
    """Return the same for a page: every browser knows ruby, and the brackets were a fourth of a page's bytes."""
    return _RUBY.sub(r"<ruby>\1<rt>\2</rt></ruby>", html)


def without(text: str) -> str:
    """Return the same words without their readings."""
    return _RUBY.sub(r"\1", text)


def read_aloud(text: str) -> str:
    """Return the text with each word that has a reading replaced by it."""
    return _RUBY.sub(r"\2", text)
