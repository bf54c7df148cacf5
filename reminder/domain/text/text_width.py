"""The width of drawn text and its line breaks, for drawings that are made without a screen."""

import re
from unicodedata import east_asian_width

# In ems, rather too wide than too narrow, because fonts differ between screens.
_NARROW, _SMALL, _LARGE = 0.36, 0.62, 0.75
_THIN = frozenset(" .,:;'!|()[]ijlIft")
# Characters that may not begin a line.
_CLINGING = frozenset("、。，．）」』】ー・：！？ゃゅょっァィゥェォャュョッ")
_PIECES = re.compile(r"\s*+(?:[^\s\u1100-\uffff]+|[\u1100-\uffff])|\s++")


def width_of(text: str) -> float:
    """Return the width of a line in ems."""
    return sum(map(_width, text))


def _width(char: str) -> float:
    if east_asian_width(char) in "WFA":
        return 1
    if char in _THIN:
        return _NARROW
    return _LARGE if char.isupper() or char in "mwMW@%" else _SMALL


def wrapped(text: str, ems: float) -> list[str]:
    """Return lines of at most `ems`, except for a single word that is wider."""
    lines = [""]
    for piece in _PIECES.findall(text.rstrip()):
        if lines[-1] and piece not in _CLINGING and width_of(lines[-1] + piece) > ems:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
    return [line.strip() for line in lines]
