"""A card's own days on its page and for programs: the plan beside them follows, and no other group sets them."""

from datetime import date

import pytest

from tests.village import Village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

DAUGHTER = "musume@example.jp"


@pytest.fixture
def family(village: Village) -> Village:
    """1 December 2026: a father with a certificate that ends on 30 June 2027."""
    village.group()
    village.member("娘", DAUGHTER)
    village.person("父", phone="090-0000-0002")
    village.card("父", date(2027, 6, 30))
    return village


@pytest.fixture
def daughter(family: Village) -> Browser:
    browser = Browser(family)
    browser.sign_in(DAUGHTER)
    return browser


def test_the_plan_on_the_page_is_that_of_the_days_that_were_set_there(daughter: Browser) -> None:
    usual = daughter.get("/cards/1").text

    daughter.submit("/cards/1/days", own_days="20")
    page = daughter.get("/cards/1").text

    assert "2027-05-31T" in usual
    assert 'value="20"' in page
    assert "2027-06-10T" in page
    assert "2027-05-31T" not in page
    daughter.submit("/cards/1/days", own_days="")
    assert "2027-05-31T" in daughter.get("/cards/1").text


@pytest.mark.parametrize(
    ("typed", "said"),
    [("そのうち", "読めません"), ("60 50", "間が短くなる"), ("400", "365日前まで"), ("30 30", "同じ日が二つ")],
)
def test_days_that_cannot_be_kept_are_said_on_the_page_and_change_nothing(
    daughter: Browser, family: Village, typed: str, said: str
) -> None:
    daughter.get("/cards/1")

    page = daughter.submit("/cards/1/days", own_days=typed)

    assert page.status == 422
    assert said in page.text
    assert family.card_of(1).own_days == ""


def test_a_program_sets_the_same_and_reads_it(family: Village) -> None:
    api = program(family, token_of(family, 1))

    before = api.get("/cards/1").json["days"]
    kept = api.post("/cards/1/days", {"days": [7, 60, 30]}).json
    new = api.post("/people/1/cards", {"kind": "passport", "expires": "2031-03-31", "days": [90]}).json
    refused = api.post("/cards/1/days", {"days": [60, 50]})
    none = api.post("/cards/1/days", {"days": []}).json

    assert (before, kept["days"], new["days"], none["days"]) == ([], [60, 30, 7], [90], [])
    assert (refused.status, refused.json["code"]) == (422, "own_days_gaps_grow")


def test_a_card_of_another_group_gets_no_days(family: Village) -> None:
    family.group(name="鈴木家")
    family.member("息子", "musuko@example.jp")
    stranger = Browser(family)
    stranger.sign_in("musuko@example.jp")

    assert stranger.send("/cards/1/days", own_days="20").status == 404
    assert program(family, token_of(family, 2)).post("/cards/1/days", {"days": [20]}).status == 404
    assert family.card_of(1).own_days == ""
