"""Forms of address: how a person is addressed, and how carers refer to them."""

import re
from functools import lru_cache

from reminder.domain.text.catalog import Catalog


def address_of(label: str, words: Catalog) -> str:
    """Return how a person is addressed: 母 → お母さん, 203 佐藤 → 佐藤さん, 花子さん as it is.

    An empty label is one that may not leave us: neutral words replace it.
    """
    if not label:
        return words.section("neutral")["call"]
    name = _name_in(label)
    called, suffix = words.section("called"), words.word("call_suffix")
    if name in called:
        return called[name]
    return name if name.endswith(("さん", "様", "さま", "ちゃん", "くん", "先生")) else name + suffix


def carers_word(label: str, words: Catalog) -> str:
    """Return how a carer refers to the person, with the room where the label has one; neutral words for no label."""
    if not label:
        return words.section("neutral")["who"]
    return words.section("carers_word").get(label, label if label != _name_in(label) else address_of(label, words))


_BRACKETS_AND_ROOMS = re.compile(r"[(（\[［][^)）\]］]{0,60}[)）\]］]|(?<![0-9０-９])[0-9０-９]+ *号室?")


@lru_cache(maxsize=4096)
def _name_in(label: str) -> str:
    """Return the label without brackets and rooms: 佐藤（203） and 佐藤203号室 are both 佐藤."""
    bare = _BRACKETS_AND_ROOMS.sub(" ", label)
    named = [part for part in bare.split() if not any(map(str.isdigit, part))]
    return " ".join(named) or label
