"""How long a text message is: what is shown is never less than what is billed."""

import json
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from reminder.domain.text.sms_segments import Encoding, count, encoding, units

CASES = json.loads((Path(__file__).parents[2] / "data" / "sms_segments.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_every_known_text_has_its_length(case: dict[str, Any]) -> None:
    text = "".join(string * times for string, times in case["parts"])

    assert (encoding(text), units(text)) == (case["encoding"], case["units"])
    assert count(text) in (case["segments"], case.get("segments_no_split_pairs", case["segments"])), case.get("note")
    assert count(text) >= case["segments"]


@pytest.mark.parametrize(
    ("character", "cost", "written", "whole", "part", "why"),
    [
        ("期", 1, Encoding.UCS_2, 70, 67, "kanji"),
        ("𠮷", 2, Encoding.UCS_2, 70, 67, "a name's rare kanji is two units that stay together"),
        ("a", 1, Encoding.GSM_7, 160, 153, "plain Latin"),
        ("€", 2, Encoding.GSM_7, 160, 153, "an escape and a character that stay together"),
    ],
)
def test_a_text_alone_holds_more_than_each_part_of_a_longer_one(
    character: str, cost: int, written: Encoding, whole: int, part: int, why: str
) -> None:
    for length in range(1, 6 * whole):
        text = character * length
        in_parts = ceil(length / (part // cost))
        assert encoding(text) is written
        assert units(text) == length * cost
        assert count(text) == (1 if length * cost <= whole else in_parts), (why, length)


def test_no_mixture_is_counted_as_fewer_than_its_units_fill() -> None:
    for plain in range(140):
        for rare in range(70):
            text = "あ" * plain + "𠮷" * rare + "い"
            fills = 1 if units(text) <= 70 else ceil(units(text) / 67)
            assert fills <= count(text) <= fills + 1, (plain, rare)


@pytest.mark.parametrize(
    ("text", "written", "cost", "why"),
    [
        ("a" * 100, Encoding.GSM_7, 100, "plain"),
        ("a" * 100 + "^{}\\[]~|€", Encoding.GSM_7, 118, "every one of these costs two"),
        ("a" * 100 + "^{}\\[]~|€" + "は", Encoding.UCS_2, 110, "but one beside kana"),
        ("Sat 20 Feb 2027\n", Encoding.GSM_7, 16, "a new line is in the alphabet"),
    ],
)
def test_one_character_outside_the_alphabet_changes_what_all_others_cost(
    text: str, written: Encoding, cost: int, why: str
) -> None:
    assert (encoding(text), units(text)) == (written, cost), why


def test_no_text_is_no_message() -> None:
    assert (units(""), count("")) == (0, 0)
