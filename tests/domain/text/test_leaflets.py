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
