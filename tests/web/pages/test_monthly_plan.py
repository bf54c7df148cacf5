"""A home's month by month: what is due stands in its month, many are recorded at once, and what was done is written."""

import re
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.people import GroupKind, Mode, Role
from reminder.storage.registry import cards
from reminder.web.pages.monthly_plan import MOST_AT_ONCE
from tests.village import Village
from tests.web.browsing import Browser

USER, CARD, CARE = "mynumber_user_certificate", "mynumber_card", "care_certification"


@pytest.fixture
def office(village: Village) -> Browser:
    """1 December 2026: two residents of two units, and whoever does the office's work."""
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    for label, room, unit in (("ハナさん", "201", "2階"), ("トミさん", "305", "3階")):
        village.person(label, mode=Mode.HOME, room=room, unit=unit)
    village.card("ハナさん", date(2026, 12, 12), USER)
    village.card("トミさん", date(2027, 2, 28), USER)
    village.card("トミさん", date(2026, 11, 1), CARE, confirmed=True)
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


def sections(page: str) -> list[str]:
    """What stands under each heading of a month, without its marks."""
    import re

    text = re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.S)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part)) for part in re.split(r"<h[23]>", text)[1:]]


def ends(village: Village) -> dict[tuple[int, str], tuple[str, bool]]:
    with village.app.database.reading() as tx:
        return {
            (card.person_id, card.kind): (card.expires_on.isoformat(), card.acknowledged_on is not None)
            for card in cards.of_group(tx, 1)
            if card.retired_at is None
        }


def test_each_stands_in_its_month_with_its_room_and_what_is_due(office: Browser) -> None:
    page = office.get("/months").text

    found = sections(page)
    assert any("期限が過ぎた" in part and "305" in part and "トミさん" in part for part in found)
    # 12 December is a Saturday.
    assert any(
        "窓口の最後の日" in part and "12月11日" in part and "201" in part and "ハナさん" in part for part in found
    )
    # 75 days before 28 February.
    assert any("封筒" in part and "12月15日" in part and "トミさん" in part for part in found)


@pytest.mark.parametrize(
    ("asked", "here", "not_here"),
    [
        ("unit=2階", "ハナさん", "トミさん"),
        ("kind=care_certification", "トミさん", "ハナさん"),
        ("what=ended", "トミさん", "ハナさん"),
        ("month=2027-02", "トミさん", "ハナさん"),
    ],
)
def test_only_what_is_asked_for_is_shown(office: Browser, asked: str, here: str, not_here: str) -> None:
    page = office.get(f"/months?{asked}").text

    assert here in page
    assert not_here not in page


def test_a_month_that_does_not_exist_is_this_one(office: Browser) -> None:
    assert "ハナさん" in office.get("/months?month=2026-99").text


def test_the_year_shows_how_many_fall_into_each_month_also_as_a_table(office: Browser) -> None:
    page = office.get("/months").text

    assert page.count('class="heat1"') == 2
    assert page.count("<td>1</td>") == 2


def test_after_the_city_s_visit_many_are_recorded_at_once(office: Browser, village: Village) -> None:
    office.get("/months")

    office.submit("/months/act", card=["1", "2"], act="done")

    assert [done for _, done in ends(village).values()] == [True, True, False]


@pytest.mark.parametrize("act", ["done", "renewed"])
def test_of_more_than_can_be_recorded_at_once_nothing_is_and_the_marks_stay(
    office: Browser, village: Village, act: str
) -> None:
    for number in range(MOST_AT_ONCE):
        village.person(f"さん{number:03}"[:5], mode=Mode.HOME)
        village.card(f"さん{number:03}"[:5], date(2026, 12, 12), USER)
    office.get("/months")
    ids = [str(number) for number in range(1, MOST_AT_ONCE + 2)]

    page = office.submit("/months/act", card=ids, act=act)

    assert page.status == 422
    assert f"一度に記録できるのは{MOST_AT_ONCE}件まで" in page.text
    assert page.text.count(" checked") >= MOST_AT_ONCE
    assert not any(done for _, done in ends(village).values())
    office.submit("/months/act", card=ids[:-1], act="done")
    assert sum(done for _, done in ends(village).values()) == MOST_AT_ONCE


def test_nothing_chosen_is_said(office: Browser) -> None:
    office.get("/months")

    assert "印を付けて" in office.submit("/months/act", act="done").text


@pytest.mark.parametrize("path", ["/months/act", "/months/renew"])
def test_a_viewer_records_nothing(office: Browser, village: Village, path: str) -> None:
    village.member("見学", "viewer@example.jp", Role.VIEWER)
    viewer = Browser(village)
    viewer.sign_in("viewer@example.jp")
    seen = viewer.get("/months").text

    page = viewer.post(path, [("seal", viewer.seal), ("card", "1"), ("act", "done"), ("end1", "2031-12-12")])

    assert 'name="card"' not in seen
    assert page.status == 403
    assert ends(village)[1, USER] == ("2026-12-12", False)


def test_new_dates_go_in_as_a_grid_and_a_wrong_one_comes_back_alone(office: Browser, village: Village) -> None:
    office.get("/months")
    office.submit("/months/act", card=["1", "2", "3"], act="renewed")

    page = office.submit("/months/renew", end1="R13.12.12", end2="2032-02-30", end3="")

    assert page.status == 422
    assert "ない日" in page.text
    assert 'name="end2"' in page.text
    assert 'name="end1"' not in page.text
    assert ends(village)[1, USER] == ("2031-12-12", False)
    assert ends(village)[2, USER] == ("2027-02-28", False)


def test_a_number_in_the_grid_is_refused_and_not_shown_again(office: Browser, village: Village) -> None:
    office.get("/months")
    office.submit("/months/act", card=["1"], act="renewed")

    page = office.submit("/months/renew", end1="1234 5678 9018")

    assert page.status == 422
    assert "5678" not in page.text
    assert ends(village)[1, USER] == ("2026-12-12", False)


def test_a_card_of_another_group_is_not_found_and_nothing_is_recorded(office: Browser, village: Village) -> None:
    village.group(name="他人家")
    village.person("父")
    village.card("父", date(2027, 3, 31))
    office.get("/months")

    page = office.submit("/months/act", card=["1", "4"], act="done")

    assert page.status == 404
    assert ends(village)[1, USER] == ("2026-12-12", False)


def test_what_was_done_is_written_newest_first_with_who_did_it(office: Browser) -> None:
    office.get("/months")
    office.submit("/months/act", card=["1"], act="done")

    found = office.get("/settings/activity").text

    assert found.index("「済んだ」と記録しました") < found.index("登録しました")
    assert "ハナさん" in found


def test_every_act_that_is_written_has_its_words(village: Village) -> None:
    """Also one in a call over several lines."""
    sources = "\n".join(file.read_text(encoding="utf-8") for file in Path("reminder").rglob("*.py"))
    written = set(re.findall(r'activity_log\.write\(\s*(?:uow\.)?tx,\s*"([a-z_]+)"', sources))

    for language in village.app.rules.wording.languages:
        assert written - set(village.app.rules.wording.of(language).section("acts")) == set(), language
    assert len(written) > 20
