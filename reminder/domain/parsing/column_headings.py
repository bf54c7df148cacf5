"""The meaning of the headings of a home's sheet: mapped, discarded, or refused so that no cell is read."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.imports import CARD, ColumnUse
from reminder.errors import SettingsError
from reminder.guard.numbers import forbidden

BORN, NOTES = "born", "notes"
# A longer heading is a paragraph; its column is not read.
LONGEST = 200


@dataclass(frozen=True)
class ColumnMeaning:
    """The use of a column, by its heading.

    `field`: of a mapped column, "card:" and its kind for the end of a card; "born" and "notes" of a discarded one.
    """

    use: ColumnUse
    field: str = ""


UNKNOWN, REFUSED = ColumnMeaning(ColumnUse.UNKNOWN), ColumnMeaning(ColumnUse.REFUSED)


@dataclass(frozen=True)
class ColumnHeadings:
    """The headings of config/headings.toml, folded once."""

    refused: Sequence[str]
    refused_patterns: Sequence[re.Pattern[str]]
    discarded: Mapping[str, str]  # part of a heading -> field
    discarded_only: frozenset[str]
    own: Sequence[str]
    family: Sequence[str]
    plain: frozenset[str]
    fields: Mapping[str, str]
    ends: Mapping[str, str]  # a heading of the end of a card without its last word -> field

    @property
    def names(self) -> Sequence[str]:
        """The fields that a column may be mapped to."""
        return list(dict.fromkeys(self.fields.values()))

    def meaning(self, heading: str) -> ColumnMeaning:
        """Return the meaning of a heading; one of two rows is "upper/lower".

        Refused headings are tested first: a column of numbers can never be mapped.
        """
        if not heading.strip():
            return UNKNOWN
        if len(heading) > LONGEST:
            return REFUSED
        if forbidden(heading) is not None or self._is_refused(heading):
            return REFUSED
        upper, _, lower = heading.rpartition("/")
        above, below = fold(upper), fold(lower)
        field = self._field(above + below)
        # 期限 below 在留カード is not the certificate's end, and 電話 below かかりつけ医 is the doctor's number.
        if field is None and above and (below not in self.plain or self._is_their_own(above)):
            field = self._field(below)
        if field is not None:
            return ColumnMeaning(ColumnUse.MAPPED, field)
        if below in self.discarded_only:
            return ColumnMeaning(ColumnUse.DISCARDED)
        if above and above + below in self.discarded:
            return ColumnMeaning(ColumnUse.DISCARDED, self.discarded[above + below])
        if below in self.plain:
            return UNKNOWN
        field = next((field for part, field in self.discarded.items() if part in below), None)
        return UNKNOWN if field is None else ColumnMeaning(ColumnUse.DISCARDED, field)

    def _is_refused(self, heading: str) -> bool:
        """Return whether the heading's words name a column of numbers."""
        folded = fold(heading)
        seen = unicodedata.normalize("NFKC", heading).lower()
        looks = (seen, re.sub(r"\s", "", seen))
        return any(word in folded for word in self.refused) or any(
            pattern.search(look) for pattern in self.refused_patterns for look in looks
        )

    def _field(self, folded: str) -> str | None:
        if folded in self.fields:
            return self.fields[folded]
        for word in self.family:
            if folded.startswith(word):
                return self.fields.get(self.family[0] + folded.removeprefix(word))
        stem = _END.sub("", folded)
        return self.ends.get(stem) if stem != folded else None

    def _is_their_own(self, above: str) -> bool:
        return any(word in above for word in self.own) and not any(word in above for word in self.family)


# In the form that fold() returns: 資格確認書の有効期限, 資格確認書期限日 and 資格確認書 満了年月日 mean the same.
_END = re.compile(
    r"の?(?:有効)?(?:期限|期間満了|期間終了|満了|expirydate|expiry|expires|expirationdate)(?:年月日|日)?$"
)


_BETWEEN = re.compile(r"[\s\-_・/（）()「」『』【】:：.,、。*※]")


def fold(heading: str) -> str:
    """Return one spelling for all that look alike: phone_number, Phone Number and PHONENUMBER."""
    plain = unicodedata.normalize("NFKC", heading).lower()
    visible = "".join(mark for mark in plain if unicodedata.category(mark) not in ("Cf", "Cc", "Mn"))
    return _BETWEEN.sub("", visible)


def without_end(heading: str) -> str:
    """Return a heading folded, without the word for an end: 会員証 for 会員証の有効期限."""
    return _END.sub("", fold(heading))


def read_headings(table: Mapping[str, object]) -> ColumnHeadings:
    """Return the headings of the parsed config/headings.toml; raises SettingsError."""
    try:
        cards, fields = _lists(table["cards"]), _lists(table["fields"])
        known = {fold(heading): field for field, some in fields.items() for heading in some}
        known |= {fold(heading): CARD + kind for kind, some in cards.items() for heading in some}
        discarded = {fold(word): BORN for word in _words(table["born"])}
        discarded |= {fold(word): NOTES for word in _words(table["notes"])}
        discarded |= {fold(word): "" for word in _words(table["forgotten"])}
        first, *others = map(fold, _words(table["family"]))
        return ColumnHeadings(
            [fold(word) for word in _words(table["refused"])],
            [re.compile(unicodedata.normalize("NFKC", one)) for one in _words(table["refused_patterns"])],
            discarded,
            frozenset(map(fold, _words(table["forgotten_only"]))),
            [fold(word) for word in _words(table["own"])],
            # 緊急連絡先1 begins with 緊急連絡先.
            [first, *sorted(others, key=len, reverse=True)],
            frozenset(map(fold, _words(table["plain"]))),
            known,
            {
                _END.sub("", heading): field
                for heading, field in known.items()
                if field.startswith(CARD) and _END.sub("", heading)
            },
        )
    except (KeyError, TypeError, ValueError, re.error) as wrong:
        raise SettingsError("config/headings.toml", f"{wrong} is missing or no list of words") from None


def _words(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError(value)
    return value


def _lists(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return {name: _words(some) for name, some in value.items()}
