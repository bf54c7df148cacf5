"""Proof of effect: each end has exactly one outcome, shares have honest limits, and what is hidden cannot be worked out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.card_states import CardState, EndReason
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.people import Audience, GroupKind, Mode
from reminder.domain.rules import effect
from reminder.domain.rules.effect import By, EffectTable, EndCount, EndFacts, ToldStep, table_of, wilson
from reminder.domain.rules.steps import AddedStep

END, ONE_DAY = date(2027, 3, 31), timedelta(days=1)
GRACE = date(2027, 6, 30)
LATER = date(2028, 1, 1)
BEGAN = date(2026, 12, 1)


def facts(state: CardState | None = None, since: date | None = None, **more: object) -> EndFacts:
    values: dict[str, object] = {"valid_until": END, "registered_on": BEGAN, "grace_ends_on": GRACE, **more}
    return EndFacts(END, state=state, since=since, **values)  # type: ignore[arg-type]


def outcome(given_facts: EndFacts, today: date = LATER) -> EndOutcome | None:
    found = effect.result_of(given_facts, today)
    return None if found is None else found.outcome


DAYS = (BEGAN, END - ONE_DAY, END, END + ONE_DAY, GRACE, GRACE + ONE_DAY)


@pytest.mark.parametrize("state", [*CardState, None])
@pytest.mark.parametrize("since", DAYS)
@pytest.mark.parametrize("grace", [GRACE, None])
def test_every_end_that_has_passed_has_exactly_one_outcome(
    state: CardState | None, since: date, grace: date | None
) -> None:
    found = outcome(facts(state, since, grace_ends_on=grace, renewed_to=date(2032, 3, 31), reason=EndReason.DIED))

    if state is CardState.ENDED:
        assert found is EndOutcome.ENDED
    elif state in (CardState.DONE, CardState.RENEWED):
        late = EndOutcome.IN_GRACE if grace is not None and since <= grace else EndOutcome.AFTER
        assert found is (EndOutcome.BEFORE if since <= END else late)
    else:
        assert found is EndOutcome.UNKNOWN, "whoever has applied has no new one yet"


def test_the_last_day_counts_as_in_time_and_an_end_is_counted_from_the_day_after_it() -> None:
    renewed = facts(CardState.RENEWED, END, renewed_to=date(2032, 3, 31))

    assert outcome(renewed, END) is None
    assert outcome(renewed, END + ONE_DAY) is EndOutcome.BEFORE


def test_an_end_that_moves_past_a_holiday_is_in_time_until_then() -> None:
    moved = facts(CardState.RENEWED, END + 2 * ONE_DAY, valid_until=END + 2 * ONE_DAY, grace_ends_on=None)

    assert outcome(moved, END + 2 * ONE_DAY) is None
    assert outcome(moved, END + 3 * ONE_DAY) is EndOutcome.BEFORE


@pytest.mark.parametrize("state", [CardState.RENEWED, CardState.ENDED])
def test_it_counts_when_somebody_said_that_it_is_done_and_not_when_the_new_date_or_an_end_came(
    state: CardState,
) -> None:
    said = facts(state, GRACE + ONE_DAY, said_done_on=END - ONE_DAY, reason=EndReason.NOT_NEEDED)

    found = effect.result_of(said, LATER)

    assert found is not None
    assert (found.outcome, found.acted_on) == (EndOutcome.BEFORE, END - ONE_DAY)


@pytest.mark.parametrize("reason", [*EndReason, None])
def test_what_is_needed_no_more_keeps_its_reason(reason: EndReason | None) -> None:
    found = effect.result_of(facts(CardState.ENDED, END, reason=reason), LATER)

    assert found == effect.EndResult(EndOutcome.ENDED, END, reason or EndReason.NOT_NEEDED)


@pytest.mark.parametrize("renewed_to", [END - ONE_DAY, END])
def test_a_date_that_was_corrected_to_an_earlier_one_is_no_end(renewed_to: date) -> None:
    assert outcome(facts(CardState.RENEWED, BEGAN, renewed_to=renewed_to)) is None
    assert outcome(facts(CardState.RENEWED, BEGAN, renewed_to=END + ONE_DAY)) is EndOutcome.BEFORE


def test_an_end_that_was_entered_once_it_had_passed_is_not_counted() -> None:
    assert outcome(facts(registered_on=END + ONE_DAY)) is None
    assert outcome(facts(registered_on=END)) is EndOutcome.UNKNOWN


# ── what was told last ──

PERSON, CARER, STAFF = Audience.PERSON, Audience.CARER, Audience.STAFF


def test_what_was_told_up_to_the_day_of_the_act_counts_and_nothing_later() -> None:
    told = [ToldStep(f"d{days}", END - days * ONE_DAY, PERSON, "sms") for days in (60, 30, 7)]

    def last(acted_on: date | None) -> str | None:
        found = effect.last_told(told, acted_on)
        return None if found is None else found.step

    assert last(END - 30 * ONE_DAY) == "d30"
    assert last(END - 31 * ONE_DAY) == "d60"
    assert last(END - 61 * ONE_DAY) is None
    assert last(None) == "d7"


def test_of_several_who_were_told_on_a_day_it_is_the_one_nearest_to_the_person() -> None:
    told = [ToldStep("d30", END, audience, audience) for audience in (STAFF, PERSON, CARER)]

    assert effect.last_told(told, None) == told[1]
    assert effect.last_told([told[0], told[2]], None) == told[2]
    assert effect.last_told([*told, ToldStep("d7", END + ONE_DAY, STAFF, "email")], None).step == "d7"  # type: ignore[union-attr]


@pytest.mark.parametrize("added", AddedStep)
def test_steps_that_an_answer_adds_are_counted_under_one_name(added: AddedStep) -> None:
    assert effect.step_name(f"{added.value}2027-03-01"[:20]) == added.value
    assert effect.step_name("d30") == "d30"


# ── shares ──


def test_the_limits_are_those_of_the_literature() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    for count, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(count, of)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(of=st.integers(0, 100_000), data=st.data())
def test_a_share_lies_between_its_limits_and_these_between_none_and_all(of: int, data: st.DataObject) -> None:
    found = wilson(data.draw(st.integers(0, of)), of)

    assert 0 <= found.low <= found.high <= 1
    if of:
        assert found.low <= found.share <= found.high


def test_ends_that_were_needed_no_more_are_in_no_share() -> None:
    row = effect.EffectRow(
        "", {EndOutcome.BEFORE: 6, EndOutcome.IN_GRACE: 2, EndOutcome.UNKNOWN: 2, EndOutcome.ENDED: 10}
    )

    assert row.ends == 20
    assert (row.in_time.count, row.in_time.of) == (6, 10)
    assert (row.kept.count, row.kept.of) == (8, 10)


# ── what is hidden ──

USUAL = EndCount(date(2027, 3, 1), "passport", GroupKind.HOME, Mode.HOME, "d30", "sms", EndOutcome.BEFORE, "", 0)


def counts_of(sizes: list[int], by: By = By.KIND) -> list[EndCount]:
    name = by.name.lower()
    return [replace(USUAL, **{name: f"n{place}", "ends": ends}) for place, ends in enumerate(sizes)]  # type: ignore[arg-type]


def hidden_ends(table: EffectTable) -> int:
    assert table.total is not None
    return table.total.ends - sum(row.ends for row in table.rows)


@given(sizes=st.lists(st.integers(1, 40), max_size=12), by=st.sampled_from(By))
def test_no_row_is_too_small_and_none_that_is_hidden_can_be_had_by_subtraction(sizes: list[int], by: By) -> None:
    table = table_of(counts_of(sizes, by), by)

    if sum(sizes) < effect.FEWEST_SHOWN:
        assert table.total is None
        assert not table.rows
        return
    assert all(row.ends >= effect.FEWEST_SHOWN for row in table.rows)
    assert table.hidden + len(table.rows) == len(sizes)
    assert table.hidden != 1
    if table.hidden:
        assert hidden_ends(table) >= effect.FEWEST_SHOWN
    if all(size >= effect.FEWEST_SHOWN for size in sizes):
        assert table.hidden == 0, "nothing is hidden without need"


def test_one_small_row_is_hidden_with_the_smallest_of_the_others() -> None:
    table = table_of(counts_of([50, 20, 30, 4]), By.KIND)

    assert [(row.name, row.ends) for row in table.rows] == [("n0", 50), ("n2", 30)]
    assert (table.hidden, hidden_ends(table)) == (2, 24)


def test_small_rows_that_are_enough_together_hide_no_other() -> None:
    assert [row.ends for row in table_of(counts_of([50, 6, 5]), By.KIND).rows] == [50]
    assert [row.ends for row in table_of(counts_of([50, 12, 4, 5]), By.KIND).rows] == [50]


def test_the_sum_is_told_without_anything_by_which_ends_are_told_apart() -> None:
    table = table_of(counts_of([4, 7]))

    assert table.total is not None
    assert (table.total.ends, table.rows, table.hidden) == (11, (), 0)
    assert table_of([]).total is None


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        (datetime(2027, 2, 28, 15, tzinfo=UTC), date(2026, 4, 1), date(2027, 3, 1)),
        (datetime(2027, 2, 28, 14, tzinfo=UTC), date(2026, 3, 1), date(2027, 2, 1)),
        (datetime(2027, 12, 5, tzinfo=UTC), date(2027, 1, 1), date(2027, 12, 1)),
    ],
)
def test_a_year_of_ends_is_twelve_months_up_to_this_one(now: datetime, first: date, last: date) -> None:
    assert effect.last_year(now) == (first, last)


def test_every_way_to_tell_ends_apart_names_something_that_is_counted() -> None:
    assert [USUAL.under(by) for by in By] == ["d30", "passport", "home", "sms", "home"]
