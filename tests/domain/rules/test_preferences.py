"""The rhythm: what people type for days and hours is understood, and what cannot be kept is refused."""

import inspect
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.people import Language, Mode
from reminder.domain.parsing import days_before
from reminder.domain.parsing.days_before import read_days
from reminder.domain.rules import preferences
from reminder.domain.rules.preferences import Preferences, read_hour
from reminder.errors import ForbiddenNumberError, RefusedInputError, UnknownChoiceError
from tests.rules import LANGUAGES, WORDING

TWELVE = " ".join(["1234"] * 3)  # twelve invented digits, in the shape of a card's number
PRESETS = ("few", "often")


@pytest.mark.parametrize(
    ("typed", "days", "why"),
    [
        ("60 30 7", (60, 30, 7), "as the page says"),
        ("６０　３０　７", (60, 30, 7), "full-width, with the space of a Japanese keyboard"),
        ("60、30、7", (60, 30, 7), "as one writes a list in Japanese"),
        ("60,30, 7", (60, 30, 7), "and elsewhere"),
        ("60日前・30日前・7日前", (60, 30, 7), "as one says it"),
        ("60日 30日 0", (60, 30, 0), "the end itself"),
        ("7 30 60", (60, 30, 7), "in whatever order"),
        ("60\n30\n7\n", (60, 30, 7), "pasted from a column"),
        ("365", (365,), "a year before"),
        ("60 45 30 14 7 1", (60, 45, 30, 14, 7, 1), "16 days after 15: put right when it is planned"),
        ("365 300 240 180 120 90 60 30", (365, 300, 240, 180, 120, 90, 60, 30), "many digits are still days"),
        ("", (), "each person's own again"),
        ("　", (), "nothing but a space"),
    ],
)
def test_days_are_read_as_people_type_them(typed: str, days: tuple[int, ...], why: str) -> None:
    assert read_days(typed) == days, why


@pytest.mark.parametrize(
    ("typed", "code", "why"),
    [
        ("sixty", "own_days_unreadable", "a word"),
        ("三十", "own_days_unreadable", "kanji are for letters"),
        ("7.5", "own_days_unreadable", "half a day"),
        ("-7", "own_days_unreadable", "after the end other texts go"),
        ("007", "own_days_unreadable", "no day begins with a nought"),
        ("2か月", "own_days_unreadable", "how many days is that?"),
        ("366", "own_days_out_of_range", "more than a year"),
        ("30 30", "own_days_twice", "one text a day"),
        ("90 80 70 60 50 40 30 20 10", "own_days_too_many", "nine of them"),
        ("60 50 7", "own_days_gaps_grow", "ten days, then forty-three"),
        ("60 45 30", "own_days_gaps_grow", "and then nothing for a month"),
    ],
)
def test_days_that_cannot_be_kept_are_refused(typed: str, code: str, why: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        read_days(typed)

    assert (refused.value.code, refused.value.field) == (code, "own_days"), why


@pytest.mark.parametrize("read", [read_days, read_hour])
@pytest.mark.parametrize("typed", [TWELVE, TWELVE.replace(" ", ""), "１２３４ ５６７８ ９０１２"])
def test_a_card_s_number_in_the_place_of_days_or_hours_is_refused_as_one_and_not_repeated(read, typed: str) -> None:
    with pytest.raises(ForbiddenNumberError) as refused:
        read(typed)

    assert "1234" not in f"{refused.value} {refused.value.details}"


@pytest.mark.parametrize(
    ("typed", "hour"), [("10", 10), ("１０", 10), ("10時", 10), ("9:00", 9), ("09:00", 9), ("17", 17), ("", None)]
)
def test_hours_are_read_as_people_type_them(typed: str, hour: int | None) -> None:
    assert read_hour(typed) == hour


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("8", "hour_out_of_range"),
        ("18", "hour_out_of_range"),
        ("noon", "send_hour_unreadable"),
        ("10:30", "send_hour_unreadable"),
    ],
)
def test_hours_at_which_nobody_may_be_told_are_refused(typed: str, code: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        read_hour(typed)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("wanted", "code", "why"),
    [
        (Preferences(preset="daily"), "unknown_choice", "no such preset"),
        (Preferences(preset="elderly"), "unknown_choice", "a mode is a person's"),
        (Preferences(send_hour=6), "hour_out_of_range", "too early for anybody"),
        (Preferences(own_days=(400,)), "own_days_out_of_range", "more than a year"),
        (Preferences(own_days=(7, 30)), "own_days_unreadable", "the farthest comes first"),
    ],
)
def test_a_preferences_that_was_not_typed_is_checked_as_well(wanted: Preferences, code: str, why: str) -> None:
    with pytest.raises(RefusedInputError) as refused:
        wanted.checked(PRESETS)

    assert refused.value.code == code, why


def test_a_preset_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownChoiceError) as refused:
        Preferences(preset="daily").checked(PRESETS)

    assert refused.value.choices == PRESETS


def gaps_to_the_end(days: tuple[int, ...]) -> list[int]:
    return [farther - nearer for farther, nearer in pairwise((*days, 0))]


@given(st.lists(st.integers(0, 365), min_size=1, max_size=8, unique=True))
def test_days_whose_gaps_shrink_are_taken_in_whatever_order_and_those_whose_gaps_grow_are_not(days: list[int]) -> None:
    in_order = tuple(sorted(days, reverse=True))
    gaps = gaps_to_the_end(in_order)
    typed = " ".join(map(str, days))

    if all(farther >= nearer for farther, nearer in pairwise(gaps)):
        assert read_days(typed) == in_order
    # Each of two neighbours may be put right by three days.
    elif any(nearer > farther + 6 for farther, nearer in pairwise(gaps)):
        with pytest.raises(RefusedInputError):
            read_days(typed)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_its_sentence(language: str) -> None:
    source = inspect.getsource(preferences) + inspect.getsource(days_before)
    codes = {*re.findall(r'"((?:own_days|hour)_[a-z_]+)"', source), "own_days_unreadable", "send_hour_unreadable"}

    assert len(codes) >= 7
    assert codes <= WORDING.languages[Language(language)].section("errors").keys()


@pytest.mark.parametrize("mode", list(Mode))
def test_only_persons_of_the_standard_mode_are_told_of_on_holidays(mode: Mode) -> None:
    assert Preferences(on_holidays=True, send_hour=11).about(mode) == Preferences(
        on_holidays=mode is Mode.STANDARD, send_hour=11
    )
