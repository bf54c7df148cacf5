"""The dates of a card from the known facts: computed, or read from the card and checked for plausibility."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reminder.domain.model.card_kinds import (
    CARD,
    MY_NUMBER,
    SIGNATURE_CERTIFICATE,
    USER_CERTIFICATE,
    CardBirthdays,
    CardKind,
    CertificateBirthdays,
    Confidence,
    LastsYears,
    LicenceBirthdays,
    OnlyTheCardSays,
    OpensAroundBirthday,
)
from reminder.domain.rules import hours, validity
from reminder.errors import NeedsConfirmationError, RefusedInputError, UnknownChoiceError

# Cards have been issued since January 2016: an earlier issue date is a mistake.
FIRST_ISSUED = date(2016, 1, 1)

# A holder who is 22 or younger when the card ends was given a minor's card of five years.
OLDEST_AT_END_OF_MINORS_CARD = 22

# A minor's card ends at 24 at the latest (issued at 19 by the old law), an adult's at 28 at the earliest.
IMPOSSIBLE_AGES = range(25, 28)


@dataclass(frozen=True)
class KnownDates:
    """The known facts about a card: dates in Japan. The birth date is used here and never stored.

    For a certificate `issued` is its own day of issue or renewal, and `card_expires_on` is the date printed on the
    card. `expires_on` was read from the card and overrides anything computed. `special_period`: the residence renewal
    was applied for in time and is not decided yet. `years`: the term of a licence or passport that has not the longest
    one. `is_first`: a licence that is the first or was added, not renewed; None: not known.
    """

    issued: date | None = None
    born: date | None = None
    received: date | None = None
    residence_until: date | None = None
    special_period: bool = False
    expires_on: date | None = None
    card_expires_on: date | None = None
    user_certificate_expires_on: date | None = None
    replaces: date | None = None
    years: int | None = None
    is_first: bool | None = None
    today: date | None = None


@dataclass(frozen=True)
class Expiry:
    """The dates that follow from the known facts; None means not applicable.

    For a My Number Card the last three are its certificates' dates; for a kind without certificates `card_expires_on`
    is its end.
    """

    card_expires_on: date | None
    certificate_expires_on: date | None
    opens_on: date | None
    grace_ends_on: date | None
    # The last day on which something can be done: before the end where it closes with the counters.
    last_counter_day: date
    # The grace is promised for certificates; whether it covers a card that ends the same day is not confirmed.
    grace_unconfirmed: bool = False
    # The first certificate has ended but the card has not: its holder may have renewed it long ago.
    may_already_be_renewed: bool = False
    # Set where the certificate would last until then if it replaced one in that one's last three months.
    if_renewed_early: date | None = None
    # Set where the rules compute another date than the one that was read.
    worked_out: date | None = None
    # Set where a licence would last until then if it was renewed and is not the first.
    if_a_renewal: date | None = None
    # The rule of the day of issue is not confirmed by any source.
    rule_unconfirmed: bool = False

    def ends_on(self, key: str) -> date | None:
        """Return the end of the card or certificate of this kind."""
        return self.certificate_expires_on if key in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE) else self.card_expires_on


def work_out(kinds: Mapping[str, CardKind], key: str, known: KnownDates) -> Expiry:
    """Return the end dates that follow from the known facts, and the dates that follow from an end that was read.

    Raises RefusedInputError, codes issue_date_needed, birth_date_needed, received_date_needed, residence_needed,
    only_the_card_says, age_not_of_kind and dates_contradict; UnknownChoiceError; and, as check_plausibility,
    NeedsConfirmationError.
    """
    if key not in kinds:
        raise UnknownChoiceError(field="kind", choices=list(kinds))
    _refuse_contradictions(key, known)
    check_plausibility(key, known, kinds[key])
    if known.special_period:
        return _in_special_period(known)
    return _of_my_number(kinds, key, known) if key in MY_NUMBER else _of_another(kinds[key], known)


# What is used to work out an end, of which kinds: anything else would be ignored, and looks as if it counted.
_CERTIFICATES = (USER_CERTIFICATE, SIGNATURE_CERTIFICATE)


def refuse_unused(kinds: Mapping[str, CardKind], key: str, known: KnownDates) -> None:
    """Raise RefusedInputError, code input_unused, for a known fact that decides nothing about this kind.

    Raises UnknownChoiceError for a kind that does not exist.
    """
    if key not in kinds:
        raise UnknownChoiceError(field="kind", choices=list(kinds))
    lasts = kinds[key].on(known.issued or date.max).lasts
    by_birthday = isinstance(lasts, CardBirthdays | CertificateBirthdays | LicenceBirthdays)
    by_age = isinstance(lasts, LastsYears) and (lasts.of_minors is not None or lasts.until_age > 0)
    uses = {
        "born": by_birthday or by_age,
        "received": key == CARD,
        "residence_until": key in MY_NUMBER,
        "special_period": key in MY_NUMBER,
        "card_expires": key in _CERTIFICATES,
        "user_certificate_expires": key == SIGNATURE_CERTIFICATE,
        "replaces": key in _CERTIFICATES,
        "years": isinstance(lasts, LicenceBirthdays | LastsYears),
        "is_first": isinstance(lasts, LicenceBirthdays),
    }
    given = {
        "born": known.born,
        "received": known.received,
        "residence_until": known.residence_until,
        "special_period": known.special_period or None,
        "card_expires": known.card_expires_on,
        "user_certificate_expires": known.user_certificate_expires_on,
        "replaces": known.replaces,
        "years": known.years,
        "is_first": known.is_first,
    }
    for field, value in given.items():
        if value is not None and not uses[field]:
            raise RefusedInputError("input_unused", field=field)


def check_plausibility(key: str, known: KnownDates, kind: CardKind | None = None) -> None:
    """Raise NeedsConfirmationError where a date that was read is implausible.

    Codes: age_impossible, a My Number Card that would end at 25 to 27; not_a_birthday, an end that follows from none;
    age_not_of_kind, where `kind` is given and is only for holders of another age at that end.
    """
    if kind is not None and known.expires_on and known.born and not _is_of_age(kind, known.born, known.expires_on):
        raise NeedsConfirmationError("age_not_of_kind", field="born")
    end, born = known.expires_on, known.born
    if end is None or born is None or end == known.residence_until:
        return
    if key == CARD and validity.age(born, end) in IMPOSSIBLE_AGES:
        raise NeedsConfirmationError("age_impossible", field="expires")
    from_birthday = {
        **dict.fromkeys(MY_NUMBER, _birthdays(born, end.year)),
        "driving_licence": {
            moved
            for year in (end.year - 1, end.year)
            for day in _birthdays(born, year)
            for moved in (
                validity.plus_months(day, 1),
                validity.moved_past_holidays(validity.plus_months(day, 1)),
            )
        },
    }
    if key in from_birthday and end not in {*from_birthday[key], known.card_expires_on}:
        raise NeedsConfirmationError("not_a_birthday", field="expires")


def _is_of_age(kind: CardKind, born: date, end: date) -> bool:
    """Return whether a kind is for holders of this age at its end."""
    lasts = kind.lasts
    return not isinstance(lasts, LicenceBirthdays) or lasts.from_age <= validity.age(born, end) <= lasts.to_age


def _birthdays(born: date, year: int) -> set[date]:
    """Return every reading of a leap-day birthday.

    No source settles it, so a date that was read may agree with any of them.
    """
    days = {validity.birthday(born, year)}
    return days | {date(year, 3, 1)} if (born.month, born.day) == (2, 29) else days


def _in_special_period(known: KnownDates) -> Expiry:
    if known.residence_until is None:
        raise RefusedInputError("residence_needed", field="residence_until")
    end = validity.special_period_ends_on(known.residence_until)
    return Expiry(end, end, None, None, hours.last_counter_day(end))


def _of_my_number(kinds: Mapping[str, CardKind], key: str, known: KnownDates) -> Expiry:
    card_end, end = _ends_of_my_number(kinds, key, known)
    ends_with_residence = end == known.residence_until
    has_grace = key != SIGNATURE_CERTIFICATE and not ends_with_residence
    return Expiry(
        card_expires_on=card_end,
        certificate_expires_on=end,
        # Nothing can be renewed before the residence period: there is no window of three months.
        opens_on=None if ends_with_residence else validity.opens_on(end, kinds[key].opens),
        grace_ends_on=validity.grace_ends_on(end) if has_grace else None,
        last_counter_day=hours.last_counter_day(end),
        grace_unconfirmed=has_grace and end == card_end,
        may_already_be_renewed=known.today is not None and card_end is not None and end < known.today <= card_end,
        if_renewed_early=_if_renewed_early(kinds, key, known, end),
        worked_out=_another_date(kinds, key, known),
    )


def _ends_of_my_number(kinds: Mapping[str, CardKind], key: str, known: KnownDates) -> tuple[date | None, date]:
    """Return the end of the card, if it is known, and of the certificate."""
    if key != CARD:
        return known.card_expires_on, known.expires_on or _certificate_end(kinds, key, known, known.card_expires_on)
    card_end = known.expires_on or _card_end(kinds[CARD], known)
    if known.issued is None or known.born is None:
        return card_end, first_certificate_ends_on(kinds, card_end, known.born)
    return card_end, _certificate_end(kinds, USER_CERTIFICATE, known, card_end)


def _card_end(kind: CardKind, known: KnownDates) -> date:
    issued, born = _needed(known)
    lasts = kind.on(known.received or issued).lasts
    if not isinstance(lasts, CardBirthdays):
        raise RefusedInputError("only_the_card_says", field="expires")
    end = validity.card_ends_on(lasts, issued, born, known.received)
    if known.received is None and end != _earliest_end(kind, issued, born):
        # The age on the day on which the application was received decides, and a card is made weeks later.
        raise RefusedInputError("received_date_needed", field="received")
    return min(end, known.residence_until or date.max)


# A card is made at most so long after its application was received.
LONGEST_MAKING = timedelta(days=62)


def _earliest_end(kind: CardKind, issued: date, born: date) -> date:
    """Return the end of a card whose application was received as early as it can have been."""
    received = max(issued - LONGEST_MAKING, born)
    lasts = kind.on(received).lasts
    assert isinstance(lasts, CardBirthdays)
    return validity.card_ends_on(lasts, issued, born, received)


def _certificate_end(
    kinds: Mapping[str, CardKind], key: str, known: KnownDates, card_end: date | None, *, replaces: date | None = None
) -> date:
    issued, born = _needed(known)
    lasts = kinds[key].on(issued).lasts
    if not isinstance(lasts, CertificateBirthdays):
        raise RefusedInputError("only_the_card_says", field="expires")
    if validity.age(born, issued) < lasts.from_age:
        raise RefusedInputError("age_not_of_kind", field="born")
    caps = [card_end, known.residence_until]
    if key == SIGNATURE_CERTIFICATE:
        caps.append(known.user_certificate_expires_on)
    replaced = replaces or known.replaces
    if replaced is None and known.card_expires_on is not None:
        replaced = _renewable(kinds, known.card_expires_on, born)
    return validity.certificate_ends_on(lasts, issued, born, replaces=replaced, caps=caps)


def first_certificate_ends_on(kinds: Mapping[str, CardKind], card_end: date, born: date | None = None) -> date:
    """Return the end of a card's certificates that were never renewed.

    It is five years before the card's end; for a card issued to a minor it is the card's end. Without the birth date
    the two cannot be told apart, and the earlier is taken. Source: jnotary.com.
    """
    if born is not None and validity.age(born, card_end) <= OLDEST_AT_END_OF_MINORS_CARD:
        return card_end
    earlier = validity.plus_months(card_end, -12 * _years_outlived(kinds, card_end))
    return earlier if born is None else validity.birthday(born, earlier.year)


def _years_outlived(kinds: Mapping[str, CardKind], card_end: date) -> int:
    """Return how many years an adult's card outlives its first certificate, by the rules of its day of issue."""
    lasts = kinds[CARD].lasts
    card_years = lasts.birthdays if isinstance(lasts, CardBirthdays) else 0
    of_certificate = kinds[USER_CERTIFICATE].on(validity.plus_months(card_end, -12 * card_years)).lasts
    years = of_certificate.birthdays if isinstance(of_certificate, CertificateBirthdays) else card_years
    return max(card_years - years, 0)


def _renewable(kinds: Mapping[str, CardKind], card_end: date, born: date) -> date | None:
    """Return the end of a card's first certificate, where the card's own end is not that of a residence period."""
    is_birthday = card_end == validity.birthday(born, card_end.year)
    return first_certificate_ends_on(kinds, card_end, born) if is_birthday else None


def _if_renewed_early(kinds: Mapping[str, CardKind], key: str, known: KnownDates, end: date) -> date | None:
    if key == CARD or not (known.issued and known.born) or known.replaces or known.card_expires_on or known.expires_on:
        return None
    next_birthday = validity.nth_birthday_after(known.issued, known.born, 1)
    later = _certificate_end(kinds, key, known, known.card_expires_on, replaces=next_birthday)
    return later if later > end else None


def _another_date(kinds: Mapping[str, CardKind], key: str, known: KnownDates) -> date | None:
    if not (known.expires_on and known.issued and known.born):
        return None
    if key == CARD:
        worked_out = _card_end(kinds[CARD], known)
    else:
        worked_out = _certificate_end(kinds, key, known, known.card_expires_on)
    return worked_out if worked_out != known.expires_on else None


def _of_another(kind: CardKind, known: KnownDates) -> Expiry:
    end = known.expires_on or _end_by_rule(kind, known)
    legal_end = validity.moved_past_holidays(end) if kind.moves_past_holidays else end
    by_rule = _end_by_rule(kind, known) if known.expires_on and known.issued else end
    born = known.born if isinstance(kind.opens, OpensAroundBirthday) else None
    return Expiry(
        card_expires_on=legal_end,
        certificate_expires_on=None,
        opens_on=validity.opens_on(end, kind.opens, born),
        grace_ends_on=None,
        last_counter_day=hours.last_counter_day(legal_end) if kind.closes_with_counters else legal_end,
        worked_out=by_rule if by_rule not in (end, legal_end) else None,
        if_a_renewal=_if_a_renewal(kind, known, end),
        rule_unconfirmed=not known.expires_on and kind.on(known.issued or end).confidence is Confidence.UNCONFIRMED,
    )


def _if_a_renewal(kind: CardKind, known: KnownDates, end: date) -> date | None:
    """Return the later end that a licence would have if it was renewed, where that is not known and makes one."""
    if not isinstance(kind.lasts, LicenceBirthdays) or known.is_first is not None or known.expires_on:
        return None
    renewed = _end_by_rule(kind, replace(known, is_first=False))
    return renewed if renewed != end else None


def _end_by_rule(kind: CardKind, known: KnownDates) -> date:
    if known.issued is None:
        raise RefusedInputError("issue_date_needed", field="issued")
    match kind.on(known.issued).lasts:
        case OnlyTheCardSays():
            raise RefusedInputError("only_the_card_says", field="expires")
        case LicenceBirthdays():
            issued, born = _needed(known)
            end = validity.licence_ends_on(issued, born, known.years, is_first=known.is_first)
            if not _is_of_age(kind, born, end):
                raise RefusedInputError("age_not_of_kind", field="born")
            return end
        case CardBirthdays(birthdays=birthdays) | CertificateBirthdays(birthdays=birthdays):
            return validity.nth_birthday_after(*_needed(known), birthdays)
        case fixed:
            end_of_period = validity.ends_after(fixed, known.issued, known.years, known.born)
            if end_of_period is None:
                raise RefusedInputError("only_the_card_says", field="expires")
            return end_of_period


def _needed(known: KnownDates) -> tuple[date, date]:
    if known.issued is None:
        raise RefusedInputError("issue_date_needed", field="issued")
    if known.born is None:
        raise RefusedInputError("birth_date_needed", field="born")
    return known.issued, known.born


def _refuse_contradictions(key: str, known: KnownDates) -> None:
    issued, born, today = known.issued, known.born, known.today
    made = known.received or issued or known.expires_on
    impossible = {
        "issued": _is_before(today, issued) or (key in MY_NUMBER and _is_before(issued, FIRST_ISSUED)),
        "born": _is_before(made, born),
        "received": _is_before(issued, known.received),
        "residence_until": _is_before(known.residence_until, issued),
        "card_expires": _is_before(known.card_expires_on, issued),
        "expires": _is_before(known.expires_on, issued),
    }
    for field, contradicts in impossible.items():
        if contradicts:
            raise RefusedInputError("dates_contradict", field=field)


def _is_before(day: date | None, other: date | None) -> bool:
    return day is not None and other is not None and day < other
