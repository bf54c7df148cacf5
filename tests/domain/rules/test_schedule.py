"""The schedule: which days a person, a carer and a home are told on."""

import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reminder.domain.model.card_kinds import read_kinds
from reminder.domain.model.people import Audience, Mode
from reminder.domain.parsing.days_before import read_days
from reminder.domain.rules import hours, schedule
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.schedule_config import read_schedules
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import Plan, first_planning_day, next_day, step_due
from reminder.errors import RefusedInputError, SettingsError

CONFIG = Path(__file__).parents[3] / "config"
KINDS = read_kinds(tomllib.loads((CONFIG / "cards.toml").read_text(encoding="utf-8")))
TABLE = tomllib.loads((CONFIG / "schedules.toml").read_text(encoding="utf-8"))
SCHEDULES = read_schedules(TABLE)
USER, SIGNATURE, CARD = "mynumber_user_certificate", "mynumber_signature_certificate", "mynumber_card"

PERSON, CARER, STAFF = Audience.PERSON, Audience.CARER, Audience.STAFF


def dates_of(kind: str, end: date, *, card_grace: bool = False, insurance: bool = True) -> CardDates:
    return schedule.dates_of(KINDS[kind], end, insurance=insurance, card_grace=card_grace)


def plan(
    kind: str, end: date, mode: Mode = Mode.STANDARD, preferences: Preferences = DEFAULT_PREFERENCES, **more: bool
) -> Plan:
    of_mode = SCHEDULES.of(mode, KINDS[kind], preferences)
    return schedule.plan(of_mode, dates_of(kind, end, **more), mode, preferences.on_holidays)


def with_home(name: str, row: dict[str, list[str]]) -> dict[str, object]:
    """The shipped file with one schedule of the homes' replaced, or added."""
    presets = TABLE["presets"]
    return {**TABLE, "presets": {**presets, "home": {**presets["home"], name: row}}}


def told(plan: Plan, audience: Audience) -> dict[str, date]:
    return {step.name: step.on for step in plan if audience in step.audiences}


ENDS = [date(2020, 1, 1) + timedelta(days=day) for day in range(0, 26 * 365)]

# Kinds whose plans differ in nothing share one place here: the same schedule, opening, grace and move past holidays.
ALIKE = {
    (kind.schedule, kind.opens, kind.grace, kind.moves_past_holidays, kind.closes_with_counters): key
    for key, kind in KINDS.items()
}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", sorted(ALIKE.values()))
def test_for_every_end_date_gaps_never_grow_and_no_text_falls_on_a_closed_day(kind: str, mode: Mode) -> None:
    # All weekdays, every holiday, leap days and turns of the year are among them: each day for a quarter of the kinds,
    # in one of the modes.
    start = list(Mode).index(mode) + len(Mode) * (sorted(ALIKE.values()).index(kind) % 4)
    hold_for(ENDS[start :: len(Mode) * 4], kind, mode, DEFAULT_PREFERENCES)


@pytest.mark.parametrize("on_holidays", [False, True])
@pytest.mark.parametrize(
    ("preset", "mode"), [("few", Mode.STANDARD), ("few", Mode.ELDERLY), ("few", Mode.HOME), ("often", Mode.STANDARD)]
)
@pytest.mark.parametrize("kind", sorted(ALIKE.values()))
def test_the_same_holds_for_what_a_group_may_choose(kind: str, mode: Mode, preset: str, on_holidays: bool) -> None:
    hold_for(ENDS[::37], kind, mode, Preferences(preset=preset, on_holidays=on_holidays))


def hold_for(ends: Sequence[date], kind: str, mode: Mode, preferences: Preferences) -> None:
    for end in ends:
        dates = dates_of(kind, end)
        assert dates.opens_on is None or dates.opens_on < end, end
        assert dates.grace_ends_on is None or dates.grace_ends_on >= end, end
        closes = KINDS[kind].closes_with_counters
        assert hours.is_counter_open(dates.last_counter_day) if closes else dates.last_counter_day == end, end
        assert dates.last_counter_day <= end <= dates.over_after, end
        steps = plan(kind, end, mode, preferences)
        days = list(told(steps, PERSON).values())
        before = [day for day in days if day <= end]
        gaps = [later - earlier for earlier, later in pairwise(before)]
        assert all(earlier >= later for earlier, later in pairwise(gaps)), end
        assert all(earlier < later for earlier, later in pairwise(days)), end
        assert all(hours.is_sending_day(step.on, mode, preferences.on_holidays) for step in steps), end
        assert dates.opens_on is None or steps[0].on >= dates.opens_on, end
        assert all(step.on > dates.over_after for step in steps if step.name == "a7"), end


@st.composite
def own_days(draw: st.DrawFn) -> tuple[int, ...]:
    """Any that a group may choose."""
    days = draw(st.lists(st.integers(0, 120), min_size=1, max_size=8, unique=True))
    try:
        return read_days(" ".join(map(str, days)))
    except RefusedInputError:
        assume(False)
        raise


@given(
    chosen=own_days(),
    end=st.sampled_from(ENDS),
    kind=st.sampled_from(sorted(ALIKE.values())),
    mode=st.sampled_from(Mode),
    preset=st.sampled_from(["", "few", "often"]),
    on_holidays=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_on_a_group_s_own_days_gaps_never_grow_and_nothing_else_is_told_but_what_hangs_on_other_days(
    chosen: tuple[int, ...], end: date, kind: str, mode: Mode, preset: str, on_holidays: bool
) -> None:
    preferences = Preferences(preset, chosen, on_holidays=on_holidays)
    usual, own = (told(plan(kind, end, mode, one), PERSON) for one in (Preferences(preset), preferences))

    hold_for([end], kind, mode, preferences)
    if KINDS[kind].told_to_elders or mode is Mode.STANDARD:
        dated = {name for name in own if name[0] == "d" and name[1:].isdigit()}
        if not KINDS[kind].comes_by_itself:
            assert dated <= {f"d{day}" for day in chosen}
        after = {name: day for name, day in usual.items() if day > end}
        assert after.keys() == {name for name, day in own.items() if day > end}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("chosen", [(60, 30, 7), (45, 20, 8), (14,), (60,)])
def test_no_holiday_costs_a_group_one_of_the_days_that_it_has_chosen(chosen: tuple[int, ...], mode: Mode) -> None:
    for end in ENDS[::37]:
        days = told(plan(USER, end, mode, Preferences(own_days=chosen)), PERSON)
        # From the last day on which a counter is open nothing but that it is the last is told.
        useful = [day for day in chosen if end - timedelta(days=day) < hours.last_counter_day(end)]
        assert {f"d{day}" for day in useful} <= days.keys(), end


def test_a_licence_that_holds_until_the_next_open_day_is_not_called_past_before_it() -> None:
    # Saturday 28 December 2024 moves to Monday 6 January 2025; seven days after the printed date it would still hold.
    steps = told(plan("driving_licence", date(2024, 12, 28)), PERSON)

    assert steps["a7"] == date(2025, 1, 11)


def test_what_comes_by_itself_is_asked_for_only_when_it_should_have_come() -> None:
    steps = plan("shikaku_kakuninsho_75plus", date(2027, 7, 31))

    assert list(told(steps, PERSON)) == ["d30", "d7", "d0", "a7"]


def test_a_carer_is_not_called_twice_in_the_week_in_which_renewal_opens() -> None:
    # A licence opens two months before its end, a day or two before the sixtieth day.
    steps = told(plan("driving_licence", date(2027, 7, 15), Mode.ELDERLY), CARER)

    assert "opens" in steps
    assert "d60" not in steps


def test_a_course_that_is_booked_out_for_months_is_told_of_half_a_year_before() -> None:
    steps = told(plan("licence_senior_test", date(2027, 9, 30)), PERSON)

    assert steps["opens"] == date(2027, 3, 30)
    assert {"d120", "d90", "d60"} <= set(steps)


def test_what_ends_with_a_residence_period_has_neither_window_nor_grace() -> None:
    dates = schedule.dates_of(KINDS[USER], date(2027, 3, 31), insurance=True, card_grace=True, is_bound=True)

    assert (dates.opens_on, dates.grace_ends_on) == (None, None)


@pytest.mark.parametrize(
    ("mode", "audience", "steps", "why"),
    [
        (Mode.STANDARD, PERSON, "opens d60 d30 d14 d7 d3 d1 d0 a7 g30 g7 post", "the whole schedule"),
        (Mode.STANDARD, CARER, "d30 d7 d0", "copies"),
        (Mode.STANDARD, STAFF, "", "a household has no staff"),
        (Mode.ELDERLY, PERSON, "opens d60 d30 d14 d7 d1 a7 g30 g7 post", "fewer, one action each"),
        (Mode.ELDERLY, CARER, "opens d75 d60 d45 d30 d14 d7 d3 d1 d0 a7 g30 g7 post", "a copy of each and their own calls to act"),
        (Mode.HOME, PERSON, "opens d60 d30 d14 d7 d1 a7 g30 g7 post", "as elderly"),
        (Mode.HOME, CARER, "opens d30 d7", "the family contact"),
        (Mode.HOME, STAFF, "d30 d7 d0", "single mails"),
    ],
)  # fmt: skip
def test_each_preset_tells_each_audience_its_steps(mode: Mode, audience: Audience, steps: str, why: str) -> None:
    assert list(told(plan(USER, date(2027, 3, 31), mode), audience)) == steps.split(), why


def test_a_step_on_a_sunday_moves_to_the_day_before() -> None:
    # Three days before Wednesday 14 April 2027 is a Sunday.
    assert told(plan(USER, date(2027, 4, 14)), PERSON)["d3"] == date(2027, 4, 10)


def test_a_late_opening_pulls_the_next_texts_forward_rather_than_letting_gaps_grow() -> None:
    # The opening moves from 1 to 4 January, 26 days before d60: d30 follows d60 no later than that.
    steps = told(plan(USER, date(2027, 3, 31)), PERSON)

    assert (steps["opens"], steps["d60"], steps["d30"]) == (date(2027, 1, 4), date(2027, 1, 30), date(2027, 2, 25))


def test_the_opening_step_moves_to_the_day_after_because_earlier_the_office_turns_people_away() -> None:
    # Opens on 1 January 2027, a holiday; the third is a Sunday.
    assert told(plan(USER, date(2027, 3, 31)), PERSON)["opens"] == date(2027, 1, 4)


def test_an_elders_step_on_a_saturday_moves_to_friday() -> None:
    assert told(plan(USER, date(2027, 3, 31), Mode.ELDERLY), PERSON)["d60"] == date(2027, 1, 29)


def test_an_end_on_a_closed_day_is_told_on_the_last_day_a_counter_is_open() -> None:
    steps = told(plan(USER, date(2027, 2, 20), Mode.ELDERLY), PERSON)  # a Saturday

    assert steps["lastopen"] == date(2027, 2, 19)
    assert "d1" not in steps, "one text a day, and this one says what can still be done"


def test_an_end_on_an_open_day_needs_no_last_open_step() -> None:
    assert "lastopen" not in told(plan(USER, date(2027, 3, 31)), PERSON)


def test_nothing_is_said_between_the_last_open_day_and_the_end() -> None:
    steps = told(plan(USER, date(2025, 1, 5)), PERSON)  # Sunday; counters closed from 28 December

    assert steps["lastopen"] == date(2024, 12, 27)
    assert [name for name, day in steps.items() if date(2024, 12, 27) < day <= date(2025, 1, 5)] == ["d0"]


def test_a_text_that_speaks_of_the_end_as_past_never_comes_before_it() -> None:
    # Seven days after 28 December 2025 is 4 January, a Sunday; the day before it that is allowed is the 27th.
    assert told(plan(USER, date(2025, 12, 28)), PERSON)["a7"] == date(2026, 1, 5)


def test_the_text_after_the_grace_never_comes_while_the_grace_lasts() -> None:
    # The grace of 2026-01-31 ends on 30 April; 1 May 2026 is a Friday, of 2026-02-15 on Sunday 31 May.
    assert told(plan(USER, date(2026, 2, 15)), PERSON)["post"] == date(2026, 6, 1)


@pytest.mark.parametrize(
    ("kind", "insurance", "card_grace", "has_grace", "why"),
    [
        (USER, True, False, True, "health insurance goes by the user certificate"),
        (USER, False, False, False, "who does not use the card so gets no grace texts"),
        (SIGNATURE, True, True, False, "no grace exists for it"),
        (CARD, True, False, False, "for the card itself it is not confirmed"),
        (CARD, True, True, True, "until the operator says so"),
    ],
)
def test_grace_texts_go_only_where_a_grace_is_sure(
    kind: str, insurance: bool, card_grace: bool, has_grace: bool, why: str
) -> None:
    steps = told(plan(kind, date(2027, 3, 31), insurance=insurance, card_grace=card_grace), PERSON)

    assert ("g30" in steps, "g7" in steps, "post" in steps) == (has_grace,) * 3, why


def test_a_card_that_takes_weeks_is_told_more_often_to_the_one_who_acts() -> None:
    end = date(2027, 3, 31)

    assert {"d75", "d45"} <= set(told(plan(CARD, end), PERSON))
    assert not {"d75", "d45"} & set(told(plan(CARD, end, Mode.ELDERLY), PERSON))
    assert {"d75", "d45"} <= set(told(plan(CARD, end, Mode.ELDERLY), CARER))
    assert not {"d75", "d45"} & set(told(plan(USER, end), PERSON))


def test_what_elders_do_not_use_is_told_to_their_carer_only() -> None:
    steps = plan(SIGNATURE, date(2027, 3, 31), Mode.ELDERLY)

    assert told(steps, PERSON) == {}
    assert told(steps, CARER)


def test_a_copy_goes_on_the_day_of_the_text_it_copies() -> None:
    for end in ENDS[::97]:
        steps = plan(USER, end, Mode.ELDERLY)
        person, carer = told(steps, PERSON), told(steps, CARER)
        assert all(carer[name] == day for name, day in person.items() if name in carer)


END = date(2027, 4, 30)  # opens on 31 January, a Sunday


@pytest.mark.parametrize(
    ("mode", "audience", "steps", "why"),
    [
        (Mode.STANDARD, PERSON, "opens d60 d20 d7 a7 g30 g7 post", "their own days in place of the others"),
        (Mode.STANDARD, CARER, "d20 d7", "copies as near as before"),
        (Mode.ELDERLY, PERSON, "opens d60 d20 d7 a7 g30 g7 post", "elders too"),
        (Mode.ELDERLY, CARER, "opens d75 d60 d45 d20 d7 d3 d0 a7 g30 g7 post", "a copy of each and their own calls to act"),
        (Mode.HOME, CARER, "opens d20 d7", "the family contact hears what is near"),
        (Mode.HOME, STAFF, "d60 d20 d7", "the home has chosen these days"),
    ],
)  # fmt: skip
def test_a_group_s_own_days_take_the_place_of_the_preset_s(
    mode: Mode, audience: Audience, steps: str, why: str
) -> None:
    assert list(told(plan(USER, END, mode, Preferences(own_days=(60, 20, 7))), audience)) == steps.split(), why


def test_an_own_day_is_told_on_that_day() -> None:
    steps = told(plan(USER, END, preferences=Preferences(own_days=(45, 20, 9))), PERSON)

    assert [(END - steps[name]).days for name in ("d45", "d20", "d9")] == [45, 20, 9]


def test_where_the_opening_is_too_near_for_gaps_that_shrink_it_gives_way_to_what_was_chosen() -> None:
    steps = told(plan(USER, END, preferences=Preferences(own_days=(80, 40, 10))), PERSON)

    assert [name for name, day in steps.items() if day <= END] == ["d80", "d40", "d10"]


def test_the_last_own_day_may_come_a_little_earlier_so_that_none_is_lost() -> None:
    # The opening moves to 4 January, 86 days before the end: 26 days, and so three gaps of 26.
    steps = told(plan(USER, date(2027, 3, 31), preferences=Preferences(own_days=(60, 30, 7))), PERSON)

    assert [(date(2027, 3, 31) - steps[name]).days for name in ("opens", "d60", "d30", "d7")] == [86, 60, 34, 8]


def test_nobody_is_asked_on_an_own_day_whether_something_has_come_that_cannot_have() -> None:
    asked = told(
        plan("shikaku_kakuninsho_75plus", date(2027, 7, 31), preferences=Preferences(own_days=(90, 60, 20))), PERSON
    )
    never = told(
        plan("shikaku_kakuninsho_75plus", date(2027, 7, 31), preferences=Preferences(own_days=(90, 60))), PERSON
    )

    assert list(asked) == ["d20", "a7"]
    assert list(never) == ["d30", "d7", "d0", "a7"], "as usual"


def test_what_elders_are_not_told_stays_with_their_carer_on_own_days_too() -> None:
    steps = plan(SIGNATURE, END, Mode.ELDERLY, Preferences(own_days=(60, 20, 7)))

    assert told(steps, PERSON) == {}
    assert {"d60", "d20", "d7"} <= set(told(steps, CARER))


def test_a_preset_holds_only_for_the_modes_it_is_written_for() -> None:
    assert plan(USER, END, Mode.ELDERLY, Preferences(preset="often")) == plan(USER, END, Mode.ELDERLY)
    assert plan(USER, END, Mode.STANDARD, Preferences(preset="often")) != plan(USER, END, Mode.STANDARD)


def test_a_preset_that_is_gone_is_each_person_s_own_again() -> None:
    assert plan(USER, END, Mode.STANDARD, Preferences(preset="of another year")) == plan(USER, END)


def test_in_few_texts_an_elder_s_carer_still_hears_of_the_route_that_takes_two_visits() -> None:
    steps = plan(USER, END, Mode.ELDERLY, Preferences(preset="few"))

    assert "d45" in told(steps, CARER)
    assert len(told(steps, PERSON)) < len(told(plan(USER, END, Mode.ELDERLY), PERSON))


def test_on_holidays_a_text_keeps_its_day() -> None:
    # Three days before Wednesday 14 April 2027 is a Sunday.
    end = date(2027, 4, 14)

    assert told(plan(USER, end, preferences=Preferences(on_holidays=True)), PERSON)["d3"] == date(2027, 4, 11)
    assert plan(USER, end, Mode.ELDERLY, Preferences(on_holidays=True)) == plan(USER, end, Mode.ELDERLY)


@pytest.mark.parametrize(
    ("today", "step", "why"),
    [
        (date(2026, 12, 31), None, "nothing has come yet"),
        (date(2027, 1, 4), "opens", "its own day"),
        (date(2027, 1, 29), "opens", "the latest that has come"),
        (date(2027, 3, 26), "d7", "four were missed, one is told"),
        (date(2027, 3, 31), "d0", "the end day is still valid"),
        (date(2027, 4, 1), None, "no text from before the end is true after it"),
        (date(2027, 4, 7), "a7", "what to do now"),
        (date(2029, 1, 1), "post", "long past: the last word"),
    ],
)
def test_after_an_outage_only_the_latest_true_step_is_due(today: date, step: str | None, why: str) -> None:
    end = date(2027, 3, 31)

    due = step_due(plan(USER, end), {PERSON}, end, today)

    assert (due.name if due else None) == step, why


def test_a_new_card_is_looked_at_today_when_a_step_is_overdue_and_else_on_its_next_day() -> None:
    end = date(2027, 3, 31)
    steps = plan(USER, end)

    assert first_planning_day(steps, end, date(2026, 12, 1)) == date(2027, 1, 4)
    assert first_planning_day(steps, end, date(2027, 3, 12)) == date(2027, 3, 12)
    assert first_planning_day(steps, end, date(2027, 4, 2)) == date(2027, 4, 7)
    assert next_day(steps, date(2027, 7, 1)) is None


@pytest.mark.parametrize(
    ("table", "named", "why"),
    [
        ({}, "[steps]", "no steps at all"),
        ({**TABLE, "steps": {**TABLE["steps"], "d7": {"anchor": "ends", "days": -7}}}, "steps.d7", "an anchor that is none"),
        ({**TABLE, "steps": {**TABLE["steps"], "d7": {"anchor": "expires", "days": "-7"}}}, "steps.d7", "days in words"),
        ({**TABLE, "steps": {**TABLE["steps"], "d7": {"anchor": "expires", "days": -7, "hour": 9}}}, "steps.d7", "a field that is none"),
        ({**TABLE, "presets": {}}, "presets.standard", "a mode without a preset"),
        (with_home("renewal", {"person": ["d8"], "carer": [], "staff": []}), "presets.home.renewal: d8", "a step that is none"),
        (with_home("renewal", {"person": [], "carer": []}), "presets.home.renewal.staff", "an audience left out"),
        (with_home("weekly", {"person": [], "carer": [], "staff": []}), "presets.standard", "a schedule that other modes have not"),
        ({**TABLE, "chosen": {"few": {"grandmother": {}}}}, "chosen.few", "a mode that is none"),
        ({**TABLE, "chosen": {"fewer than one would think": {}}}, "chosen.fewer", "a name too long to be kept"),
        ({**TABLE, "chosen": {"few": {"home": {"weekly": {}}}}}, "chosen.few.home", "a schedule that is none"),
        ({**TABLE, "chosen": {"few": {"home": {"slow": {"person": []}}}}}, "chosen.few.home.slow.carer", "an audience left out"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_file_refuses_to_start_and_names_the_entry(
    table: dict[str, object], named: str, why: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read_schedules(table)

    assert named in refused.value.setting, why
