"""The kinds of cards and certificates: what config/cards.toml says of each. A card's number has no place here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from reminder.domain.people import Language
from reminder.errors import SettingsError

CONFIDENCES = ("verified", "inferred", "unconfirmed")


@dataclass(frozen=True)
class CardKind:
    """`source` and `checked_on`: where the rule was read, and when. Texts of an unconfirmed rule point at the card."""

    key: str
    names: Mapping[str, str]  # language -> name
    date_stands: Mapping[str, str]  # language -> where its holder finds the date
    opens_months_before: int  # renewal opens the day after (end minus these months)
    health_grace: bool  # whether the health-insurance use outlives the end date
    grace_unconfirmed: bool  # that grace counts only where the setting CARD_GRACE is on
    replacement_days: int  # how long a new one takes; 0 = given the same day
    carried_by: str | None  # the kind of card this one lives in and ends with
    told_to_elders: bool  # whether an elderly person is told of it, or only the carer
    source: str  # addresses, separated by a space
    checked_on: date
    confidence: str

    @property
    def is_slow(self) -> bool:
        return self.replacement_days > 0


def read_kinds(table: Mapping[str, object]) -> dict[str, CardKind]:
    """From the parsed config/cards.toml, in its order. Raises SettingsError naming the kind and the field."""
    if not table:
        raise SettingsError("config/cards.toml", "add at least one kind")
    return {key: _read_kind(key, row) for key, row in table.items()}


def _read_kind(key: str, row: object) -> CardKind:
    if not isinstance(row, Mapping):
        raise SettingsError(f"config/cards.toml: {key}", "make it a table like the others")
    for name in row:
        if name not in _RIGHT:
            raise SettingsError(f"config/cards.toml: {key}.{name}", f"remove it; there are only {', '.join(_RIGHT)}")
    for name, (is_right, fix) in _RIGHT.items():
        if name not in row:
            raise SettingsError(f"config/cards.toml: {key}.{name}", f"add it: {fix}")
        if not is_right(row[name]):
            raise SettingsError(f"config/cards.toml: {key}.{name}", f"make it {fix}")
    return CardKind(key=key, **{**row, "carried_by": row["carried_by"] or None, "source": " ".join(row["source"])})


def _is_in_every_language(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == set(Language)
        and all(isinstance(text, str) and text for text in value.values())
    )


def _is_list_of_addresses(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(str(url).startswith("https://") for url in value)


# `type(...) is` because True is an int and a moment is a date.
_RIGHT: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "names": (_is_in_every_language, f"a table of texts, one for each of {', '.join(Language)}"),
    "date_stands": (_is_in_every_language, f"a table of texts, one for each of {', '.join(Language)}"),
    "opens_months_before": (lambda value: type(value) is int and 0 <= value <= 24, "a whole number from 0 to 24"),
    "health_grace": (lambda value: type(value) is bool, "true or false"),
    "grace_unconfirmed": (lambda value: type(value) is bool, "true or false"),
    "replacement_days": (lambda value: type(value) is int and 0 <= value <= 365, "a whole number from 0 to 365"),
    "carried_by": (lambda value: isinstance(value, str), 'the key of the kind it lives in, "" for none'),
    "told_to_elders": (lambda value: type(value) is bool, "true or false"),
    "source": (_is_list_of_addresses, "a list of https addresses"),
    "checked_on": (lambda value: type(value) is date, "a date like 2026-11-23"),
    "confidence": (lambda value: value in CONFIDENCES, f"one of {', '.join(CONFIDENCES)}"),
}
