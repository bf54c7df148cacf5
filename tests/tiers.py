"""The two tiers of the tests: `make test` runs one every day, `make test-all` the rest, and `.ci/run` both.

A test is of the rest if it is slow by nature, or if it repeats on PostgreSQL what it proves on SQLite: of the packages
below each statement is proved on both databases by tests/storage, and what runs at the same time by tests/delivery and
tests/worker.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath

import pytest

# Real browsers, and real processes that are killed: packages, and files of other packages.
SLOW = (
    "browser",
    "chaos",
    "enrolment/imports/test_heavy_workbooks.py",
    "journeys/test_over_sockets.py",
    "journeys/test_sheets_through_kills.py",
    "journeys/test_slow_clients.py",
)
ON_ONE_DATABASE = ("cli", "enrolment", "journeys", "planning", "upkeep", "web")


# The tier of each test that was collected, by its name, also of those that then were left out.
TIERS = pytest.StashKey[dict[str, "Tier"]]()


class Tier(StrEnum):
    """When a test runs."""

    EVERYDAY = "everyday"
    REST = "rest"


def tier_of(path: PurePath, parameters: Mapping[str, object]) -> Tier:
    """Return the tier of one test.

    `path` is its file, relative to tests/; `parameters` are those of its fixtures: `database_url` says which database
    a test has that has one of each. A test that knows one database only is never of the rest for it.
    """
    if path.parts[0] in SLOW or path.as_posix() in SLOW:
        return Tier.REST
    if path.parts[0] in ON_ONE_DATABASE and parameters.get("database_url") == "postgresql":
        return Tier.REST
    return Tier.EVERYDAY
