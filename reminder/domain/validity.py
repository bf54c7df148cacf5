"""When a card and its certificates end, when renewal opens and when the grace is over: the law's arithmetic.

The printed date always wins over a computed one. Where no source settles a point, the earlier date is taken.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from reminder.domain import hours
from reminder.domain.dates import month_end
from reminder.errors import RefusedInputError, UnknownChoiceError

CARD = "mynumber_card"
USER_CERTIFICATE = "mynumber_user_certificate"
SIGNATURE_CERTIFICATE = "mynumber_signature_certificate"
COMPUTED_KINDS = (CARD, USER_CERTIFICATE, SIGNATURE_CERTIFICATE)

# Cards have been issued since January 2016: an earlier issue date is a slip.
FIRST_ISSUED = date(2016, 1, 1)

# Adulthood was lowered from 20 to 18; applications received from this day on count as the new age.
ADULT_AT_18_SINCE = date(2022, 4, 1)

CERTIFICATE_YEARS = 5
RENEWED_EARLY_YEARS = 6
WINDOW_MONTHS = 3


@dataclass(frozen=True)
class Expiry:
    """What follows from an issue date; None = not applicable. For a card the last three are its certificates' dates."""

    card_expires_on: date | None
    certificate_expires_on: date
    opens_on: date | None
    grace_ends_on: date | None
    last_counter_day: date
    # The grace is promised for certificates; whether it covers a card that ends the same day is not confirmed.
    grace_unconfirmed: bool = False
    # The first certificate has ended but the card has not: its holder may have renewed it long ago.
    may_already_be_renewed: bool = False
    # Set where the certificate would last until then if it replaced one in that one's last three months.
    if_renewed_early: date | None = None


def plus_months(day: date, months: int) -> date:
    """The same day of another month; where that month is shorter, its last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def opens_on(expires_on: date, months: int = WINDOW_MONTHS) -> date:
    """The first day the renewal is accepted.

    Ibaraki City's example: 2023-11-20 opens 2023-08-21. At month ends the published rule and the strict one (less than
    three months left) differ by up to three days; the later day is taken, since who comes too early is turned away.
    """
    one_day = timedelta(days=1)
    return max(plus_months(expires_on, -months) + one_day, plus_months(expires_on + one_day, -months))


def grace_ends_on(expires_on: date) -> date:
    """The last day of health-insurance use: the end of the third month after the month of the end date.

    Source: Kyokai Kenpo 2025-07-16; Iwaki City; Ministry of Health leaflet of August 2026.
    """
    third_month = plus_months(expires_on, 3)
    return month_end(third_month.year, third_month.month)


def birthday(born: date, year: int) -> date:
    """A leap-day birthday is 28 February in common years: so the Road Traffic Act; for cards no source was found."""
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 2, 28)
    return born.replace(year=year)


def nth_birthday_after(issued: date, born: date, n: int) -> date:
    """発行の日後のn回目の誕生日: a birthday on the day of issue is not counted. Source: Higashimurayama City."""
    first = issued.year if birthday(born, issued.year) > issued else issued.year + 1
    return birthday(born, first + n - 1)


def is_adult(born: date, received: date) -> bool:
    """Source: Miyakonojo and Uki City: 18, or 20 for applications received before 2022-04-01."""
    age = received.year - born.year - (birthday(born, received.year) > received)
    return age >= (18 if received >= ADULT_AT_18_SINCE else 20)


def card_expires_on(
    issued: date, born: date, received: date | None = None, residence_until: date | None = None
) -> date:
    """The 10th birthday after issue, the 5th for a minor, never later than the residence period.

    Whether someone was a minor is tested on the day the application was received; birthdays are counted from the day
    the card was made. Source: Miyakonojo City; Miyake Town for the residence period.
    """
    years = 10 if is_adult(born, received or issued) else 5
    return min(nth_birthday_after(issued, born, years), residence_until or date.max)


def certificate_expires_on(
    issued: date,
    born: date,
    *,
    card_expires_on: date | None = None,
    replaces: date | None = None,
    user_certificate_expires_on: date | None = None,
    residence_until: date | None = None,
) -> date:
    """The 5th birthday after issue, never later than the card, the residence period or (to sign) the user certificate.

    `replaces` is the end date of the certificate it replaced: renewed inside that one's last three months it lasts to
    the 6th birthday, so that no time is lost. Source: Higashimurayama City; Oguchi Town.
    """
    # On its very last day the 5th birthday loses no time either, and is the safer reading.
    early = replaces is not None and opens_on(replaces) <= issued < replaces
    by_birthday = nth_birthday_after(issued, born, RENEWED_EARLY_YEARS if early else CERTIFICATE_YEARS)
    caps = (card_expires_on, user_certificate_expires_on, residence_until)
    return min([by_birthday, *(cap for cap in caps if cap is not None)])


def special_period_ends_on(residence_until: date) -> date:
    """The end of the two months a city can add, once and before the end, while a residence renewal is being decided.

    Source: Tokai City; Hokkaido University.
    """
    return plus_months(residence_until, 2)


def work_out(
    kind: str,
    *,
    issued: date,
    born: date | None = None,
    received: date | None = None,
    residence_until: date | None = None,
    card_expires_on: date | None = None,
    user_certificate_expires_on: date | None = None,
    replaces: date | None = None,
    today: date | None = None,
) -> Expiry:
    """The end dates that follow from an issue date. The birth date is used here and kept nowhere.

    For a certificate `issued` is its own day of issue or renewal, and `card_expires_on` what is printed on the card.
    Raises RefusedInputError, codes birth_date_needed and dates_contradict, and UnknownChoiceError.
    """
    if kind not in COMPUTED_KINDS:
        raise UnknownChoiceError(field="kind", choices=COMPUTED_KINDS)
    if born is None:
        raise RefusedInputError("birth_date_needed", field="born")
    _refuse_contradictions(
        issued=issued,
        born=born,
        received=received,
        residence_until=residence_until,
        card_expires_on=card_expires_on,
        today=today,
    )

    replaced = replaces
    if kind == CARD:
        card_end: date | None = _card_end(issued, born, received, residence_until)
    else:
        card_end = card_expires_on
        if replaced is None and card_end is not None:
            replaced = _first_certificate_end(card_end, born)
    caps = {
        "card_expires_on": card_end,
        "user_certificate_expires_on": user_certificate_expires_on if kind == SIGNATURE_CERTIFICATE else None,
        "residence_until": residence_until,
    }
    end = certificate_expires_on(issued, born, replaces=replaced, **caps)
    ends_with_residence = end == residence_until
    has_grace = kind != SIGNATURE_CERTIFICATE and not ends_with_residence
    return Expiry(
        card_expires_on=card_end,
        certificate_expires_on=end,
        # Nothing can be renewed before the residence period has been: there is no window of three months.
        opens_on=None if ends_with_residence else opens_on(end),
        grace_ends_on=grace_ends_on(end) if has_grace else None,
        last_counter_day=hours.last_counter_day(end),
        grace_unconfirmed=has_grace and end == card_end,
        may_already_be_renewed=today is not None and card_end is not None and end < today <= card_end,
        if_renewed_early=_if_renewed_early(issued, born, end, caps) if kind != CARD and replaced is None else None,
    )


# Inside work_out a parameter bears the rule's name.
_card_end = card_expires_on


def _first_certificate_end(card_end: date, born: date) -> date | None:
    """A grown-up's card outlives its first certificate by five years. Source: jnotary.com."""
    first = birthday(born, card_end.year - CERTIFICATE_YEARS)
    return first if card_end == birthday(born, card_end.year) else None


def _if_renewed_early(issued: date, born: date, end: date, caps: dict[str, date | None]) -> date | None:
    next_birthday = nth_birthday_after(issued, born, 1)
    later = certificate_expires_on(issued, born, replaces=next_birthday, **caps)
    return later if later > end else None


def _refuse_contradictions(
    *,
    issued: date,
    born: date,
    received: date | None,
    residence_until: date | None,
    card_expires_on: date | None,
    today: date | None,
) -> None:
    impossible = {
        "issued": issued < FIRST_ISSUED or (today is not None and issued > today),
        "born": born > (received or issued),
        "received": received is not None and received > issued,
        "residence_until": residence_until is not None and residence_until < issued,
        "card_expires_on": card_expires_on is not None and card_expires_on < issued,
    }
    for field, contradicts in impossible.items():
        if contradicts:
            raise RefusedInputError("dates_contradict", field=field)
