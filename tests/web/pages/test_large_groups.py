"""The pages of a group with hundreds of people: some at a time, found by a search, and complete where it matters."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date

import openpyxl
import pytest
from sqlalchemy import insert, literal, select, update

from reminder.domain.model.people import Language
from reminder.storage.db.tables import Card, Person
from reminder.web.pages.dashboard import CARDS_SHOWN, PEOPLE_SHOWN
from reminder.web.pages.monthly_plan import MOST_AT_ONCE
from reminder.web.support.paging import ROWS_SHOWN
from tests.bench.fill import KINDS, Sizes, fill, owner_of
from tests.village import Village
from tests.web.browsing import Browser

RESIDENTS = 230
LARGEST = 100_000  # bytes of a page
HOME, SMALL_HOME = 3, 2  # ids of groups
SIZES = Sizes(households=1, homes=1, residents_each=ROWS_SHOWN, residents_of_the_largest=RESIDENTS, messages=900)
OTHER_KINDS = ("passport", "care_burden_ratio", "silver_pass")
LISTS = ("/", "/calendar", "/months", "/visits", "/letters", "/undelivered")
PAGES = (*LISTS, "/settings/members", "/settings/activity", "/imports")


@pytest.fixture
def filled(fresh_village_factory: Callable[..., AbstractContextManager[Village]]) -> Iterator[Village]:
    with fresh_village_factory() as village:
        fill(village.app.database.url, village.app.keys, village.now, SIZES)
        yield village


@pytest.fixture
def office(filled: Village) -> Browser:
    browser = Browser(filled)
    browser.sign_in(owner_of(HOME))
    return browser


def bring_near(village: Village) -> None:
    """Let everybody have a card that ends in February 2027."""
    with village.app.database.writing() as tx:
        tx.execute(update(Card).where(Card.id % 3 == 0).values(expires_on=date(2027, 2, 20)))


def people_on(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<h2><a href="/people/(\d+)">', page)]


def every_page(browser: Browser, path: str) -> list[str]:
    """Return the text of this page and of those after it, by their links."""
    found = [browser.get(path).text]
    while following := re.search(r'<a rel="next" href="([^"]+)"', found[-1]):
        found.append(browser.get(following[1].replace("&amp;", "&")).text)
    return found


def test_no_page_of_a_large_home_is_larger_than_100_kb_in_any_language(office: Browser) -> None:
    for language in Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH:
        office.get("/settings")
        office.submit("/look", language=language)
        sizes = {path: len(office.get(path).body) for path in PAGES}

        assert {path: size for path, size in sizes.items() if size > LARGEST} == {}
        assert all(office.get(path).status == 200 for path in PAGES)


def test_the_pages_of_home_name_everybody_once_the_worst_first(office: Browser) -> None:
    pages = every_page(office, "/")

    named = [people_on(page) for page in pages]
    assert [len(some) for some in named] == [PEOPLE_SHOWN] * (RESIDENTS // PEOPLE_SHOWN) + [RESIDENTS % PEOPLE_SHOWN]
    assert len({one for some in named for one in some}) == RESIDENTS
    ends = [re.findall(r'class="kind">.*?(\d{4})年(\d+)月(\d+)日', page) for page in pages]
    assert min(map(as_numbers, ends[0])) == min(as_numbers(one) for some in ends for one in some)
    assert f"{RESIDENTS}件のうち1〜{PEOPLE_SHOWN}件目" in pages[0]
    assert 'rel="prev"' not in pages[0]
    assert 'rel="prev"' in pages[-1]


def test_people_with_many_cards_make_the_page_of_home_no_larger_and_none_of_their_cards_is_lost(
    office: Browser, filled: Village
) -> None:
    office.get("/settings")
    office.submit("/look", language=Language.EASY_JAPANESE)
    with filled.app.database.writing() as tx:
        of_the_home = Card.person_id.in_(select(Person.id).where(Person.group_id == HOME))
        cards_before = Counter(tx.scalars(select(Card.person_id).where(of_the_home)))
        columns = {column.name: column for column in Card.__table__.columns if column.name != "id"}
        for kind in OTHER_KINDS:
            copied = select(*(columns | {"kind": literal(kind)}).values()).where(of_the_home, Card.kind == KINDS[0])
            tx.execute(insert(Card.__table__).from_select(list(columns), copied))

    page = office.get("/")

    assert len(page.body) <= LARGEST
    for one in page.text.split('<ul class="cards">')[1].split("</ul>")[0].split("<li>")[1:]:
        (person_id,) = people_on(one)
        all_of_them = cards_before[person_id] + len(OTHER_KINDS)
        assert one.count('class="card"') == CARDS_SHOWN
        assert f'<a href="/people/{person_id}">あと {all_of_them - CARDS_SHOWN}つ あります</a>' in one


def as_numbers(day: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(map(int, day))


def test_a_search_finds_by_name_room_and_unit_and_its_links_keep_it(office: Browser) -> None:
    by_room = office.get("/?q=２１７").text
    by_unit = every_page(office, "/?unit=2階")
    office.get("/")
    nobody = office.get("/?q=だれでもない").text

    assert len(people_on(by_room)) == 1
    assert "217" in by_room
    assert sum(len(people_on(page)) for page in by_unit) == 50
    assert all('<option value="2階" selected>' in page for page in by_unit)
    assert people_on(nobody) == []
    assert "見つかりませんでした。" in nobody
    assert "まだ" not in nobody.split("<main")[1].split("</form>")[1]


def test_the_search_works_without_a_script_and_has_its_label(office: Browser) -> None:
    for path in LISTS:
        page = office.get(path).text

        form = next(form for form in office.forms if form.action == path)
        assert (form.method, dict(form.fields)["q"]) == ("get", ""), path
        assert '<label for="q">' in page, path


@pytest.mark.parametrize("number", ["0", "-3", "x", "99999", "９"])
def test_a_page_that_does_not_exist_is_the_first_or_the_last(office: Browser, number: str) -> None:
    for path in LISTS:
        assert office.get(f"{path}?page={number}").status == 200


def test_a_home_of_fifty_is_shown_whole_and_without_a_search(filled: Village) -> None:
    browser = Browser(filled)
    browser.sign_in(owner_of(SMALL_HOME))

    assert len(people_on(browser.get("/").text)) == ROWS_SHOWN
    for path in LISTS:
        assert 'name="q"' not in browser.get(path).text, path
        assert 'rel="next"' not in browser.page.text, path


def test_the_months_count_all_and_show_as_many_as_can_be_recorded_at_once(office: Browser) -> None:
    pages = every_page(office, "/months?month=2027-02")

    boxes = [re.findall(r'name="card" id="[^"]+" value="(\d+)"', page) for page in pages]
    counted = {line for page in pages for line in re.findall(r"<h3>.*?</h3>", page)}
    assert len(pages) > 1
    assert all(len(some) == MOST_AT_ONCE for some in boxes[:-1])
    assert sum(map(len, boxes)) >= sum(int(found) for line in counted for found in re.findall(r"(\d+)件", line))
    assert len({re.search(r'class="heat".*?</svg>', page, re.DOTALL)[0] for page in pages}) == 1  # type: ignore[index]


def test_letters_are_printed_for_all_that_the_pages_name(office: Browser, filled: Village) -> None:
    bring_near(filled)
    pages = every_page(office, "/letters?month=2027-02")
    named = [one for page in pages for one in re.findall(r'name="person" id="p(\d+)"', page)]

    assert len(named) == RESIDENTS
    assert f"{RESIDENTS}件" in pages[0]
    assert office.get("/letters/print?month=2027-02").text.count("<section") == len(named)
    found = re.findall(r'name="person" id="p(\d+)"', office.get("/letters?month=2027-02&unit=2階&q=6").text)
    assert 0 < len(found) < len(named)
    assert office.get("/letters/print?month=2027-02&unit=2階&q=6").text.count("<section") == len(found)


def test_whoever_was_chosen_on_another_page_stays_chosen_when_printing_is_refused(
    office: Browser, filled: Village
) -> None:
    bring_near(filled)
    last = re.findall(r'name="person" id="p(\d+)"', every_page(office, "/letters?month=2027-02")[-1])[-1]
    with filled.app.database.writing() as tx:
        tx.execute(update(Card).where(Card.person_id == int(last)).values(acknowledged_on=date(2026, 12, 1)))

    refused = office.get(f"/letters/print?month=2027-02&person={last}")

    assert refused.status == 422
    assert f'<input type="hidden" name="person" value="{last}">' in refused.text


def test_the_plan_of_a_visit_is_complete_in_one_page_to_print_and_as_a_sheet(office: Browser, filled: Village) -> None:
    bring_near(filled)
    pages = every_page(office, "/visits?month=2027-02")
    whole = office.get("/visits?month=2027-02&whole=yes").text
    sheet = openpyxl.load_workbook(io.BytesIO(office.send("/visits.xlsx", month="2027-02").body)).active

    rows = [re.findall(r"<tr><td.*?</tr>", page, re.DOTALL) for page in pages]
    assert len(pages) > 1
    assert re.findall(r"<tr><td.*?</tr>", whole, re.DOTALL) == [one for some in rows for one in some]
    assert 'rel="next"' not in whole
    labels = re.findall(r'class="c-label">(.*?)</td>', whole)
    cells = [cell.value for row in sheet.iter_rows() for cell in row]
    assert all(label in cells for label in labels)
    assert "whole=yes" in pages[0]
