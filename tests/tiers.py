"""The two tiers of the tests: `make test` runs one every day, `make test-all` the rest, and `.ci/run` both.

A test is of the rest if it is slow by nature, or if it needs PostgreSQL and is of a package that is tested on one
database every day: there each statement is proved on both by tests/storage, and what runs at the same time by
tests/delivery and tests/worker.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

import pytest

# Real browsers, real processes that are killed or asked for long, years, what tries thousands of strangers' inputs, and
# what compares all of something with all of something else: packages, and files and tests of other packages.
SLOW = (
    "browser",
    "chaos",
    "checks",
    "cli/test_commands.py::test_a_reader_that_has_seen_enough_is_no_failure",
    "cli/test_moved_database.py",
    "cli/test_new.py",
    "cli/test_setup_code.py",
    "cli/test_simulate.py",
    "delivery/test_codes_of_their_own.py::test_a_code_leaves_at_once_beside_ten_thousand_mails_that_were_due_before_it",
    "domain/text/test_audience.py",
    "domain/text/test_composer.py",
    "domain/text/test_media_agree.py",
    "domain/text/test_nearness.py",
    "enrolment/imports/test_any_sheet.py",
    "enrolment/imports/test_bounded_reader.py",
    "enrolment/imports/test_heavy_workbooks.py",
    "guard/test_linear.py",
    "journeys/test_a_day_without_providers.py",
    "journeys/test_escalation.py::test_no_elder_gets_more_than_one_text_a_day_and_eight_a_month",
    "journeys/test_identity.py",
    "journeys/test_every_reason.py",
    "journeys/test_nothing_leaks.py",
    "journeys/test_over_sockets.py",
    "journeys/test_references.py",
    "journeys/test_sheets_leave_no_number.py",
    "journeys/test_sheets_through_kills.py",
    "journeys/test_slow_clients.py",
    "journeys/test_stopping.py",
    "journeys/test_two_primaries.py",
    "journeys/test_years.py",
    "museum",
    "planning/test_added_steps.py",
    "planning/test_forecast.py::test_what_the_forecast_shows_is_what_everybody_is_sent",
    "simulation/test_simulation.py::test_a_seed_lives_the_same_day_on_postgresql",
    "simulation/test_simulation.py::test_nothing_is_wrong_on_the_days_of_five_hundred_seeds",
    "simulation/test_simulation.py::test_nothing_is_wrong_on_the_days_of_twenty_seeds_on_postgresql",
    "simulation/test_taken_back.py",
    "storage/db/test_schema.py",
    "storage/test_no_scans.py",
    "test_bench.py",
    "test_strangers_bytes.py",
    "test_wheel.py",
    "upkeep/test_backup.py",
    "upkeep/test_installation_of_0009.py",
    "web/test_api_contract.py",
    "web/test_api_docs.py",
    "web/pages/test_large_groups.py",
    "web/test_api_rights.py",
    "web/test_calendar_ends.py",
    "web/test_codes_that_cannot_leave.py",
    "web/test_logged_routes.py",
    "web/test_no_lockout.py",
    "web/test_passkey_ceremonies.py",
    "web/test_request_limits.py",
    "web/test_rights.py",
    "web/test_suspended.py",
    "web/test_unsigned_writes.py",
)
ON_ONE_DATABASE = (
    "cli",
    "conversation",
    "delivery/test_apply_receipts.py",
    "delivery/test_channel_breakers.py",
    "delivery/test_codes_of_their_own.py",
    "delivery/test_provider_lists.py",
    "delivery/test_sender.py",
    "enrolment",
    "journeys",
    "planning",
    "upkeep",
    "web",
    "worker/test_clock_steps.py",
)


# The tier of each test that was collected, by its name, also of those that then were left out.
TIERS = pytest.StashKey[dict[str, "Tier"]]()


class Tier(StrEnum):
    """When a test runs."""

    EVERYDAY = "everyday"
    REST = "rest"


def tier_of(test: str, fixtures: Collection[str] = (), parameters: Mapping[str, object] | None = None) -> Tier:
    """Return the tier of one test.

    `test` is its name as pytest writes it, relative to tests/. `fixtures`: the names of what it asks for. `parameters`:
    of those with several; `database_url` says which database a test has that has one of each.
    """
    if _is_of(SLOW, test):
        return Tier.REST
    needs_postgresql = "postgres" in fixtures or (parameters or {}).get("database_url") == "postgresql"
    return Tier.REST if needs_postgresql and _is_of(ON_ONE_DATABASE, test) else Tier.EVERYDAY


def _is_of(places: Collection[str], test: str) -> bool:
    """Return whether the test stands in one of these packages or files, or is one of these tests."""
    file, _, name = test.partition("::")
    return any(place in places for place in (file.partition("/")[0], file, f"{file}::{name.partition('[')[0]}"))
