"""A daughter and her pages, in a real browser at a phone and at a desk: from the first code to the sheet of paper."""

from collections.abc import Callable
from datetime import date

import pytest
from icalendar import Calendar
from playwright.sync_api import Page, expect

from reminder.domain.model.people import GroupKind, Mode, Role
from reminder.enrolment.identity.sign_up import SignUp, new_setup_code
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.visit import HEAVIEST, Visit, Watch

ME = "musume@example.jp"


def code_in(site: Site, address: str) -> str:
    site.tick()
    return site.village.code_to(address)


def sign_in(site: Site, page: Page, address: str = ME) -> None:
    page.goto(f"{site.url}/sign-in")
    page.get_by_label("メールアドレス").fill(address)
    if page.get_by_label("設定コード").count():
        # Nobody uses it yet: this is its first owner.
        with site.app.writing() as uow:
            page.get_by_label("設定コード").fill(new_setup_code(uow, SignUp.FIRST))
    page.get_by_role("button", name="確認コードを送る").click()
    expect(page.get_by_label("確認コード")).to_be_focused()
    page.get_by_label("確認コード").fill(code_in(site, address))
    page.get_by_role("button", name="ログイン").click()


def found_household(page: Page) -> None:
    page.get_by_label("グループの名前").fill("田中家")
    page.get_by_label("あなたの呼び名").fill("長女")
    page.get_by_role("button", name="作る", exact=True).click()
    page.get_by_role("link", name="今はしない").click()


@pytest.fixture
def family(site: Site) -> Site:
    """A household with two parents and three cards; the daughter has not signed in yet."""
    village = site.village
    village.group(GroupKind.HOUSEHOLD)
    village.member("長女", ME, Role.OWNER)
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ")
    village.card("母", date(2027, 2, 20))
    village.person("父", phone="090-0000-0002", consent=False)
    village.card("父", date(2029, 8, 20), "driving_licence")
    village.run_until("2026-12-24 12:00")
    return site


def test_from_the_first_code_to_a_plan_that_runs(site: Site, page: Page) -> None:
    sign_in(site, page)
    expect(page.get_by_role("heading", name="ようこそ")).to_be_visible()
    looks.keep(page, "welcome")
    found_household(page)
    expect(page.get_by_role("heading", name="田中家")).to_be_visible()

    page.get_by_role("link", name="人を加える").click()
    page.get_by_label("呼び名", exact=True).fill("母")
    page.get_by_label("しるしの言葉").fill("つばめ")
    looks.keep(page, "add-person")
    page.get_by_role("button", name="次へ").click()
    page.get_by_label("電話番号またはメールアドレス").fill("090-0000-0001")
    page.get_by_label("はい。口頭で聞きました").check()
    page.get_by_label("だれが聞きましたか").fill("長女")
    looks.keep(page, "add-contact")
    page.get_by_role("button", name="登録する").click()
    looks.keep(page, "kinds")
    page.get_by_role("link", name="マイナンバーカードの電子証明書（利用者証明用）").click()
    looks.keep(page, "date")
    page.get_by_label("年の書き方").first.select_option("令和")
    page.get_by_label("年", exact=True).first.fill("9")
    page.get_by_label("月", exact=True).first.fill("2")
    page.get_by_label("日", exact=True).first.fill("20")
    expect(page.locator("#expires-meaning")).to_have_text("2027年2月20日（令和9年2月20日）")
    page.get_by_role("button", name="次へ").click()
    if page.get_by_role("button", name="お知らせの予定を見る").count():
        looks.keep(page, "linked")
        page.get_by_role("button", name="お知らせの予定を見る").click()

    expect(page.get_by_role("heading", name="お知らせの予定")).to_be_visible()
    looks.keep(page, "plan")
    times = page.locator("ol.plan time")
    assert times.count() > 10
    page.locator("ol.plan summary").first.click()
    expect(page.locator("ol.plan .text").first).to_contain_text("つばめ")
    page.get_by_role("button", name="この予定でお知らせを始める").click()
    page.goto(site.url)

    expect(page.get_by_text("窓口が開いている最後の日")).to_be_visible()
    site.village.run_until("2026-12-01 12:00")
    assert len(site.village.texts_to("母")) == 0  # her phone is not one of the village's own
    page.reload()
    expect(page.get_by_text("最後のお知らせ")).to_be_visible()


def test_a_passkey_signs_in_without_a_mail(family: Site, page: Page) -> None:
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    sign_in(family, page)
    expect(page.get_by_role("heading", name="次からはパスキーで")).to_be_visible()
    looks.keep(page, "passkey")
    page.get_by_role("button", name="パスキーを作る").click()
    expect(page.get_by_role("heading", name="田中家")).to_be_visible()
    mails = len(family.mails_to(ME))
    page.goto(f"{family.url}/settings")
    page.get_by_role("button", name="ログアウト").click()

    page.get_by_role("button", name="パスキーでログイン").click()
    expect(page.get_by_role("heading", name="田中家")).to_be_visible()

    assert len(family.mails_to(ME)) == mails
    page.goto(f"{family.url}/settings/devices")
    looks.keep(page, "devices")


def test_a_card_that_was_renewed_gets_its_new_date(family: Site, page: Page) -> None:
    sign_in(family, page)
    page.goto(f"{family.url}/people/1")
    looks.keep(page, "person")

    page.get_by_role("link", name="更新した").click()
    looks.keep(page, "renewed")
    page.get_by_label("年", exact=True).fill("R14.2.20")
    page.get_by_role("button", name="新しい期限を登録する").click()

    expect(page.get_by_text("2032年2月20日").first).to_be_visible()
    assert family.village.card_of(1).expires_on == date(2032, 2, 20)


def test_a_wrong_date_is_told_on_top_and_beside_the_field_and_nothing_typed_is_lost(family: Site, page: Page) -> None:
    sign_in(family, page)
    page.goto(f"{family.url}/people/1/cards/new?kind=passport")
    page.get_by_label("年", exact=True).first.fill("2031")
    page.get_by_label("月", exact=True).first.fill("2")
    page.get_by_label("日", exact=True).first.fill("30")
    page.get_by_role("button", name="次へ").click()

    expect(page.locator(".problems")).to_be_focused()
    assert page.title().startswith("エラー")
    expect(page.get_by_label("日", exact=True).first).to_have_value("30")
    looks.keep(page, "wrong-date")
    assert_accessible(page)
    page.locator(".problems a").click()
    expect(page.get_by_label("年", exact=True).first).to_be_focused()


def test_the_calendar_feed_is_read_by_a_calendar_program(family: Site, page: Page) -> None:
    sign_in(family, page)
    page.goto(f"{family.url}/settings/calendar")
    page.get_by_role("button", name="アドレスを作る").click()
    address = page.locator(".secret").inner_text()
    looks.keep(page, "calendar-feed")

    answer = page.request.get(address.replace(address.split("/feeds/")[0], family.url))
    events = Calendar.from_ical(answer.body()).walk("VEVENT")

    assert answer.headers["content-type"].startswith("text/calendar")
    assert date(2027, 2, 19) in [event.decoded("DTSTART") for event in events]
    assert "090" not in answer.text()
    page.get_by_role("button", name="このアドレスを止める").first.click()
    assert page.request.get(address.replace(address.split("/feeds/")[0], family.url)).status == 404


def test_a_sheet_for_the_refrigerator_prints_on_one_page_in_large_letters(family: Site, page: Page) -> None:
    sign_in(family, page)
    page.goto(f"{family.url}/people/1/print/fridge")
    looks.keep(page, "fridge")

    size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize) * 72 / 96")
    pdf = page.pdf(format="A4", prefer_css_page_size=True)

    assert size >= 20
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 1 or b"/Count 1" in pdf
    assert page.locator("img, svg").count() == 0


EVERY_PAGE = [
    "/",
    "/calendar",
    "/months",
    "/visits",
    "/undelivered",
    "/people/new",
    "/people/1",
    "/people/1/edit",
    "/people/1/erase",
    "/people/1/contacts/new",
    "/people/1/cards/new",
    "/people/1/cards/new?kind=mynumber_card",
    "/contacts/2",
    "/contacts/3",
    "/cards/1",
    "/cards/1/renew",
    "/settings",
    "/settings/me",
    "/settings/group",
    "/settings/members",
    "/settings/devices",
    "/settings/tokens",
    "/settings/calendar",
    "/settings/data",
    "/settings/activity",
    "/settings/data/erase",
    "/passkey",
    "/welcome",
    "/nothing",
]


def test_every_page_is_accessible_light_and_whole_at_any_size(family: Site, page: Page, watch: Watch) -> None:
    sign_in(family, page)
    for path in EVERY_PAGE:
        page.goto(family.url + path)
        assert_accessible(page)
        assert watch.weight_of(page) < HEAVIEST
        assert looks.overflows(page) == [], path
        looks.keep(page, "page" + path.split("?")[0].replace("/", "-"))


def test_every_page_is_accessible_in_the_dark(family: Site, page: Page) -> None:
    sign_in(family, page)
    page.emulate_media(color_scheme="dark")
    for path in EVERY_PAGE:
        page.goto(family.url + path)
        assert_accessible(page)
        looks.keep(page, "dark" + path.split("?")[0].replace("/", "-"))


@pytest.mark.parametrize("path", ["/", "/people/1", "/people/new", "/people/1/cards/new?kind=passport", "/cards/1"])
def test_every_page_can_be_walked_by_the_keyboard(family: Site, page: Page, path: str) -> None:
    sign_in(family, page)
    page.goto(family.url + path)

    walked = looks.walk_by_keyboard(page)

    assert len(walked) > 5
    assert any("本文へ" in step for step in walked)


@pytest.mark.parametrize("locale", ["en-US"])
def test_english_is_spoken_to_who_reads_english(family: Site, page: Page, locale: str) -> None:
    page.goto(f"{family.url}/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.locator(".look summary").click()
    page.get_by_role("button", name="やさしい日本語").click()

    expect(page.locator("html")).to_have_attribute("lang", "ja")
    assert page.locator("ruby").count() > 0
    assert_accessible(page)


def test_it_works_without_javascript(family: Site, visit: Callable[..., Visit]) -> None:
    page = visit(size="phone", javascript=False).page
    sign_in(family, page)
    page.goto(f"{family.url}/people/1/cards/new?kind=passport")
    page.get_by_label("年", exact=True).first.fill("2031-02-20")
    page.get_by_role("button", name="次へ").click()
    page.get_by_role("button", name="この予定でお知らせを始める").click()

    expect(page.get_by_text("2031年2月20日").first).to_be_visible()
