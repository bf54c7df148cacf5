"""A home is never told that there is nothing to do while a card that takes weeks is running out."""

from datetime import date, timedelta

import pytest

from reminder.domain.model.people import GroupKind, Language, Mode
from reminder.planning.reports.city_visits import visits
from reminder.planning.reports.leaflet_cards import leaflet_cards
from reminder.planning.reports.resident_letters import Choice, letters_of
from reminder.planning.reports.status import group_status
from reminder.planning.weekly_digest import preview
from reminder.storage.registry import groups
from reminder.upkeep.calendar.ics import calendar_of
from reminder.worker.jobs import links_of
from tests.village import CARD, Village, japan
from tests.web.browsing import Browser

OFFICE = "office@example.jp"
CARE, RATIO = "care_certification", "care_burden_ratio"


@pytest.fixture
def home(village: Village) -> Village:
    """A home since 1 December 2026, whose resident has a ten-year card that ends on 14 January."""
    village.group(GroupKind.HOME, "さくら苑")
    village.member(OFFICE, OFFICE)
    village.person("ハナさん", mode=Mode.HOME, room="201")
    village.card("ハナさん", date(2027, 1, 14), CARD)
    return village


def digest(village: Village, on: str) -> str:
    """What the staff would be sent on this day."""
    with village.app.units.reading(japan(f"{on} 09:00")) as uow:
        group = groups.find(uow.tx, 1)
        assert group is not None
        found = preview(uow, group, Language.JAPANESE, links_of(village.app))
    assert found is not None
    return found.text


def in_every_list(village: Village, on: date, month: date | None = None) -> dict[str, bool]:
    """Whether the first card stands in each list of this day."""
    with village.app.units.reading(japan(f"{on} 09:00")) as uow:
        group = groups.find(uow.tx, 1)
        assert group is not None
        rows = group_status(uow, group)
        letters = letters_of(uow, group, Choice(month=month))
        calendar = calendar_of(
            uow.tx, uow.rules, group, language=Language.JAPANESE, is_private=False, now=uow.now,
            references=uow.keys.references,
        ).decode()  # fmt: skip
        return {
            "digest": "201" in digest(village, f"{on}"),
            "letters": any(matter.kind == CARD for one in letters for matter in one.matters),
            "home page": rows[0].cards[0].next.is_now,
            "fridge sheet": [card.kind for card in leaflet_cards(uow.rules, rows[0], None)] == [CARD],
            "visits": [visit.expires_on for visit in visits(uow.rules, rows, on.replace(day=1))] != [],
            "calendar": "手続きを始める最後の日" in calendar.replace("\r\n ", ""),
        }


def test_a_card_that_takes_forty_five_days_is_to_be_begun_on_the_forty_fifth_day_before_its_end(home: Village) -> None:
    assert "■ 手続きを始める最後の日（できるまで日数がかかるもの）（1件）\n11月30日（月）　201　" in digest(
        home, "2026-11-30"
    )
    assert all(in_every_list(home, date(2026, 11, 30)).values())


def test_every_week_until_it_is_done_it_stands_in_every_list(home: Village) -> None:
    week = date(2026, 10, 19)
    while week <= date(2027, 1, 14):
        assert all(in_every_list(home, week).values()), week
        week += timedelta(days=7)

    home.renew(1, date(2036, 12, 3))

    assert "することはありません" in digest(home, "2027-01-18")


def test_a_letter_is_printed_in_each_month_in_which_it_can_be_done(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member(OFFICE, OFFICE)
    village.person("ハナさん", mode=Mode.HOME, room="201")
    village.card("ハナさん", date(2027, 3, 20), CARD)

    for month in (date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1), date(2027, 3, 1)):
        assert in_every_list(village, date(2027, 1, 25), month)["letters"], month


def test_whatever_is_past_its_latest_day_to_begin_comes_first_and_says_so(home: Village) -> None:
    home.person("トミさん", mode=Mode.HOME, room="305")
    home.card("トミさん", date(2027, 1, 15))

    text = digest(home, "2026-12-21")

    assert text.index("■ 始める最後の日を過ぎたもの（すぐに）（1件）") < text.index("■ 窓口が開いている最後の日（1件）")
    assert "11月30日（月）　201" in text


def test_the_pages_say_by_when_to_begin_and_when_the_office_is_open_next(home: Village) -> None:
    home.person("トミさん", mode=Mode.HOME, room="305")
    home.card("トミさん", date(2027, 1, 29), CARD)
    # A Saturday.
    home.sleep_until("2026-12-05 10:00")
    office = Browser(home)
    office.sign_in(OFFICE)

    months, page = office.get("/months").text, office.get("/").text

    assert months.index("始める最後の日を過ぎた（すぐに）") < months.index("手続きを始める最後の日")
    assert "すぐに手続きを始めてください" in page
    assert "12月15日（火）までに手続きを始めてください" in page
    assert "つぎに窓口が開く日は12月7日（月）" in page


def test_what_comes_by_itself_is_waited_for_and_nobody_is_sent_for_it(home: Village) -> None:
    home.person("トミさん", mode=Mode.HOME, room="305")
    home.card("トミさん", date(2027, 7, 31), RATIO)
    home.renew(1, date(2036, 12, 3))

    assert "することはありません" in digest(home, "2027-05-17")
    text = digest(home, "2027-07-12")
    assert (
        "■ 新しいものが届くまでの日（手続きはいりません）（1件）\n届いたら、新しい期限を登録してください。\n7月31日（土）　305"
        in text
    )
