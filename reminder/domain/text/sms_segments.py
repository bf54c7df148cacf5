"""The length of a text message: its segments and their cost."""

from enum import StrEnum

# GSM 03.38, the alphabet of Latin text messages. One character outside it turns the whole text into UCS-2.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # each costs two: an escape and a character
_GSM_7 = _BASIC | _EXTENSION


class Encoding(StrEnum):
    """The encoding of a text message: 7 bits a character, or 16."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


# Units in a text of one segment, and in each segment of a longer one, which also carries its place.
_ONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
_EACH = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}


def encoding(text: str) -> Encoding:
    """Return the encoding of a text: UCS-2 as soon as one character needs it."""
    return Encoding.GSM_7 if _GSM_7.issuperset(text) else Encoding.UCS_2


def units(text: str) -> int:
    """Return the length of a text in GSM-7 septets, or in UTF-16 code units."""
    return _units(text, encoding(text))


def _units(text: str, written: Encoding) -> int:
    # Texts are measured far more often than they are sent: to find the shortest of several, and for every forecast.
    if written is Encoding.GSM_7:
        return len(text) + sum(map(text.count, _EXTENSION))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def count(text: str) -> int:
    """Return how many segments are sent and billed; 0 for an empty text. A pair of units is never split."""
    written = encoding(text)
    whole, each = _units(text, written), _EACH[written]
    if whole <= _ONE[written]:
        return min(whole, 1)
    if whole == len(text):
        return -(-whole // each)
    parts, left = 1, each
    for character in text:
        # A pair of units: an escape and a character in GSM-7, two surrogates in UCS-2.
        is_pair = character in _EXTENSION if written is Encoding.GSM_7 else character > "\uffff"
        size = 2 if is_pair else 1
        if size > left:
            parts, left = parts + 1, each
        left -= size
    return parts
