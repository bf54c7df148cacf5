"""A group's preferences as they are typed on the command line and shown there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reminder.domain.rules.preferences import Preferences

OwnDays = Annotated[
    str | None, typer.Option("--days", help='Days before the end, in place of the usual ones: "60 30 7".')
]
SendHour = Annotated[str | None, typer.Option("--hour", help="No reminder is sent earlier: 9 to 17 (elders from 10).")]
OnHolidays = Annotated[
    bool | None, typer.Option("--holidays/--no-holidays", help="Also on Sundays and holidays; elders never.")
]
Preset = Annotated[
    str | None, typer.Option("--preset", help="few or often, or a preset of yours in config/schedules.toml.")
]


def typed_preferences(
    before: "Preferences", days: str | None, hour: str | None, holidays: bool | None, preset: str | None
) -> "Preferences":
    """Return the changed preferences; what is None stays as it was. Raises RefusedInputError."""
    from reminder.domain.parsing.days_before import read_days
    from reminder.domain.rules.preferences import read_hour

    if days is not None:
        before = replace(before, own_days=read_days(days))
    if hour is not None:
        before = replace(before, send_hour=read_hour(hour))
    if holidays is not None:
        before = replace(before, on_holidays=holidays)
    return before if preset is None else replace(before, preset=preset)


def preferences_row(preferences: "Preferences") -> Mapping[str, object]:
    """Return the preferences as JSON shows them."""
    return {
        "preset": preferences.preset,
        "days": " ".join(map(str, preferences.own_days)),
        "hour": preferences.send_hour,
        "holidays": preferences.on_holidays,
    }
