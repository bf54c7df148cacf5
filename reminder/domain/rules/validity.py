"""The end of a card and its certificates, the opening of renewal and the end of the grace, by law.

Where no source settles a point, the earlier end and the later opening is taken: neither does harm. The number of
birthdays, months or days of each kind, and since when, is in config/cards.toml.
"""

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from typing import assert_never

from reminder.domain.model.card_kinds import (
    CardBirthdays,
    CertificateBirthdays,
    DayOfYear,
    LastsMonths,
    LastsUntil,
    LastsYears,
    NoOpeningDay,
    Opening,
    OpensAroundBirthday,
    OpensDaysBefore,
    OpensMonthsBefore,
)
from reminder.domain.parsing.dates import month_end
from reminder.domain.rules import hours

# A certificate can be renewed in its last three months, and then loses no time.
WINDOW = OpensMonthsBefore(months=3)

# A residence card that is being renewed can outlive its date by two months, and the My Number Card with it.
SPECIAL_PERIOD_MONTHS = 2

ONE_DAY = timedelta(days=1)


def plus_months(day: date, months: int) -> date:
    """Return the same day of another month; where that month is shorter, its last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def opens_on(expires_on: date, opening: Opening = WINDOW, born: date | None = None) -> date | None:
    """Return the first day on which the renewal is accepted; None where there is no such day."""
    match opening:
        case OpensMonthsBefore(months=months, to_the_day=True):
            return plus_months(expires_on, -months)
        case OpensMonthsBefore(months=months):
            # Ibaraki City's example: 2023-11-20 opens 2023-08-21. At month ends the published rule and the strict one
            # (less than three months left) differ by up to three days; who comes too early is turned away.
            return max(plus_months(expires_on, -months) + ONE_DAY, plus_months(expires_on + ONE_DAY, -months))
        case OpensDaysBefore(days=days):
            return expires_on - timedelta(days=days)
        case DayOfYear():
            this_year = opening.of(expires_on.year)
            return this_year if this_year < expires_on else opening.of(expires_on.year - 1)
        case OpensAroundBirthday():
            return plus_months(_birthday_a_month_before(expires_on, born), -1)
        case NoOpeningDay():
            return None
        case _:
            assert_never(opening)


def _birthday_a_month_before(ends_on: date, born: date | None) -> date:
    """Return the birthday a month before the end.

    Where the end is the last day of a month and the birth date is unknown, it is the latest birthday that gives this
    end.
    """
    a_month_before = plus_months(ends_on, -1)
    if born is not None:
        return birthday(born, a_month_before.year)
    is_last = (ends_on + ONE_DAY).day == 1
    return month_end(a_month_before.year, a_month_before.month) if is_last else a_month_before


def grace_ends_on(expires_on: date) -> date:
    """Return the last day of health-insurance use: the end of the third month after the month of the end date.

    Source: Kyokai Kenpo 2025-07-16; Iwaki City; Ministry of Health leaflet of August 2026.
    """
    third_month = plus_months(expires_on, 3)
    return month_end(third_month.year, third_month.month)


def birthday(born: date, year: int) -> date:
    """Return the birthday in a year; of a leap-day birthday 28 February in common years.

    Source: the Road Traffic Act; for cards no source was found.
    """
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 2, 28)
    return born.replace(year=year)


def nth_birthday_after(issued: date, born: date, n: int) -> date:
    """Return the nth birthday after issue (発行の日後のn回目の誕生日).

    A birthday on the day of issue is not counted. Source: Higashimurayama City.
    """
    first = issued.year if birthday(born, issued.year) > issued else issued.year + 1
    return birthday(born, first + n - 1)


def age(born: date, day: date) -> int:
    """Return the age in completed years on that day."""
    return day.year - born.year - (birthday(born, day.year) > day)


def card_ends_on(lasts: CardBirthdays, issued: date, born: date, received: date | None = None) -> date:
    """Return the end of a card: the 10th birthday after issue, the 5th for a minor.

    Whether somebody was a minor is tested on the day the application was received; birthdays are counted from the day
    the card was made. Source: Miyakonojo and Uki City.
    """
    is_adult = age(born, received or issued) >= lasts.adult_at
    return nth_birthday_after(issued, born, lasts.birthdays if is_adult else lasts.of_minors)


def certificate_ends_on(
    lasts: CertificateBirthdays,
    issued: date,
    born: date,
    *,
    replaces: date | None = None,
    caps: Sequence[date | None] = (),
) -> date:
    """Return the end of a certificate: the 5th birthday after issue, never later than any of `caps`.

    `caps`: the ends of the card, the residence period and, to sign, the user certificate.

    `replaces` is the end date of the certificate it replaced: renewed inside that one's last three months it lasts to
    the 6th birthday, so that no time is lost. Source: Higashimurayama City; Oguchi Town.
    """
    # On its very last day the 5th birthday loses no time either, and is the safer reading.
    is_early = replaces is not None and (opens_on(replaces) or date.max) <= issued < replaces
    by_birthday = nth_birthday_after(issued, born, lasts.renewed_early if is_early else lasts.birthdays)
    return min([by_birthday, *(cap for cap in caps if cap is not None)])


def special_period_ends_on(residence_until: date) -> date:
    """Return the end of the two months that a city can add while a residence renewal is being decided.

    They are added once, and before the end. Source: Tokai City; Hokkaido University.
    """
    return plus_months(residence_until, SPECIAL_PERIOD_MONTHS)


# Who gets a licence for the first time, or adds another, gets it for so many birthdays.
FIRST_LICENCE_BIRTHDAYS = 3


def licence_ends_on(issued: date, born: date, years: int | None = None, *, is_first: bool | None = None) -> date:
    """Return the end of a licence: a month after the birthday that many years on, before any move past holidays.

    `years`: 3 where the holder has not the long term of 5. At 70 it is 4 and from 71 on 3 at most. A renewal in the
    month before the birthday counts from that birthday. Source: Road Traffic Act, art. 92-2 note 5 and art. 101.

    `is_first`: a first or additional licence ends a month after the third birthday after issue, also where it is issued
    in the month before a birthday; None where that is not known, and of the two ends that a licence of three years may
    then have the earlier is taken. Source: menkyo-web.com.
    """
    if is_first or (is_first is None and years == FIRST_LICENCE_BIRTHDAYS):
        first = plus_months(nth_birthday_after(issued, born, FIRST_LICENCE_BIRTHDAYS), 1)
        return first if is_first else min(first, licence_ends_on(issued, born, years, is_first=False))
    upcoming = nth_birthday_after(issued - ONE_DAY, born, 1)
    counted_from = upcoming if issued >= plus_months(upcoming, -1) else birthday(born, upcoming.year - 1)
    at_age = age(born, counted_from)
    longest = 5 if at_age < 70 else 4 if at_age == 70 else 3
    return plus_months(birthday(born, counted_from.year + min(years or longest, longest)), 1)


def moved_past_holidays(ends_on: date) -> date:
    """Return the last valid day of a licence: an end on a closed day moves to the next open one.

    Source: Road Traffic Act, 92-2.
    """
    return hours.counter_day_on_or_after(ends_on)


def ends_after(
    lasts: LastsYears | LastsMonths | LastsUntil, issued: date, years: int | None = None, born: date | None = None
) -> date | None:
    """Return the end of a kind that lasts a fixed time from its issue, or to a fixed day of the year.

    `years`: a term shorter than the longest. `born`: of the holder, where a minor's lasts less. None where only the
    paper tells of which of two periods it is.
    """
    match lasts:
        case LastsYears(years=longest, of_minors=of_minors, until_age=until_age):
            if born is not None and of_minors is not None and age(born, issued) < lasts.adult_at:
                longest = of_minors
            end = plus_months(issued, 12 * min(years or longest, longest))
            if born is not None and age(born, issued) < until_age:
                # A birthday on 29 February counts as the 28th in common years (Immigration Act, art. 19-5).
                return min(end, birthday(born, born.year + until_age) - ONE_DAY)
            return end
        case LastsMonths(months=months, to=to):
            last = plus_months(issued, months) - ONE_DAY
            end_of_month = month_end(last.year, last.month)
            if to == "day" or last == end_of_month:
                return last
            return end_of_month if to == "month_end" else last.replace(day=1) - ONE_DAY
        case LastsUntil(until=until):
            this_year = until.of(issued.year)
            end = this_year if this_year > issued else until.of(issued.year + 1)
            left = (end - issued).days
            if left < lasts.early_days:
                return until.of(end.year + 1)
            return None if left < lasts.unsure_days else end
        case _:
            assert_never(lasts)
