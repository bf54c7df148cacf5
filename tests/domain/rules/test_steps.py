"""The steps of a schedule: how near an end each one is, and which text speaks at it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.people import Audience
from reminder.domain.rules.steps import (
    AddedStep,
    Anchor,
    Plan,
    Stage,
    Step,
    StepRule,
    StepText,
    by_fitness,
    is_allowed_name,
    stage_of,
    text_at,
)
from tests.rules import LANGUAGES, SCHEDULES, STEPS, WORDING, step_text

SHIPPED = (
    "opens",
    "d75",
    "d60",
    "d45",
    "d30",
    "d14",
    "d7",
    "d3",
    "d0",
    "lastopen",
    "a7",
    "g30",
    "g7",
    "post",
    "computed",
)
FEW = ("d60", "d30", "d7", "d0", "a7", "g30", "g7", "post", "computed")


@pytest.mark.parametrize(
    ("anchor", "days", "stage"),
    [
        (Anchor.OPENS, 0, Stage.OPENS),
        (Anchor.OPENS, 14, Stage.OPENS),
        (Anchor.OPENS, -1, None),
        (Anchor.EXPIRES, -365, Stage.FAR),
        (Anchor.EXPIRES, -46, Stage.FAR),
        (Anchor.EXPIRES, -45, Stage.MONTH),
        (Anchor.EXPIRES, -8, Stage.MONTH),
        (Anchor.EXPIRES, -7, Stage.NEAR),
        (Anchor.EXPIRES, -2, Stage.NEAR),
        (Anchor.EXPIRES, -1, Stage.LAST),
        (Anchor.EXPIRES, 0, Stage.LAST),
        (Anchor.EXPIRES, 1, Stage.AFTER),
        (Anchor.COUNTER, 0, Stage.LAST_OPEN),
        (Anchor.COUNTER, -3, Stage.LAST_OPEN),
        (Anchor.COUNTER, 1, None),
        (Anchor.GRACE, -8, Stage.GRACE),
        (Anchor.GRACE, -7, Stage.GRACE_NEAR),
        (Anchor.GRACE, 0, Stage.GRACE_NEAR),
        (Anchor.GRACE, 1, Stage.POST),
    ],
)
def test_a_day_has_its_stage(anchor: Anchor, days: int, stage: Stage | None) -> None:
    assert stage_of(anchor, days) is stage


@pytest.mark.parametrize(
    ("step", "written", "text", "why"),
    [
        ("d30", SHIPPED, "d30", "its own"),
        ("d21", SHIPPED, "d30", "the next farther from the end, which asked for the same a little earlier"),
        ("d12", SHIPPED, "d14", "the same"),
        ("d40", SHIPPED, "d45", "the same"),
        ("d40", FEW, "d30", "none is farther: the text that stands for the stage"),
        ("d45", FEW, "d30", "the same"),
        ("d14", FEW, "d30", "the farther one, not that of the last week, which is nearer in days"),
        ("d70", SHIPPED, "d75", "the next farther one"),
        ("d100", SHIPPED, "d60", "none is farther: the text that stands for the stage"),
        ("d300", FEW, "d60", "the same"),
        ("d2", SHIPPED, "d3", "the next farther one"),
        ("d2", FEW, "d7", "the same"),
        ("d1", FEW, "d0", "what is said of the end itself is true on the day before it"),
        ("opens", FEW, "d60", "the next stage, whose text is true earlier as well"),
        ("opens", ("d30",), "d30", "or the one after it"),
        ("d90", ("d30",), "d30", "the same"),
        ("lastopen", FEW, "d7", "the last week"),
        ("a10", SHIPPED, "a7", "the only one after the end"),
        ("a3", SHIPPED, "a7", "the same"),
        ("g14", SHIPPED, "g30", "the next farther from the end of the grace"),
        ("g3", SHIPPED, "g7", "the same"),
    ],
)
def test_a_step_takes_the_text_of_the_nearest_of_its_stage(
    step: str, written: tuple[str, ...], text: str, why: str
) -> None:
    assert by_fitness(step_text(step), written)[0] == text, why


def test_a_text_of_the_step_s_own_name_comes_before_any_other() -> None:
    spring = StepText("spring", Stage.MONTH, 20)

    assert by_fitness(spring, ("d30", "spring", "d14"))[0] == "spring"


@given(days=st.integers(0, 365), anchor=st.sampled_from([Anchor.EXPIRES, Anchor.GRACE]), sign=st.sampled_from([-1, 1]))
def test_no_step_speaks_of_an_end_as_past_before_it_or_as_to_come_after_it(
    days: int, anchor: Anchor, sign: int
) -> None:
    stage = stage_of(anchor, sign * days)
    assert stage is not None

    texts = by_fitness(StepText("any", stage, days), SHIPPED)

    assert texts
    for text in map(step_text, texts):
        assert text.stage.is_after_end is stage.is_after_end
        assert text.stage.is_of_grace is stage.is_of_grace
        assert (text.stage is Stage.POST) is (stage is Stage.POST)


def test_each_shipped_step_is_named_as_its_text_is_or_has_a_text_of_its_own_in_every_language() -> None:
    by_day = {name for name in STEPS if StepText.read(name) is not None}
    of_their_own = {name for name in STEPS if name not in by_day}

    assert {rule.name: rule.text for rule in SCHEDULES.steps if rule.name in by_day} == {
        name: StepText.read(name) for name in by_day
    }
    for language in LANGUAGES:
        assert of_their_own <= {key.name for key in WORDING.of(language).texts}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("d21", True),
        ("spring_2", True),
        ("a" * 20, True),
        ("a" * 21, False),
        ("", False),
        ("21d", False),
        ("D21", False),
        ("春", False),
        ("done", False),
        ("taken", False),
        ("again7", False),
        ("computed", False),
    ],
)
def test_a_step_cannot_be_called_what_a_plan_calls_its_own(name: str, allowed: bool) -> None:
    assert is_allowed_name(name) is allowed


def rule(name: str, days: int) -> StepRule:
    return StepRule(name, Anchor.EXPIRES, days, False, (0, 0))


def plan(*days_before: int) -> Plan:
    person = frozenset({Audience.PERSON})
    return tuple(
        Step(f"d{days}", date(2027, 3, 31 - days), person, rule=rule(f"d{days}", -days)) for days in days_before
    )


def added(kind: AddedStep, day: int) -> Step:
    return Step(f"{kind}1", date(2027, 3, day), frozenset({Audience.PERSON}), added=kind)


@pytest.mark.parametrize(
    ("step", "around", "text", "why"),
    [
        (added(AddedStep.AGAIN, 10), plan(30, 7), "d30", "what was said last"),
        (added(AddedStep.AGAIN, 28), plan(30, 7), "d7", "the same, later"),
        (added(AddedStep.AGAIN, 1), plan(7), "d7", "nothing was said yet: what comes next"),
        (added(AddedStep.AGAIN, 1), (), "d30", "the person has no step of their own"),
    ],
)
def test_who_is_reminded_again_reads_what_was_said_last(step: Step, around: Plan, text: str, why: str) -> None:
    assert text_at(step, (*around, step)).name == text, why


def test_a_question_about_a_new_date_is_no_step_of_a_schedule() -> None:
    assert text_at(added(AddedStep.DONE, 10), plan(30)).stage is Stage.DONE
    assert text_at(added(AddedStep.TAKEN, 10), plan(30)).stage is Stage.TAKEN
