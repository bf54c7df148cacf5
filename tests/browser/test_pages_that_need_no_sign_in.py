"""The pages behind links in e-mails, for people of any age with any device: each asks one thing with one button."""

from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from reminder.domain.model.people import ContactState, Mode
from tests.browser import looks
from tests.browser.axe import assert_accessible
from tests.browser.site import Site
from tests.browser.visit import HEAVIEST, Visit, Watch

END = date(2027, 3, 31)
CARER = "chojo@example.jp"


@pytest.fixture
def card(site: Site) -> int:
    """Of a mother who is texted, with two daughters, contacts 1 and 2."""
    village = site.village
    village.member("長女", CARER)
    village.member("次女", "jijo@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    return village.card("母", END)


def stop(site: Site, card: int) -> str:
    return site.links.stop(1)


def take(site: Site, card: int) -> str:
    return site.links.take(card, 1)


def reached(site: Site, card: int) -> str:
    return site.links.reached(1)


def button(page: Page) -> Locator:
    """The one of the page itself; every page has some at its top for how it looks."""
    return page.get_by_role("main").get_by_role("button")


EACH_PAGE = pytest.mark.parametrize("link", [stop, take, reached])
Link = Callable[[Site, int], str]


@EACH_PAGE
@pytest.mark.parametrize("pressed", [False, True], ids=["asking", "pressed"])
def test_everybody_can_read_it_at_any_size_and_with_any_tool(
    site: Site, page: Page, card: int, link: Link, pressed: bool
) -> None:
    page.goto(link(site, card))
    if pressed:
        button(page).click()
        expect(button(page)).to_have_count(0)

    assert_accessible(page)
    assert looks.overflows(page) == []
    looks.keep(page, f"{link.__name__}-{'pressed' if pressed else 'asking'}")


@EACH_PAGE
def test_it_is_light_enough_for_a_slow_line(site: Site, page: Page, watch: Watch, card: int, link: Link) -> None:
    page.goto(link(site, card))

    assert 0 < watch.weight_of(page) < HEAVIEST / 4


@EACH_PAGE
def test_the_keyboard_alone_is_enough(site: Site, page: Page, card: int, link: Link) -> None:
    page.goto(link(site, card))

    stops = looks.walk_by_keyboard(page)

    # The notice at the foot of every page comes last.
    assert stops[-2:] == [f"button {button(page).inner_text()}", "a 個人情報の取り扱い"]
    button(page).focus()
    page.keyboard.press("Enter")
    expect(button(page)).to_have_count(0)


@EACH_PAGE
def test_it_needs_no_script(site: Site, visit: Callable[..., Visit], card: int, link: Link) -> None:
    page = visit(size="phone", javascript=False).page
    page.goto(link(site, card))

    button(page).click()

    expect(button(page)).to_have_count(0)


def test_from_the_mail_to_the_button_that_stops_the_mails(site: Site, page: Page, card: int) -> None:
    site.village.run_until("2027-01-20 12:00")
    latest = site.mails_to(CARER)[-1].parsed
    link = latest["List-Unsubscribe"].strip("<>")
    assert urlsplit(link).netloc == urlsplit(site.url).netloc

    page.goto(link)
    button(page).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("お知らせを止めました")
    assert site.village.contacts()[CARER] is ContactState.OPTED_OUT


def test_the_second_daughter_reads_that_the_first_has_taken_it(
    site: Site, visit: Callable[..., Visit], card: int
) -> None:
    first, second = visit(size="phone").page, visit(size="desktop").page
    first.goto(site.links.take(card, 1))
    second.goto(site.links.take(card, 2))

    button(first).click()
    expect(first.get_by_role("heading", level=1)).to_have_text("引き受けました")
    button(second).click()

    expect(second.get_by_role("heading", level=1)).to_have_text("もうほかの方が引き受けています")
    assert_accessible(second)


@pytest.mark.parametrize("language", ["ja", "ja-easy", "en"])
def test_the_privacy_notice_can_be_read_at_any_size_and_with_any_tool(site: Site, page: Page, language: str) -> None:
    page.goto(f"{site.url}/privacy")
    if language != "ja":
        page.locator(".look summary").click()
        page.locator(f"button[name=language][value={language}]").click()

    expect(page.locator("footer a[aria-current=page]")).to_have_count(1)
    assert_accessible(page)
    assert looks.overflows(page) == []
    looks.keep(page, f"privacy-{language}")
