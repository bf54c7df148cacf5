"""What people answer: every reply of tests/data/replies.csv as it is typed, with what it must mean."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.replies import Intent, plain, read, read_rules
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
    ],
)
def test_a_wrong_file_refuses_to_start_and_names_the_entry(table: dict[str, object], named: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_rules(table)

    assert refused.value.setting == f"config/replies.toml: {named}", why
