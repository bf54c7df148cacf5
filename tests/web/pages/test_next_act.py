"""The home page says of each kind how its renewal begins: book, apply, go, ask, set up, or wait for the post."""

from datetime import date

import pytest

from reminder.domain.model.people import Language, Mode
from reminder.web.support.page_catalog import read_pages
from tests.rules import KINDS
from tests.village import Village
from tests.web.browsing import Browser

SAID = read_pages()[Language.JAPANESE]
END = date(2026, 12, 20)  # a Sunday


@pytest.fixture
def page(village: Village) -> str:
    """1 December 2026: one person for each kind, whose card ends in three weeks."""
    village.group()
    village.member("娘", "musume@example.jp")
    for kind in KINDS:
        village.person(kind[:5], mode=Mode.ELDERLY, reference=kind[:20])
        village.card(kind[:5], END, kind, **({"label": "老人パス"} if kind == "other" else {}), confirmed=True)
    browser = Browser(village)
    browser.sign_in("musume@example.jp")
    return browser.get("/").text


def test_each_kind_says_how_it_begins_and_only_what_closes_with_the_counters_names_their_days(page: str) -> None:
    acts = [act.split("</p>")[0] for act in page.split('<p class="next">')[1:]]

    waited = [act for act in acts if "お待ちください" in act]
    assert len(acts) == len(KINDS)
    assert len(waited) == sum(kind.comes_by_itself for kind in KINDS.values())
    for name in {kind.first_act for kind in KINDS.values() if not kind.comes_by_itself}:
        wanted = sum(kind.first_act is name for kind in KINDS.values())
        assert sum(SAID.entries[f"first_act.{name}"] in act for act in acts) == wanted, name
    at_counters = sum(kind.closes_with_counters for kind in KINDS.values())
    assert sum("つぎに窓口が開く日は12月1日（火）" in act for act in acts) == at_counters
