"""The merge of a home's sheet with the registry: three ways, because both sides are edited between two uploads.

The third side is what the sheet said when it was last saved. A change that only one side made is taken or kept; one
that both made is asked about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dateutil.relativedelta import relativedelta

from reminder.domain.model.card_kinds import (
    CardBirthdays,
    CardKind,
    CertificateBirthdays,
    LastsMonths,
    LastsUntil,
    LastsYears,
    LicenceBirthdays,
)


class Verdict(StrEnum):
    """What becomes of a cell of the sheet."""

    SAME = "same"  # both sides say the same
    TAKE = "take"  # only the sheet has changed: its value is taken
    KEEP = "keep"  # only the registry has changed: its value stays
    ASK = "ask"  # both have changed


def verdict(*, is_equal: bool, sheet_as_before: bool | None, ours_as_before: bool | None) -> Verdict:
    """Return what becomes of a cell.

    `is_equal`: the sheet and the registry say the same. `sheet_as_before`: the sheet says what it said when it was last
    saved; None where nobody knows what that was. `ours_as_before`: the registry says what the sheet said then.
    """
    if is_equal:
        return Verdict.SAME
    if sheet_as_before is None:
        return Verdict.TAKE
    if sheet_as_before:
        return Verdict.KEEP
    return Verdict.TAKE if ours_as_before else Verdict.ASK


# Renewed before its end, a card lasts longer than its kind does from issue: by the time in which it may be renewed,
# and by what is left of the year of the holder's birthday.
_EARLY_YEARS, _EARLY_MONTHS = 1, 3


def longest(kind: CardKind) -> relativedelta | None:
    """Return how far ahead a card of the kind can end at most; None where only the card says it."""
    lasts = kind.lasts
    match lasts:
        case CardBirthdays():
            years = lasts.birthdays
        case CertificateBirthdays():
            years = max(lasts.birthdays, lasts.renewed_early)
        case LastsYears():
            years = lasts.years
        case LastsMonths():
            return relativedelta(years=_EARLY_YEARS, months=lasts.months + _EARLY_MONTHS)
        case LastsUntil():
            years = 1
        case LicenceBirthdays():
            years = 5
        case _:
            return None
    return relativedelta(years=years + _EARLY_YEARS, months=_EARLY_MONTHS)


@dataclass(frozen=True)
class DateQuestion:
    """A date that is asked about before it is taken. `code` names its sentence; `other`: the kind it belongs to."""

    code: str
    other: str = ""


def odd_date(
    kinds: Mapping[str, CardKind],
    key: str,
    was: date | None,
    becomes: date,
    *,
    others: Mapping[str, date],
    sheet: Mapping[str, date],
    today: date,
) -> DateQuestion | None:
    """Return what is odd about a date that a sheet gives for a card of the kind `key`, None where nothing is.

    `was`: the end that is registered, if any. `others`: the registered ends of the person's other cards, by kind;
    `sheet`: all that the row says.
    """
    if was is not None and becomes < was:
        return DateQuestion("date_goes_back")
    furthest = longest(kinds[key]) if key in kinds else None
    if furthest is not None and becomes > today + furthest:
        return DateQuestion("date_jumps")
    if was is None:
        return None
    for other, end in others.items():
        if other == key or end != becomes:
            continue
        # Where two cards may well end on one day, only one whose own day has moved away was put into another column.
        if sheet.get(other, end) != end or not _may_end_together(kinds, key, other):
            return DateQuestion("date_of_another", other)
    return None


def _may_end_together(kinds: Mapping[str, CardKind], one: str, other: str) -> bool:
    first, second = kinds.get(one), kinds.get(other)
    if first is None or second is None:
        return True
    if other in (first.carried_by, first.bound_by) or one in (second.carried_by, second.bound_by):
        return True
    if first.carried_by and first.carried_by == second.carried_by:
        return True
    return isinstance(first.lasts, LastsUntil) and isinstance(second.lasts, LastsUntil)


def outlives_carrier(kinds: Mapping[str, CardKind], ends: Mapping[str, date]) -> Iterator[tuple[str, str]]:
    """Yield the kinds that would end after the card that they are in, with that card: the columns may be swapped."""
    for key, end in ends.items():
        kind = kinds.get(key)
        carrier = None if kind is None else ends.get(kind.carried_by)
        if kind is not None and carrier is not None and end > carrier:
            yield key, kind.carried_by
