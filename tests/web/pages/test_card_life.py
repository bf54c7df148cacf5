"""How far a card is, on its page and for programs: what is recorded is said back, and can be taken back for a day."""

from datetime import date

import pytest

from reminder.domain.model.people import Mode
from tests.rules import KINDS
from tests.village import CARD, Village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

DAUGHTER = "musume@example.jp"


@pytest.fixture
def family(village: Village) -> Village:
    """1 December 2026: a mother with a ten-year card that ends on 20 March."""
    village.group()
    village.member("娘", DAUGHTER)
    village.person("母", mode=Mode.ELDERLY)
    village.card("母", date(2027, 3, 20), CARD)
    return village


@pytest.fixture
def daughter(family: Village) -> Browser:
    browser = Browser(family)
    browser.sign_in(DAUGHTER)
    return browser


def record(browser: Browser, **fields: str) -> str:
    browser.get("/cards/1/life")
    return browser.submit("/cards/1/life", **fields).text


def test_what_is_recorded_is_on_the_home_page_with_what_is_to_be_done_next(daughter: Browser) -> None:
    record(daughter, act="apply", expected_by_year="2027-01-29")
    assert "申し込みは済んでいます。1月29日（金）ごろまで、お待ちください" in daughter.get("/").text

    record(daughter, act="ready", collect_by_year="2027-02-10")
    assert "2月10日（水）までに受け取ってください" in daughter.get("/").text

    record(daughter, act="appointment", appointment_on_year="2027-01-20")
    assert "予約の日は1月20日（水）です" in daughter.get("/").text
    assert "予約の日" in daughter.get("/months").text


OFFERED = {"applied": "申し込んだ", "ready_to_collect": "受け取れるようになった", "booked": "予約した"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_page_offers_the_stages_that_its_kind_has_and_the_home_page_leads_there(village: Village, kind: str) -> None:
    village.group()
    village.member("娘", DAUGHTER)
    village.person("母")
    village.card("母", date(2026, 12, 20), kind, **({"label": "老人パス"} if kind == "other" else {}), confirmed=True)
    browser = Browser(village)
    browser.sign_in(DAUGHTER)

    offered = {stage for stage, title in OFFERED.items() if f"<h2>{title}" in browser.get("/cards/1/life").text}
    leads = 'href="/cards/1/life"' in browser.get("/").text

    known = KINDS[kind]
    own = set(OFFERED) if kind == "other" else {*known.stages}
    assert offered - {"booked"} == own - {"booked"}
    assert ("booked" in offered) == (kind == "other" or known.first_act in ("book", "apply", "go"))
    assert leads == bool(offered)


def test_the_last_act_is_taken_back_on_the_page(daughter: Browser) -> None:
    record(daughter, act="apply")
    assert "元に戻せます" in daughter.get("/cards/1/life").text

    record(daughter, act="step_back")

    page = daughter.get("/cards/1/life").text
    assert "まだ手続きをしていません" in page
    assert "元に戻せます" not in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"act": "apply", "expected_by_year": "2026-11-30"}, "今日から1年のうち"),
        ({"act": "apply", "expected_by_year": "2029-01-01"}, "今日から1年のうち"),
        ({"act": "appointment"}, "日"),
        ({"act": "ready", "collect_by_year": "2027-02-30"}, "ない日"),
        ({"act": "step_back"}, "元に戻せることがありません"),
    ],
)
def test_what_cannot_be_recorded_is_said_and_changes_nothing(
    daughter: Browser, fields: dict[str, str], said: str
) -> None:
    daughter.get("/cards/1/life")

    page = daughter.submit("/cards/1/life", **fields)

    assert page.status == 422
    assert said in page.text
    assert "まだ手続きをしていません" in page.text


def test_a_card_that_is_lost_is_reminded_of_no_more_until_that_is_taken_back(
    daughter: Browser, family: Village
) -> None:
    record(daughter, act="end", reason="lost")
    assert family.card_of(1).retired_at is not None
    assert "お知らせを終えました" in daughter.get("/cards/1/life").text

    record(daughter, act="step_back")

    assert family.card_of(1).retired_at is None


def test_a_program_records_the_same_and_reads_it(family: Village) -> None:
    api = program(family, token_of(family, 1))

    begun = api.get("/cards/1/life").json
    applied = api.post("/cards/1/life", {"act": "apply", "day": "令和9年1月29日"}).json
    ready = api.post("/cards/1/life", {"act": "ready", "day": "2027-02-10"}).json
    back = api.post("/cards/1/life", {"act": "step_back"}).json

    assert (begun["state"], begun["next"], begun["begin_by"]) == ("open", "opens", "2027-02-02")
    assert (applied["state"], applied["next"], applied["next_on"]) == ("applied", "wait", "2027-01-29")
    assert (ready["state"], ready["next"], ready["collect_by"]) == ("ready_to_collect", "collect", "2027-02-10")
    assert (back["state"], back["expected_by"], back["taken_back_until"]) == ("applied", "2027-01-29", None)
    refused = api.post("/cards/1/life", {"act": "step_back"})
    assert (refused.status, refused.json["code"]) == (409, "nothing_to_take_back")


def test_a_card_of_another_group_has_no_life_here(family: Village) -> None:
    family.group(name="鈴木家")
    family.member("息子", "musuko@example.jp")
    stranger = Browser(family)
    stranger.sign_in("musuko@example.jp")

    assert stranger.get("/cards/1/life").status == 404
    assert program(family, token_of(family, 2)).get("/cards/1/life").status == 404
