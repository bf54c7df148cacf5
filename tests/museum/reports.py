"""Reads the rows of the museum, lives them, and compares what came of them."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.runs import run
from tests.simulation.scenario import HOUR, Scenario, from_toml
from tests.simulation.world import Result, in_full

HERE = Path(__file__).parent
MOTHER = {"name": "母", "sms": "090-0000-0001"}


@dataclass(frozen=True)
class Report:
    """A public report. `arrives`: by channel and address, how many messages; `states`: by kind and channel."""

    source: str
    kind: str
    scenario: Scenario
    arrives: Mapping[str, int]
    states: Mapping[str, Sequence[str]]


def reports() -> list[Report]:
    """Return every row."""
    rows = [row for file in sorted(HERE.glob("*.toml")) for row in tomllib.loads(file.read_text("utf-8"))["report"]]
    return [_read(number, row) for number, row in enumerate(rows)]


def _read(number: int, row: Mapping[str, Any]) -> Report:
    entry = {"seed": number, "people": [MOTHER], **row}
    entry["happenings"] = [_happening(one) for one in row.get("happenings", ())]
    entry["spells"] = [_spell(one) for one in row.get("spells", ())]
    return Report(row["source"], row["kind"], from_toml(entry), row.get("arrives", {}), row.get("states", {}))


def _happening(said: Mapping[str, Any]) -> Mapping[str, Any]:
    args = {name: value for name, value in said.items() if name not in ("at", "do", "on")}
    return {"at": seconds(said.get("at", "06:00")), "do": said["do"], "args": args, "on": said.get("on", "")}


def _spell(said: Mapping[str, Any]) -> Mapping[str, Any]:
    spell = dict(said)
    spell["begin"] = seconds(spell.pop("since", "06:00"))
    if "until" in spell:
        spell["end"] = seconds(spell.pop("until"))
    if "to" in spell:
        spell["to"] = in_full(spell["to"])
    return spell


def seconds(said: str) -> float:
    """Return the seconds from six in the morning of the first day to "10:05", or to "2 10:05:30" of the second."""
    day, _, clock = f"1 {said}".removeprefix("1 " if " " in said else "").rpartition(" ")
    hours, minutes, *rest = map(int, clock.split(":"))
    return (int(day) - 1) * 24 * HOUR + (hours - 6) * HOUR + minutes * 60 + sum(rest)


def differences(report: Report) -> list[str]:
    """Live a report, and return what is not as it must be."""
    result = run(report.scenario)
    found = [f"{wrong.kind}: {wrong.what}" for wrong in result.wrongs]
    arrived = Counter(f"{one.channel} {one.to}" for one in result.texts if not one.is_inbound)
    for who, times in report.arrives.items():
        channel, _, address = who.partition(" ")
        if (came := arrived[f"{channel} {in_full(address)}"]) != times:
            found.append(f"{who}: {came} messages came, not {times}")
    for what, states in report.states.items():
        if (ended := _states(result, what)) != sorted(states):
            found.append(f"{what}: ended as {ended}, not as {sorted(states)}")
    return found


def _states(result: Result, what: str) -> list[str]:
    kind, _, channel = what.partition(" ")
    return sorted(row.state for row in result.rows if row.kind == kind and row.channel == channel)
