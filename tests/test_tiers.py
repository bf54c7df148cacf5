"""The two tiers together are the whole suite, and the smaller one proves every law."""

import re
from pathlib import Path

import pytest

from tests.tiers import ON_ONE_DATABASE, SLOW, TIERS, Tier, tier_of

TESTS = Path(__file__).parent
# Moves between the databases, and many at the same moment.
ABOUT_POSTGRESQL = (
    "cli/test_database_roles.py",
    "enrolment/test_quotas.py",
    "upkeep/test_backup_of_anything.py",
    "upkeep/test_key_rotation.py",
    "web/test_no_lockout.py",
)
# The part of a test's name that says which database it has.
POSTGRESQL = re.compile(r"(?<=[\[-])postgresql(?=[\]-])")


@pytest.mark.parametrize(
    ("file", "database", "tier"),
    [
        ("storage/test_outbox.py", "postgresql", Tier.EVERYDAY),
        ("delivery/test_lease_manager.py", "postgresql", Tier.EVERYDAY),
        ("delivery/test_sender.py", "postgresql", Tier.REST),
        ("delivery/test_sender.py", "sqlite", Tier.EVERYDAY),
        ("journeys/test_stories.py", "postgresql", Tier.REST),
        ("journeys/test_over_sockets.py", None, Tier.REST),
        ("web/test_api.py", "sqlite", Tier.EVERYDAY),
        ("web/test_api.py", "postgresql", Tier.REST),
        ("web/test_page_words.py", None, Tier.EVERYDAY),
        ("browser/test_family.py", "sqlite", Tier.REST),
        ("upkeep/test_backup_of_anything.py", "postgresql", Tier.REST),
        ("browser/test_chromium.py", None, Tier.REST),
        ("chaos/test_chaos.py", None, Tier.REST),
    ],
)
def test_a_test_is_of_the_rest_if_it_is_slow_or_repeats_on_postgresql_what_storage_proves(
    file: str, database: str | None, tier: Tier
) -> None:
    # A test on each database, and a test that knows one only.
    assert tier_of(f"{file}::test_a[0]", (), {} if database is None else {"database_url": database}) == tier
    assert tier_of(f"{file}::test_a", ["postgres"] if database == "postgresql" else ()) == tier


def test_a_single_test_of_a_quick_file_may_be_slow_whatever_its_parameters() -> None:
    (file, name), *_ = [place.split("::") for place in SLOW if "::" in place]

    assert tier_of(f"{file}::{name}") == tier_of(f"{file}::{name}[one-[two]]") == Tier.REST
    assert tier_of(f"{file}::{name}_more") == tier_of(f"{file}::test_another") == Tier.EVERYDAY


@pytest.mark.parametrize("place", [*SLOW, *ON_ONE_DATABASE])
def test_every_place_that_has_a_tier_is_there(place: str) -> None:
    file, _, name = place.partition("::")

    assert (TESTS / file).exists()
    assert not name or re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_what_is_left_for_the_rest_is_slow_or_has_a_twin_on_sqlite_every_day(request: pytest.FixtureRequest) -> None:
    tiers = request.config.stash[TIERS]
    everyday = {name for name, tier in tiers.items() if tier is Tier.EVERYDAY}
    slow = tuple(f"tests/{path}" for path in SLOW)
    rest = {name for name, tier in tiers.items() if tier is Tier.REST and not name.startswith(slow)}
    alone = {name for name in rest if POSTGRESQL.sub("sqlite", name) not in everyday}

    # What is about PostgreSQL itself has no twin.
    assert {name.split("::")[0] for name in alone} <= {f"tests/{path}" for path in ABOUT_POSTGRESQL}


def test_this_run_leaves_out_the_other_tier_and_nothing_else(request: pytest.FixtureRequest) -> None:
    config, here = request.config, {item.nodeid for item in request.session.items}
    asked = {name for name, tier in config.stash[TIERS].items() if config.getoption("tier") in ("all", tier)}

    assert here <= asked
    # What these leave out is said by pytest, and CI refuses it.
    if not config.getoption("keyword") and not config.getoption("markexpr"):
        assert here == asked
