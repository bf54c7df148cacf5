"""A home's letters in the browser: who gets one, the page to print, the PDF, and only those of one's own group."""

import io
from datetime import date

import pypdf
import pytest

from reminder.domain.model.people import GroupKind, Mode, Role
from tests.village import Village
from tests.web.browsing import Browser


@pytest.fixture
def office(village: Village) -> Browser:
    """1 December 2026: two residents with something to do."""
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp", Role.VIEWER)
    for label, room, unit in (("髙橋ハナ", "201", "2階"), ("𠮷田トミ", "305", "3階")):
        village.person(label, mode=Mode.HOME, room=room, unit=unit)
    village.card("髙橋ハナ", date(2027, 1, 15))
    village.card("𠮷田トミ", date(2027, 2, 28))
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


def test_the_page_names_who_gets_a_letter_and_the_months_lead_to_it(office: Browser) -> None:
    assert 'href="/letters?month=&amp;' in office.get("/months").text
    assert 'href="/letters?month=2027-02&amp;' in office.get("/months?month=2027-02").text

    page = office.get("/letters").text

    assert page.index("髙橋ハナ") < page.index("𠮷田トミ")
    assert "トミ" not in office.get("/letters?unit=2階").text
    assert "ハナ" not in office.get("/letters?month=2027-02").text


def test_the_letters_are_a_page_of_their_own_with_a_style_of_ours(office: Browser) -> None:
    page = office.get("/letters/print?month=&unit=&kind=&furigana=yes")

    assert page.status == 200
    assert page.text.count("<section") == 2
    assert '<link rel="stylesheet" href="/static/letters.css">' in page.text
    assert "<style" not in page.text
    assert "<ruby>" in page.text
    assert "@page { size: A4" in office.get("/static/letters.css").text
    assert office.get("/letters/print?person=2").text.count("<section") == 1
    assert "/letters/print?person=1" in office.get("/people/1").text


def test_a_pdf_comes_as_a_file_with_every_name(office: Browser) -> None:
    page = office.get("/letters/pdf?person=1&person=2")

    assert page.status == 200
    assert page.headers["content-type"] == "application/pdf"
    read = pypdf.PdfReader(io.BytesIO(page.body))
    assert [("髙橋" in one.extract_text(), "𠮷田" in one.extract_text()) for one in read.pages] == [
        (True, False),
        (False, True),
    ]


def test_who_cannot_be_printed_is_named_before_anything_is_and_can_be_left_out(
    office: Browser, village: Village
) -> None:
    village.person("葛\U000e01ef木", mode=Mode.HOME)
    village.card("葛\U000e01ef木", date(2027, 1, 20))

    page = office.get("/letters/pdf")

    assert page.status == 422
    assert "葛\U000e01ef木（葛\U000e01ef U+845B U+E01EF）" in page.text
    assert 'name="leave_out"' in page.text
    assert len(pypdf.PdfReader(io.BytesIO(office.get("/letters/pdf?leave_out=yes").body)).pages) == 2


def test_somebody_of_another_group_is_not_found(office: Browser, village: Village) -> None:
    village.group(name="他人家")
    village.person("父")
    village.card("父", date(2027, 1, 15))

    assert office.get("/letters/print?person=3").status == 404
    assert office.get("/letters/pdf?person=3").status == 404


def test_where_nobody_has_anything_to_do_it_says_so(office: Browser) -> None:
    page = office.get("/letters/print?month=2027-09")

    assert page.status == 422
    assert "手紙でお知らせする方はいません" in page.text


def test_a_month_that_does_not_exist_is_this_one(office: Browser) -> None:
    assert "髙橋ハナ" in office.get("/letters?month=2027-99").text
