"""What people answer: every reply of tests/data/replies.csv as it is typed, with what it must mean."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.replies import (
    Intent,
    digits_to_leave,
    digits_together,
    means_each,
    plain,
    read,
    read_rules,
)
from reminder.errors import SettingsError
from reminder.settings import read_table
from tests.rules import CONFIG

TABLE = read_table(CONFIG / "replies.toml")
RULES = read_rules(TABLE)


def replies() -> list:
    with (Path(__file__).parents[2] / "data" / "replies.csv").open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(row["text"], row["intent"], id=f"{row['intent']}: {row['text']}")
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("text", "intent"), replies())
def test_a_reply_means(text: str, intent: str) -> None:
    assert read(text, RULES) == intent


def test_the_table_is_long_enough_to_be_worth_something() -> None:
    assert len(replies()) >= 200
    assert {case.values[1] for case in replies()} == set(Intent)


@given(st.text())
def test_whatever_is_typed_means_something_and_breaks_nothing(text: str) -> None:
    assert read(text, RULES) in Intent


@given(st.sampled_from(replies()), st.sampled_from([" ", "\u3000", "。", "！", "😊", "\n", "♪"]))
def test_what_stands_around_a_reply_does_not_change_it(case, around: str) -> None:
    text, intent = case.values
    if plain(text):
        assert read(f"{around}{text}{around}", RULES) == intent


@pytest.mark.parametrize(
    ("table", "named", "why"),
    [
        ({**TABLE, "maybe": {}}, "[maybe]", "nobody knows what it means"),
        ({name: row for name, row in TABLE.items() if name != "stop"}, "[stop]", "nobody could stop"),
        ({**TABLE, "done": {"whole": "済"}}, "done.whole", "a text is no list"),
        ({**TABLE, "done": {"holds": ["(済"]}}, "done.holds", "a pattern left open"),
        ({**TABLE, "choice": {"both": "両方"}}, "choice.both", "a text is no list"),
    ],
)
def test_a_wrong_file_refuses_to_start_and_names_the_entry(table: dict[str, object], named: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_rules(table)

    assert refused.value.setting == f"config/replies.toml: {named}", why


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("2 停止", {2}), ("２　停止", {2}), ("②停止", {2}), ("STOP 2", {2}), ("stop2", {2}), ("2 unsubscribe", {2}),
        ("2番をやめてください", {2}), ("2番だけ停止", {2}), ("停止2番", {2}), ("２ていし", {2}), ("2 ﾃｲｼ", {2}), ("2 停 止", {2}),
        ("2を止めて", {2}), ("2 やめます", {2}), ("2はいりません", {2}), ("二 停止", {2}), ("1と2 停止", {1, 2}),
        ("1,2 停止", {1, 2}), ("1、2を停止", {1, 2}), ("1 2 停止", {1, 2}), ("1番と3番を止めてください", {1, 3}),
        ("12停止", set()), ("停止", set()), ("2", set()), ("12月まで停止", set()), ("2日に行きます", set()), ("2 済み", set()),
        ("2 停止しない", set()),
    ],
)  # fmt: skip
def test_a_stop_with_a_digit_leaves_one_of_a_list(text: str, digits: set[int]) -> None:
    assert digits_to_leave(text, RULES) == digits


def test_no_reply_that_people_write_leaves_anybody_by_accident() -> None:
    assert [case.values[0] for case in replies() if digits_to_leave(case.values[0], RULES)] == []


@given(st.text())
def test_whatever_is_typed_as_a_choice_breaks_nothing(text: str) -> None:
    digits_to_leave(text, RULES)
    assert digits_together(text) <= set(range(10))
    means_each(text, 2, Intent.DONE, RULES)


@pytest.mark.parametrize(
    "text", ["両方", "りょうほうです", "ふたりとも", "二人ともです", "BOTH", "both of them", "リョウホウ"]
)
def test_both_means_each_of_two_and_nobody_of_three(text: str) -> None:
    assert means_each(text, 2, Intent.UNKNOWN, RULES)
    assert not means_each(text, 3, Intent.UNKNOWN, RULES)


@pytest.mark.parametrize("text", ["全部", "ぜんぶです", "みんな", "all", "Everyone"])
def test_all_means_each_of_any_number(text: str) -> None:
    assert means_each(text, 2, Intent.UNKNOWN, RULES)
    assert means_each(text, 5, Intent.UNKNOWN, RULES)


def test_words_beside_both_count_only_if_they_say_what_was_said_before() -> None:
    assert means_each("ふたりとも済みました", 2, Intent.DONE, RULES)
    assert not means_each("ふたりとも済みました", 2, Intent.LATER, RULES)
    assert not means_each("両方まだです", 2, Intent.DONE, RULES)
    assert not means_each("両方じゃない", 2, Intent.UNKNOWN, RULES)


def test_digits_that_are_listed_are_each_one_and_a_number_is_none() -> None:
    assert digits_together("1と2です") == digits_together("１、２") == digits_together("1 2") == {1, 2}
    assert digits_together("12") == digits_together("1と2日") == digits_together("2") == set()


def test_a_file_of_before_has_no_words_for_both() -> None:
    assert not means_each("両方", 2, Intent.DONE, read_rules({k: v for k, v in TABLE.items() if k != "choice"}))
