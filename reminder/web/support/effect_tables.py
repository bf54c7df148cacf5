"""The table of what became of end dates, as pages show it: rows with names, and the same as a picture."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reminder.domain.rules.effect import By, EffectRow, EffectTable, Share
from reminder.web.drawing import effect_bars
from reminder.web.drawing.effect_bars import Bar

_DAYS = re.compile(r"([dag])([0-9]+)")


@dataclass(frozen=True)
class ShownRow:
    """A row as a page shows it. Percents are whole numbers; `low`, `high`: the limits of the share in time."""

    name: str
    row: EffectRow
    percent: int
    low: int
    high: int

    @classmethod
    def of(cls, name: str, row: EffectRow) -> "ShownRow":
        """Return the row with its share in whole percents."""
        share = row.in_time
        return cls(name, row, round(100 * share.share), round(100 * share.low), round(100 * share.high))


def shown_rows(table: EffectTable, name_of: Callable[[str], str]) -> list[ShownRow]:
    """Return the rows of a table with the names that readers know."""
    return [ShownRow.of(name_of(row.name), row) for row in table.rows]


def picture(title: str, rows: Sequence[ShownRow]) -> str:
    """Return the picture of these rows; those whose ends were all needed no more have no share."""
    bars = [Bar(one.name, _share(one)) for one in rows if one.row.in_time.of]
    return effect_bars.draw(title, bars) if bars else ""


def _share(shown: ShownRow) -> Share:
    return shown.row.in_time


def step_name(step: str, say: Callable[..., str]) -> str:
    """Return the name of a step. `say`: returns the words of an entry of the section `renewals` of the pages."""
    found = _DAYS.fullmatch(step)
    if found is not None:
        return say(f"step_{found[1]}", n=int(found[2]))
    return say(f"step_{step or 'nothing'}") if (step or "nothing") in NAMED_STEPS else step


# Steps with a name of their own; those of days are d30, a7 and g7.
NAMED_STEPS = ("opens", "lastopen", "post", "done", "taken", "again", "come", "collect", "visit", "nothing")
# What a group may tell its own ends apart by.
OF_A_GROUP = (By.KIND, By.STEP, By.CHANNEL)
