"""Every sheet of paper is one page of A4, in every language."""

import io
from dataclasses import replace

import pypdf
import pytest
from playwright.sync_api import Browser

from reminder.domain.model.people import Language
from reminder.domain.text.catalog import SHEETS
from tests.domain.text.test_leaflets import FACTS, page
from tests.rules import LANGUAGES


def pages_of(browser: Browser, html: str) -> int:
    room = browser.new_page()
    room.set_content(html)
    printed = room.pdf(format="A4", prefer_css_page_size=True)
    room.close()
    return len(pypdf.PdfReader(io.BytesIO(printed)).pages)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sheet_prints_on_one_page(browser: Browser, language: Language) -> None:
    assert {sheet: pages_of(browser, page(sheet, language)) for sheet in SHEETS} == dict.fromkeys(SHEETS, 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consent_with_all_that_has_to_be_told_is_one_page_whatever_the_names(
    browser: Browser, language: Language
) -> None:
    longest = replace(FACTS, label="山田花子山田花子", from_="特別養護老人ホームひまわりの丘の里" * 2)

    assert pages_of(browser, page("consent", language, longest)) == 1
