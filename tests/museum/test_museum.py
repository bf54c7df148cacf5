"""What went wrong elsewhere does not go wrong here: each public report is lived through."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.museum.reports import Report, reports


@pytest.fixture(scope="module")
def came_of_it() -> Mapping[str, str]:
    """By source, in one process of its own, whose hashes are always the same."""
    done = subprocess.run([sys.executable, "-m", "tests.museum"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.made_once
@pytest.mark.parametrize("report", reports(), ids=lambda report: report.source)
def test_a_fault_that_others_have_had_is_not_ours(report: Report, came_of_it: Mapping[str, str]) -> None:
    assert came_of_it[report.source] == "ok", report.kind


def test_the_museum_names_each_source_once_and_no_two_reports_are_alike() -> None:
    rows = reports()

    assert len(rows) >= 40
    assert len({row.source for row in rows}) == len(rows)
    assert len({row.kind for row in rows}) == len(rows)
