"""The gate of words that leave us: ordinary words pass, whatever sends a reader elsewhere does not."""

import tomllib
import traceback
import unicodedata
from pathlib import Path

import hypothesis.vendor
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.errors import RefusedInputError, UnsafeWordError
from reminder.guard import outgoing
from reminder.guard.outgoing import LONGEST, UnsafeWord, foreign_parts, is_safe, refuse_unsafe, unsafe
from reminder.guard.text import clean_label

ROOT = Path(__file__).parents[2]
WORDS = tomllib.loads((ROOT / "tests" / "data" / "free_words.toml").read_text("utf-8"))
HOSTILE = [(word, code) for code, words in WORDS["hostile"].items() for word in words]
FIELD_OF = {word: "consent_by" for word in WORDS["ordinary"] if "2026-" in word}


def test_ordinary_words_pass() -> None:
    assert len(WORDS["ordinary"]) >= 200
    refused = {word: why for word in WORDS["ordinary"] if (why := unsafe(word, field=FIELD_OF.get(word, "")))}

    assert refused == {}


@pytest.mark.parametrize("code", sorted(WORDS["hostile"]))
def test_hostile_words_are_refused_with_a_code_that_names_the_fault(code: str) -> None:
    found = {word: unsafe(word) for word in WORDS["hostile"][code]}

    assert {word: why for word, why in found.items() if why is None} == {}
    assert {word: why for word, why in found.items() if why is not None and why.value != code} == {}


def test_every_fault_has_hostile_words() -> None:
    assert set(WORDS["hostile"]) == set(UnsafeWord) - {UnsafeWord.TOO_LONG}


@given(
    st.sampled_from(HOSTILE),
    st.sampled_from(["", "母", "母 ", "つばめの会　", "(", "お"]),
    st.sampled_from(["", " さん", "です", ")", "　"]),
)
def test_a_hostile_word_is_refused_between_any_others(hostile: tuple[str, str], before: str, after: str) -> None:
    word, code = hostile
    # A letter beside a Latin word makes another word of it, and a kanji beside 口 座 a name; a sign or a space does not.
    if (
        code in ("word_lookalike", "word_money", "word_phone", "word_link")
        and before[-1:].isalpha()
        and (word[0].isascii() or " " in word)
    ):
        before += " "

    assert not is_safe(f"{before}{word}{after}"), f"{before}{word}{after}"


@given(st.sampled_from(HOSTILE))
def test_width_and_case_make_no_difference(hostile: tuple[str, str]) -> None:
    word, code = hostile
    wide = "".join(chr(ord(mark) + 0xFEE0) if "!" <= mark <= "~" else mark for mark in word)

    assert not is_safe(wide)
    if code != "word_lookalike":
        assert not is_safe(word.upper())
        assert not is_safe(unicodedata.normalize("NFD", word))


@pytest.mark.parametrize(("word", "code"), HOSTILE[::7])
def test_a_refusal_holds_nothing_of_the_word_and_the_cache_neither(word: str, code: str) -> None:
    before = outgoing._pass.cache_info().currsize

    with pytest.raises(UnsafeWordError) as refused:
        refuse_unsafe(word, field="label")

    error = refused.value
    assert error.code == code
    assert word not in "".join([str(error), repr(error), str(error.details), *traceback.format_exception(error)])
    assert outgoing._pass.cache_info().currsize == before


def test_a_word_that_is_too_long_is_refused_before_it_is_looked_at() -> None:
    assert unsafe("母" * (LONGEST + 1)) is UnsafeWord.TOO_LONG
    assert unsafe("." * 10_000_000) is UnsafeWord.TOO_LONG


@pytest.mark.parametrize(
    ("field", "word", "passes"),
    [
        ("room", "1203号室", True),
        ("room", "2-203", True),
        ("room", "120345", False),
        ("ref", "10293", True),
        ("ref", "http://evil.jp", False),
        ("label", "1203", False),
        ("consent_by", "2026-11-30 長女", True),
        ("consent_by", "長女 090-2026-11-30", False),
        ("group_name", "2026-11-30", False),
    ],
)
def test_a_room_may_have_five_digits_and_a_consent_a_date(field: str, word: str, passes: bool) -> None:
    assert is_safe(word, field=field) is passes


@pytest.mark.parametrize(
    "field",
    [
        "label",
        "mark",
        "card_label",
        "group_name",
        "name",
        "member_name",
        "unit",
        "office",
        "consent_by",
        "organisation",
        "token_name",
    ],
)
def test_every_field_is_refused_by_the_one_function_that_all_entries_call(field: str) -> None:
    for word, _ in HOSTILE:
        with pytest.raises(RefusedInputError):
            clean_label(word, field=field, longest=60, most_digits=0 if field == "mark" else 16)


def test_the_list_of_domains_is_complete() -> None:
    """Against another copy of IANA's list; a new domain is added to our file by hand."""
    listed = (Path(hypothesis.vendor.__file__ or "").parent / "tlds-alpha-by-domain.txt").read_text().lower().split()
    ends = outgoing._link_words()

    latin = {name for name in listed[listed.index("utc") + 1 :] if not name.startswith("xn--")}

    assert len(latin) > 1200
    assert latin - ends.ends == set()
    assert len(ends.other_ends) > 140


# ---- the composed message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("【期限だより】お母さん、マイナンバーカードは12月20日（日）までです。", set()),
        ("期限　2026年12月20日（日）\n1. カードを用意する\n2. 窓口へ行く", set()),
        ("It ends on 20 Dec 2026. Ask at the office. We never ask.", set()),
        ("お母さんevil.jpは", {"link jp"}),
        ("次のページ\nhttps://kigen.example/take/1/2/x\n", {"link //", "link https", "link https:", "link example"}),
        ("お電話は 090-1234-5678 まで", {"digits 1234", "digits 5678", "phone 090-1234-5678"}),
        ("お電話は 090 123 567 まで", {"phone 090 123 567"}),
        ("a@b", {"at"}),
        ("母\u200b父", {"invisible"}),
    ],
)
def test_what_we_did_not_make_is_found_in_a_composed_message(text: str, found: set[str]) -> None:
    assert foreign_parts(text) == found


def test_our_own_link_is_not_foreign() -> None:
    ours = "https://kigen.example/take/1/2/x"

    assert foreign_parts(f"次のページ\n{ours}\n", [ours]) == frozenset()
    assert foreign_parts(f"次のページ\n{ours}\nhttps://evil.jp", [ours]) != frozenset()
