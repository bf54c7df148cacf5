"""How wide words are when they are drawn."""

import pytest

from reminder.domain.text.text_width import width_of, wrapped


@pytest.mark.parametrize(
    ("words", "measured"),
    [
        ("2031年2月20日まで有効", 11.13),
        ("令和13年2月28日まで", 9.95),
        ("在留期間（満了日）", 9.0),
        ("20 FEB 2031", 5.88),
        ("マイナ保険証として使える最後の日", 15.92),
        ("Wed 17 Nov 2027", 8.3),
        ("last day as a health-insurance card", 16.93),
        ("to the family", 6.22),
        ("here (by hand)", 7.16),
        ("MOM AND WOMEN", 8.93),
        ("0123456789", 5.9),
    ],
)
def test_words_are_taken_to_be_a_little_wider_than_a_browser_sets_them_in_bold_noto_sans(
    words: str, measured: float
) -> None:
    assert measured <= width_of(words) <= measured * 1.16


@pytest.mark.parametrize(
    ("words", "ems", "lines", "why"),
    [
        ("to the family", 20, ["to the family"], "there is room"),
        ("to the family", 4, ["to the", "family"], "between words"),
        ("to the family", 1, ["to", "the", "family"], "a word stays whole"),
        ("窓口が開いている最後の日", 6, ["窓口が開いて", "いる最後の日"], "anywhere in Japanese"),
        ("期限の日。", 4, ["期限の日。"], "no line begins with a full stop"),
        ("市役所などが 開いて いる", 7, ["市役所などが", "開いて いる"], "no line begins with a space"),
        ("", 7, [""], "nothing is one empty line"),
    ],
)
def test_words_break_where_their_readers_would_break_them(words: str, ems: float, lines: list[str], why: str) -> None:
    assert wrapped(words, ems) == lines, why
