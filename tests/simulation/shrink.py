"""Makes a failing scenario small: drops what happens, as long as the same kind of thing is still wrong."""

from collections.abc import Callable, Collection
from dataclasses import replace

from tests.simulation.scenario import Scenario


def shrunk(scenario: Scenario, wrongs_of: Callable[[Scenario], Collection[str]], kind: str) -> Scenario:
    """Return a scenario from which no single happening, spell, odd phone or person can be dropped any more."""
    while (smaller := _smaller(scenario, wrongs_of, kind)) is not None:
        scenario = smaller
    return scenario


def _smaller(scenario: Scenario, wrongs_of: Callable[[Scenario], Collection[str]], kind: str) -> Scenario | None:
    for tried in (*(scenario.without(number) for number in range(scenario.parts)), *_with_fewer_people(scenario)):
        if kind in wrongs_of(tried):
            return tried
    return None


def _with_fewer_people(scenario: Scenario) -> list[Scenario]:
    found = []
    for one in scenario.people:
        is_named = any(happening.args.get("who") == one.name for happening in scenario.happenings)
        if len(scenario.people) > 1 and not is_named:
            found.append(replace(scenario, people=[other for other in scenario.people if other is not one]))
    return found
