"""A page that sends a code says within five seconds that none can leave, for each address alike, and names another way."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import send, try_mail_server
from tests.fakes.smtp import FakeSmtp
from tests.village import Village, japan
from tests.web.browsing import Browser

KNOWN, STRANGER = "musume@example.jp", "dareka@example.jp"
WORDS = "いま、メールをお送りできていません"
LANGUAGES = {"ja": WORDS, "en": "E-mail does not leave at present", "ja-easy": "メールが"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


def opened(stack: ExitStack, folder: Path, smtp_url: str) -> Village:
    clock = SteppedClock(japan("2027-03-17 10:00"))
    settings = read_settings(
        data_dir=folder,
        secret_keys=(new_key(),),
        sign_up="invited",
        smtp_url=smtp_url,
        mail_from="otayori@example.jp",
    )
    app = stack.enter_context(build_app(settings, clock=clock))
    village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
    village.member("娘", KNOWN)
    return village


@pytest.fixture(params=["silent", "closed", "refuses", "suspended", "hangs"])
def broken(request: pytest.FixtureRequest, stack: ExitStack, tmp_path: Path) -> Village:
    """A mail server that never answers, is not there, refuses for now, or wants another password, or takes a sender and hangs."""
    if request.param in ("silent", "closed"):
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listening.listen()
        stack.enter_context(listening)
        return opened(stack, tmp_path, f"smtp://127.0.0.1:{listening.getsockname()[1]}")
    smtp = stack.enter_context(FakeSmtp())
    if request.param == "hangs":
        smtp.hangs_at_data = True
        return opened(stack, tmp_path, smtp.url)
    smtp.outage = "451 4.3.2 try again later" if request.param == "refuses" else "530 5.7.0 sign in first"
    return opened(stack, tmp_path, smtp.url)


def asked(village: Village, email: str) -> Browser:
    browser = Browser(village)
    browser.get("/sign-in")
    browser.submit("/sign-in", email=email)
    return browser


def worker(village: Village) -> None:
    """What the worker's jobs for codes do in the next seconds."""
    try_mail_server(village.app)


def later(village: Village, seconds: float) -> None:
    village.clock.move_to(village.now + timedelta(seconds=seconds))


@pytest.mark.parametrize("email", [KNOWN, STRANGER])
def test_whoever_asks_reads_within_five_seconds_that_no_mail_leaves(broken: Village, email: str) -> None:
    browser = asked(broken, email)
    assert WORDS not in browser.get("/sign-in/code").text, "nobody knows yet"
    worker(broken)
    later(broken, 4)

    shown = browser.get("/sign-in/code").text

    assert WORDS in shown
    assert "パスキーでログインできます" in shown
    assert WORDS in Browser(broken).get("/sign-in").text, "nor does it for the next one"


def test_a_page_about_an_unknown_address_is_that_about_a_known_one(broken: Village) -> None:
    pages = []
    for email in (KNOWN, STRANGER):
        browser = asked(broken, email)
        worker(broken)
        later(broken, 4)
        pages.append(browser.get("/sign-in/code").text.replace(KNOWN, "").replace(STRANGER, ""))

    assert [WORDS in page for page in pages] == [True, True]
    assert len(pages[0]) == len(pages[1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_in_each_language(broken: Village, language: str) -> None:
    browser = asked(broken, STRANGER)
    worker(broken)
    browser.get("/sign-in")
    browser.submit("/look", language=language, back="/sign-in/code")

    assert LANGUAGES[language] in browser.get("/sign-in/code").text


@pytest.fixture
def working(stack: ExitStack, tmp_path: Path) -> tuple[Village, FakeSmtp]:
    smtp = stack.enter_context(FakeSmtp())
    return opened(stack, tmp_path, smtp.url), smtp


@pytest.mark.parametrize("email", [KNOWN, STRANGER])
def test_while_mail_leaves_nothing_is_said_and_no_mail_is_sent_to_find_out(
    working: tuple[Village, FakeSmtp], email: str
) -> None:
    village, smtp = working
    browser = asked(village, email)
    worker(village)
    send(village.app, codes=True)
    later(village, 60)

    assert WORDS not in browser.get("/sign-in/code").text
    assert [mail.recipients for mail in smtp.mails] == ([(KNOWN,)] if email == KNOWN else [])


def test_without_a_worker_the_page_says_so_too_and_not_for_ever(working: tuple[Village, FakeSmtp]) -> None:
    village, _ = working
    browser = asked(village, STRANGER)
    later(village, 4)
    assert WORDS in browser.get("/sign-in/code").text

    later(village, 3600)
    assert WORDS not in Browser(village).get("/sign-in").text


def test_once_mail_leaves_again_the_page_says_nothing_more(working: tuple[Village, FakeSmtp]) -> None:
    village, smtp = working
    smtp.outage = "451 4.3.2 try again later"
    browser = asked(village, STRANGER)
    worker(village)
    assert WORDS in browser.get("/sign-in/code").text
    smtp.outage = None
    assert not try_mail_server(village.app), "a moment ago it failed"
    later(village, 10)

    assert try_mail_server(village.app)

    assert WORDS not in browser.get("/sign-in/code").text
    assert not try_mail_server(village.app), "nobody waits to know"


def test_the_page_asks_again_by_itself_before_five_seconds_are_over(working: tuple[Village, FakeSmtp]) -> None:
    shown = asked(working[0], STRANGER).get("/sign-in/code").text

    assert 'hx-get="/sign-in/code" hx-trigger="load delay:4s"' in shown
