"""Reader of config/schedules.toml: the steps, the schedules of each mode, and the presets for groups."""

from collections.abc import Mapping
from typing import cast

from reminder.domain.model.people import Audience, Mode
from reminder.domain.rules.schedule_model import Schedule
from reminder.domain.rules.schedules import Presets, Schedules
from reminder.domain.rules.steps import LONGEST_NAME as LONGEST_STEP_NAME
from reminder.domain.rules.steps import Anchor, StepRule, is_allowed_name, stage_of
from reminder.errors import SettingsError

# A group's choice is stored under this name.
LONGEST_NAME = 20


def read_schedules(table: Mapping[str, object]) -> Schedules:
    """Return the schedules of the parsed config/schedules.toml; raises SettingsError naming the entry."""
    rows = _section(table, "steps").items()
    rules = {name: _read_rule(name, row, rank) for rank, (name, row) in enumerate(rows)}
    presets: dict[Mode, dict[str, Schedule]] = {}
    for mode in Mode:
        schedules = _section(table, "presets").get(mode)
        if not isinstance(schedules, Mapping) or schedules.keys() != _names_in(table):
            names = ", ".join(sorted(_names_in(table)))
            raise SettingsError(f"config/schedules.toml: presets.{mode}", f"every mode has the same schedules: {names}")
        presets[mode] = {name: _read_schedule(rules, schedules[name], f"presets.{mode}.{name}") for name in schedules}
    chosen = {name: _read_chosen(rules, row, name, presets) for name, row in _chosen_in(table).items()}
    return Schedules(rules, presets, chosen)


def _chosen_in(table: Mapping[str, object]) -> Mapping[str, object]:
    chosen = table.get("chosen", {})
    if not isinstance(chosen, Mapping):
        raise SettingsError("config/schedules.toml: [chosen]", "write [chosen.NAME.MODE.SCHEDULE]")
    return chosen


def _read_chosen(rules: Mapping[str, StepRule], row: object, name: str, presets: Presets) -> Presets:
    """Return the presets with this one added; modes and schedules that it leaves out are inherited."""
    if not isinstance(row, Mapping) or not row.keys() <= set(Mode) or len(name) > LONGEST_NAME:
        fix = (
            f"write [chosen.NAME.MODE.SCHEDULE], a mode of {', '.join(Mode)}, a name of {LONGEST_NAME} letters at most"
        )
        raise SettingsError(f"config/schedules.toml: chosen.{name}", fix)
    chosen = {}
    for mode, schedules in row.items():
        where = f"chosen.{name}.{mode}"
        if not isinstance(schedules, Mapping) or not schedules.keys() <= presets[Mode(mode)].keys():
            fix = f"name schedules of {', '.join(presets[Mode(mode)])}"
            raise SettingsError(f"config/schedules.toml: {where}", fix)
        own = {schedule: _read_schedule(rules, schedules[schedule], f"{where}.{schedule}") for schedule in schedules}
        chosen[Mode(mode)] = {**presets[Mode(mode)], **own}
    return chosen


def _names_in(table: Mapping[str, object]) -> set[str]:
    return {
        name
        for schedules in _section(table, "presets").values()
        if isinstance(schedules, Mapping)
        for name in schedules
    }


def _read_schedule(rules: Mapping[str, StepRule], row: object, where: str) -> Schedule:
    steps = {}
    for audience in Audience:
        names = row.get(audience) if isinstance(row, Mapping) else None
        if not isinstance(names, list):
            raise SettingsError(f"config/schedules.toml: {where}.{audience}", "make it a list of steps, [] for none")
        for name in names:
            if name not in rules:
                raise SettingsError(f"config/schedules.toml: {where}: {name}", "add it to [steps] or remove it")
        steps[audience] = tuple(rule for name, rule in rules.items() if name in names)
    return Schedule(steps[Audience.PERSON], steps[Audience.CARER], steps[Audience.STAFF])


def _section(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise SettingsError(f"config/schedules.toml: [{name}]", "add this section")
    return section


def _read_rule(name: str, row: object, rank: int) -> StepRule:
    where = f"config/schedules.toml: steps.{name}"
    if (
        not isinstance(row, Mapping)
        or not set(row) <= {"anchor", "days", "moves", "calls", "asks_for_form"}
        or row.get("anchor") not in list(Anchor)
        or type(row.get("days")) is not int
        or row.get("moves", "after") != "after"
        or not all(isinstance(row.get(mark, False), bool) for mark in ("calls", "asks_for_form"))
    ):
        fix = f"write {{ anchor = one of {', '.join(Anchor)}, days = a whole number }}"
        more = 'and where it must moves = "after", calls = true, asks_for_form = true'
        raise SettingsError(where, f"{fix}, {more}")
    if not is_allowed_name(name):
        fix = f"call it by at most {LONGEST_STEP_NAME} small letters, digits, - or _, such as d21"
        raise SettingsError(where, f"{fix}; not done, taken or again, which name the steps that follow an answer")
    anchor, days = Anchor(row["anchor"]), cast(int, row["days"])
    if stage_of(anchor, days) is None:
        which = "0 or more: before the opening" if anchor is Anchor.OPENS else "0 or less: after the last open day"
        raise SettingsError(where, f"write days = {which} there is nothing to say")
    marks = {mark: bool(row.get(mark, False)) for mark in ("calls", "asks_for_form")}
    return StepRule(name, anchor, days, "moves" in row, (rank, 0), **marks)
