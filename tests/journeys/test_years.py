"""Years of a small town: nothing missing, nothing twice, nothing at a wrong hour. The whole town runs in `make bench`."""

from tests.journeys.years import run_years


def test_two_years_with_a_provider_that_fails_one_time_in_five_lose_and_double_nothing() -> None:
    account = run_years(people=40, years=2)

    assert account.wrong == {}
    assert account.sent > 100
    assert account.attempts_refused > 20
