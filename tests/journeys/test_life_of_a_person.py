"""Where a person is: in hospital only those around them are told, and about who has gone nobody is."""

from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.enrolment import person_acts
from reminder.enrolment.person_acts import PersonAct
from reminder.errors import ConflictError
from tests.homes import checked, rows_of, saved
from tests.journeys.test_nothing_to_do import digest
from tests.village import CARD, Village
from tests.web.browsing import Browser
from tests.web.calling import program, token_of

OFFICE = "office@example.jp"


@pytest.fixture
def home(village: Village) -> Village:
    """1 December 2026: a resident with a telephone, a son and two cards, and another one."""
    village.group(GroupKind.HOME, "さくら苑")
    village.member(OFFICE, OFFICE)
    village.person("ハナさん", mode=Mode.HOME, room="201", phone="090-0000-0001")
    village.contact("ハナさん", ChannelName.EMAIL, "musuko@example.jp", family="息子")
    village.card("ハナさん", date(2027, 1, 20))
    village.card("ハナさん", date(2027, 3, 20), CARD)
    village.person("トミさん", mode=Mode.HOME, room="305")
    village.card("トミさん", date(2027, 1, 29))
    return village


def act(village: Village, what: PersonAct, **more: object) -> None:
    with village.app.writing() as uow:
        person_acts.act_on_person(uow, person_id=1, act=what, **more)


def test_who_is_in_hospital_is_not_written_to_and_their_family_and_the_staff_are(home: Village) -> None:
    act(home, PersonAct.PAUSE, until=date(2027, 1, 8))

    home.run_until("2027-01-08 23:00")
    assert home.texts_to("ハナさん") == []
    assert home.reminders_to("息子")
    assert "201" in digest(home, "2027-01-04")

    home.run_until("2027-01-19 23:00")
    assert home.texts_to("ハナさん"), "and afterwards as before"


def test_about_who_has_died_nobody_is_told_anything_and_every_list_is_without_them(home: Village) -> None:
    home.run_until("2026-12-03 12:00")
    act(home, PersonAct.DIED)
    before = [len(home.words_to(name)) for name in ("ハナさん", "息子")]

    home.run_until("2028-06-01 00:00")

    assert [len(home.words_to(name)) for name in ("ハナさん", "息子")] == before, "not even a greeting"
    office = Browser(home)
    office.sign_in(OFFICE)
    assert "ハナさん" not in office.get("/").text + office.get("/months").text + office.get("/letters").text


@pytest.mark.parametrize("what", [PersonAct.DIED, PersonAct.MOVE_OUT])
def test_within_a_day_it_is_taken_back_with_all_cards_but_those_that_had_ended_before(
    home: Village, what: PersonAct
) -> None:
    home.retire(2)
    home.run_until("2026-12-02 09:00")
    act(home, what)
    assert [home.card_of(card).retired_at is None for card in (1, 2)] == [False, False]
    home.run_until("2026-12-03 08:00")

    act(home, PersonAct.STEP_BACK)

    assert [home.card_of(card).retired_at is None for card in (1, 2)] == [True, False]
    assert "201" in digest(home, "2026-12-07")
    with pytest.raises(ConflictError):
        act(home, PersonAct.STEP_BACK)


def test_later_it_is_not_taken_back(home: Village) -> None:
    act(home, PersonAct.DIED)
    home.run_until("2026-12-02 09:00")

    with pytest.raises(ConflictError) as refused:
        act(home, PersonAct.STEP_BACK)

    assert refused.value.code == "too_late_to_take_back"


def test_the_page_records_it_and_says_where_they_are(home: Village) -> None:
    office = Browser(home)
    office.sign_in(OFFICE)
    office.get("/people/1/life")

    office.submit("/people/1/life", act="pause", until_year="2027-01-08")
    page = office.get("/people/1/life").text
    assert "お休み中です" in page
    assert "2027年1月8日" in page
    office.submit("/people/1/life", act="step_back")

    assert "こちらにいらっしゃいます" in office.get("/people/1/life").text
    refused = office.submit("/people/1/life", act="pause", until_year="2026-11-30")
    assert (refused.status, "今日から1年のうち" in refused.text) == (422, True)


def test_a_program_records_the_same(home: Village) -> None:
    api = program(home, token_of(home, 1))

    paused = api.post("/people/1/life", {"act": "pause", "until": "2027-01-08"}).json
    died = api.post("/people/1/life", {"act": "died"}).json
    again = api.post("/people/1/life", {"act": "pause"})

    assert (paused["state"], paused["until"]) == ("paused", "2027-01-08")
    assert (died["state"], died["until"]) == ("died", None)
    assert (again.status, again.json["code"]) == (409, "person_not_there")
    assert api.get("/people/1/life").json == died


@pytest.mark.parametrize("what", [PersonAct.DIED, PersonAct.MOVE_OUT])
def test_no_card_is_registered_for_who_has_gone_by_program_or_page(home: Village, what: PersonAct) -> None:
    act(home, what)
    api = program(home, token_of(home, 1))
    office = Browser(home)
    office.sign_in(OFFICE)

    refused = api.post("/people/1/cards", {"kind": "passport", "expires": "2028-01-20"})

    assert (refused.status, refused.json["code"]) == (409, "person_has_gone")
    office.get("/people/1/cards/new?kind=passport")
    form = next(one for one in office.forms if one.action.startswith("/people/1/cards/"))
    shown = office.submit(form.action, kind="passport", expires_year="2028-01-20")
    assert (shown.status, "登録できません" in shown.text) == (422, True)
    assert home.texts_to("ハナさん") == []


def test_a_sheet_with_somebody_who_has_died_refuses_their_row_saves_the_others_and_nobody_is_told_of_the_dead(
    home: Village,
) -> None:
    act(home, PersonAct.DIED)
    sheet = "氏名,部屋,マイナンバーカードの期限\nハナさん,201,2027-03-20\nトミさん,305,2027-04-20\n"

    read = checked(home, sheet.encode())
    saved(home, read, yes=True)

    first, second = (row.findings for row in rows_of(home, read).values())
    assert [finding.code for finding in first] == ["person_has_gone"]
    assert "person_has_gone" not in [finding.code for finding in second]
    assert home.card_of(1).retired_at is not None
    home.run_until("2028-06-01 00:00")
    assert not home.texts_to("ハナさん")
    assert not home.reminders_to("息子")


def test_a_page_lists_who_is_not_here_with_the_way_back(home: Village) -> None:
    office = Browser(home)
    office.sign_in(OFFICE)
    assert 'href="/away"' in office.get("/").text
    assert "ハナさん" not in office.get("/away").text

    act(home, PersonAct.DIED)

    page = office.get("/away").text
    assert 'href="/people/1/life"' in page
    assert "亡くなられました" in page
    assert "トミさん" not in page
    act(home, PersonAct.STEP_BACK)
    assert "ハナさん" not in office.get("/away").text


def test_who_is_back_from_a_pause_is_not_listed_any_more(home: Village) -> None:
    act(home, PersonAct.PAUSE, until=date(2026, 12, 3))
    office = Browser(home)
    office.sign_in(OFFICE)
    assert "ハナさん" in office.get("/away").text

    home.run_until("2026-12-04 09:00")

    assert "ハナさん" not in office.get("/away").text
