"""All schedules of config/schedules.toml, and the choice of a person's schedule."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from reminder.domain.model.card_kinds import CardKind
from reminder.domain.model.people import Mode
from reminder.domain.rules.custom_days import on_own_days
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.schedule_model import Schedule
from reminder.domain.rules.steps import StepRule

Presets = Mapping[Mode, Mapping[str, Schedule]]


class Schedules:
    """The presets of config/schedules.toml: for each mode, one schedule by each name.

    A group may choose some of them in place of its persons' modes, for the modes that they are written for.
    """

    def __init__(self, rules: Mapping[str, StepRule], presets: Presets, chosen: Mapping[str, Presets]) -> None:
        self._rules = rules
        self._presets = presets
        self._chosen = chosen

    @property
    def steps(self) -> Collection[StepRule]:
        """Every step of the file, in its order."""
        return self._rules.values()

    @property
    def names(self) -> Collection[str]:
        """The names by which config/cards.toml chooses a schedule for a kind."""
        return self._presets[Mode.STANDARD].keys()

    @property
    def presets(self) -> Collection[str]:
        """The names that a group may choose."""
        return self._chosen.keys()

    def of(self, mode: Mode, kind: CardKind, preferences: Preferences = DEFAULT_PREFERENCES) -> Schedule:
        """Return the schedule of a person in this mode for cards of this kind.

        Of a kind that elderly people are not reminded of, only the carers' steps remain. A preset that no longer exists
        falls back to the person's mode.
        """
        presets = self._chosen.get(preferences.preset, self._presets) if preferences.preset else self._presets
        schedule = presets.get(mode, self._presets[mode])[kind.schedule]
        if preferences.own_days:
            schedule = on_own_days(schedule, preferences.own_days, tuple(self._rules.values()), kind.comes_by_itself)
        is_silent = mode is not Mode.STANDARD and not kind.told_to_elders
        return replace(schedule, person=()) if is_silent else schedule
