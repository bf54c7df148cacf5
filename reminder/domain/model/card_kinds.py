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
# The key of a kind of a group's own begins so; see own_kinds.
OWN = "own:"


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


class RenewalPlace(StrEnum):
    """Where the act for a kind is done."""

    MUNICIPAL_COUNTER = "municipal_counter"
    IMMIGRATION = "immigration"
    LICENCE_CENTRE = "licence_centre"  # or a police station
    DRIVING_SCHOOL = "driving_school"
    PASSPORT_OFFICE = "passport_office"  # or online
    HEALTH_CENTRE = "health_centre"
    INSURER = "insurer"
    SHOP = "shop"
    OWN_PHONE = "own_phone"
    POST = "post"
    TELEPHONE = "telephone"  # a call is enough
    ARRIVES = "arrives_by_itself"
    ISSUER = "issuer"  # nothing is known of it


class LifeStage(StrEnum):
    """A stage between the first act for a card and the new one, in the order in which they come."""

    BOOKED = "booked"  # a day has been agreed on
    APPLIED = "applied"  # the new one is being made, or decided on
    READY = "ready_to_collect"  # it lies at the office


class FirstAct(StrEnum):
    """How the renewal of a kind begins."""

    WAIT = "wait"  # for the post
    ASK = "ask"  # the insurer, or whoever issued it
    BOOK = "book"
    APPLY = "apply"  # at a counter, by post or online: the new one comes later
    GO = "go"  # and have it done there and then
    SET_UP = "set_up"  # on the holder's own telephone


class LeadTimeBasis(StrEnum):
    """How well a lead time is known."""

    MEASURED = "measured"
    STATED = "stated"  # by an office
    GUESSED = "guessed"


class StandIn(StrEnum):
    """Who may do something in the holder's place."""

    ANYBODY = "anybody"  # whom the holder asks
    RELATIVES = "relatives"  # living together, or a registered agent
    EXCUSED = "excused"  # anybody, where the holder has an accepted reason not to come
    NOBODY = "nobody"


class ProxyPaper(StrEnum):
    """A paper that somebody needs who goes instead of the holder."""

    SEALED_FORM = "sealed_form"  # 照会書, filled in by the holder, in its sealed envelope
    HOLDERS_CARD = "holders_card"
    OWN_PHOTO_ID = "own_photo_id"
    POSTCARD = "postcard"  # 交付通知書, with the mandate on it
    HOLDERS_PAPERS = "holders_papers"  # two, one of them with a photograph
    OWN_PAPERS = "own_papers"  # likewise, of the one who goes
    MANDATE = "mandate"
    PROOF_OF_REASON = "proof_of_reason"


class ProxyReason(StrEnum):
    """An accepted reason for which somebody else may collect a card."""

    AGE_75 = "age_75"
    CARE_LEVEL = "care_level"
    IN_HOME = "in_home"
    IN_HOSPITAL = "in_hospital"
    DISABILITY = "disability"
    PREGNANCY = "pregnancy"
    PUPIL = "pupil"


class Use(StrEnum):
    """A use of a card that stops on the day after its end."""

    IDENTITY = "identity"
    SHOP_PRINTING = "shop_printing"  # コンビニ交付
    MYNAPORTAL = "mynaportal"
    HEALTH_CARD = "health_card"
    E_TAX = "e_tax"
    DRIVING = "driving"
    STAY = "stay"
    TRAVEL = "travel"
    CARE_SERVICES = "care_services"
    DISCOUNT = "discount"


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
    from_age: int = 0  # not issued to who is younger on the day of issue


class LastsYears(_Row):
    """An end on the same day so many years later.

    Sooner for who was younger than `adult_at` at issue (`of_minors`), or, with `until_age`, younger than that: to the
    day before the birthday on which they reach it.
    """

    years: Years
    of_minors: Years | None = None
    adult_at: int = 0
    until_age: int = 0


class LastsMonths(_Row):
    """An end so many months later.

    It is the day before the months are over, the end of that day's month, or the end of the month before it.
    """

    months: Months
    to: Literal["day", "month_end", "month_end_before"] = "day"


class LastsUntil(_Row):
    """An end on the next such day of the year after issue.

    What is issued no more than `early_days` before such a day is of the period after it: it is posted before it begins.
    What is issued in the last `unsure_days` may be of either, and the paper tells.
    """

    until: DayOfYear
    early_days: Annotated[int, Field(ge=0, le=180)] = 0
    unsure_days: Annotated[int, Field(ge=0, le=180)] = 0


class LicenceBirthdays(_Row):
    """An end a month after the third to fifth birthday, by age; only for holders of these ages at the end."""

    licence: Literal[True]
    from_age: int = 0
    to_age: int = 200


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


Address = Annotated[str, Field(pattern="^https?://")]


class LeadTime(_Row):
    """The days from the first act until the holder has the new card; 0 = given the same day, or it comes by itself.

    `source`: where they were read, where that is not among the sources of the kind.
    """

    days: Annotated[int, Field(ge=0, le=365)]
    basis: Annotated[LeadTimeBasis, Field(strict=False)]
    source: Annotated[tuple[Address, ...], Field(strict=False)] = ()


class Proxy(_Row):
    """Who may apply and collect in the holder's place, with which papers; `collect` None: nothing is collected.

    `reasons`: one of them is needed where somebody may go only for a holder who is excused.
    """

    apply: Annotated[StandIn, Field(strict=False)]
    collect: Annotated[StandIn | None, Field(strict=False)] = None
    papers: Annotated[tuple[Annotated[ProxyPaper, Field(strict=False)], ...], Field(strict=False)] = ()
    reasons: Annotated[tuple[Annotated[ProxyReason, Field(strict=False)], ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _has_its_reasons(self) -> Self:
        if (StandIn.EXCUSED in (self.apply, self.collect)) != bool(self.reasons):
            raise ValueError("name the reasons of who is excused, and only theirs")
        return self


# The first act at each place; a booking comes first anywhere.
_FIRST_ACTS: Mapping[RenewalPlace, FirstAct] = {
    RenewalPlace.ARRIVES: FirstAct.WAIT,
    RenewalPlace.INSURER: FirstAct.ASK,
    RenewalPlace.ISSUER: FirstAct.ASK,
    RenewalPlace.TELEPHONE: FirstAct.ASK,
    RenewalPlace.OWN_PHONE: FirstAct.SET_UP,
    RenewalPlace.DRIVING_SCHOOL: FirstAct.BOOK,
}

# Places that cannot be reached on days on which municipal counters are closed.
PUBLIC_OFFICES = (
    RenewalPlace.MUNICIPAL_COUNTER,
    RenewalPlace.IMMIGRATION,
    RenewalPlace.HEALTH_CENTRE,
    RenewalPlace.PASSPORT_OFFICE,
)


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
    lead_time: LeadTime
    done_at: Annotated[RenewalPlace, Field(strict=False)]
    stages: Annotated[tuple[Annotated[LifeStage, Field(strict=False)], ...], Field(strict=False)]
    closes_with_counters: bool  # nothing can be done while municipal counters are closed
    sealed_form: bool  # who goes instead of the holder needs the form of the office, sealed
    stand_in: Proxy
    ends_use_of: Annotated[tuple[Annotated[Use, Field(strict=False)], ...], Field(strict=False)]
    law: str  # the law that it rests on, by name; "" = none is known
    grace: Annotated[Grace, Field(strict=False)]
    carried_by: str  # the kind of card that carries this one and ends it; "" = none
    bound_by: str  # the kind whose end, where it is the same day, decides this one's too; "" = none
    offers: Annotated[tuple[Offer, ...], Field(strict=False)]
    told_to_elders: bool  # whether an elderly person is reminded of it, or only the carer
    source: Annotated[tuple[Address, ...], Field(strict=False)]
    checked_on: date
    confidence: Annotated[Confidence, Field(strict=False)]
    city_visits: bool = False  # staff of some cities visit homes to renew it
    stop_line: Annotated[str, Field(pattern=r"^(0[0-9-]{9,12})?$")] = ""  # to have a lost one stopped, day and night
    versions: tuple["Version", ...] = ()

    def on(self, day: date) -> "CardKind":
        """Return the kind with the rules in force on that day."""
        return next((one.kind for one in self.versions if one.first <= day <= one.last), self)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.sealed_form != (ProxyPaper.SEALED_FORM in self.stand_in.papers):
            raise ValueError("the sealed form is a paper of who goes instead, and the other way round")
        if list(self.stages) != [stage for stage in LifeStage if stage in self.stages]:
            raise ValueError("the stages come in the order booked, applied, ready_to_collect")
        if self.stand_in.collect is not None and LifeStage.READY not in self.stages:
            raise ValueError("only what lies ready is collected")
        if self.closes_with_counters and self.done_at not in PUBLIC_OFFICES:
            raise ValueError("only public offices close with the counters")
        if (self.done_at is RenewalPlace.ARRIVES) != (self.texts == "arrival"):
            raise ValueError("what arrives by itself has the texts of an arrival")
        return self

    @property
    def comes_by_itself(self) -> bool:
        """Whether the new card is sent without an application."""
        return self.done_at is RenewalPlace.ARRIVES

    @property
    def first_act(self) -> FirstAct:
        """How its renewal begins."""
        if LifeStage.BOOKED in self.stages:
            return FirstAct.BOOK
        at_an_office = FirstAct.APPLY if LifeStage.APPLIED in self.stages else FirstAct.GO
        return _FIRST_ACTS.get(self.done_at, at_an_office)

    @property
    def recordable(self) -> tuple[LifeStage, ...]:
        """The stages that a page offers to record: its own, and an appointment wherever somebody goes.

        A card of one's own may be anything.
        """
        if self.key == OTHER or self.key.startswith(OWN):
            return tuple(LifeStage)
        goes = self.first_act in (FirstAct.BOOK, FirstAct.APPLY, FirstAct.GO)
        return tuple(stage for stage in LifeStage if stage in self.stages or (stage is LifeStage.BOOKED and goes))

    @property
    def replacement_days(self) -> int:
        """The days until the holder has a new one; 0 = given the same day, or it comes by itself."""
        return self.lead_time.days

    @property
    def proxy_may_go(self) -> bool:
        """Whether somebody else may apply or collect, where the office's conditions are met."""
        return self.stand_in.apply is not StandIn.NOBODY or self.stand_in.collect not in (None, StandIn.NOBODY)


class Version(_Row):
    """A kind with its rules from `first` to `last`, both included."""

    first: date
    last: date
    kind: CardKind


# Its own versions refer to it; models that inherit from it need it whole.
CardKind.model_rebuild()


# The allowed values of each field, in the syntax of the file, for error messages.
_FIX: Mapping[str, str] = {
    "opens": "one of { months = 3 }, { months = 2, to_the_day = true }, { days = 60 }, { month = 6, day = 1 }, "
    "{ birthday = true } or {}",
    "lasts": "one of { birthdays = 10, of_minors = 5, adult_at = 18 }, { birthdays = 5, renewed_early = 6 }, "
    "{ years = 7 } with of_minors and adult_at or until_age, { months = 24 } with to = month_end or month_end_before, "
    "{ until = { month = 7, day = 31 } } with early_days or unsure_days, "
    "{ licence = true } with from_age and to_age, or {}",
    **dict.fromkeys(
        ("moves_past_holidays", "closes_with_counters", "sealed_form", "told_to_elders", "city_visits"), "true or false"
    ),
    **dict.fromkeys(("carried_by", "bound_by"), 'the key of a kind in this file, "" for none'),
    "texts": "a family of texts in config/wording",
    "schedule": "a schedule of config/schedules.toml",
    "lead_time": f'{{ days = 45, basis = "…" }}, 0 to 365 days, the basis one of {", ".join(LeadTimeBasis)}',
    "done_at": f"one of {', '.join(RenewalPlace)}",
    "stages": f"a list, in this order, of {', '.join(LifeStage)}",
    "stand_in": f'{{ apply = "…" }} and, where there is one, collect, each one of {", ".join(StandIn)}; papers as a '
    f"list of {', '.join(ProxyPaper)}; reasons, where somebody is excused, of {', '.join(ProxyReason)}",
    "ends_use_of": f"a list of {', '.join(Use)}",
    "law": 'the name of a law, "" for none',
    "grace": f"one of {', '.join(Grace)}",
    "offers": f'a list of {{ kind = "…", ends = "…" }}, where it ends as one of {", ".join(LinkedEnd)}',
    "source": "a list of web addresses",
    "stop_line": "a telephone number of this country as it is printed, such as 0120-95-0178",
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
        if not first["loc"]:
            reason = str(first["msg"]).removeprefix("Value error, ")
            raise SettingsError(f"{FILE}: {key}", f"its facts contradict each other: {reason}") from None
        field = str(first["loc"][0])
        match first["type"]:
            case "missing" if len(first["loc"]) == 1:
                fix = f"add it: {_FIX[field]}"
            case "extra_forbidden" if len(first["loc"]) == 1:
                fix = f"remove it; there are only {', '.join(_FIX)}"
            case _:
                fix = f"make it {_FIX[field]}"
        raise SettingsError(f"{FILE}: {key}.{field}", fix) from None
