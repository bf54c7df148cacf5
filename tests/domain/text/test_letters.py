"""A letter to a resident: one matter first, by the house's rules, and a slip on which the family answers."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from itertools import product

import pytest

from reminder.domain.model.people import Language
from reminder.domain.rules.next_step import NextAct
from reminder.domain.text.catalog import lint
from reminder.domain.text.letters import STYLE, ResidentLetter, render_letter, render_letters
from reminder.domain.text.paper import Matter
from reminder.guard.numbers import forbidden_at_length as forbidden
from reminder.settings import read_table
from tests.domain.text.test_furigana import bare
from tests.rules import CONFIG, KINDS, LANGUAGES, WORDING

LINT = read_table(CONFIG / "wording" / "lint.toml")
JA = Language.JAPANESE
END = date(2027, 3, 31)
USER, CARE = "mynumber_user_certificate", "care_certification"
OPEN = Matter(USER, END, NextAct.GO, date(2027, 1, 1), END, date(2027, 6, 30))
LETTER = ResidentLetter(1, "佐藤 ハナ", "2階 203", JA, "市役所", "見本の里", "つばめ", True, date(2027, 2, 1), (OPEN,))
ACTS = (NextAct.OPENS, NextAct.GO, NextAct.CLOSED, NextAct.LATER, NextAct.GRACE, NextAct.OVER)


def rendered(letter: ResidentLetter = LETTER, *, furigana: bool = False) -> str:
    return render_letter(WORDING, letter, furigana=furigana)


def read(html: str) -> str:
    """Without its marks and readings."""
    return unescape(re.sub(r"<rt>.*?</rt>|<rp>.*?</rp>|<[^>]+>", "", html))


def of(*matters: Matter, language: Language = JA, **more: object) -> ResidentLetter:
    return replace(LETTER, matters=matters, language=language, **more)


@pytest.mark.parametrize(("kind", "language"), [*product(KINDS, LANGUAGES)])
def test_a_letter_of_every_kind_keeps_to_the_house_s_rules_at_every_stage(kind: str, language: Language) -> None:
    words = WORDING.of(language)
    for act, is_computed, furigana in product(ACTS, (False, True), (False, True)):
        matter = replace(OPEN, kind=kind, act=act, is_computed=is_computed, last_counter_day=date(2027, 3, 30))

        html = rendered(of(matter, language=language), furigana=furigana)

        said = read(html)
        assert not re.search(r"[{}]|None|://|<a |<img|<script|url\(", html)
        assert lint(said, LINT) == []  # type: ignore[arg-type]
        assert forbidden(said) is None
        assert words.date(END, "full_date") in said
        assert words.word("operator") in said
        assert (
            words.kinds[kind]["elder_after" if matter.is_over else "elder_to_do"].format(
                office="市役所", helper=words.word("helper_staff")
            )
            in said
        )


def test_one_matter_is_told_at_length_and_of_the_others_what_and_until_when() -> None:
    said = read(rendered(of(OPEN, replace(OPEN, kind=CARE, expires_on=date(2027, 4, 30)))))

    assert "カードを持って、市役所へ行き、窓口で「電子証明書の更新」と言ってください。" in said
    assert "・要介護・要支援認定　2027年4月30日（金）まで" in said
    assert "ケアマネジャー" not in said


def test_the_two_certificates_of_a_card_are_one_matter() -> None:
    said = read(rendered(of(replace(OPEN, kind="mynumber_user_certificate", is_both=True))))

    assert said.count("電子証明書") == 3  # what ends, what to say at the counter, and once on the slip


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_date_that_was_worked_out_it_is_never_said_that_it_has_passed(language: Language) -> None:
    words = WORDING.of(language).in_mail.section("letter")
    over = replace(OPEN, act=NextAct.OVER, is_computed=True)

    html = rendered(of(over, over, language=language))

    ended = words["was"].format(full_date="")
    assert ended.strip() not in html
    assert WORDING.of(language).date(END, "full_date") in read(html)


@pytest.mark.parametrize(
    ("act", "is_computed", "says", "why"),
    [
        (NextAct.GRACE, False, "病院では、2027年6月30日（水）まで使えます。", "it still works at the hospital"),
        (NextAct.OVER, False, "資格確認書", "and then something else does"),
        (NextAct.OVER, True, "書いてある日を、職員と見てください。", "nobody knows whether it is over"),
        (NextAct.OPENS, False, "2027年1月1日（金）からです", "nobody is sent to a counter that turns them away"),
        (NextAct.GO, True, "計算した日です", "and before the end it is said to be worked out"),
    ],
)
def test_what_is_said_follows_from_how_it_stands(act: NextAct, is_computed: bool, says: str, why: str) -> None:
    assert says in read(rendered(of(replace(OPEN, act=act, is_computed=is_computed)))), why


def test_the_last_day_at_the_counter_is_told_where_it_comes_before_the_end_and_is_still_ahead() -> None:
    ahead = replace(OPEN, last_counter_day=date(2027, 3, 30))

    assert "窓口が開いている最後の日は、3月30日（火）です。" in read(rendered(of(ahead)))
    assert "窓口が開いている" not in read(rendered(of(OPEN)))
    assert "窓口が開いている" not in read(rendered(of(ahead, today=END)))


def test_a_card_that_ends_with_the_stay_is_told_as_one() -> None:
    assert "在留期間の更新のあとで" in read(rendered(of(replace(OPEN, kind="mynumber_card", is_bound=True))))


def test_the_slip_asks_the_family_who_which_card_and_what_has_become_of_it_and_for_no_number() -> None:
    html = rendered(of(OPEN, replace(OPEN, kind="care_burden_ratio")))

    slip = read(html[html.index('<div class="slip') :])
    for said in (
        "見本の里 行",
        "佐藤 ハナ 2階 203",
        "電子証明書",
        "2027年3月31日",
        "お名前",
        "番号は書かないでください",
    ):
        assert said in slip
    assert slip.count("□ まだ") == slip.count("□ 施設にまかせる") == 2
    assert "□ 更新した" in slip
    # What comes by itself is not renewed by anybody.
    assert "□ 届いた" in slip


def test_a_family_s_own_letter_has_no_slip() -> None:
    assert "slip" not in rendered(replace(LETTER, has_slip=False))


@pytest.mark.parametrize("kind", KINDS)
def test_with_furigana_every_word_of_the_letter_has_its_reading(kind: str) -> None:
    for act, bound in ((NextAct.GO, False), (NextAct.OPENS, True), (NextAct.GRACE, False), (NextAct.OVER, False)):
        matter = replace(OPEN, kind=kind, act=act, is_bound=bound, last_counter_day=date(2027, 3, 30))
        letter = of(matter, matter, replace(matter, is_computed=True), label="ハナ", from_="さと", has_slip=False)

        html = rendered(letter, furigana=True)

        # As it stands in the text: 期限（きげん）.
        text = unescape(re.sub("</?(ruby|rp|rt)>", "", html))
        assert bare(re.sub("<[^>]+>|期限だよりの運営者|期限だより", " ", text)) == []


def test_without_furigana_there_are_no_readings_but_in_easy_japanese() -> None:
    assert "<ruby>" not in rendered()
    assert "<ruby>" in rendered(furigana=True)
    assert "<ruby>" in rendered(replace(LETTER, language=Language.EASY_JAPANESE))
    assert "<ruby>" not in rendered(replace(LETTER, language=Language.ENGLISH), furigana=True)


def test_a_name_with_rare_characters_is_printed_as_it_was_typed_and_never_obeyed() -> None:
    names = ("髙橋 﨑子", "𠮷田 葛\U000e0100城")
    html = render_letters([rendered(replace(LETTER, label=name)) for name in names], "手紙")

    assert all(name in html for name in names)
    assert "<b>" not in rendered(replace(LETTER, label="<b>花", from_="<b>里")).replace("<b>持ち物", "")


def test_it_is_a4_black_on_white_twenty_points_in_a_font_for_weak_eyes_and_one_page_each() -> None:
    html = render_letters([rendered(), rendered()], "手紙")

    assert "@page { size: A4" in html
    assert "font: 20pt/1.4 'BIZ UDPGothic'" in html
    assert "break-after: page" in STYLE
    assert set(re.findall("#[0-9a-f]{3,6}", STYLE)) == {"#000", "#fff"}
    assert min(int(size) for size in re.findall(r"font-size: (\d+)pt", STYLE)) >= 14
    assert html.count("<section") == 2
