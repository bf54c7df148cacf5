"""Pages with one button: looking does nothing, pressing acts, and only our own key ring makes their addresses."""

from datetime import date

import pytest

from reminder.domain.model.people import Mode
from reminder.storage.registry import cards
from tests.links import MailedLinks
from tests.village import Village
from tests.web.asking import visitor

END = date(2027, 3, 31)


@pytest.fixture
def card(village: Village) -> int:
    """Of a mother with two daughters, contacts 1 and 2."""
    village.member("長女", "chojo@example.jp")
    village.member("次女", "jijo@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    return village.card("母", END)


def links(village: Village) -> MailedLinks:
    return MailedLinks(village.app)


def assigned_to(village: Village, card: int) -> int | None:
    with village.app.database.reading() as tx:
        return cards.assigned_to(tx, card, END)


def test_looking_at_the_page_takes_nothing_and_the_button_does(village: Village, card: int) -> None:
    browser, link = visitor(village, local_pages=False), str(links(village).take(card, 2))

    page = browser.get(link)
    assert (page.status, assigned_to(village, card)) == (200, None)
    assert '<form method="post">' in page.text
    assert "お母さまの" in page.text
    assert "2027年3月31日" in page.text

    assert "引き受けました" in browser.post(link).text
    assert assigned_to(village, card) == 2
    assert "引き受けました" in browser.post(link).text, "a second time changes nothing"


def test_the_second_daughter_reads_that_it_is_taken(village: Village, card: int) -> None:
    browser = visitor(village, local_pages=False)
    browser.post(str(links(village).take(card, 1)))

    page = browser.post(str(links(village).take(card, 2)))

    assert (page.status, "もうほかの方が引き受けています" in page.text) == (200, True)
    assert assigned_to(village, card) == 1


def test_a_card_that_is_told_of_no_more_cannot_be_taken(village: Village, card: int) -> None:
    village.retire(card)

    page = visitor(village, local_pages=False).post(str(links(village).take(card, 1)))

    assert "終わっています" in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("act", ["take", "reached"])
def test_an_address_that_we_did_not_make_is_not_found(village: Village, card: int, act: str, method: str) -> None:
    ours = str(links(village).take(card, 1) if act == "take" else links(village).reached(1))
    browser = visitor(village, local_pages=False)

    for wrong in (ours[:-1], ours.replace(f"/{act}/", "/stop/"), ours + "a"):
        assert browser.ask(method, wrong).status == 404
    assert assigned_to(village, card) is None


def test_pressing_proves_that_mail_arrives(village: Village, card: int) -> None:
    browser, link = visitor(village, local_pages=False), str(links(village).reached(1))
    assert browser.get(link).status == 200

    assert browser.post(link).status == 200

    with village.app.database.reading() as tx:
        rows = tx.connection().exec_driver_sql("SELECT id FROM contacts WHERE reached_at IS NOT NULL").all()
    assert [row[0] for row in rows] == [1]


def test_what_nobody_answered_stands_first_and_in_red(village: Village, card: int) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", date(2027, 3, 25), "passport")
    village.run_until("2027-03-20 12:00")

    page = visitor(village, local_pages=True).get("/overview").text

    assert "だれからも連絡がありません" in page
    assert page.index("だれからも連絡がありません") < page.index("父")
