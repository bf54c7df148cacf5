"""What stands in a cell in place of a date has a meaning, and a period has two days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.cell_words import CellWord, Period, read_period, read_word


@pytest.mark.parametrize(
    ("meaning", "texts"),
    [
        (
            CellWord.NONE,
            [
                "―",
                "—",
                "─",
                "-",
                "ー",
                "なし",
                "無",
                "無し",
                "×",
                "✕",
                "X",
                "未",
                "対象外",
                "非該当",
                "未取得",
                "未交付",
                "カードなし",
                "（なし）",
                "該当なし",
                "N/A",
            ],
        ),
        (CellWord.ENDED, ["返納", "返納済み", "紛失", "失効", "期限切れ", "返却済"]),
        (CellWord.PERMANENT, ["無期限", "永久", "期限なし", "終身", "更新不要"]),
        (CellWord.APPLIED, ["申請中", "更新中", "更新申請中", "手続き中", "再交付中", "区分変更中", "認定待ち"]),
        (CellWord.NOT_KNOWN, ["不明", "未確認", "家族に確認中", "未定", "？", "要確認"]),
        (CellWord.DITTO, ["〃", "同上", "々", "″", "仝", "↑", "＂"]),
    ],
)
def test_a_word_in_place_of_a_value_is_understood(meaning: CellWord, texts: list[str]) -> None:
    assert {text: read_word(text) for text in texts} == dict.fromkeys(texts, meaning)


@pytest.mark.parametrize(
    "text", ["", "R9.3.31", "2027-03-31", "佐藤 花子", "母", "201", "090-0000-0001", "梨本", "無量塔", "R9.3.31 紛失", "同"*40]
)  # fmt: skip
def test_other_texts_are_no_such_word(text: str) -> None:
    assert read_word(text) is None


PERIOD = Period(date(2024, 4, 1), date(2027, 3, 31))


@pytest.mark.parametrize(
    "text",
    [
        "R6.4.1～R9.3.31", "R6.4.1〜R9.3.31", "R6.4.1~R9.3.31", "R6.4.1-R9.3.31", "R6.4.1 － R9.3.31", "R6.4.1→R9.3.31",
        "令和6年4月1日から令和9年3月31日まで", "自R6.4.1至R9.3.31", "自 令和６年４月１日　至 令和９年３月３１日", "2024/4/1～2027/3/31", "2024-04-01 ~ 2027-03-31",
        "R6.4.1～\nR9.3.31",
    ],
)  # fmt: skip
def test_a_period_has_its_first_and_last_day(text: str) -> None:
    assert read_period(text) == PERIOD


@pytest.mark.parametrize(
    "text", ["R9.3.31", "～R9.3.31", "R6.4.1～", "R9.3.31～R6.4.1", "R6.4.1～3.31", "R6.4.1～R7.4.1～R9.3.31", "あ～い", "から", "2024-04-01-2027-03-31"]
)  # fmt: skip
def test_what_lacks_a_day_or_runs_backwards_is_no_period(text: str) -> None:
    assert read_period(text) is None


@given(st.text(max_size=90))
def test_no_text_is_a_word_and_a_period_at_once(text: str) -> None:
    assert read_word(text) is None or read_period(text) is None
