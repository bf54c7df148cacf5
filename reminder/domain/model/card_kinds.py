"""The kinds of cards and certificates, as config/cards.toml defines them. A card's number is never stored.

Their names, and every text about them, are in config/wording/.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reminder.errors import SettingsError

FILE = "config/cards.toml"

CARD = "mynumber_card"
USER_CERTIFICATE = "mynumber_user_certificate"
SIGNATURE_CERTIFICATE = "mynumber_signature_certificate"
MY_NUMBER = (CARD, USER_CERTIFICATE, SIGNATURE_CERTIFICATE)
# Anything else that ends, under a label of its owner's.
OTHER = "other"


class _Row(BaseModel):
    """A table of the file, validated strictly: no extra fields, no type conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Confidence(StrEnum):
    """The strength of the sources of a kind's rules."""

    VERIFIED = "verified"
    INFERRED = "inferred"
    UNCONFIRMED = "unconfirmed"


class Grace(StrEnum):
    """The health-insurance use after the end date; UNCONFIRMED counts only with the setting CARD_GRACE."""

    NONE = "none"
    HEALTH_INSURANCE = "health_insurance"
    UNCONFIRMED = "health_insurance_unconfirmed"


Months = Annotated[int, Field(ge=1, le=120)]
Years = Annotated[int, Field(ge=1, le=20)]


class DayOfYear(_Row):
    """A day that recurs every year; 29 February is refused."""

    month: int
    day: int

    @model_validator(mode="after")
    def _is_there_every_year(self) -> Self:
        self.of(2023)
        return self

    def of(self, year: int) -> date:
        """Return this day in the given year."""
        return date(year, self.month, self.day)


# The opening of renewal, relative to the end date.


class OpensMonthsBefore(_Row):
    """Renewal opens on the day after the end minus these months; with `to_the_day` on that day itself."""

    months: Months
    to_the_day: bool = False


class OpensDaysBefore(_Row):
    """Renewal opens this many days before the end."""

    days: Annotated[int, Field(ge=1, le=730)]


class OpensAroundBirthday(_Row):
    """Renewal opens a month before the birthday; the card ends a month after it."""

    birthday: Literal[True]


class NoOpeningDay(_Row):
    """No opening day: the new card comes by itself, or no such day is known."""


Opening = OpensMonthsBefore | OpensDaysBefore | DayOfYear | OpensAroundBirthday | NoOpeningDay


# How an end date follows from an issue date.


class CardBirthdays(_Row):
    """An end on the nth birthday after issue, sooner for who was younger than `adult_at` at the application."""

    birthdays: Years
    of_minors: Years
    adult_at: Years


class CertificateBirthdays(_Row):
    """An end on the nth birthday after issue; a later one if it replaced one in that one's last three months."""

    birthdays: Years
    renewed_early: Years


class LastsYears(_Row):
    """An end on the same day so many years later."""

    years: Years


class LastsMonths(_Row):
    """An end so many months later.

    It is the day before the months are over, the end of that day's month, or the end of the month before it.
    """

    months: Months
    to: Literal["day", "month_end", "month_end_before"] = "day"


class LastsUntil(_Row):
    """An end on the next such day of the year after issue."""

    until: DayOfYear


class LicenceBirthdays(_Row):
    """An end a month after the third to fifth birthday, by age."""

    licence: Literal[True]


class OnlyTheCardSays(_Row):
    """An end that cannot be computed and must be read from the card."""


Lasting = (
    CardBirthdays | CertificateBirthdays | LastsYears | LastsMonths | LastsUntil | LicenceBirthdays | OnlyTheCardSays
)


class LinkedEnd(StrEnum):
    """The date offered for a linked card: that of this one, that of the card's certificates, or none."""

    SAME = "same"
    CERTIFICATE = "certificate"
    UNKNOWN = "unknown"


class Offer(_Row):
    """Another kind that the holder of this kind often has too."""

    kind: str
    ends: Annotated[LinkedEnd, Field(strict=False)]
    from_age: int = 0  # offered only from this age to `to_age`, at the end date
    to_age: int = 200


class CardKind(_Row):
    """A kind of card or certificate, with its rules.

    `source` and `checked_on`: where the rule was read, and when. `versions`: the rules of other periods.
    """

    key: str
    texts: str  # the family of texts about it
    schedule: str  # the schedule of config/schedules.toml
    opens: Opening
    lasts: Lasting
    moves_past_holidays: bool  # by law, an end on a closed day moves to the next open day
    replacement_days: Annotated[int, Field(ge=0, le=365)]  # how long a new one takes; 0 = given the same day
    proxy_may_go: bool
    grace: Annotated[Grace, Field(strict=False)]
    carried_by: str  # the kind of card that carries this one and ends it; "" = none
    bound_by: str  # the kind whose end, where it is the same day, decides this one's too; "" = none
    offers: Annotated[tuple[Offer, ...], Field(strict=False)]
    told_to_elders: bool  # whether an elderly person is reminded of it, or only the carer
    source: Annotated[tuple[Annotated[str, Field(pattern="^https?://")], ...], Field(strict=False)]
    checked_on: date
    confidence: Annotated[Confidence, Field(strict=False)]
    city_visits: bool = False  # staff of some cities visit homes to renew it
    versions: tuple["Version", ...] = ()

    def on(self, day: date) -> "CardKind":
        """Return the kind with the rules in force on that day."""
        return next((one.kind for one in self.versions if one.first <= day <= one.last), self)

    @property
    def comes_by_itself(self) -> bool:
        """Whether the new card is sent without an application."""
        return self.texts == "arrival"


class Version(_Row):
    """A kind with its rules from `first` to `last`, both included."""

    first: date
    last: date
    kind: CardKind


# The allowed values of each field, in the syntax of the file, for error messages.
_FIX: Mapping[str, str] = {
    "opens": "one of { months = 3 }, { months = 2, to_the_day = true }, { days = 60 }, { month = 6, day = 1 }, "
    "{ birthday = true } or {}",
    "lasts": "one of { birthdays = 10, of_minors = 5, adult_at = 18 }, { birthdays = 5, renewed_early = 6 }, "
    "{ years = 7 }, { months = 24 } with to = month_end or month_end_before, { until = { month = 7, day = 31 } }, "
    "{ licence = true } or {}",
    **dict.fromkeys(("moves_past_holidays", "proxy_may_go", "told_to_elders", "city_visits"), "true or false"),
    **dict.fromkeys(("carried_by", "bound_by"), 'the key of a kind in this file, "" for none'),
    "texts": "a family of texts in config/wording",
    "schedule": "a schedule of config/schedules.toml",
    "replacement_days": "a whole number from 0 to 365",
    "grace": f"one of {', '.join(Grace)}",
    "offers": f'a list of {{ kind = "…", ends = "…" }}, where it ends as one of {", ".join(LinkedEnd)}',
    "source": "a list of web addresses",
    "checked_on": "a date like 2026-11-23",
    "confidence": f"one of {', '.join(Confidence)}",
    "versions": "tables with a first day, from = 2026-08-01, or a last one, until = …, and the fields that differ",
}


def read_kinds(table: Mapping[str, object]) -> dict[str, CardKind]:
    """Return the kinds of the parsed config/cards.toml, in its order.

    Raises SettingsError naming the kind and the field.
    """
    kinds = {key: _read_kind(key, row) for key, row in table.items()}
    for key in (*MY_NUMBER, OTHER):
        if key not in kinds:
            raise SettingsError(f"{FILE}: {key}", "keep this kind: the program counts on it")
    for key, kind in kinds.items():
        named = {"carried_by": [kind.carried_by], "bound_by": [kind.bound_by]}
        named["offers"] = [offer.kind for offer in kind.offers]
        for column, others in named.items():
            if not {*others} <= {"", *kinds}:
                raise SettingsError(f"{FILE}: {key}.{column}", "name a kind that is in this file")
    return kinds


def _read_kind(key: str, row: object) -> CardKind:
    if not isinstance(row, Mapping):
        raise SettingsError(f"{FILE}: {key}", "make it a table like the others")
    versions = row.get("versions", [])
    kind = _checked(key, {name: value for name, value in row.items() if name != "versions"})
    if not isinstance(versions, list) or not all(isinstance(one, Mapping) for one in versions):
        raise SettingsError(f"{FILE}: {key}.versions", f"make it {_FIX['versions']}")
    return kind.model_copy(update={"versions": tuple(_read_version(key, row, one) for one in versions)})


def _read_version(key: str, row: Mapping[str, object], version: Mapping[str, object]) -> Version:
    days = {name: version[name] for name in ("from", "until") if name in version}
    changed = {name: value for name, value in {**row, **version}.items() if name not in ("versions", *days)}
    kind = _checked(key, changed)
    try:
        if not days:
            raise ValueError
        return Version.model_validate(
            {"first": days.get("from", date.min), "last": days.get("until", date.max), "kind": kind}
        )
    except ValueError:
        raise SettingsError(f"{FILE}: {key}.versions", f"make it {_FIX['versions']}") from None


def _checked(key: str, row: Mapping[str, object]) -> CardKind:
    try:
        return CardKind.model_validate({**row, "key": key})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        match first["type"]:
            case "missing" if len(first["loc"]) == 1:
                fix = f"add it: {_FIX[field]}"
            case "extra_forbidden" if len(first["loc"]) == 1:
                fix = f"remove it; there are only {', '.join(_FIX)}"
            case _:
                fix = f"make it {_FIX[field]}"
        raise SettingsError(f"{FILE}: {key}.{field}", fix) from None
