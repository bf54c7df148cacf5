"""The plan for the city's visit in a real browser: found from the months, looked at, printed lying down, and saved."""

import io
from datetime import date

from playwright.sync_api import Page, expect
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from reminder.domain.model.people import GroupKind, Mode, Role
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.test_family import sign_in
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE

OFFICE = "office@example.jp"


def test_a_month_s_plan_is_looked_at_printed_and_saved(site: Site, page: Page) -> None:
    settle(site)
    sign_in(site, page, OFFICE)
    page.goto(f"{site.url}/months?month=2027-01")
    page.get_by_role("link", name="出張受付の予定").click()

    expect(page.get_by_role("heading", name="見本の里　2027年1月の出張受付の予定")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(1 + 20)
    looks.keep(page, "visits")
    assert_accessible(page)
    looks.walk_by_keyboard(page)
    page.get_by_label("ユニット・階").select_option("3階")
    page.get_by_role("button", name="この月の予定").click()
    expect(page.get_by_role("row")).to_have_count(1 + 10)

    with page.expect_download() as saved:
        page.get_by_role("button", name="Excelで保存").click()
    content = io.BytesIO(saved.value.path().read_bytes())
    assert len(CalamineWorkbook.from_filelike(content).get_sheet_by_index(0).to_python()) == 6 + 10


def test_it_prints_on_a4_lying_down_without_what_is_only_for_the_screen(site: Site, page: Page) -> None:
    settle(site)
    sign_in(site, page, OFFICE)
    page.goto(f"{site.url}/visits?month=2027-01")

    printed = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages

    assert {(round(one.mediabox.width), round(one.mediabox.height)) for one in printed} == {(842, 595)}
    assert len(printed) <= 3
    text = "".join(one.extract_text() for one in printed)
    assert "居室" in printed[0].extract_text()
    assert "居室" in printed[1].extract_text()
    assert "Excel" not in text


def settle(site: Site) -> None:
    village = site.village
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", OFFICE, Role.OWNER)
    for n in range(20):
        label, floor = f"長谷川{n:02}さん", 2 + n // 10
        village.person(label, mode=Mode.HOME, room=f"{floor}{n:02}", unit=f"{floor}階")
        village.card(label, date(2027, 1, 5 + n), USER_CERTIFICATE)
        village.card(label, date(2027, 1, 5 + n), SIGNATURE_CERTIFICATE)
    village.card("長谷川00さん", date(2027, 1, 5), CARD)
