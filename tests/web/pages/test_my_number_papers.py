"""The papers for a My Number Card are reached from the pages of the person and of the card, and of no other card."""

from datetime import date

import pytest

from reminder.domain.model.people import GroupKind, Mode, Role
from reminder.domain.text.catalog import MY_NUMBER_SHEETS
from tests.village import Village
from tests.web.browsing import Browser


@pytest.fixture
def office(village: Village) -> Browser:
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp", Role.EDITOR)
    village.person("髙橋ハナ", mode=Mode.HOME, room="201", unit="2階")
    village.person("𠮷田トミ", mode=Mode.HOME, room="305", unit="3階")
    village.card("髙橋ハナ", date(2027, 1, 15), kind="mynumber_card")
    village.card("𠮷田トミ", date(2027, 2, 28), kind="passport")
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


@pytest.mark.parametrize("sheet", MY_NUMBER_SHEETS)
@pytest.mark.parametrize("page", ["/people/1", "/cards/1", "/cards/1/life"])
def test_the_pages_of_who_has_a_card_lead_to_its_papers(office: Browser, page: str, sheet: str) -> None:
    assert f'href="/people/1/print/{sheet}"' in office.get(page).text


@pytest.mark.parametrize("sheet", MY_NUMBER_SHEETS)
@pytest.mark.parametrize("page", ["/people/2", "/cards/2", "/cards/2/life"])
def test_who_has_no_such_card_is_not_offered_them(office: Browser, page: str, sheet: str) -> None:
    assert f"/print/{sheet}" not in office.get(page).text


def test_the_line_that_stops_a_lost_card_stands_on_its_paper_only(office: Browser) -> None:
    assert "0120-95-0178" in office.get("/people/1/print/lost").text
    assert "0120-95-0178" not in office.get("/people/1/print/welcome").text


def test_the_statement_about_a_photograph_is_printed_without_the_name(office: Browser) -> None:
    assert "ハナ" not in office.get("/people/1/print/photo").text
