"""When the mail server is tried, and when a page says that no code leaves."""

from datetime import timedelta

import pytest

from reminder.domain.rules.code_delivery import is_held_up, is_to_be_tried
from tests.village import japan

NOW = japan("2027-03-17 10:00")


@pytest.mark.parametrize(
    ("asked", "is_open", "has_failed", "failed", "is_tried", "is_said"),
    [
        (None, False, False, None, False, False),
        (1, True, False, None, True, False),
        (2.9, True, False, None, True, False),
        (3, True, False, None, True, True),
        (599, True, False, None, True, True),
        (601, True, False, None, False, False),
        (5, False, False, None, False, False),
        (5, False, True, 1, False, True),
        (15, False, True, 10, True, True),
        (601, False, True, 599, False, True),
        (601, False, True, 601, False, False),
    ],
)
def test_a_trial_is_made_while_somebody_waits_and_its_failure_is_said_for_ten_minutes(
    asked: float | None, is_open: bool, has_failed: bool, failed: float | None, is_tried: bool, is_said: bool
) -> None:
    known = {
        "is_open": is_open,
        "has_failed": has_failed,
        "asked_at": None if asked is None else NOW - timedelta(seconds=asked),
        "fails_at": None if failed is None else NOW - timedelta(seconds=failed),
        "now": NOW,
    }

    assert is_to_be_tried(**known) is is_tried
    assert is_held_up(**known) is is_said
