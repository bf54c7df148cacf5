"""What the headings of a home's sheet mean: taken, forgotten, or so that their columns are not read at all."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reminder.errors import SettingsError
from reminder.guard.numbers import forbidden


class Fate(StrEnum):
    MAPPED = "mapped"
    FORGOTTEN = "forgotten"
    REFUSED = "refused"  # its cells are never looked at
    UNKNOWN = "unknown"  # somebody may say what it holds


BORN, NOTES = "born", "notes"
# A field that holds the end of a card is called by its kind: "card:mynumber_card".
CARD = "card:"


@dataclass(frozen=True)
class Meaning:
    """`field`: what a mapped column holds, "card:" and its kind for the end of a card; "born" and "notes" of a
    forgotten one."""

    fate: Fate
    field: str = ""


UNKNOWN, REFUSED = Meaning(Fate.UNKNOWN), Meaning(Fate.REFUSED)


@dataclass(frozen=True)
class Headings:
    """config/headings.toml, folded once."""

    refused: Sequence[str]
    refused_patterns: Sequence[re.Pattern[str]]
    forgotten: Mapping[str, str]  # part of a heading -> field
    forgotten_only: frozenset[str]
    fields: Mapping[str, str]

    @property
    def names(self) -> Sequence[str]:
        """What a column may be said to hold."""
        return list(dict.fromkeys(self.fields.values()))

    def meaning(self, heading: str) -> Meaning:
        """Of a heading; one of two rows is "upper/lower". Numbers first: what is refused cannot be taken."""
        if not heading.strip():
            return UNKNOWN
        if forbidden(heading) is not None or self._is_refused(heading):
            return REFUSED
        parts = heading.split("/")
        candidates = [heading.replace("/", ""), parts[-1]] if len(parts) > 1 else [heading]
        folded = [fold(one) for one in candidates]
        for one in folded:
            if one in self.fields:
                return Meaning(Fate.MAPPED, self.fields[one])
        if folded[-1] in self.forgotten_only:
            return Meaning(Fate.FORGOTTEN)
        field = next((field for part, field in self.forgotten.items() if part in folded[-1]), None)
        return UNKNOWN if field is None else Meaning(Fate.FORGOTTEN, field)

    def _is_refused(self, heading: str) -> bool:
        folded = fold(heading)
        seen = unicodedata.normalize("NFKC", heading).lower()
        return any(word in folded for word in self.refused) or any(
            pattern.search(seen) for pattern in self.refused_patterns
        )


_BETWEEN = re.compile(r"[\s\-_・/（）()「」『』【】:：.,、。*※]")


def fold(heading: str) -> str:
    """One spelling for all that look alike: phone_number, Phone Number and PHONENUMBER."""
    plain = unicodedata.normalize("NFKC", heading).lower()
    visible = "".join(mark for mark in plain if unicodedata.category(mark) not in ("Cf", "Cc", "Mn"))
    return _BETWEEN.sub("", visible)


def read_headings(table: Mapping[str, object]) -> Headings:
    """From config/headings.toml. Raises SettingsError."""
    try:
        cards, fields = _lists(table["cards"]), _lists(table["fields"])
        known = {fold(heading): field for field, some in fields.items() for heading in some}
        known |= {fold(heading): CARD + kind for kind, some in cards.items() for heading in some}
        forgotten = {fold(word): BORN for word in _words(table["born"])}
        forgotten |= {fold(word): NOTES for word in _words(table["notes"])}
        forgotten |= {fold(word): "" for word in _words(table["forgotten"])}
        return Headings(
            [fold(word) for word in _words(table["refused"])],
            [re.compile(unicodedata.normalize("NFKC", one)) for one in _words(table["refused_patterns"])],
            forgotten,
            frozenset(map(fold, _words(table["forgotten_only"]))),
            known,
        )
    except (KeyError, TypeError, re.error) as wrong:
        raise SettingsError("config/headings.toml", f"{wrong} is missing or no list of words") from None


def _words(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError(value)
    return value


def _lists(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return {name: _words(some) for name, some in value.items()}
