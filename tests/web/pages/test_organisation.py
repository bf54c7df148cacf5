"""Several homes of one organisation: seen together by who is a member of them, and by nobody else."""

import re
from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Mode, Role
from reminder.enrolment.identity import membership
from tests.village import Village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

USER = "mynumber_user_certificate"


@pytest.fixture
def chain(village: Village) -> Village:
    """1 December 2026: two homes of 法人A in which one clerk works, a third in which she does not, and a stranger's
    home that bears the same name."""
    for name, label, end in (("東の里", "ハナさん", date(2026, 12, 12)), ("西の里", "トミさん", date(2026, 11, 1))):
        home = village.group(GroupKind.HOME, name)
        with village.app.writing() as uow:
            membership.set_organisation(uow, group_id=home, organisation="法人A")
        village.member(f"事務{name}", "office@example.jp", Role.OWNER if name == "東の里" else Role.VIEWER)
        village.person(label, mode=Mode.HOME, room="201")
        village.card(label, end, USER, confirmed=True)
    village.contact("トミさん", ChannelName.SMS, "090-0000-0001", consent=False)
    for name, email in (("北の里", "north@example.jp"), ("よその里", "stranger@example.jp")):
        home = village.group(GroupKind.HOME, name)
        with village.app.writing() as uow:
            membership.set_organisation(uow, group_id=home, organisation="法人A")
        village.member(f"事務{name}", email)
        village.person(f"{name}の人", mode=Mode.HOME)
    return village


def at(village: Village, email: str) -> Browser:
    browser = Browser(village)
    browser.sign_in(email)
    return browser


def numbers(page: str) -> dict[str, list[int]]:
    """By home, its numbers as they stand: residents, unanswered, ended, unreached, nears, opens."""
    cards = [card for card in page.split("<li>")[1:] if "<dl" in card]
    return {
        re.search(r"<h2>(.*?)<", card)[1]: [int(n) for n in re.findall(r"<dd>(?:<strong>)?(\d+)", card)]  # type: ignore[index]
        for card in cards
    }


def test_who_works_in_two_homes_sees_both_with_what_they_want_and_no_third(chain: Village) -> None:
    office = at(chain, "office@example.jp")

    page = office.get("/homes").text

    assert numbers(page) == {"東の里": [1, 0, 0, 0, 1, 0], "西の里": [1, 0, 1, 1, 0, 0]}
    assert "北の里" not in page
    assert "よその里" not in page


def test_a_home_of_the_same_name_that_is_somebody_else_s_shows_them_nothing_of_ours(chain: Village) -> None:
    stranger = at(chain, "stranger@example.jp")

    page = stranger.get("/homes").text

    assert set(numbers(page)) == {"よその里"}
    assert stranger.get("/").text.count("/homes") == 0


def test_from_the_list_one_goes_to_a_home_as_who_one_is_there(chain: Village) -> None:
    office = at(chain, "office@example.jp")
    office.get("/homes")

    office.submit("/groups", group="2")

    assert office.path == "/months"
    assert "トミさん" in office.page.text
    # A viewer there.
    assert office.get("/imports").status == 403


@pytest.mark.parametrize("wanted", ["3", "4", "99", "9" * 30, "x"])
def test_a_home_in_which_one_is_no_member_cannot_be_looked_at(chain: Village, wanted: str) -> None:
    office = at(chain, "office@example.jp")
    office.get("/homes")

    office.submit("/groups", group=wanted)

    assert office.page.status == 404
    assert "よその" not in office.get("/months").text


def test_nobody_is_led_elsewhere_by_the_button(chain: Village) -> None:
    office = at(chain, "office@example.jp")
    office.get("/homes")

    office.submit("/groups", group="2", to="//example.jp/")

    assert office.path == "/"


def test_an_owner_says_whose_home_it_is_and_a_viewer_may_not(chain: Village) -> None:
    office = at(chain, "office@example.jp")
    office.get("/settings/group")
    office.submit("/settings/group", organisation="法人B")
    alone = numbers(office.get("/homes").text)
    office.submit("/groups", group="1")
    office.get("/settings/group")
    office.submit("/settings/group", organisation="法人A")
    office.get("/homes")
    office.submit("/groups", group="2")
    office.get("/settings/group")

    refused = office.submit("/settings/group", organisation="法人C")

    assert set(alone) == {"東の里"}
    assert refused.status == 403
    assert set(numbers(office.get("/homes").text)) == {"東の里", "西の里"}


def test_a_number_is_no_name_of_an_organisation(chain: Village) -> None:
    office = at(chain, "office@example.jp")
    office.get("/settings/group")

    page = office.submit("/settings/group", organisation="1234 5678 9018")

    assert page.status == 422
    assert "5678" not in page.text


def test_a_program_sees_the_numbers_of_its_own_home_and_says_whose_it_is(chain: Village) -> None:
    chain.group(GroupKind.HOME, "南の里")
    member = chain.member("南", "south@example.jp")
    chain.person("カツさん", mode=Mode.HOME)
    chain.card("カツさん", date(2026, 12, 12), USER)
    home = program(chain, token_of(chain, member))

    changed = home.ask(
        "PATCH", "/group", b'{"organisation": "\xe6\xb3\x95\xe4\xba\xbaA"}', {"content-type": "application/json"}
    )
    found = home.get("/group/counts")

    assert (changed.json["organisation"], changed.json["name"]) == ("法人A", "南の里")
    assert found.json == {"residents": 1, "opens": 0, "nears": 1, "ended": 0, "unanswered": 0, "unreached": 0}


def test_the_roles_of_a_home_are_called_as_its_staff_is(chain: Village) -> None:
    office = at(chain, "office@example.jp")

    page = re.sub(r"<[^>]+>", "", office.get("/settings/members").text)

    assert "職員を招く" in page
    assert "管理者" in page
    assert "いっしょに見守る人" not in page
