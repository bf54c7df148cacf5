"""A care home's own pages, with residents in them: accessible, light, and whole at any size."""

from datetime import date

import pytest
from playwright.sync_api import Page, expect

from reminder.domain.model.people import ChannelName, GroupKind, Mode, Role
from reminder.enrolment.identity import membership
from reminder.worker.jobs import work_on_imports
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.test_family import sign_in
from tests.browser.visit import HEAVIEST, Watch
from tests.web.pages.test_renewals import BEFORE, UNKNOWN, counted

OFFICE = "office@example.jp"
CERTIFICATE, CARE = "mynumber_user_certificate", "care_certification"


@pytest.fixture
def chain(site: Site) -> Site:
    """Two homes of one organisation; in the second, twenty residents of two floors."""
    village = site.village
    for name in ("西の里", "東の里"):
        home = village.group(GroupKind.HOME, name)
        with site.app.units.writing(village.now) as uow:
            membership.set_organisation(uow, group_id=home, organisation="社会福祉法人あおぞら")
        village.member("事務", OFFICE, Role.OWNER)
    for number in range(20):
        label = f"{'ハナトミキヨ'[number % 6]}{chr(0x30A2 + number)}さん"
        village.person(label, mode=Mode.HOME, room=str(201 + number), unit=f"{2 + number % 2}階")
        village.card(label, date(2026, 12, 5 + number), CERTIFICATE)
        village.card(label, date(2026, 11, 1 + number), CARE, confirmed=True)
        if number % 5 == 0:
            village.contact(label, ChannelName.SMS, f"090-0000-{number:04}", consent=False)
    return site


def looked_at(page: Page, watch: Watch, name: str) -> None:
    assert_accessible(page)
    assert watch.weight_of(page) < HEAVIEST
    assert looks.overflows(page) == [], name
    looks.keep(page, f"home-{name}")


def test_a_home_s_own_pages_are_accessible_light_and_whole_at_any_size(chain: Site, page: Page, watch: Watch) -> None:
    sign_in(chain, page, OFFICE)
    page.goto(f"{chain.url}/homes")
    page.get_by_role("button", name="東の里を開く").click()
    expect(page.get_by_role("heading", name="月ごとの一覧")).to_be_visible()
    looked_at(page, watch, "months")

    for box in page.get_by_role("checkbox").all()[:3]:
        box.check()
    page.get_by_role("button", name="新しい期限を入れる").click()
    expect(page.get_by_role("heading", name="新しい期限をまとめて入れる")).to_be_visible()
    looked_at(page, watch, "grid")
    page.get_by_role("textbox").first.fill("2032-02-30")
    page.get_by_role("button", name="新しい期限を登録する").click()
    expect(page.locator(".problems")).to_be_focused()
    looked_at(page, watch, "grid-wrong")

    page.goto(f"{chain.url}/months")
    page.get_by_role("button", name="手続きが済んだ").click()
    expect(page.get_by_text("印を付けてください").first).to_be_visible()
    for path in ("/homes", "/renewals", "/undelivered", "/settings/activity", "/settings/group", "/settings/members"):
        page.goto(chain.url + path)
        looked_at(page, watch, path.replace("/", "-"))


def test_what_a_sheet_would_change_is_shown_to_everybody(chain: Site, page: Page, watch: Watch) -> None:
    sign_in(chain, page, OFFICE)
    page.goto(f"{chain.url}/homes")
    page.get_by_role("button", name="東の里を開く").click()
    sheet = "居室,氏名,電子証明書期限\n201,ハアさん,2031-12-05\n301,ナナさん,2027-11-16\n302,ムツさん,2020-01-05\n"
    page.goto(f"{chain.url}/imports")
    page.get_by_label("名簿のファイル").set_input_files(
        {"name": "residents.csv", "mimeType": "text/csv", "buffer": sheet.encode()}
    )
    page.get_by_role("button", name="送って確かめる").click()
    page.get_by_role("button", name="この内容で確かめる").click()
    work_on_imports(chain.app)
    expect(page.get_by_role("heading", name="確かめました")).to_be_visible()
    looked_at(page, watch, "sheet-asks")

    page.get_by_role("link", name="変わった方").click()

    expect(page.get_by_text("2031年12月5日")).to_be_visible()
    looked_at(page, watch, "sheet-changed")


@pytest.mark.parametrize("by", ["kind", "step"])
def test_what_became_of_end_dates_is_a_picture_with_words_and_a_table(
    chain: Site, page: Page, watch: Watch, by: str
) -> None:
    ends = [(CERTIFICATE, f"d{days}", outcome) for days in (7, 30, 60) for outcome in [BEFORE] * 9 + [UNKNOWN] * 3]
    counted(chain.village, 2, *ends, *[(CARE, "post", UNKNOWN)] * 11)
    sign_in(chain, page, OFFICE)
    page.goto(f"{chain.url}/homes")
    page.get_by_role("button", name="東の里を開く").click()
    page.get_by_role("link", name="更新の結果").click()
    page.get_by_role("combobox").select_option(by)
    page.get_by_role("button", name="しぼって見る").click()

    expect(page.get_by_role("img", name="期限までに更新した割合の図")).to_be_visible()
    expect(page.get_by_role("rowheader")).to_have_count({"kind": 2, "step": 4}[by])
    looked_at(page, watch, f"renewals-{by}")
