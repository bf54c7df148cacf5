"""Days with people, providers, crashes and clocks that each seed chooses: what must never be is never seen."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.databases import Server
from tests.simulation.scenario import Happening, Scenario, Somebody, as_toml, drawn, from_toml
from tests.simulation.shrink import shrunk
from tests.simulation.weather import Spell

EVERY_DAY, AT_NIGHT = "1-50", "51-500"


def simulate(*asked: str) -> tuple[int, Sequence[str]]:
    """In a process of its own, whose hashes are always the same."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.fixture(scope="module")
def fifty() -> tuple[int, Sequence[str]]:
    return simulate("--seeds", EVERY_DAY, "--digests")


def test_nothing_is_wrong_on_the_days_of_fifty_seeds(fifty: tuple[int, Sequence[str]]) -> None:
    status, said = fifty

    assert status == 0, "\n".join(line for line in said if " texts)" not in line)


def test_a_seed_lives_the_same_day_again_in_another_process(fifty: tuple[int, Sequence[str]]) -> None:
    """There it is the first and only one; among fifty it came after others."""
    _, again = simulate("--seed", "40")

    assert again[0] in fifty[1]
    assert again[0].startswith("seed 40: ")


@pytest.mark.parametrize("seeds", ["7-9"])
def test_a_seed_lives_the_same_day_on_postgresql(seeds: str, postgres: Server) -> None:
    """Among them is one that restores a back-up, and one whose disk is full."""
    del postgres
    on_one, on_the_other = (
        simulate("--seeds", seeds, "--digests", "--on", kind)[1][:-1] for kind in ("sqlite", "postgresql")
    )

    assert on_the_other == on_one


def test_nothing_is_wrong_on_the_days_of_twenty_seeds_on_postgresql(postgres: Server) -> None:
    del postgres
    status, said = simulate("--seeds", "501-520", "--on", "postgresql")

    assert status == 0, "\n".join(said)


def test_nothing_is_wrong_on_the_days_of_five_hundred_seeds() -> None:
    status, said = simulate("--seeds", AT_NIGHT)

    assert status == 0, "\n".join(said)


def test_what_was_found_once_stays_mended() -> None:
    status, said = simulate("--kept")

    assert status == 0, "\n".join(said)


def test_a_failure_is_made_small_and_kept_as_it_is() -> None:
    """Whatever is not needed for it goes: happenings, spells, odd telephones and people."""
    scenario = drawn(7)
    needed = Happening(15_000.0, "stop", {"who": scenario.people[0].name})
    large = Scenario(
        7,
        scenario.people,
        [*scenario.happenings, needed],
        [*scenario.spells, Spell("sms", "hang", 10.0)],
        {"090-0000-0001": "lost"},
    )

    def wrongs_of(tried: Scenario) -> set[str]:
        return {"as if"} if needed in tried.happenings else set()

    small = shrunk(large, wrongs_of, "as if")

    assert small == Scenario(7, [large.people[0]], [needed], [], {})


def test_a_scenario_is_kept_in_words_and_read_again() -> None:
    import tomllib

    scenario = Scenario(
        3,
        [Somebody("p0", sms="090-0000-0001", carers=("a@example.jp",))],
        [Happening(4.5, "answer", {"who": "p0", "text": "停止"})],
        [Spell("sms", "refuse:400:21211", 1.0)],
        {"090-0000-0001": "lost"},
    )

    (entry,) = tomllib.loads(as_toml(scenario, finds="as if"))["kept"]

    assert as_toml(from_toml(entry), finds="as if") == as_toml(scenario, finds="as if")
