"""The two tiers of the tests: `make test` runs one every day, `make test-all` the rest, and `.ci/run` both.

A test is of the rest if it is slow by nature, or if it needs PostgreSQL and is of a package that is tested on one
database every day: there each statement is proved on both by tests/storage, and what runs at the same time by
tests/delivery and tests/worker.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import PurePath

import pytest

# Real browsers, real processes that are killed or asked for long, years, and what tries thousands of strangers' inputs:
# packages, and files of other packages.
SLOW = (
    "browser",
    "chaos",
    "cli/test_setup_code.py",
    "enrolment/imports/test_heavy_workbooks.py",
    "guard/test_linear.py",
    "journeys/test_over_sockets.py",
    "journeys/test_sheets_leave_no_number.py",
    "journeys/test_sheets_through_kills.py",
    "journeys/test_slow_clients.py",
    "journeys/test_years.py",
    "test_strangers_bytes.py",
    "web/test_api_contract.py",
    "web/test_api_docs.py",
    "web/test_calendar_ends.py",
    "web/test_passkey_ceremonies.py",
    "web/test_unsigned_writes.py",
)
ON_ONE_DATABASE = ("cli", "conversation", "enrolment", "journeys", "planning", "upkeep", "web")


# The tier of each test that was collected, by its name, also of those that then were left out.
TIERS = pytest.StashKey[dict[str, "Tier"]]()


class Tier(StrEnum):
    """When a test runs."""

    EVERYDAY = "everyday"
    REST = "rest"


def tier_of(path: PurePath, fixtures: Collection[str] = (), parameters: Mapping[str, object] | None = None) -> Tier:
    """Return the tier of one test.

    `path` is its file, relative to tests/. `fixtures`: the names of what it asks for. `parameters`: of those with
    several; `database_url` says which database a test has that has one of each.
    """
    if path.parts[0] in SLOW or path.as_posix() in SLOW:
        return Tier.REST
    needs_postgresql = "postgres" in fixtures or (parameters or {}).get("database_url") == "postgresql"
    return Tier.REST if needs_postgresql and path.parts[0] in ON_ONE_DATABASE else Tier.EVERYDAY
