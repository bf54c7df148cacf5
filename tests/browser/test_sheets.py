"""An office with its own sheet, in a real browser: sent in, looked at, mended, and sent again."""

import io
from pathlib import Path

import openpyxl
from playwright.sync_api import Page, expect

from reminder.domain.model.people import GroupKind, Role
from reminder.worker.jobs import work_on_imports
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.test_family import sign_in
from tests.homes import SHEETS

OFFICE = "office@example.jp"


def test_a_sheet_is_sent_in_mended_and_sent_again(site: Site, page: Page, tmp_path: Path) -> None:
    site.village.group(GroupKind.HOME, "見本の里")
    site.village.member("事務", OFFICE, Role.OWNER)
    sign_in(site, page, OFFICE)
    page.goto(site.url)
    page.get_by_role("link", name="名簿から登録").click()
    looked_at(page, "sheets")

    page.get_by_label("名簿のファイル").set_input_files(SHEETS / "residents.xlsx")
    page.get_by_role("button", name="送って確かめる").click()
    expect(page.get_by_role("heading", name="列の確認")).to_be_visible()
    expect(page.get_by_text("マイナンバーカード/暗証番号", exact=True)).to_be_visible()
    looked_at(page, "sheet-columns")
    page.get_by_role("button", name="この内容で確かめる").click()
    looked_at(page, "sheet-checking")
    work_on_imports(site.app)
    # The page sees it by itself.
    expect(page.get_by_role("heading", name="確かめました")).to_be_visible()
    looked_at(page, "sheet-checked")
    page.get_by_role("button", name="よい行を登録する").click()
    work_on_imports(site.app)
    expect(page.get_by_role("heading", name="登録しました")).to_be_visible()
    looked_at(page, "sheet-saved")

    with page.expect_download() as returned:
        page.get_by_role("button", name="理由つきのExcel").click()
    book = openpyxl.load_workbook(io.BytesIO(returned.value.path().read_bytes()))
    impossible = [cell for row in book.active.iter_rows() for cell in row if cell.value == "2027.4.31"]
    impossible[0].value = "2027.4.30"
    mended = tmp_path / "mended.xlsx"
    book.save(mended)
    sheet_import(site, page, mended)
    assert "斎藤 弘" in [person.label for person in everybody(site)]

    before = len(everybody(site))
    sheet_import(site, page, SHEETS / "residents.xlsx")
    expect(page.get_by_role("term").filter(has_text="変わらない方")).to_be_visible()
    assert len(everybody(site)) == before


def sheet_import(site: Site, page: Page, file: Path) -> None:
    page.goto(f"{site.url}/imports")
    page.get_by_label("名簿のファイル").set_input_files(file)
    page.get_by_role("button", name="送って確かめる").click()
    page.get_by_role("button", name="この内容で確かめる").click()
    work_on_imports(site.app)
    expect(page.get_by_role("heading", name="確かめました")).to_be_visible()
    page.get_by_role("button", name="よい行を登録する").click()
    work_on_imports(site.app)
    expect(page.get_by_role("heading", name="登録しました")).to_be_visible()


def everybody(site: Site) -> list[object]:
    from reminder.storage.registry import people

    with site.app.database.reading() as tx:
        return people.of_group(tx, 1)


def looked_at(page: Page, name: str) -> None:
    looks.keep(page, name)
    assert_accessible(page)
