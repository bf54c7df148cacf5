"""Kinds of a group's own on pages and for programs: added, used, changed, removed, and never another group's."""

from collections.abc import Callable
from datetime import date

import pytest

from tests.village import Village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

DAUGHTER, SON = "musume@example.jp", "musuko@example.jp"
POOL = {"own_kind_name": "プール会員証", "place": "shop", "opens_days": "45", "lead_days": "7", "stand_in": "anybody"}


@pytest.fixture
def family(village: Village) -> Village:
    """1 December 2026: a father, and another family."""
    village.group()
    village.member("娘", DAUGHTER)
    village.person("父", phone="090-0000-0002")
    village.group(name="鈴木家")
    village.member("息子", SON)
    village.person("祖父", phone="090-0000-0005")
    return village


@pytest.fixture
def reader(family: Village) -> Callable[[str], Browser]:
    def signed_in(address: str) -> Browser:
        browser = Browser(family)
        browser.sign_in(address)
        return browser

    return signed_in


def card_by_pages(browser: Browser) -> None:
    browser.get("/people/1/cards/new?kind=own:1")
    browser.submit("/people/1/cards/date", expires_era="西暦", expires_year="2027", expires_month="6", expires_day="30")
    browser.submit("/people/1/cards")


def test_a_kind_is_added_used_changed_and_removed_by_its_pages(
    reader: Callable[[str], Browser], family: Village
) -> None:
    daughter = reader(DAUGHTER)
    daughter.get("/settings/kinds")

    daughter.submit("/settings/kinds", **POOL)
    offered = daughter.get("/people/1/cards/new").text
    form = daughter.get("/people/1/cards/new?kind=own:1").text
    card_by_pages(daughter)

    assert "プール会員証" in offered
    assert "プール会員証" in form
    kept = family.card_of(1)
    assert (kept.label, kept.expires_on, kept.next_reminder_on) == (
        "プール会員証",
        date(2027, 6, 30),
        date(2027, 5, 17),
    )
    for path in ("/", "/people/1", "/cards/1", "/cards/1/life", "/cards/1/renew", "/months?month=2027-06", "/calendar"):
        page = daughter.get(path)
        assert page.status == 200, path
        assert "プール会員証" in page.text or path == "/calendar", path

    daughter.get("/settings/kinds/1")
    refused = daughter.submit("/settings/kinds/1", **POOL, act="remove")
    daughter.get("/settings/kinds/1")
    daughter.submit("/settings/kinds/1", **{**POOL, "own_kind_name": "泳ぐ会の証"})

    assert refused.status == 422
    assert "1枚あります" in refused.text
    assert family.card_of(1).label == "泳ぐ会の証"
    family.retire(1)
    daughter.get("/settings/kinds/1")
    daughter.submit("/settings/kinds/1", act="remove")
    assert "泳ぐ会の証" not in daughter.get("/settings/kinds").text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"own_kind_name": ""}, "名前"),
        ({"opens_days": "そのうち"}, "日数"),
        ({"opens_days": "900"}, "730"),
        ({"place": "arrives_by_itself"}, "手続きなしで届く"),
        ({"own_days": "60 50"}, "間が短くなる"),
    ],
)
def test_what_cannot_be_kept_is_said_on_the_page(
    reader: Callable[[str], Browser], changed: dict[str, str], said: str
) -> None:
    daughter = reader(DAUGHTER)
    daughter.get("/settings/kinds")

    page = daughter.submit("/settings/kinds", **{**POOL, **changed})

    assert page.status == 422
    assert said in page.text
    assert 'href="/settings/kinds/1"' not in page.text


def test_no_route_shows_changes_or_uses_the_kind_of_another_group(
    reader: Callable[[str], Browser], family: Village
) -> None:
    daughter = reader(DAUGHTER)
    daughter.get("/settings/kinds")
    daughter.submit("/settings/kinds", **POOL)
    card_by_pages(daughter)
    son, theirs = reader(SON), program(family, token_of(family, 2))

    seen = [
        son.get(path).text
        for path in ("/", "/settings/kinds", "/people/2", "/people/2/cards/new", "/months", "/letters", "/imports")
    ]
    answers = [
        son.get("/settings/kinds/1").status,
        son.send("/settings/kinds/1", **POOL).status,
        son.send("/settings/kinds/1", act="remove").status,
        son.get("/people/2/cards/new?kind=own:1").status,
        son.send("/people/2/cards/date", kind="own:1", expires_year="2027-06-30").status,
        theirs.post("/own-kinds/1", {"name": "会員証"}).status,
        theirs.delete("/own-kinds/1").status,
    ]
    by_program = theirs.post("/people/2/cards", {"kind": "own:1", "expires": "2027-06-30"})

    assert not any("プール" in page for page in seen)
    assert answers == [404] * 7
    assert (by_program.status, by_program.json["code"]) == (422, "unknown_choice")
    assert "プール" not in str(by_program.json)
    assert theirs.get("/own-kinds").json == {"items": []}
    assert family.card_of(1).label == "プール会員証"


def test_a_program_does_the_same(family: Village) -> None:
    api = program(family, token_of(family, 1))
    pool = {"name": "プール会員証", "place": "shop", "opens_days": 45, "lead_days": 7, "days": [30, 7]}

    added = api.post("/own-kinds", pool).json
    kept = api.post("/people/1/cards", {"kind": added["kind"], "expires": "2027-06-30"}).json
    plan = api.get("/cards/1/plan").status
    listed = api.get("/own-kinds").json["items"]
    changed = api.post("/own-kinds/1", {**pool, "name": "会員証", "lead_days": 0}).json
    used = api.delete("/own-kinds/1")
    wrong = api.post("/own-kinds", {"name": "券", "place": "arrives_by_itself", "lead_days": 1})

    assert (added["kind"], added["stand_in"], added["cards"]) == ("own:1", "anybody", 0)
    assert (kept["kind"], kept["label"], kept["opens_on"]) == ("own:1", "プール会員証", "2027-05-16")
    assert plan == 200
    assert [(one["name"], one["cards"]) for one in listed] == [("プール会員証", 1)]
    assert (changed["name"], changed["days"], changed["cards"]) == ("会員証", [30, 7], 1)
    assert (used.status, used.json["code"]) == (409, "own_kind_in_use")
    assert wrong.json["code"] == "own_kind_arrives"
    assert api.get("/cards/1").json["label"] == "会員証"
