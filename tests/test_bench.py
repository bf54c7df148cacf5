"""What the benchmarks call is still there: nobody runs them every day."""

import pytest

from tests.bench import sheets


@pytest.mark.postgres
def test_a_sheet_is_measured_on_both_databases(capfd: pytest.CaptureFixture[str]) -> None:
    sheets.measure(20)

    said = capfd.readouterr().out
    assert said.count("times the least") == 2
    assert said.count("most memory") == 2
