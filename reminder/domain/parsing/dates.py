"""Parser and formats of dates, in either calendar. A date that could mean two days is asked about."""

import calendar
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from reminder.errors import DateError, ForbiddenNumberError, RefusedInputError
from reminder.guard.numbers import LooksLike, forbidden

WEEKDAYS = "月火水木金土日"


@dataclass(frozen=True)
class Era:
    """A Japanese era: its names and its days."""

    name: str
    letter: str
    starts: date

    @property
    def year_zero(self) -> int:
        """The Western year to which an era's year number is added."""
        return self.starts.year - 1


ERAS = (
    Era("令和", "R", date(2019, 5, 1)),
    Era("平成", "H", date(1989, 1, 8)),
    Era("昭和", "S", date(1926, 12, 25)),
    Era("大正", "T", date(1912, 7, 30)),
)

# Nobody alive was born before the first, and date arithmetic is safe well after the last.
FIRST_YEAR, LAST_YEAR = 1900, 2199

# The first card was issued in 2016 and none lasts longer than eleven years: dates in these years are offered first.
LIKELY_YEARS = range(2016, 2041)

# A date in both calendars with its weekday and full-width spaces is shorter.
LONGEST = 80
# The years that the service can plan in; cards of the first and the last of them are none that anybody has.
CALENDAR = range(1900, 2200)

_KANJI_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_KANJI_NUMBER = re.compile("[一二三四五六七八九]?十[一二三四五六七八九]?|[〇零○一二三四五六七八九]+")
_DASH = re.compile("[‐‒–—―−ー]")
# Spreadsheets write a date as midnight of that day.
_MIDNIGHT = re.compile(r"(?:T\s*+|(?<!\s)\s++)0?0:00(:00)?$")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_AHEAD = timedelta(hours=9)  # Japan's clocks, of UTC
_TAIL = re.compile(
    rf"(?P<date>.*?)(?:\((?P<short>[{WEEKDAYS}])\)|\(?(?P<long>[{WEEKDAYS}])曜日?\)?)?"
    "(?:まで|迄|限り|限)?(?:有効|満了|に(?:切れ|終わり?|満了し?|終了し?)(?:ます|る)?)?(?:です)?。?"
)
_TWICE = re.compile(r"(.+)\(([^(]+)\)")

_ERA = r"(?:(?P<era>令和?|平成?|昭和?|大正?|[RHST])[.・-]?)?"
_YEAR = re.compile(rf"{_ERA}(?P<year>[0-9]{{1,4}}|元)年?", re.IGNORECASE)
_DIGITS = re.compile(rf"{_ERA}(?P<year>[0-9]{{4}}|[0-9]{{2}})(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})", re.IGNORECASE)
_WRITTEN = re.compile(
    rf"{_ERA}(?P<year>[0-9]{{1,4}}|元)"
    r"(?:(?P<named>年)(?:\((?P<beside>[^()]+)\))?|\((?P<inside>[^()]+)\)(?:年|[./・-]|$)|[./・-]|$)"
    r"(?:(?P<month>[0-9]{1,2})(?:月|[./・-]|$)(?:(?P<day>[0-9]{1,4}|末)日?)?)?",
    re.IGNORECASE,
)
_NO_YEAR = re.compile(r"[0-9]{1,2}月(?:[0-9]{1,2}日?)?")
_YEAR_AND_MONTH = re.compile(r"(?P<year>(?:19|20|21)[0-9]{2})(?P<month>0[1-9]|1[0-2])")

# As carers abroad write it, and what is pasted with a date.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", *_MONTHS, "sept",
)  # fmt: skip
_ENGLISH_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENGLISH = re.compile(r"[a-z]{1,9}|[0-9]{1,4}", re.IGNORECASE)
_ENGLISH_WHOLE = re.compile(r"[a-z0-9 .,:/()'’-]{1,60}", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"['’]([0-9]{2})(?![0-9])")
# What stands around a date on a card, or is typed with it.
_AROUND = frozenset(
    ("the", "of", "on", "by", "to", "valid", "until", "till", "thru", "through", "expires", "expiry", "expiration",
     "exp", "date", "ends", "end", "day")
)  # fmt: skip
_EIGHT_DIGITS = re.compile(r"([0-9]{2})[ ,./-]?([0-9]{2})[ ,./-]?([0-9]{4})")
_WEEKDAY_AT_END = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?[)） ]*\Z", re.IGNORECASE)
_MONTH_AND_YEAR = re.compile(r"(?P<month>0?[1-9]|1[0-2])[/.-](?P<year>(?:19|20|21)[0-9]{2})")
_LABELS = re.compile(r"(?:有効)?(?:期限|期間)(?:満了)?(?:の?終わり)?(?:年月)?日?|満了(?:年月)?日|有効年月日|有効")
# Before the year, and before the end of a range whose beginning is left out.
_BEFORE = re.compile(r"[はが:~〜]*(?:\(?西暦\)?|A\.?D\.?(?=[0-9]))?", re.IGNORECASE)

_Reading = tuple[int, int, int]


def read_date(text: str) -> date:
    """Return the day that a text means.

    Accepted are 令和8年3月31日, R8.3.31, 平成39年2月1日, 2026/3/31, 20260331, 2026年3月31日（火）まで有効,
    有効期限：2026年3月31日, 31 March 2026 and similar forms. An era's years are counted on past its end and back before
    its beginning: old cards carry 平成36年. Raises DateError when the text could mean several days, lacks a part, names
    a day that does not exist, or is no date.
    """
    instant = _day_of_instant(text)
    if instant is not None:
        return instant
    plain = _plain(_from_english(text) or _without_english_weekday(text)) if len(text) <= LONGEST else ""
    label = _LABELS.match(plain)
    plain = plain[label.end() :] if label else plain
    plain = plain[_BEFORE.match(plain).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    # Folding can make a text longer.
    found = _TAIL.fullmatch(plain) if len(plain) <= LONGEST else None
    if found is None or not plain:
        raise DateError("date_unreadable")
    twice = _TWICE.fullmatch(found["date"])
    days = [_read_one(part) for part in (twice.groups() if twice else [found["date"]])]
    weekday = found["short"] or found["long"]
    if len(set(days)) > 1 or (weekday and weekday != WEEKDAYS[days[0].weekday()]):
        raise DateError("date_ambiguous", choices=_likely_first(days))
    return days[0]


def _day_of_instant(text: str) -> date | None:
    """Return the day in Japan of an instant that a program wrote, as 2026-03-30T15:00:00Z; None for other texts.

    Programs write a day as its midnight, in Japan or in UTC. Another time of day that is one day in Japan and another
    where it was written is asked about.
    """
    written = text.strip()
    if len(written) > LONGEST or _INSTANT.fullmatch(written) is None:
        return None
    try:
        instant = datetime.fromisoformat(written)
        here = instant.astimezone(UTC).replace(tzinfo=None) + _AHEAD
    except (ValueError, OverflowError):
        raise DateError("date_impossible") from None
    if instant.date() != here.date() and here.time() != time():
        raise DateError("date_ambiguous", choices=_likely_first([instant.date(), here.date()]))
    return here.date()


def _from_english(text: str) -> str | None:
    """Return a day or month that is written with an English month, or as 03/2027, in Japanese; None for other texts."""
    plain = _SHORT_YEAR.sub(r"20\1", unicodedata.normalize("NFKC", text).strip())
    numbers = _MONTH_AND_YEAR.fullmatch(plain)
    if numbers is not None:
        return f"{numbers['year']}年{int(numbers['month'])}月"
    if not _ENGLISH_WHOLE.fullmatch(plain):
        return None
    words = [word.lower() for word in _ENGLISH.findall(plain)]
    weekday, days, years, months = "", list[str](), list[str](), list[int]()
    for place, word in enumerate(words):
        if word in _MONTH_NAMES:
            months.append(_MONTHS.index(word[:3]) + 1)
        elif word[:3] in _ENGLISH_WEEKDAYS and (len(word) <= 5 or word.endswith("day")):
            weekday = f"({WEEKDAYS[_ENGLISH_WEEKDAYS.index(word[:3])]})"
        elif word.isdecimal():
            (years if len(word) == 4 else days).append(word)
        elif word not in _AROUND and not (word in ("st", "nd", "rd", "th") and place and words[place - 1].isdecimal()):
            return None
    if len(months) == 1 and not years and len(days) == len([one for one in days if len(one) <= 2]) == 2:
        # 31-Mar-27: which of the two is the year is asked.
        day, year = (int(one) for one in days)
        raise _question([(2000 + year, months[0], day), (2000 + day, months[0], year)])
    if len(months) != 1 or len(years) != 1 or len(days) > 1 or any(len(day) > 2 for day in days):
        return None
    return f"{years[0]}年{months[0]}月{f'{int(days[0])}日{weekday}' if days else ''}"


def _without_english_weekday(text: str) -> str:
    """Return 2027/3/31 of 2027/3/31 (Wed); a weekday that is another than that day's is left where it stands."""
    found = _WEEKDAY_AT_END.search(text)
    written = text[: found.start()].rstrip(" (（") if found else ""
    if not written[:1].isdecimal():
        return text
    try:
        day = _read_one(_plain(written))
    except DateError:
        return written
    is_that = _ENGLISH_WEEKDAYS[day.weekday()] in text[len(written) :].lower()
    return written if is_that else text


_NAMES_ERA = re.compile(r"(?P<era>[令平昭大]|[RHST])(?:和|成|正)?[.・-]?[0-9元]", re.IGNORECASE)


def outlives_its_era(text: str, day: date) -> bool:
    """Return whether a date is counted past its era's end, as 平成39年: on old cards, or by mistake."""
    named = _NAMES_ERA.match(_plain(text[:LONGEST]))
    if named is None:
        return False
    place = next(i for i, era in enumerate(ERAS) if named["era"].upper() in (era.letter, era.name[0]))
    return place > 0 and day >= ERAS[place - 1].starts


def read_typed(text: str, *, field: str) -> date:
    """Return the day that a user typed in the named field, as read_date does.

    Refuses a card's number typed in place of a date as a number.
    """
    try:
        return read_date(text)
    except DateError as unread:
        if not unread.choices and (days := _day_or_month_first(text)):
            raise DateError("date_ambiguous", field=field, choices=days) from None
        looks_like = forbidden(text)
        # Eight digits that nearly are a date are asked about as a date.
        is_nearly_a_date = unread.code != "date_unreadable" and looks_like in (
            LooksLike.LONG_DIGITS,
            LooksLike.INSURANCE_NUMBER,
        )
        if looks_like is not None and not is_nearly_a_date:
            raise ForbiddenNumberError(field=field, looks_like=looks_like) from None
        raise DateError(unread.code, field=field, choices=unread.choices) from None


def _day_or_month_first(text: str) -> list[date]:
    """Return the days that eight digits mean as 31032027 or 03312027, in the years in which a card can end."""
    found = _EIGHT_DIGITS.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if found is None:
        return []
    one, two, year = (int(part) for part in found.groups())
    return _likely_first(_existing([(year, one, two), (year, two, one)])) if year in LIKELY_YEARS else []


def year_month_day(day: date) -> str:
    """Return the day as 2026年3月31日."""
    return f"{day.year}年{day.month}月{day.day}日"


def era_date(day: date) -> str:
    """Return the day as 令和8年3月31日; a day before Taisho in the Western calendar."""
    for era in ERAS:
        if day >= era.starts:
            year = day.year - era.year_zero
            return f"{era.name}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return year_month_day(day)


def in_both_calendars(day: date) -> str:
    """Return the day as 2026年3月31日（令和8年3月31日）."""
    return f"{year_month_day(day)}（{era_date(day)}）"


def with_weekday(day: date) -> str:
    """Return the day as 3月31日（火）, without its year."""
    return f"{day.month}月{day.day}日（{WEEKDAYS[day.weekday()]}）"


def read_month(text: str) -> date:
    """Return the first day of a month such as 2027-02.

    Raises RefusedInputError, also for a month so far away that the days around it may be no dates any more.
    """
    try:
        first = date.fromisoformat(f"{text}-01") if len(text) == len("2027-02") else None
    except ValueError:
        first = None
    if first is None or first.year not in CALENDAR:
        raise RefusedInputError("month_unreadable", field="month")
    return first


def month_end(year: int, month: int) -> date:
    """Return the last day of the month."""
    return date(year, month, calendar.monthrange(year, month)[1])


def _plain(text: str) -> str:
    """Return one spelling for all that look alike.

    It is half width, with digits for kanji numbers, without spaces or anything invisible.
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(mark for mark in text if unicodedata.category(mark) != "Cf").strip().removeprefix("'")
    text = _DASH.sub("-", _MIDNIGHT.sub("", text))
    text = _KANJI_NUMBER.sub(_number, text)
    # "2026 3 31": joining these digits would make another number of them.
    return re.sub(r"\s+", "", re.sub(r"(?<=[0-9])(?:\s*,\s*|\s+)(?=[0-9])", "/", text))


def _number(kanji: re.Match[str]) -> str:
    digits = kanji[0].translate(_KANJI_DIGITS)
    if "十" not in digits:
        return digits
    tens, ones = digits.split("十")
    return str(int(tens or 1) * 10 + int(ones or 0))


def _read_one(text: str) -> date:
    found = _DIGITS.fullmatch(text) or _WRITTEN.fullmatch(text)
    if found is None:
        raise DateError("date_incomplete" if _NO_YEAR.fullmatch(text) else "date_unreadable")
    part = found.groupdict()
    month, day = part["month"], part["day"]
    has_clear_year = bool(part["era"] or part.get("named") or len(part["year"]) > 2)
    if day and day != "末" and len(day) > 2:
        if has_clear_year or len(day) == 3:
            raise DateError("date_unreadable")
        raise _question(_other_orders(part["year"], month, day))
    if not day and not has_clear_year:
        raise DateError("date_incomplete" if month else "date_unreadable")
    years = _years(part["era"], part["year"])
    beside = part.get("beside") or part.get("inside")
    if beside:
        years = _years_that_agree(years, beside, month, day)
    if not month:
        raise DateError("date_incomplete")
    if not day or day == "末":
        ends = [month_end(year, int(month)) for year in years if _exists(year, int(month), 1)]
        if day and len(ends) == 1:
            return ends[0]
        raise DateError("date_incomplete" if ends else "date_impossible", choices=_likely_first(ends))
    readings = [(year, int(month), int(day)) for year in years]
    if len(years) == 1 and has_clear_year and _exists(*readings[0]):
        return date(*readings[0])
    if not has_clear_year:
        readings += _other_orders(part["year"], month, day)[: 1 if text.isdecimal() else 2]
        only_month = _YEAR_AND_MONTH.fullmatch(text)
        if only_month and not any(_exists(*reading) for reading in readings):
            raise DateError("date_incomplete", choices=[month_end(int(only_month["year"]), int(only_month["month"]))])
    raise _question(readings)


def _years(era_name: str | None, digits: str) -> list[int]:
    """Return the years a typed year can be; several where neither the era nor the century is given."""
    year = 1 if digits == "元" else int(digits)
    if era_name:
        era = next(era for era in ERAS if era_name.upper() == era.letter or era.name.startswith(era_name))
        if year == 0:
            raise DateError("date_impossible", choices=[era.starts])
        return [era.year_zero + year]
    if len(digits) == 4:
        return [year]
    if len(digits) == 3:
        raise DateError("date_unreadable")
    reiwa, heisei, showa = (era.year_zero + year for era in ERAS[:3])
    return [reiwa, 2000 + year, heisei, showa] if year else [2000]


def _years_that_agree(years: Sequence[int], beside: str, month: str | None, day: str | None) -> list[int]:
    """Return the years that agree with a year written beside them, as in 2026年(令和8年)."""
    found = _YEAR.fullmatch(beside)
    if found is None:
        raise DateError("date_unreadable")
    others = _years(found["era"], found["year"])
    agreed = [year for year in years if year in others]
    if not agreed:
        readings = [(year, int(month or 0), int(day or 0)) for year in [*years, *others] if day != "末"]
        raise DateError("date_ambiguous", choices=_likely_first(_existing(readings)))
    return agreed


def _other_orders(first: str, second: str, last: str) -> list[_Reading]:
    """Return the readings as month, day, year and as day, month, year."""
    one, two = 1 if first == "元" else int(first), int(second)
    year = int(last) if len(last) == 4 else 2000 + int(last)
    return [(year, one, two), (year, two, one)]


def _question(readings: Sequence[_Reading]) -> DateError:
    days = _existing(readings)
    if days and len(readings) > 1:
        return DateError("date_ambiguous", choices=_likely_first(days))
    likely = sorted(readings, key=lambda reading: reading[0] not in LIKELY_YEARS)
    return DateError("date_impossible", choices=_nearest(*likely[0]))


def _nearest(year: int, month: int, day: int) -> list[date]:
    """Return the days around one that does not exist.

    These are the month's end and the next day; or, for 2026/31/3, 31 March.
    """
    if month not in range(1, 13):
        return _existing([(year, day, month)])
    if not _exists(year, month, 1):
        return []
    edge = month_end(year, month) + timedelta(days=1) if day else date(year, month, 1)
    return [edge - timedelta(days=1), edge]


def _exists(year: int, month: int, day: int) -> bool:
    return FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= day <= month_end(year, month).day


def _existing(readings: Iterable[_Reading]) -> list[date]:
    return [date(*reading) for reading in readings if _exists(*reading)]


def _likely_first(days: Iterable[date]) -> list[date]:
    return sorted(dict.fromkeys(days), key=lambda day: day.year not in LIKELY_YEARS)
