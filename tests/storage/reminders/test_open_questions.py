"""Which cards an answer speaks of: those of the latest text about each."""

from reminder.domain.model.messages import MessageState
from reminder.storage.db.tables import Card
from reminder.storage.reminders import open_questions
from reminder.storage.reminders.open_questions import CODES, OPEN_FOR, Question
from tests.storage.conftest import DAY, NOW, TODAY, Rows


def test_a_card_is_asked_about_by_the_latest_text_that_may_have_arrived(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card, other = rows.contact(person_id=person), rows.card(person), rows.card(person, "passport")
    rows.told(card, phone, "d60", reply_code=1)
    latest, of_other = rows.told(card, phone, "d30", reply_code=3), rows.told(other, phone, "d30", reply_code=1)
    rows.told(card, phone, "d7")
    rows.handed(rows.told(card, phone, "d3", reply_code=4), MessageState.FAILED)

    assert open_questions.open_at(rows.tx, [phone], NOW) == [
        Question(latest, person, 3, frozenset({card}), phone),
        Question(of_other, person, 1, frozenset({other}), phone),
    ]
    rows.change(Card, card, acknowledged_on=TODAY)
    rows.change(Card, other, expires_on=TODAY)
    assert open_questions.open_at(rows.tx, [phone], NOW) == []


def test_a_question_is_open_for_some_weeks(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card = rows.contact(person_id=person), rows.card(person)
    rows.told(card, phone, reply_code=1)

    assert open_questions.open_at(rows.tx, [phone], NOW + OPEN_FOR)
    assert not open_questions.open_at(rows.tx, [phone], NOW + OPEN_FOR + DAY)


def test_a_new_text_gets_a_digit_that_no_other_question_has_which_it_does_not_replace() -> None:
    first, second = Question(1, 1, CODES[0], frozenset({1}), 1), Question(2, 1, CODES[1], frozenset({2, 3}), 1)

    assert open_questions.free_code([first, second], [4]) == CODES[2]
    assert open_questions.free_code([first, second], [1]) == CODES[0]
    assert open_questions.free_code([first, second], [2]) == CODES[2]
    assert open_questions.free_code([Question(1, 1, code, frozenset({1}), 1) for code in CODES], [2]) == CODES[0]


def test_contacts_share_a_telephone_by_one_channel_and_address(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    alone = rows.contact(person_id=rows.person(group, "姉"))

    found = open_questions.sharing(rows.tx, [mine, alone])

    assert {of: sorted(ids) for of, ids in found.items()} == {mine: [mine, hers], alone: [alone]}


def test_a_telephone_is_shared_where_another_person_is_written_to(rows: Rows) -> None:
    father, mother = rows.person(rows.group()), rows.person(rows.group("鈴木家"), "母")
    his, hers = (rows.contact(person_id=one, address="+819000000001") for one in (father, mother))
    alone = rows.contact(person_id=father, address="+819000000002")
    rows.contact(person_id=mother, address="+819000000002", is_family=True)
    rows.contact(person_id=rows.person(rows.group(), "姉"), address="+819000000002", confirmed=False)

    assert open_questions.of_several_persons(rows.tx, [his, hers, alone]) == {his, hers}
    assert open_questions.of_several_persons(rows.tx, []) == set()
