"""Sheets of paper: large, plain, one page, and nothing on them to follow or to fill a number into."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from itertools import product

import pytest

from reminder.domain.model.people import Language
from reminder.domain.rules.next_step import NextAct
from reminder.domain.text.catalog import SHEETS
from reminder.domain.text.leaflets import LeafletContents, render_sheet
from reminder.domain.text.paper import Matter
from reminder.guard.numbers import forbidden_at_length as forbidden
from tests.rules import KINDS, LANGUAGES, WORDING

FACTS = LeafletContents("母", "市役所", "田中家", "つばめ", "KIGEN", date(2026, 11, 23))
CARE = Matter("care_certification", date(2027, 3, 31), NextAct.GO, None, date(2027, 3, 31), None)
LETTER = replace(FACTS, cards=(CARE,))


def page(sheet: str, language: Language = Language.JAPANESE, facts: LeafletContents = LETTER) -> str:
    return render_sheet(sheet, WORDING.of(language), facts)


def text_of(html: str) -> str:
    return unescape(re.sub(r"<rt>.*?</rt>|<rp>.*?</rp>|<style>.*?</style>|<[^>]+>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize(("sheet", "language"), [*product(SHEETS, LANGUAGES)])
def test_every_sheet_is_whole_in_every_language(sheet: str, language: Language) -> None:
    html = page(sheet, language)

    assert not re.search(r"[{}]|None", text_of(html))
    assert not re.search(r"://|<a |<img|<script|url\(", html)
    assert forbidden(text_of(html)) is None
    assert html.count("<h1>") == 1
    assert "@page { size: A4" in html


@pytest.mark.parametrize(("kind", "language"), [*product(KINDS, LANGUAGES)])
def test_there_is_a_letter_for_every_kind(kind: str, language: Language) -> None:
    words = WORDING.of(language)

    said = text_of(page("letter", language, replace(FACTS, cards=(replace(CARE, kind=kind),))))

    assert words.date(date(2027, 3, 31), "full_date") in said
    assert words.kinds[kind]["elder_to_do"].format(office="市役所", helper=words.word("helper_family")) in said


def test_a_welcome_says_from_where_under_which_mark_and_how_to_check_without_us() -> None:
    said = text_of(page("welcome"))

    assert "KIGEN" in said
    assert "「つばめ」" in said
    assert all(f"{place}. " in said for place in (1, 2, 3))
    assert "しるしの言葉は、見分ける助けです。" in said


def test_a_letter_for_a_date_that_was_worked_out_says_so_and_uses_the_owner_s_label() -> None:
    said = text_of(
        page(
            "letter",
            facts=replace(FACTS, cards=(replace(CARE, kind="other", label="老人パス", is_computed=True),)),
        )
    )

    assert "老人パスのお知らせ" in said
    assert "2027年3月31日（水）ごろまで" in said


def test_whatever_somebody_is_called_is_shown_and_never_obeyed() -> None:
    html = page("letter", facts=replace(LETTER, label="<b>花</b>", from_="<script>"))

    assert "&lt;b&gt;花&lt;/b&gt;さん" in html
    assert "<script>" not in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_for_the_refrigerator_has_every_card_with_its_date_and_what_to_bring(language: Language) -> None:
    words = WORDING.of(language)
    ends = {kind: date(2027, 3, day) for day, kind in enumerate(("passport", "mynumber_card", "driving_licence"), 1)}
    facts = replace(FACTS, cards=tuple(replace(CARE, kind=kind, expires_on=end) for kind, end in ends.items()))

    said = text_of(page("fridge", language, facts))

    for kind, end in ends.items():
        assert words.date(end, "full_date") in said
        assert words.kinds[kind]["bring"] in said


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (Language.JAPANESE, ("Twilio Inc.", "アメリカ合衆国", "連邦の法律がなく", "取り決め")),
        (Language.EASY_JAPANESE, ("Twilio", "アメリカ", "国の 法律が ありません", "やくそく")),
        (
            Language.ENGLISH,
            ("Twilio Inc.", "United States of America", "no general federal law", "data protection terms"),
        ),
    ],
)
def test_a_consent_on_paper_names_the_company_abroad_its_country_the_law_there_and_its_safeguards(
    language: Language, told: tuple[str, ...]
) -> None:
    said = text_of(page("consent", language))

    assert [part for part in told if part not in said] == []


def test_every_language_with_sheets_of_its_own_is_among_those_that_name_the_company_abroad() -> None:
    assert all("Twilio" in text_of(page("consent", language)) for language in LANGUAGES)


def test_the_statement_about_a_photograph_is_printed_empty_and_says_who_signs_and_whom_to_ask_first() -> None:
    html = page("photo")
    said = text_of(html)

    assert "母" not in said
    assert "田中家" not in said
    assert 'class="frame"' in html
    for part in ("施設の長", "介護支援専門員", "先に窓口へ", "市区町村や国の書類ではありません"):
        assert part in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_statement_is_for_an_office_and_stands_in_its_language_whoever_prints_it(language: Language) -> None:
    said = text_of(page("photo", language))

    assert "個人番号カード顔写真証明書" in said
    assert "介護支援専門員の氏名（署名）" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sheet_for_the_reception_names_everything_that_spares_the_whole_cost(language: Language) -> None:
    said = text_of(page("hospital", language))

    for paper in ("資格情報のお知らせ", "マイナポータル", "資格確認書", "被保険者資格申立書"):
        assert paper in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sheet_about_a_lost_card_says_the_line_that_stops_it_as_the_facts_of_the_card_have_it(
    language: Language,
) -> None:
    line = KINDS["mynumber_card"].stop_line

    said = text_of(page("lost", language, replace(LETTER, stop_line=line)))

    assert line == "0120-95-0178"
    assert said.count(line) == 1
    assert "資格確認書" in said
    assert "特急発行" in said


def test_no_words_of_any_language_hold_the_line_itself_so_that_it_reaches_no_message() -> None:
    line = KINDS["mynumber_card"].stop_line

    assert [language for language in LANGUAGES if line in str(WORDING.of(language).table)] == []
