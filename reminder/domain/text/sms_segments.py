"""The length of a text message: its segments and their cost."""

from collections.abc import Iterable
from enum import StrEnum

# GSM 03.38, the alphabet of Latin text messages. One character outside it turns the whole text into UCS-2.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # each costs two: an escape and a character


class Encoding(StrEnum):
    """The encoding of a text message: 7 bits a character, or 16."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


# Units in a text of one segment, and in each segment of a longer one, which also carries its place.
_ONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
_EACH = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}


def encoding(text: str) -> Encoding:
    """Return the encoding of a text: UCS-2 as soon as one character needs it."""
    return Encoding.GSM_7 if all(char in _BASIC or char in _EXTENSION for char in text) else Encoding.UCS_2


def units(text: str) -> int:
    """Return the length of a text in GSM-7 septets, or in UTF-16 code units."""
    return sum(_sizes(text, encoding(text)))


def count(text: str) -> int:
    """Return how many segments are sent and billed; 0 for an empty text. A pair of units is never split."""
    written = encoding(text)
    sizes = list(_sizes(text, written))
    if not sizes or sum(sizes) <= _ONE[written]:
        return min(len(sizes), 1)
    parts, left = 1, _EACH[written]
    for size in sizes:
        if size > left:
            parts, left = parts + 1, _EACH[written]
        left -= size
    return parts


def _sizes(text: str, written: Encoding) -> Iterable[int]:
    if written is Encoding.GSM_7:
        return (2 if char in _EXTENSION else 1 for char in text)
    return (2 if ord(char) > 0xFFFF else 1 for char in text)
