"""The plan for the visit of the city's staff: who renews what in a month, by unit and room, as a page and as a sheet."""

import io
import re
from datetime import date

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from reminder.domain.model.people import GroupKind, Mode, Role
from reminder.enrolment.cards import acknowledge_card
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village
from tests.web.browsing import Browser

CARE = "care_certification"


@pytest.fixture
def office(village: Village) -> Browser:
    """1 December 2026: residents of two units, one of them in room 9 and one in room 10."""
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    for label, room, unit in (("ハナさん", "10", "2階"), ("トミさん", "9", "2階"), ("=1+1", "305", "3階")):
        village.person(label, mode=Mode.HOME, room=room, unit=unit)
    for kind in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE):
        village.card("ハナさん", date(2027, 1, 30), kind)
    village.card("トミさん", date(2026, 11, 20), USER_CERTIFICATE, confirmed=True)
    village.card("トミさん", date(2027, 3, 1), CARE)
    village.card("=1+1", date(2027, 5, 2), CARD)
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


def rows(page: str) -> list[list[str]]:
    found = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in found]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def sheet(content: bytes) -> list[list[object]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def test_the_page_shows_by_unit_and_room_what_can_be_renewed_by_the_end_of_the_month(office: Browser) -> None:
    page = office.get("/visits?month=2026-12").text

    heading, *people = rows(page)
    assert heading == [
        "ユニット", "居室", "呼び名", "手続きするもの", "期限", "手続きできる日", "窓口の最後の日", "青い封筒", "照会書",
        "ご本人の同意", "代理の方", "受付", "済",
    ]  # fmt: skip
    assert [row[:7] for row in people] == [
        [
            "2階",
            "9",
            "トミさん",
            "電子証明書",
            "2026年11月20日（金）",
            "期限の日を過ぎています",
            "11月20日（金）",
        ],
        ["2階", "10", "ハナさん", "電子証明書", "2027年1月30日（土）", "今日から", "1月29日（金）"],
    ]
    assert people[1][7:] == ["□", "□", "□", "□家族 □職員", "", "□"]
    assert "見本の里　2026年12月の出張受付の予定" in page
    assert "2027年1月31日（日）までに処分してください" in page


def test_what_opens_within_the_month_says_from_which_day(office: Browser) -> None:
    # Three months before 2 May: the day after 2 February.
    *_, last = rows(office.get("/visits?month=2027-02").text)

    assert last[1:6] == ["305", "=1+1", "マイナンバーカード", "2027年5月2日（日）", "2月3日（水）から"]


@pytest.mark.parametrize(
    ("asked", "rooms", "why"),
    [
        ("", ["9", "10"], "this month"),
        ("month=2027-02", ["9", "10", "305"], "what opens by then"),
        ("month=2027-02&unit=3階", ["305"], "one unit"),
        ("month=2026-99", ["9", "10"], "no such month"),
    ],
)
def test_only_what_is_asked_for_is_shown(office: Browser, asked: str, rooms: list[str], why: str) -> None:
    _, *people = rows(office.get(f"/visits?{asked}").text)

    assert [row[1] for row in people] == rooms, why


def test_what_is_done_needs_no_visit_and_what_no_city_comes_for_is_not_there(office: Browser, village: Village) -> None:
    for card in (1, 2, 3):
        with village.app.writing() as uow:
            acknowledge_card(uow, card_id=card, by=None)

    page = office.get("/visits?month=2026-12").text

    assert "この月に手続きする方はいません。" in page
    assert rows(page) == []


def test_the_sheet_holds_the_same_with_dates_that_are_dates(office: Browser) -> None:
    answer = office.send("/visits.xlsx", month="2027-02")

    assert answer.headers["content-disposition"] == 'attachment; filename="visits-2027-02.xlsx"'
    title, *_, heading, tomi, hana, other = sheet(answer.body)
    assert title[0] == "見本の里　2027年2月の出張受付の予定"
    assert heading[4:8] == ["期限", "手続きできる日", "窓口の最後の日", "持ち物"]
    assert hana[:8] == [
        "2階", "10", "ハナさん", "電子証明書", date(2027, 1, 30), "今日から", date(2027, 1, 29),
        "マイナンバーカード、届いていれば有効期限通知書（青い封筒）",
    ]  # fmt: skip
    assert (tomi[1], other[1]) == ("9", "305")


def test_no_name_in_the_sheet_is_run_as_a_formula(office: Browser) -> None:
    book = load_workbook(io.BytesIO(office.send("/visits.xlsx", month="2027-02").body))

    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value == "=1+1"]
    assert [cell.data_type for cell in cells] == ["s"]


def test_the_sheet_prints_on_a4_lying_down_with_its_headings_on_every_page(office: Browser) -> None:
    page = load_workbook(io.BytesIO(office.send("/visits.xlsx", month="2027-02").body)).active

    assert (page.page_setup.orientation, page.page_setup.paperSize) == ("landscape", 9)
    assert page.print_title_rows == "$6:$6"


def test_who_only_looks_sees_it_too_and_another_home_does_not(office: Browser, village: Village) -> None:
    village.member("見る人", "viewer@example.jp", Role.VIEWER)
    viewer, stranger = Browser(village), Browser(village)
    viewer.sign_in("viewer@example.jp")
    stranger.sign_in("tanin@example.jp", household="他人家")

    assert "ハナさん" in viewer.get("/visits").text
    assert "ハナさん" not in stranger.get("/visits").text
    assert viewer.send("/visits.xlsx").body[:2] == b"PK"
    assert len(sheet(stranger.send("/visits.xlsx").body)) == 6, "only what stands above, and the headings"


def test_in_easy_japanese_the_page_has_readings_and_the_sheet_has_none(office: Browser) -> None:
    office.submit("/look", language="ja-easy")

    assert "<ruby>部屋<rt>へや</rt>" in office.get("/visits?month=2027-02").text
    assert any("部屋" in row for row in sheet(office.send("/visits.xlsx", month="2027-02").body))


def test_a_date_that_was_worked_out_is_said_to_be_one(office: Browser, village: Village) -> None:
    village.person("ヨネさん", mode=Mode.HOME, room="11", unit="2階")
    village.card("ヨネさん", date(2027, 1, 30), is_computed=True)

    assert rows(office.get("/visits").text)[-1][4] == "2027年1月30日（土）ごろ"
