"""The privacy notice is open to everybody, linked from every page, and says what the settings and the code do."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from reminder.channels import registry
from reminder.domain.model.people import Language
from reminder.upkeep.privacy import retention
from reminder.web.pages.privacy import CARRIED_BY
from reminder.web.support.page_catalog import read_pages
from tests.village import Village
from tests.web.browsing import Browser

Opened = Callable[..., AbstractContextManager[Village]]
PAGES = read_pages()


def seen(browser: Browser, path: str = "/privacy") -> str:
    """Return the words of a page, without furigana and tags."""
    answer = browser.get(path)
    assert answer.status == 200
    without_readings = re.sub(r"<rt>.*?</rt>|<rp>.*?</rp>", "", answer.text)
    return " ".join(re.sub(r"<[^>]+>", "", without_readings).split())


def test_everybody_reads_it_without_a_sign_in_from_a_link_on_the_sign_in_page(village: Village) -> None:
    browser = Browser(village)

    assert 'href="/privacy"' in browser.get("/sign-in").text
    assert "利用目的" in seen(browser)


@pytest.mark.parametrize(
    ("language", "headings"),
    [
        ("ja", ("利用目的", "提供先と委託先", "外国にある第三者", "安全管理措置", "保存期間", "開示、訂正、利用停止", "問い合わせ先")),
        ("ja-easy", ("何の ために 使うか", "だれに わたすか", "外国の 会社", "どうやって 守るか", "いつまで 持って いるか", "消す 時", "連絡先")),
        ("en", ("Purpose of use", "Who receives it", "Third parties abroad", "Security measures", "How long it is kept", "Requests", "Contact")),
    ],
)  # fmt: skip
def test_it_says_what_the_law_asks_for_in_each_language(
    village: Village, language: str, headings: tuple[str, ...]
) -> None:
    browser = Browser(village)
    browser.cookies["kigen_language"] = language

    words = seen(browser)

    assert [heading for heading in headings if heading not in words] == []


def test_it_names_the_operator_and_where_to_ask(fresh_village_factory: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMINDER_OPERATOR", "見本の会")
    monkeypatch.setenv("REMINDER_OPERATOR_CONTACT", "個人情報の係 <kojin@example.jp>")
    with fresh_village_factory() as village:
        words = seen(Browser(village))

    assert "運営：見本の会" in words
    assert "個人情報の係 &lt;kojin@example.jp&gt;" in words


def test_without_a_contact_it_says_so(village: Village) -> None:
    assert "問い合わせ先がまだ書かれていません" in seen(Browser(village))


def test_companies_are_named_only_where_they_receive_something(
    fresh_village_factory: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_village_factory() as village:
        alone = seen(Browser(village))
    monkeypatch.setenv("REMINDER_PUBLIC_URL", "https://kigen.example.jp")
    monkeypatch.setenv("REMINDER_TWILIO_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("REMINDER_TWILIO_AUTH_TOKEN", "secret")
    monkeypatch.setenv("REMINDER_TWILIO_FROM", "+15005550006")
    monkeypatch.setenv("REMINDER_LINE_TOKEN", "secret")
    with fresh_village_factory() as village:
        connected = seen(Browser(village))

    assert "どの会社にも渡していません" in alone
    assert "Twilio" not in alone
    assert "Twilio Inc.（アメリカ合衆国）" in connected
    assert "連邦の法律がありません" in connected
    assert "LINEヤフー株式会社" in connected


def test_every_channel_that_ships_has_a_company_that_the_notice_names() -> None:
    assert {channel.name for channel in registry.CHANNELS} <= CARRIED_BY.keys()
    for words in PAGES.values():
        assert {f"privacy.to_{company}" for company in CARRIED_BY.values()} <= words.entries.keys()


def test_the_times_are_those_of_the_code(fresh_village_factory: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh_village_factory() as village:
        words = seen(Browser(village))
        assert f"終わってから{retention.WORDS.days}日で消します" in words
        assert f"最後に触ってから{retention.SHEETS.days}日で消します" in words
        assert f"招待：{retention.SESSIONS.days}日で消します" in words
        assert "本人やグループを消すまで" in words
    assert retention.SESSIONS == retention.INVITATIONS
    assert retention.CODES.days == 1
    monkeypatch.setenv("REMINDER_KEEP_MESSAGES_DAYS", "400")
    with fresh_village_factory() as village:
        assert "終わってから400日で消します" in seen(Browser(village))


def test_it_keeps_away_from_words_that_look_like_an_office() -> None:
    for language in (Language.JAPANESE, Language.ENGLISH):
        assert "no_office" not in PAGES[language].entries["privacy.who_runs"]
        assert re.search("ではありません|not a service of any city", PAGES[language].entries["privacy.who_runs"])
