"""A group's preferences: its days and its hour for reminders, and whether Sundays and holidays count."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from reminder.domain.model.people import Mode
from reminder.domain.parsing.days_before import refuse_days, unreadable
from reminder.errors import RefusedInputError, UnknownChoiceError

# No message goes before the first hour; after the last too little time would be left for a retry.
FIRST_HOUR, LAST_HOUR = 9, 17

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

    def on_days(self, own_days: tuple[int, ...]) -> Self:
        """Return the preferences for what has days of its own, farthest first; without any, the group's stay."""
        return replace(self, own_days=own_days) if own_days else self

    def about(self, mode: Mode) -> Self:
        """Return the preferences for a person of this mode: elderly people act only when counters are open."""
        return self if mode is Mode.STANDARD or not self.on_holidays else replace(self, on_holidays=False)

    def checked(self, presets: Collection[str]) -> Self:
        """Return itself where each choice is allowed; raises RefusedInputError."""
        if self.preset and self.preset not in presets:
            raise UnknownChoiceError(field="preset", choices=sorted(presets))
        if self.send_hour is not None and not FIRST_HOUR <= self.send_hour <= LAST_HOUR:
            raise RefusedInputError("hour_out_of_range", field="send_hour", first=FIRST_HOUR, last=LAST_HOUR)
        refuse_days(self.own_days)
        return self


# The default: each person by their mode.
DEFAULT_PREFERENCES = Preferences()


def read_hour(text: str) -> int | None:
    """Return an hour in Japan, typed as 10, １０時 or 10:00; None for an empty text. Raises RefusedInputError."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return None
    found = _HOUR.fullmatch(plain)
    if found is None:
        raise unreadable(text, "send_hour")
    hour = int(found[1])
    if not FIRST_HOUR <= hour <= LAST_HOUR:
        raise RefusedInputError("hour_out_of_range", field="send_hour", first=FIRST_HOUR, last=LAST_HOUR)
    return hour
