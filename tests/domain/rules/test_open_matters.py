"""Every open and undone matter stands in every list, from the day on which it can be begun until it is done."""

from datetime import date, timedelta

import pytest

from reminder.domain.rules import hours, schedule
from reminder.domain.rules.next_step import NextAct, next_step, urgency
from reminder.domain.rules.open_matters import MatterState, open_matters
from reminder.domain.rules.schedule_model import CardDates
from reminder.planning.reports.monthly_plan import months_from
from tests.rules import KINDS

DAY = timedelta(days=1)
# A plain end, one in the New Year's closing days, one in Golden Week, and the end of most yearly papers.
ENDS = (date(2027, 3, 20), date(2027, 1, 3), date(2027, 5, 5), date(2027, 7, 31))
UNDONE = {MatterState.LATE, MatterState.BEGIN, MatterState.COUNTER, MatterState.LAST_DAY, MatterState.ARRIVES}


def dates_of(kind: str, end: date) -> CardDates:
    return schedule.dates_of(KINDS[kind].on(end + DAY), end, insurance=True, card_grace=False)


def states(dates: CardDates, today: date, first: date, last: date) -> dict[MatterState, date]:
    step = next_step(dates, None, today)
    return dict(open_matters(dates, step, first, last, today, is_silent=False, form_on=None))


def this_month_and_the_next(today: date) -> tuple[date, date]:
    first, _, after = months_from(today, 3)
    return first, after - DAY


@pytest.mark.parametrize(
    ("end", "today"), [(date(2027, 1, 14), date(2026, 11, 30)), (date(2027, 3, 20), date(2027, 2, 1))]
)
def test_a_card_that_takes_weeks_is_listed_while_it_runs_out(end: date, today: date) -> None:
    found = states(dates_of("mynumber_card", end), today, *this_month_and_the_next(today))

    assert UNDONE & found.keys()


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("end", ENDS)
def test_from_its_opening_to_its_end_every_kind_is_in_the_list_of_every_day_and_then_among_what_has_ended(
    kind: str, end: date
) -> None:
    dates = dates_of(kind, end)

    day = dates.asked_from
    while day <= dates.over_after:
        found = states(dates, day, *this_month_and_the_next(day))
        assert len(UNDONE & found.keys()) == 1, day
        assert MatterState.ENDED not in found, day
        day += DAY
    while day <= end + timedelta(days=400):
        assert states(dates, day, *this_month_and_the_next(day)) == {MatterState.ENDED: end}, day
        day += DAY


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("end", ENDS)
def test_before_it_can_be_begun_a_card_is_only_named_with_the_day_on_which_it_can(kind: str, end: date) -> None:
    dates = dates_of(kind, end)

    for before in (1, 20, 40, 70, 100, 200):
        today = dates.asked_from - timedelta(days=before)
        first, last = this_month_and_the_next(today)
        found = states(dates, today, first, last)
        if dates.asked_from > last:
            assert found == {}, before
        elif dates.opens_on is not None:
            assert found[MatterState.OPENS] == dates.opens_on, before
        else:
            assert UNDONE & found.keys(), before


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("end", ENDS)
def test_a_month_to_come_lists_what_can_be_done_in_it_and_no_other_does(kind: str, end: date) -> None:
    dates = dates_of(kind, end)
    today = dates.asked_from

    for first, *_, after in (months_from(month, 2) for month in months_from(today, 24)):
        last = after - DAY
        can_be_done = dates.asked_from <= last and first <= dates.over_after
        assert bool(UNDONE & states(dates, today, first, last).keys()) is can_be_done, first


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("end", ENDS)
def test_the_latest_day_to_begin_leaves_the_time_that_a_new_one_takes_and_is_an_open_day(kind: str, end: date) -> None:
    dates = dates_of(kind, end)

    if dates.arrives:
        assert dates.begin_by == end
        return
    assert hours.is_counter_open(dates.begin_by) or not dates.closes_with_counters
    assert dates.begin_by <= dates.last_counter_day
    assert dates.asked_from <= dates.begin_by
    if dates.begin_by + timedelta(days=dates.lead_days) > dates.last_counter_day:
        assert dates.opens_on is not None
        assert dates.begin_by == hours.counter_day_on_or_after(dates.opens_on), "it opens no sooner"


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_done_is_in_no_list(kind: str) -> None:
    dates = dates_of(kind, ENDS[0])

    for left in (-30, 0, 1, 30, 60, 90):
        today = ENDS[0] - timedelta(days=left)
        step = next_step(dates, today, today)
        first, last = this_month_and_the_next(today)
        assert open_matters(dates, step, first, last, today, is_silent=True, form_on=today) == []


def test_what_is_open_is_put_in_order_by_the_latest_day_to_begin() -> None:
    today = date(2026, 12, 1)
    soon_done_at_once = next_step(dates_of("mynumber_user_certificate", date(2026, 12, 25)), None, today)
    later_but_slow = next_step(dates_of("care_certification", date(2027, 1, 20)), None, today)
    too_late = next_step(dates_of("mynumber_card", date(2026, 12, 28)), None, today)
    by_itself = next_step(dates_of("care_burden_ratio", date(2026, 12, 10)), None, today)

    in_order = sorted([soon_done_at_once, by_itself, later_but_slow, too_late], key=urgency)

    assert in_order == [too_late, later_but_slow, soon_done_at_once, by_itself]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("end", ENDS)
def test_nobody_is_sent_to_a_counter_on_a_day_on_which_it_is_closed(kind: str, end: date) -> None:
    dates = dates_of(kind, end)

    for left in range(-40, 130):
        step = next_step(dates, None, end - timedelta(days=left))
        if step.act in (NextAct.ARRIVES, NextAct.LATER):
            continue
        assert hours.is_counter_open(step.first) or not dates.closes_with_counters, left
