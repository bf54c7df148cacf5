"""The day that somebody names in a short reply: 10日に行きます, あした行きます, 1月20日, "I'll go on 20 January"."""

import re
import unicodedata
from datetime import date, timedelta

from reminder.guard.numbers import LONGEST

# Further ahead nobody means a day of the month.
FURTHEST = timedelta(days=92)

_JAPANESE = re.compile(r"(?:(?<![0-9])([0-9]{1,2})月)?(?<![0-9])([0-9]{1,2})日(?![間後])")
_SLASHED = re.compile(r"(?<![0-9/])([0-9]{1,2})/([0-9]{1,2})(?![0-9/])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"({'|'.join(_MONTHS)})[a-z]{{0,6}}"
_DAY_FIRST = re.compile(rf"(?<![0-9])([0-9]{{1,2}})(?:st|nd|rd|th)? {_MONTH}")
_MONTH_FIRST = re.compile(rf"(?<![a-z]){_MONTH} ([0-9]{{1,2}})(?![0-9])")
_NTH = re.compile(r"the ([0-9]{1,2})(?:st|nd|rd|th)")
_RELATIVE = {
    "明後日": 2, "あさって": 2, "明日": 1, "あした": 1, "あす": 1, "今日": 0, "きょう": 0, "本日": 0,
    "day after tomorrow": 2, "tomorrow": 1, "today": 0,
}  # fmt: skip


def named_day(text: str, today: date) -> date | None:
    """Return the one day that a reply names, today or later; None where it names none, several or none that exists.

    A day without a month is the next such day. `today`: the day in Japan on which the reply was written.
    """
    said = unicodedata.normalize("NFKC", text[:LONGEST]).lower()
    found = {(month, day) for month, day in _numbers(said)}
    days = {_next(month, day, today) for month, day in found} or {_relative(said, today)}
    day = days.pop()
    return None if days or day is None or day > today + FURTHEST else day


def _numbers(said: str) -> list[tuple[int | None, int]]:
    found: list[tuple[int | None, int]] = [(int(m) if m else None, int(d)) for m, d in _JAPANESE.findall(said)]
    found += [(int(m), int(d)) for m, d in _SLASHED.findall(said)]
    found += [(_MONTHS.index(m) + 1, int(d)) for d, m in _DAY_FIRST.findall(said)]
    found += [(_MONTHS.index(m) + 1, int(d)) for m, d in _MONTH_FIRST.findall(said)]
    return found or [(None, int(d)) for d in _NTH.findall(said)]


def _relative(said: str, today: date) -> date | None:
    after = next((days for word, days in _RELATIVE.items() if word in said), None)
    return None if after is None else today + timedelta(days=after)


def _next(month: int | None, day: int, today: date) -> date | None:
    """Return the next day with this number, of this month or of any."""
    for ahead in range(FURTHEST.days + 1):
        found = today + timedelta(days=ahead)
        if found.day == day and month in (None, found.month):
            return found
    return None
