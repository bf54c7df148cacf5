"""How much may leave, and when a wave falls due."""

from datetime import UTC, datetime, timedelta

import pytest

from reminder.domain.rules.sending_limits import (
    BEFORE_CLOSING,
    LEAST_BOUND,
    LEAST_KNOWN_DAYS,
    TIMES_THE_USUAL,
    bound_of_day,
    may_still_leave,
    spread,
)

OPENS = datetime(2027, 3, 17, 0, 0, tzinfo=UTC)
CLOSES = OPENS + timedelta(hours=9)


@pytest.mark.parametrize(
    ("before", "bound", "why"),
    [
        ([], None, "of a first day nothing can be said"),
        ([20] * (LEAST_KNOWN_DAYS - 1), None, "nor of a first week"),
        ([20] * LEAST_KNOWN_DAYS, LEAST_BOUND, "a small service may grow ten times in a day"),
        ([1000] * 20, 1000 * TIMES_THE_USUAL, "a large one does not"),
    ],
)
def test_a_day_s_bound_is_ten_times_a_usual_one(before: list[int], bound: int | None, why: str) -> None:
    assert bound_of_day(before) == bound, why


def test_what_is_over_the_bound_stays_and_nothing_is_taken_back() -> None:
    assert may_still_leave(None, 10_000, 7) == 7
    assert may_still_leave(500, 498, 7) == 2
    assert may_still_leave(500, 510, 7) == 0


def test_a_home_s_wave_is_spread_at_its_sender_s_pace_and_ends_before_the_day_does() -> None:
    a_second = timedelta(seconds=1)

    assert spread(OPENS, CLOSES, 0, a_second) == OPENS
    assert spread(OPENS, CLOSES, 59, a_second) == OPENS, "a minute's worth is due together"
    assert spread(OPENS, CLOSES, 600, a_second) == OPENS + timedelta(minutes=10)
    assert spread(OPENS, CLOSES, 1_000_000, a_second) == CLOSES - BEFORE_CLOSING
    assert spread(CLOSES - a_second, CLOSES, 5, a_second) == CLOSES - a_second, "what comes late is due at once"
    assert spread(OPENS, CLOSES, 600, None) == OPENS, "without a pace nothing is spread"
