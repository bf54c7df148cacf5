"""The day that somebody names in a reply."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.named_days import FURTHEST, named_day

TODAY = date(2026, 12, 8)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "day", "why"),
    [
        ("10日に行きます", date(2026, 12, 10), "the next tenth"),
        ("５日に行きます", date(2027, 1, 5), "the fifth of this month is over"),
        ("8日に行きます", TODAY, "today is one, too"),
        ("1月20日に行きます", date(2027, 1, 20), "with its month"),
        ("1/20 10時に予約しました", date(2027, 1, 20), "an hour is no day"),
        ("あした行きます", date(2026, 12, 9), "the day after the reply"),
        ("明後日にいきます", date(2026, 12, 10), "and not tomorrow, which stands in it"),
        ("I'll go on 20 January", date(2027, 1, 20), "in English"),
        ("i will go on Jan 20", date(2027, 1, 20), "either way round"),
        ("I'll go on the 15th", date(2026, 12, 15), "without a month"),
        ("I'll go tomorrow", date(2026, 12, 9), "or without a number"),
        ("30日に行きます", date(2026, 12, 30), "whatever the month has"),
        ("10日か11日に行きます", None, "which of them?"),
        ("2月30日に行きます", None, "there is none"),
        ("10月10日に行きます", None, "nobody says that so long before"),
        ("10日間かかります", None, "so long, and not then"),
        ("行きます", None, "no day"),
        ("来週行きます", None, "no day either"),
        ("", None, "nothing"),
    ],
)
def test_a_day_is_the_next_one_that_the_words_mean(text: str, day: date | None, why: str) -> None:
    assert named_day(text, TODAY) == day, why


@given(st.text())
def test_whatever_is_typed_is_a_day_to_come_or_none(text: str) -> None:
    found = named_day(text, TODAY)

    assert found is None or TODAY <= found <= TODAY + FURTHEST
