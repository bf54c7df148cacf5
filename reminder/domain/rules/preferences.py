"""A group's preferences: its days and its hour for reminders, and whether Sundays and holidays count."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Self

from reminder.domain.model.people import Mode
from reminder.errors import ForbiddenNumberError, RefusedInputError, UnknownChoiceError

MOST_DAYS, FURTHEST_DAY = 8, 365
# No message goes before the first hour; after the last too little time would be left for a retry.
FIRST_HOUR, LAST_HOUR = 9, 17

# Holidays pull a text forward by about this much anyway: gaps that grow by less are corrected by the planner.
_SLACK = 3

_BETWEEN = re.compile(r"[\s,、・/;]+")
_DAY = re.compile(r"(0|[1-9][0-9]{0,2})(?:日前|日)?")
_HOUR = re.compile(r"([0-9]{1,2})(?:時|:00)?")


NEAR_FROM = timedelta(days=30)


@dataclass(frozen=True)
class Preferences:
    """A group's own days, hour and holidays.

    `preset`: a name of config/schedules.toml, "" where each person's mode decides. `own_days`: days before the end that
    replace those of the preset. `send_hour`: no message goes earlier, an hour in Japan.
    """

    preset: str = ""
    own_days: tuple[int, ...] = ()
    send_hour: int | None = None
    on_holidays: bool = False

    def about(self, mode: Mode) -> Self:
        """Return the preferences for a person of this mode: elderly people act only when counters are open."""
        return self if mode is Mode.STANDARD or not self.on_holidays else replace(self, on_holidays=False)

    def checked(self, presets: Collection[str]) -> Self:
        """Return itself where each choice is allowed; raises RefusedInputError."""
        if self.preset and self.preset not in presets:
            raise UnknownChoiceError(field="preset", choices=sorted(presets))
        if self.send_hour is not None and not FIRST_HOUR <= self.send_hour <= LAST_HOUR:
            raise RefusedInputError("hour_out_of_range", field="send_hour", first=FIRST_HOUR, last=LAST_HOUR)
        _refuse_days(self.own_days)
        return self


# The default: each person by their mode.
DEFAULT_PREFERENCES = Preferences()


def read_days(text: str) -> tuple[int, ...]:
    """Return days before the end, farthest first, as people type them: 60 30 7, ６０、３０, 60日前.

    Raises RefusedInputError.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    found = [_DAY.fullmatch(part) for part in _BETWEEN.split(plain) if part]
    days = [int(one[1]) for one in found if one is not None]
    if len(days) < len(found):
        raise _unreadable(text, "own_days")
    if any(day > FURTHEST_DAY for day in days):
        # Three or four longer groups of digits are how a card's number is typed.
        raise _unreadable(text, "own_days", "own_days_out_of_range", furthest=FURTHEST_DAY)
    in_order = tuple(sorted(days, reverse=True))
    _refuse_days(in_order)
    return in_order


def read_hour(text: str) -> int | None:
    """Return an hour in Japan, typed as 10, １０時 or 10:00; None for an empty text. Raises RefusedInputError."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return None
    found = _HOUR.fullmatch(plain)
    if found is None:
        raise _unreadable(text, "send_hour")
    hour = int(found[1])
    if not FIRST_HOUR <= hour <= LAST_HOUR:
        raise RefusedInputError("hour_out_of_range", field="send_hour", first=FIRST_HOUR, last=LAST_HOUR)
    return hour


def _unreadable(text: str, field: str, code: str = "", **details: object) -> RefusedInputError:
    # This loads a library of telephone numbers, which would delay the command line's help.
    from reminder.guard.numbers import forbidden

    looks_like = forbidden(text)
    if looks_like is not None:
        return ForbiddenNumberError(field=field, looks_like=looks_like)
    return RefusedInputError(code or f"{field}_unreadable", field=field, **details)


def _refuse_days(days: Sequence[int]) -> None:
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
