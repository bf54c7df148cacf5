"""What tests in a real browser ask for: our site, and visitors who fail the test where a page goes wrong."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import relied_on
from tests.browser import chromium
from tests.browser.site import Site, open_site
from tests.browser.visit import SIZES, Visit, Watch, watched_visits


# Not for the whole run: while Playwright is there, no other test of this process could run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this folder in this process."""
    try:
        program = chromium.find()
    except chromium.ChromiumMissingError as missing:
        relied_on.do_without("Chromium", missing, "REQUIRE_BROWSER", os.environ)
    with chromium.running(program) as running:
        yield running


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Our web application at eight in the morning of the first of December 2026, with nobody enrolled."""
    with open_site(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """visit(size="phone", locale="en-US", javascript=False): one visitor more, who knows no cookie yet.

    At the end the test fails if any of them asked another host, met a broken script or a refused style, or loaded a
    page that was too heavy.
    """
    with watched_visits(browser, site.url) as begin:
        yield begin


@pytest.fixture
def locale() -> str:
    """What the visitor's browser likes to read; @pytest.mark.parametrize("locale", [...]) for others."""
    return "ja-JP"


@pytest.fixture(params=[*SIZES])
def size(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def visitor(visit: Callable[..., Visit], size: str, locale: str) -> Visit:
    return visit(size=size, locale=locale)


@pytest.fixture
def page(visitor: Visit) -> Page:
    """An empty page of a visitor; the test runs twice, at a phone and at a desk."""
    return visitor.page


@pytest.fixture
def watch(visitor: Visit) -> Watch:
    """Who watches over `page`."""
    return visitor.watch
