"""An office prints its letters from a real browser: chosen, looked at, on A4, and no character is an empty box."""

import io
from datetime import date

import pypdf
from playwright.sync_api import Page, expect

from reminder.domain.model.people import GroupKind, Mode, Role
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.test_family import sign_in
from tests.rules import LANGUAGES

OFFICE = "office@example.jp"
NAMES = ("髙橋 﨑子", "𠮷田 一郎", "葛\U000e0100城 花")

# Each sign that is drawn exactly as one of a plane which no font fills is the empty box that stands for none.
_BOXES = """() => {
    const drawn = (sign, font) => {
        const canvas = new OffscreenCanvas(48, 48), pen = canvas.getContext("2d", {willReadFrequently: true});
        pen.font = font; pen.fillText(sign, 4, 36);
        return pen.getImageData(0, 0, 48, 48).data.join();
    };
    const style = getComputedStyle(document.querySelector("section p"));
    const font = `32px ${style.fontFamily}`, box = drawn("\\u{3fffd}", font);
    const signs = new Set(document.body.innerText.replace(/[\\s\\u{e0100}-\\u{e01ef}]/gu, ""));
    return [...signs].filter(sign => drawn(sign, font) === box);
}"""


def test_letters_are_chosen_looked_at_and_printed_a_page_each(site: Site, page: Page) -> None:
    village = site.village
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", OFFICE, Role.OWNER)
    for number, (name, language) in enumerate(zip(NAMES, LANGUAGES, strict=True)):
        village.person(name, mode=Mode.HOME, room=f"20{number}", unit="2階", language=language)
        village.card(name, date(2027, 1, 15))
        village.card(name, date(2027, 1, 15), "mynumber_signature_certificate")
    sign_in(site, page, OFFICE)
    page.goto(f"{site.url}/months")
    page.get_by_role("link", name="ご入居の方への手紙").click()
    looks.keep(page, "letters")
    assert_accessible(page)

    page.get_by_label("ふりがなを付ける").check()
    page.get_by_role("button", name="印刷する画面を開く").click()
    expect(page.locator("section")).to_have_count(len(NAMES))
    looks.keep(page, "letters-to-print")
    assert_accessible(page)
    assert page.evaluate(_BOXES) == []

    printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(printed) == len(NAMES)
    assert all("□" in sheet.extract_text() for sheet in printed)
