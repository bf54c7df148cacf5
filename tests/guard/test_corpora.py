"""The guard on the corpora of tests/data/guard: what it must refuse and what it must let through, with floors.

The half that is called sealed was looked at only as these figures. `python -m tests.guard.recall` prints them.
"""

import re
from collections import Counter

import pytest

from reminder.guard import numbers, secrets
from reminder.guard.numbers import LooksLike, forbidden_in_record
from tests.guard.recall import FIRST, LATER, SEALED, TUNED, entries, measured
from tests.guard.steps import beginnings

RECALL, FALSE_ALARMS = 0.95, 0.01


def test_the_corpora_are_large_and_their_halves_alike() -> None:
    of = Counter((one.corpus, one.is_hostile, one.half) for one in entries())

    for corpus in (FIRST, LATER):
        assert sum(of[corpus, True, half] for half in (TUNED, SEALED)) >= 150
        assert sum(of[corpus, False, half] for half in (TUNED, SEALED)) >= 200
        assert all(of[corpus, kind, half] >= 75 for kind in (True, False) for half in (TUNED, SEALED))
    assert len({one.text for one in entries()}) == of.total()


@pytest.mark.parametrize("half", [TUNED, SEALED])
@pytest.mark.parametrize("corpus", [FIRST, LATER])
def test_the_guard_finds_hidden_numbers_and_lets_ordinary_life_through(corpus: str, half: str) -> None:
    found = measured(corpus, half)

    assert found.recall >= RECALL
    assert found.false_alarms <= FALSE_ALARMS


@pytest.mark.parametrize(
    ("fields", "looks_like", "why"),
    [
        (("母493", "82716", "0454"), LooksLike.MY_NUMBER, "twelve digits over three fields"),
        (("母", "A-12", "203"), None, "a room and a reference"),
        (("203 佐藤", "12345", "203", "2階"), None, "a room that stands in two fields counts once"),
        (("花子", None, "", "2026-12-01", "203"), None, "a date explains its digits"),
        (("暗証", "1234"), LooksLike.PASSCODE, "the word in one field, the digits in another"),
        (
            ("よんきゅう", "さんはちになな", "いちろくぜろ", "よんごよん"),
            LooksLike.MY_NUMBER,
            "digit words over four fields",
        ),
    ],
)
def test_a_record_is_looked_at_as_a_whole(
    fields: tuple[str | None, ...], looks_like: LooksLike | None, why: str
) -> None:
    assert forbidden_in_record(fields) == looks_like, why


@pytest.mark.parametrize("words", secrets.WORDS, ids=lambda words: words.pattern[:12])
def test_the_quick_look_for_a_secret_word_misses_none(words: re.Pattern[str]) -> None:
    for beginning in beginnings(words):
        assert secrets.may_name_secret(beginning), beginning


CODES = {3: "907", 4: "9071", 5: "90715", 6: "907155", 7: "9071553", 8: "90715538"}


@pytest.mark.parametrize("count", CODES)
@pytest.mark.parametrize(
    "form",
    ["{n}桁のやつ→{code}", "{n}けたは{code}", "{k}桁の数字 {code}", "{code}（{n}桁）", "けた数{n}、{code}", "the {n}-digit one is {code}"],
)  # fmt: skip
def test_digits_are_a_passcode_beside_the_number_of_digits_that_they_have(form: str, count: int) -> None:
    def said(code: str) -> str:
        return form.format(n=count, k="三四五六七八"[count - 3], code=code)

    assert numbers.forbidden(said(CODES[count])) is not None
    assert numbers.forbidden(said("90")) is None, "two digits are a part of something else"


@pytest.mark.parametrize("word", ["暗証番号", "PIN", "あんしょうばんごう"])
@pytest.mark.parametrize("told", ["は全部7", "はぜんぶで 7", "は7が四つ", " 同じ7", "は 7を4回", "はオール7", " is all sevens", " four times 7"])  # fmt: skip
def test_a_code_that_repeats_one_digit_is_told_by_that_digit(word: str, told: str) -> None:
    assert numbers.forbidden(word + told) is LooksLike.PASSCODE


@pytest.mark.parametrize("told", ["いつもの番号 9071", "例の番号 9071", "鍵の番号 3-9-1-7", "スマホのロック 9071", "金庫 左3右7左4右1", "裏の数字 907"])  # fmt: skip
def test_a_code_is_found_beside_what_people_call_it(told: str) -> None:
    assert numbers.forbidden(told) is LooksLike.PASSCODE


@pytest.mark.parametrize(
    "said",
    [
        "4桁の暗証番号を用意する", "暗証番号は4桁です", "暗証番号を3回まちがえるとロックされる", "暗証番号は2つある", "暗証番号は全部で2つ",
        "郵便番号は7桁 100-0001", "西暦4桁 2029年", "4けたの年 2029", "電話の下4桁を聞かれた", "6〜16文字の英数字のパスワード",
        "同じ窓口3番", "4つ葉のクローバー", "ロッカー 12", "鍵は母が持っている", "スマホのロック解除ができない", "four times a year",
    ],
)  # fmt: skip
def test_talk_about_codes_holds_none(said: str) -> None:
    assert numbers.forbidden(said) is None
