"""How much may leave, and when a wave falls due."""

from datetime import UTC, datetime, timedelta

import pytest

from reminder.domain.model.people import GroupKind
from reminder.domain.rules.sending_limits import (
    BEFORE_CLOSING,
    FIRST_BOUND_OF,
    LEAST_BOUND,
    LEAST_BOUND_OF,
    LEAST_KNOWN_DAYS,
    MOST_OF_A_GROUP,
    TIMES_THE_USUAL,
    bound_of_day,
    bound_of_group,
    counts_for_service,
    is_within_share,
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


def test_a_group_is_bound_by_its_own_days_and_a_new_one_by_its_kind() -> None:
    assert bound_of_group(GroupKind.HOUSEHOLD, [3] * 6) == FIRST_BOUND_OF[GroupKind.HOUSEHOLD]
    assert bound_of_group(GroupKind.HOUSEHOLD, [3] * 7) == LEAST_BOUND_OF[GroupKind.HOUSEHOLD]
    assert bound_of_group(GroupKind.HOME, [90] * 7) == 900


@pytest.mark.parametrize(
    ("of_all", "of_group", "groups", "fits", "why"),
    [
        (9, 9, 1, True, "alone it may have everything"),
        (10, 10, 1, False, "and no more"),
        (10, 0, 2, True, "what another has sent takes nothing from this one's share"),
        (14, 4, 2, True, "half of it"),
        (15, 5, 2, False, "and no more than half"),
        (40, 1, 20, True, "a couple's two, however many write"),
        (40, 2, 20, False, "and no third"),
    ],
)
def test_an_address_is_shared_fairly(of_all: int, of_group: int, groups: int, fits: bool, why: str) -> None:
    assert is_within_share(10, of_all, of_group, groups) is fits, why


def test_no_group_decides_alone_about_the_service_s_day() -> None:
    assert counts_for_service(0, 500) == MOST_OF_A_GROUP
    assert counts_for_service(MOST_OF_A_GROUP - 1, 2) == 1
    assert counts_for_service(MOST_OF_A_GROUP, 500) == 0
