"""What the columns of a home's table mean: from headings, titles, the name of the sheet, neighbours and values.

A heading such as 有効期限 names no card. Which card it is about is concluded from what stands around it and from the
days below it; where that is not certain, somebody is asked, once for the column.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from reminder.domain.model.imports import CARD, ColumnUse
from reminder.domain.parsing import dates
from reminder.domain.parsing.cell_words import read_period, read_word
from reminder.domain.parsing.column_headings import ColumnHeadings, ColumnMeaning, fold
from reminder.errors import DateError


class Why(StrEnum):
    """The reason for what a column is taken for, or for not being read."""

    HEADING = "heading"
    TITLE = "title"
    SHEET_NAME = "sheet_name"
    NEIGHBOURS = "neighbours"
    SAID_BEFORE = "said_before"
    NUMBERS = "numbers"
    NOT_NEEDED = "not_needed"
    NOT_UNDERSTOOD = "not_understood"
    NO_HEADING = "no_heading"
    NO_DATES = "no_dates"


class Ask(StrEnum):
    """What somebody has to say about a column before its rows are checked."""

    WHICH_CARD = "which_card"
    WHETHER_END = "whether_end"  # its cells hold periods: is the last day to be taken?
    VALUES_DIFFER = "values_differ"  # the days are not such as this card has
    TWO_ALIKE = "two_alike"  # another column would mean the same


@dataclass(frozen=True)
class SeenColumn:
    """A column of a table as it is seen. `cells`: by row number, those of the first rows that hold anything."""

    place: int
    heading: str
    cells: Mapping[int, str]


@dataclass(frozen=True)
class SeenTable:
    """A table as it is seen. `titles`: the texts above the headings. `born`: birthdays, by row number."""

    titles: Sequence[str]
    sheet_name: str
    columns: Sequence[SeenColumn]
    born: Mapping[int, date]


@dataclass(frozen=True)
class Conclusion:
    """What a column is taken for.

    `field`: of a column that is sure; "" where it is not read or asked about. `guess`: the field that is likeliest for
    one that is asked about. `against`: kinds of card whose ends are never such days as stand in the column.
    """

    use: ColumnUse
    field: str
    why: Why | None
    ask: Ask | None = None
    guess: str = ""
    against: Sequence[str] = ()


# Below so many days a pattern may be chance: of three days all are the last of a month once in 27,000 times.
FEWEST = 3
# From so many days on, days of another kind than a heading names are asked about.
MANY = 5
NEARLY_ALL, HALF = 0.9, 0.5
_CERTIFICATES = ("mynumber_user_certificate", "mynumber_signature_certificate")
# They end on a birthday (the card on the tenth or fifth one, the certificates on the fifth).
ON_BIRTHDAYS = frozenset((*_CERTIFICATES, "mynumber_card", "smartphone_certificate"))
AT_MONTH_ENDS = frozenset({"care_certification"})
ON_31_JULY = frozenset({"shikaku_kakuninsho_75plus", "care_burden_ratio", "care_burden_limit", "high_cost_limit"})
# A sheet about the card often keeps the end of its certificate: the title does not tell them apart.
NOT_BY_TITLE = frozenset({"mynumber_card"})


@dataclass(frozen=True)
class _Values:
    """What the cells of a column are like. Shares are of all days; `birthdays` is None where no birthday is known."""

    held: int
    days: int
    periods: int
    words: int
    different: int
    month_ends: float
    july: float
    birthdays: float | None

    @property
    def holds_dates(self) -> bool:
        """Whether at least half of the cells with anything but a word of absence are dates or periods."""
        counted = self.held - self.words
        return counted == 0 or 2 * (self.days + self.periods) >= counted


def understand(headings: ColumnHeadings, table: SeenTable) -> Sequence[Conclusion]:
    """Return what each column of a table is taken for."""
    texts = [column.heading for column in table.columns]
    around = {fold(text.rpartition("/")[2]) for text in texts}
    ends = {column.place for column in table.columns if headings.meaning(column.heading).is_end}
    unnamed = sum(1 for column in table.columns if (said := headings.meaning(column.heading)).is_end and not said.field)
    found = [
        _conclude(headings, table, column, headings.meaning(column.heading), around, unnamed)
        if column.place in ends
        else _plain(headings.meaning(column.heading), column.heading)
        for column in table.columns
    ]
    return _without_pairs(found)


def _plain(meaning: ColumnMeaning, heading: str) -> Conclusion:
    why = {
        ColumnUse.MAPPED: Why.HEADING,
        ColumnUse.REFUSED: Why.NUMBERS,
        ColumnUse.DISCARDED: Why.NOT_NEEDED,
        ColumnUse.UNKNOWN: Why.NOT_UNDERSTOOD if heading.strip() else Why.NO_HEADING,
    }[meaning.use]
    return Conclusion(meaning.use, meaning.field, why)


def _conclude(
    headings: ColumnHeadings,
    table: SeenTable,
    column: SeenColumn,
    meaning: ColumnMeaning,
    around: set[str],
    unnamed: int,
) -> Conclusion:
    values = _values(column, table.born)
    against = _against(values)
    if meaning.field:
        return _of_named(meaning, values, against)
    if values.held > values.words and not values.holds_dates:
        return Conclusion(ColumnUse.UNKNOWN, "", Why.NO_DATES)
    kind, why = _from_around(headings, table, values, around, against) if not meaning.guess else (meaning.guess, None)
    if kind and why is not None and unnamed == 1 and not values.periods:
        return Conclusion(ColumnUse.MAPPED, CARD + kind, why, None, "", sorted(against))
    guess = kind if kind and kind not in against else _from_values(values)
    ask = Ask.WHETHER_END if values.periods and (why is not None or meaning.guess) else Ask.WHICH_CARD
    return Conclusion(ColumnUse.UNKNOWN, "", None, ask, CARD + guess if guess else "", sorted(against))


def _of_named(meaning: ColumnMeaning, values: _Values, against: set[str]) -> Conclusion:
    """Return what a column is taken for whose heading names its card."""
    kind = meaning.field.removeprefix(CARD)
    if meaning.is_bare and values.held > values.words and not values.holds_dates:
        # 負担割合証: 1割. マイナンバーカード: 有.
        return Conclusion(ColumnUse.UNKNOWN, "", Why.NO_DATES)
    if values.periods:
        return Conclusion(ColumnUse.UNKNOWN, "", None, Ask.WHETHER_END, meaning.field, sorted(against))
    if kind in against and values.days >= MANY:
        return Conclusion(ColumnUse.UNKNOWN, "", None, Ask.VALUES_DIFFER, meaning.field, sorted(against))
    return Conclusion(ColumnUse.MAPPED, meaning.field, Why.HEADING, None, "", sorted(against))


def _from_around(
    headings: ColumnHeadings, table: SeenTable, values: _Values, around: set[str], against: set[str]
) -> tuple[str, Why | None]:
    """Return the kind that a title, the name of the sheet or the other headings speak for, and which of them says so.

    The reason is None where they only make it likely.
    """
    told = [(Why.TITLE, " ".join(table.titles[-4:])[:200]), (Why.SHEET_NAME, table.sheet_name)]
    named = {why: headings.kinds_named(text) for why, text in told}
    kinds = {one.kind for some in named.values() for one in some}
    if len(kinds) > 1:
        return "", None
    if kinds:
        kind = next(iter(kinds))
        why = next(why for why, some in named.items() if some)
        is_sure = any(one.is_sure for some in named.values() for one in some)
        may_differ = kind in NOT_BY_TITLE or kind in against or not is_sure or _speaks_against(kind, values)
        return kind, None if may_differ else why
    for kind, signs in headings.signs.items():
        if around & set(signs):
            is_such = kind in AT_MONTH_ENDS and values.different >= FEWEST and values.month_ends >= NEARLY_ALL
            is_yearly = values.july >= HALF
            return kind, Why.NEIGHBOURS if is_such and not is_yearly and not (values.birthdays or 0) > HALF else None
    return "", None


def _speaks_against(kind: str, values: _Values) -> bool:
    """Return whether most days are not such as this kind has, however few they are."""
    if values.days == 0:
        return False
    if kind in AT_MONTH_ENDS:
        return values.month_ends < NEARLY_ALL or values.july >= NEARLY_ALL
    if kind in ON_31_JULY:
        return values.july < HALF
    return kind in ON_BIRTHDAYS and values.birthdays is not None and values.birthdays < HALF


def _against(values: _Values) -> set[str]:
    """Return the kinds whose ends are never such days; none below FEWEST different days."""
    found: set[str] = set()
    if values.days < FEWEST:
        return found
    if values.different >= FEWEST and values.month_ends >= NEARLY_ALL:
        found |= ON_BIRTHDAYS
    if values.july >= NEARLY_ALL and values.days >= MANY:
        found |= ON_BIRTHDAYS | {"driving_licence"}
    if values.birthdays is not None:
        if values.birthdays < 1 - NEARLY_ALL:
            found |= ON_BIRTHDAYS
        elif values.birthdays >= NEARLY_ALL and values.different >= FEWEST:
            found |= AT_MONTH_ENDS | ON_31_JULY
    return found


def _from_values(values: _Values) -> str:
    """Return the kind that the days alone make likeliest, "" where they say nothing."""
    if values.days < FEWEST:
        return ""
    if values.birthdays is not None and values.birthdays >= NEARLY_ALL:
        return "mynumber_user_certificate"
    if values.july >= NEARLY_ALL:
        return "shikaku_kakuninsho_75plus"
    return "care_certification" if values.different >= FEWEST and values.month_ends >= NEARLY_ALL else ""


def _without_pairs(found: Sequence[Conclusion]) -> Sequence[Conclusion]:
    """Return the conclusions; of two columns that were concluded to mean the same, one is asked about."""
    fields = [one.field for one in found if one.field.startswith(CARD)]
    return [
        Conclusion(ColumnUse.UNKNOWN, "", None, Ask.TWO_ALIKE, one.field, one.against)
        if one.why in (Why.TITLE, Why.SHEET_NAME, Why.NEIGHBOURS) and fields.count(one.field) > 1
        else one
        for one in found
    ]


def _values(column: SeenColumn, born: Mapping[int, date]) -> _Values:
    days: dict[int, date] = {}
    periods = words = 0
    for number, text in column.cells.items():
        if read_word(text) is not None:
            words += 1
        elif (day := _day(text)) is not None:
            days[number] = day
        elif read_period(text) is not None:
            periods += 1
    count = len(days)
    compared = [(day, born[number]) for number, day in days.items() if number in born]
    return _Values(
        held=len(column.cells),
        days=count,
        periods=periods,
        words=words,
        different=len(set(days.values())),
        month_ends=_share(sum(day == dates.month_end(day.year, day.month) for day in days.values()), count),
        july=_share(sum((day.month, day.day) == (7, 31) for day in days.values()), count),
        birthdays=_share(sum(_is_birthday(day, birth) for day, birth in compared), len(compared)) if compared else None,
    )


def _is_birthday(day: date, born: date) -> bool:
    # Of those born on 29 February it is 28 February or 1 March.
    is_leap = (born.month, born.day) == (2, 29) and (day.month, day.day) in ((2, 28), (3, 1))
    return is_leap or (day.month, day.day) == (born.month, born.day)


def _share(some: int, of: int) -> float:
    return some / of if of else 0.0


@lru_cache(maxsize=2048)
def _day(text: str) -> date | None:
    try:
        return dates.read_date(text)
    except DateError:
        return None


# ---- what a home has said of a column


_CHANGING = re.compile(r"[0-9]+|(?:令和|平成|[rh])(?=[0-9年])|[年月日]")


def memory_of(headings: ColumnHeadings, table: SeenTable) -> Iterator[str]:
    """Yield for each column the key by which what a home says of it is remembered, "" for one without a heading.

    Of a heading that names its field: title and name of the sheet, without what changes from month to month. Of an end
    that names no card all other headings as well, so that another kind of list is asked about again.
    """
    place = [_lasting(" ".join(table.titles)), _lasting(table.sheet_name)]
    others = sorted(fold(column.heading) for column in table.columns)
    for column in table.columns:
        is_unnamed = (said := headings.meaning(column.heading)).is_end and not said.field
        told = "\n".join([*place, *(others if is_unnamed else ())])
        heading = " ".join(column.heading.split())[:60]
        yield f"{hashlib.sha256(told.encode()).hexdigest()[:16]}\t{heading}" if heading else ""


def _lasting(text: str) -> str:
    return _CHANGING.sub("", fold(unicodedata.normalize("NFKC", text)))
