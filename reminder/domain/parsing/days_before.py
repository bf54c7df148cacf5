"""Days before an end date, as people type them, as they are stored, and which of them may be chosen."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from itertools import pairwise

from reminder.errors import ForbiddenNumberError, RefusedInputError

MOST_DAYS, FURTHEST_DAY = 8, 365

# Holidays pull a text forward by about this much anyway: gaps that grow by less are corrected by the planner.
_SLACK = 3

_BETWEEN = re.compile(r"[\s,、・/;]+")
_DAY = re.compile(r"(0|[1-9][0-9]{0,2})(?:日前|日)?")


def read_days(text: str) -> tuple[int, ...]:
    """Return days before the end, farthest first, as people type them: 60 30 7, ６０、３０, 60日前.

    Raises RefusedInputError.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    found = [_DAY.fullmatch(part) for part in _BETWEEN.split(plain) if part]
    days = [int(one[1]) for one in found if one is not None]
    if len(days) < len(found):
        raise unreadable(text, "own_days")
    if any(day > FURTHEST_DAY for day in days):
        # Three or four longer groups of digits are how a card's number is typed.
        raise unreadable(text, "own_days", "own_days_out_of_range", furthest=FURTHEST_DAY)
    return checked_days(days)


def read_day_count(text: str, field: str) -> int | None:
    """Return a number of days, as people type it: 60, ６０日, 60日前; None for an empty text.

    Raises RefusedInputError.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return None
    found = _DAY.fullmatch(plain)
    if found is None:
        raise unreadable(text, field, "days_unreadable")
    return int(found[1])


def days_of(kept: str) -> tuple[int, ...]:
    """Return stored days: "60 30 7". Raises ValueError for what no program of ours has stored."""
    return tuple(map(int, kept.split()))


def kept_form(days: Sequence[int]) -> str:
    """Return days as they are stored."""
    return " ".join(map(str, days))


def checked_days(days: Collection[int]) -> tuple[int, ...]:
    """Return days before the end, farthest first; raises RefusedInputError for days that cannot be kept."""
    in_order = tuple(sorted(days, reverse=True))
    refuse_days(in_order)
    return in_order


def unreadable(text: str, field: str, code: str = "", **details: object) -> RefusedInputError:
    """Return the refusal of a text that is no such number; it says so where it looks like a forbidden one."""
    # This loads a library of telephone numbers, which would delay the command line's help.
    from reminder.guard.numbers import forbidden

    looks_like = forbidden(text)
    if looks_like is not None:
        return ForbiddenNumberError(field=field, looks_like=looks_like)
    return RefusedInputError(code or f"{field}_unreadable", field=field, **details)


def refuse_days(days: Sequence[int]) -> None:
    """Raise RefusedInputError for days, farthest first, that cannot be chosen together."""
    if len(days) > MOST_DAYS:
        raise RefusedInputError("own_days_too_many", field="own_days", most=MOST_DAYS)
    if any(not 0 <= day <= FURTHEST_DAY for day in days):
        raise RefusedInputError("own_days_out_of_range", field="own_days", furthest=FURTHEST_DAY)
    if any(farther == nearer for farther, nearer in pairwise(days)):
        raise RefusedInputError("own_days_twice", field="own_days")
    if any(farther < nearer for farther, nearer in pairwise(days)):
        raise RefusedInputError("own_days_unreadable", field="own_days")
    if _grows(days):
        raise RefusedInputError("own_days_gaps_grow", field="own_days")


def _grows(days: Sequence[int]) -> bool:
    """Return whether some gap, also the last one to the end, is longer than the one before by more than the slack."""
    nearer, gap = 0, 0
    for day in reversed(days):
        at = max(day, nearer + gap)
        if at - day > _SLACK:
            return True
        nearer, gap = at, at - nearer
    return False
