"""The meaning of the headings of a home's sheet: mapped, discarded, or refused so that no cell is read."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.imports import CARD, ColumnUse
from reminder.errors import SettingsError
from reminder.guard.numbers import forbidden

BORN, NOTES = "born", "notes"
# Where somebody is, and the day on which they left: read, asked about and not kept.
STANDING, LEFT_ON = "standing", "left_on"
# A longer heading is a paragraph; its column is not read.
LONGEST = 200


@dataclass(frozen=True)
class ColumnMeaning:
    """The use of a column, by its heading.

    `field`: of a mapped column, "card:" and its kind for the end of a card; "born" and "notes" of a discarded one.
    `is_end`: it says that the cells are ends of a card or paper. Such a column is UNKNOWN where the heading names none
    of them, or several, or a period; `guess` is the kind that it speaks for most, without "card:". `is_bare`: the
    heading is only the name of a card, so that the cells may as well say whether somebody has one.
    """

    use: ColumnUse
    field: str = ""
    is_end: bool = False
    guess: str = ""
    is_bare: bool = False


UNKNOWN, REFUSED = ColumnMeaning(ColumnUse.UNKNOWN), ColumnMeaning(ColumnUse.REFUSED)


@dataclass(frozen=True)
class NamedKind:
    """A kind of card that a text names; not sure where people call another one so, too."""

    kind: str
    is_sure: bool


@dataclass(frozen=True)
class ColumnHeadings:
    """The headings of config/headings.toml, folded once."""

    refused: Sequence[str]
    refused_patterns: Sequence[re.Pattern[str]]
    discarded: Mapping[str, str]  # part of a heading -> field
    discarded_only: frozenset[str]
    standing: frozenset[str]
    own: Sequence[str]
    family: Sequence[str]
    plain: frozenset[str]
    fields: Mapping[str, str]
    ends: Mapping[str, str]  # a heading of the end of a card without its last word -> field
    unnamed_ends: frozenset[str]
    names: Mapping[str, str]  # how a card is called -> kind
    doubtful: frozenset[str]  # those of the names by which people also call another card
    signs: Mapping[str, Sequence[str]]  # kind -> headings that stand beside its end

    @property
    def all_fields(self) -> Sequence[str]:
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
        if forbidden(heading) is not None:
            return REFUSED
        upper, _, lower = heading.rpartition("/")
        above, below = fold(upper), fold(lower)
        is_end = self._is_end(below)
        if self._is_refused(heading):
            # A column of dates is one whatever else its heading holds: マイナンバー期限.
            return ColumnMeaning(ColumnUse.UNKNOWN, is_end=True, guess=self._guess(heading)) if is_end else REFUSED
        field = self._field(above + below)
        # 期限 below 在留カード is not the certificate's end, and 電話 below かかりつけ医 is the doctor's number.
        if field is None and above and (below not in self.plain or self._is_their_own(above)):
            field = self._field(below)
        if field is not None:
            is_card = field.startswith(CARD)
            return ColumnMeaning(ColumnUse.MAPPED, field, is_card, is_bare=is_card and not is_end)
        if is_end:
            return self._end(heading, below)
        if below in self.standing:
            return ColumnMeaning(ColumnUse.DISCARDED, STANDING)
        if below in self.discarded_only:
            return ColumnMeaning(ColumnUse.DISCARDED)
        if above and above + below in self.discarded:
            return ColumnMeaning(ColumnUse.DISCARDED, self.discarded[above + below])
        if below in self.plain:
            return UNKNOWN
        field = next((field for part, field in self.discarded.items() if part in below), None)
        return UNKNOWN if field is None else ColumnMeaning(ColumnUse.DISCARDED, field)

    def _is_end(self, below: str) -> bool:
        """Return whether a lower heading says that the cells are ends, or the days from which to which."""
        if below in self.unnamed_ends:
            return True
        return _END.search(below) is not None or below.endswith(_PERIODS)

    def _end(self, heading: str, below: str) -> ColumnMeaning:
        """Return the meaning of an end that no heading of the list names."""
        named = self.kinds_named(heading)
        # Of a period nobody can say whether its first day, its last or both are in the cells.
        is_period = below.endswith(_PERIODS) and not _END.search(below)
        if len(named) == 1 and named[0].is_sure and not is_period:
            return ColumnMeaning(ColumnUse.MAPPED, CARD + named[0].kind, is_end=True)
        return ColumnMeaning(ColumnUse.UNKNOWN, is_end=True, guess=self._guess(heading))

    def _guess(self, heading: str) -> str:
        named = self.kinds_named(heading)
        return named[0].kind if len(named) == 1 else ""

    def kinds_named(self, text: str) -> Sequence[NamedKind]:
        """Return the kinds of card that a heading or a title names, in its order.

        マイナンバーカードの電子証明書 names one: the thing that the other one belongs to stands directly before it.
        """
        plain = unicodedata.normalize("NFKC", text[:LONGEST]).lower()
        # One mark for all that may stand between the parts of one name; ・ and 、 stand between two names.
        folded = _SEPARATED.sub("|", _JOINED.sub("", plain))
        found: list[tuple[int, int, str]] = []
        for name in self.names:
            at = folded.find(name)
            while at >= 0:
                found.append((at, at + len(name), name))
                at = folded.find(name, at + len(name))
        whole = [
            (start, end, name)
            for start, end, name in sorted(found)
            if not any(first <= start and end <= last and (first, last) != (start, end) for first, last, _ in found)
        ]
        sure: dict[str, bool] = {}
        for place, (_, end, name) in enumerate(whole):
            if place + 1 == len(whole) or folded[end : whole[place + 1][0]] not in ("", "の", "/"):
                kind = self.names[name]
                sure[kind] = sure.get(kind, False) or name not in self.doubtful
        return [NamedKind(kind, is_sure) for kind, is_sure in sure.items()]

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


# Headings of a period, in whose cells both days may be.
_PERIODS = ("有効期間", "認定期間", "validityperiod", "validity")
_JOINED = re.compile(r"[\s_:：.,。*※]")
_SEPARATED = re.compile(r"[・、,()「」『』【】&+]")

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
        discarded |= {fold(word): LEFT_ON for word in _words(table["left_on"])}
        discarded |= {fold(word): "" for word in _words(table["forgotten"])}
        first, *others = map(fold, _words(table["family"]))
        return ColumnHeadings(
            [fold(word) for word in _words(table["refused"])],
            [re.compile(unicodedata.normalize("NFKC", one)) for one in _words(table["refused_patterns"])],
            discarded,
            frozenset(map(fold, _words(table["forgotten_only"]))),
            frozenset(map(fold, _words(table["standing"]))),
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
            frozenset(map(fold, _words(table["unnamed_ends"]))),
            {fold(name): kind for kind, some in _lists(table["names"]).items() for name in some},
            frozenset(map(fold, _words(table["doubtful"]))),
            {kind: [fold(word) for word in some] for kind, some in _lists(table["signs"]).items()},
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
