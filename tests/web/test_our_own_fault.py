"""When reminders do not go out the family is told so, that the fault is ours, and nothing of how we are built."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import Language
from reminder.storage.runtime import heartbeats
from tests.village import Village, open_village
from tests.web.asking import visitor
from tests.web.browsing import Browser

OURS = {Language.JAPANESE: "このサービスの不具合です", Language.ENGLISH: "because of a fault on our side"}


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        opened.member("娘", "musume@example.jp")
        yield opened


@pytest.fixture
def daughter(village: Village) -> Browser:
    browser = Browser(village)
    browser.sign_in("musume@example.jp")
    village.pass_once()
    return browser


def pause(village: Village, name: str) -> None:
    with village.app.database.writing() as tx:
        heartbeats.pause(tx, name, "20003", now=village.now, until=village.now + timedelta(minutes=15))


@pytest.mark.parametrize("page", ["/", "/undelivered"])
def test_while_all_is_well_the_page_says_when_somebody_last_looked(daughter: Browser, page: str) -> None:
    shown = daughter.get(page).text

    assert "最後の確認：0分前" in shown
    assert OURS[Language.JAPANESE] not in shown


@pytest.mark.parametrize("page", ["/", "/undelivered"])
def test_a_channel_that_waits_is_named_and_not_why(village: Village, daughter: Browser, page: str) -> None:
    pause(village, "sms")

    shown = daughter.get(page).text

    assert "いま、SMSでお知らせを送れていません。このサービスの不具合です。" in shown
    assert "20003" not in shown


@pytest.mark.parametrize("name", ["breaker", ""])
def test_whatever_else_is_wrong_is_said_in_general(village: Village, daughter: Browser, name: str) -> None:
    if name:
        pause(village, name)
    else:
        village.clock.move_to(village.now + timedelta(minutes=12))

    shown = daughter.get("/").text

    assert "いま、お知らせを送れていません。このサービスの不具合です。" in shown
    assert "直接お伝えください" in shown
    assert [word for word in ("breaker", "worker", "reminder serve") if word in shown] == []


def test_the_operator_sees_each_trouble_with_its_beginning_and_what_to_do(village: Village, daughter: Browser) -> None:
    pause(village, "sms")
    village.clock.move_to(village.now + timedelta(minutes=12))

    shown = visitor(village).get("/overview").text

    assert "（12分前）" in shown
    assert "SMS を止めています。送信元や契約の設定をご確認ください。" in shown
    assert "2026年12月1日 08:00</time>から（20003）" in shown
    assert "reminder worker が動いているか" in shown
