"""A telephone number with a note, a name with a reading: the value is read, and nothing is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.noted_values import name_alone, read_noted_numbers
from reminder.domain.parsing.whereabouts import SheetAbsence, standing_of


@pytest.mark.parametrize(
    ("text", "numbers", "relation"),
    [
        ("090-0000-0001（長女）", ["090-0000-0001"], "長女"),
        ("長男 ０９０－００００－０００１", ["090-0000-0001"], "長男"),
        ("09000000001 妻", ["09000000001"], "妻"),
        ("090-0000-0001\n03-0000-0001", ["090-0000-0001", "03-0000-0001"], ""),
        ("(03)0000-0001 夜間", ["(03)0000-0001"], ""),
        ("090-0000", [], ""),
        ("なし", [], ""),
        ("1234 5678 9018 090-0000-0001", [], ""),
    ],
)
def test_numbers_are_found_beside_a_note(text: str, numbers: list[str], relation: str) -> None:
    found = read_noted_numbers(text)

    assert (list(found.numbers), found.relation if numbers else "") == (numbers, relation)


@given(st.text(max_size=80))
def test_a_name_is_never_emptied_and_never_longer(text: str) -> None:
    name = name_alone(text)

    assert bool(name) == bool(text[:200].split())
    assert len(name) <= len(text)


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("退去", SheetAbsence.LEFT), ("R8.10.1退居", SheetAbsence.LEFT), ("ご逝去", SheetAbsence.DIED), ("（死亡）", SheetAbsence.DIED), ("入院中", SheetAbsence.AWAY),
        ("入院", SheetAbsence.AWAY), ("空室", SheetAbsence.EMPTY), ("【空き】", SheetAbsence.EMPTY), ("在所", None), ("退所予定なし", None), ("入院歴あり", None),
        ("空知 太郎", None), ("", None),
    ],
)  # fmt: skip
def test_a_word_says_where_somebody_is(text: str, standing: SheetAbsence | None) -> None:
    assert standing_of(text) is standing
