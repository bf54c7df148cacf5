"""Replies that wait until it is known whom they are about."""

from reminder.domain.parsing.replies import Intent
from reminder.storage.db.tables import Message, ReplyChoice, UnclearReply
from reminder.storage.maintenance import erasure
from reminder.storage.reminders import unclear_replies
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def two_phones(rows: Rows) -> tuple[int, int]:
    first = rows.contact(person_id=rows.person(rows.group()), address="+819000000001")
    return first, rows.contact(person_id=rows.person(rows.group("鈴木家"), "母"), address="+819000000001")


def keep(rows: Rows, name: str, *contact_ids: int, text: str | None = "あした行く") -> None:
    choices = dict(enumerate(contact_ids, 1))
    unclear_replies.keep(
        rows.tx,
        rows.keys,
        provider_id=name,
        intent=Intent.GOING,
        text=text,
        choices=choices,
        now=NOW,
        expires_at=NOW + HOUR,
    )


def test_a_reply_waits_once_with_its_choices_until_it_is_settled(rows: Rows) -> None:
    father, mother = two_phones(rows)
    keep(rows, "SM1", father, mother)
    keep(rows, "SM1", father, mother, text="もう一度")

    (kept,) = unclear_replies.waiting_at(rows.tx, rows.keys, [mother])
    assert (kept.provider_id, kept.intent, kept.text, kept.asked_at) == ("SM1", Intent.GOING, "あした行く", None)
    assert kept.choices == {1: father, 2: mother}
    assert unclear_replies.is_known(rows.tx, "SM1")
    assert not unclear_replies.is_known(rows.tx, "SM2")
    assert unclear_replies.next_moment(rows.tx) == NOW + HOUR
    assert unclear_replies.next_due(rows.tx, NOW) is None
    assert unclear_replies.next_due(rows.tx, NOW + HOUR) == kept.id
    assert unclear_replies.find(rows.tx, rows.keys, kept.id) == kept

    unclear_replies.settle(rows.tx, [kept.id], NOW)

    assert unclear_replies.waiting_at(rows.tx, rows.keys, [mother]) == []
    assert unclear_replies.next_moment(rows.tx) is None
    assert rows.one(UnclearReply.body_sealed, kept.id) is None


def test_a_telephone_s_choices_are_counted(rows: Rows) -> None:
    father, mother = two_phones(rows)
    keep(rows, "SM1", father, mother)
    keep(rows, "SM2", father, mother)
    first, second = unclear_replies.waiting_at(rows.tx, rows.keys, [father])

    for one in (first, second):
        unclear_replies.wait_for_sender(rows.tx, one.id, asked_at=NOW, until=NOW + 6 * HOUR)

    assert unclear_replies.times_asked(rows.tx, [mother], NOW) == 1, "one text asked about both"
    assert unclear_replies.times_asked(rows.tx, [mother], NOW + HOUR) == 0
    assert unclear_replies.next_due(rows.tx, NOW + HOUR) is None


def test_the_latest_text_with_a_digit_of_its_own_is_known(rows: Rows) -> None:
    father, mother = two_phones(rows)
    rows.handed(rows.message(father))
    assert unclear_replies.last_question_sent(rows.tx, [father, mother]) is None

    rows.handed(rows.message(mother, reply_code=3))

    assert unclear_replies.last_question_sent(rows.tx, [father, mother]) == NOW


def test_who_is_erased_takes_the_replies_along_that_may_be_theirs(rows: Rows) -> None:
    father, mother = two_phones(rows)
    keep(rows, "SM1", father, mother)

    erasure.delete_unclear_replies(rows.tx, [father])

    assert rows.column(UnclearReply.id) == rows.column(ReplyChoice.digit) == []


def test_an_unclear_reply_is_deleted_after_its_time(rows: Rows) -> None:
    keep(rows, "SM1", *two_phones(rows))

    assert erasure.retention_rules(rows.tx, dict.fromkeys(erasure.OLD, NOW + DAY)) == ["unclear_replies"]
    assert erasure.delete_old(rows.tx, "unclear_replies", NOW + DAY, 9) == 1
    assert rows.column(UnclearReply.id) == []


def test_the_latest_list_of_a_telephone_is_found_and_waits_for_nothing(rows: Rows) -> None:
    father, mother = two_phones(rows)
    first = unclear_replies.keep_list(rows.tx, name="reply:1", choices={1: father, 2: mother}, now=NOW)
    unclear_replies.keep_list(rows.tx, name="reply:2", choices={1: mother}, now=NOW + HOUR)

    assert unclear_replies.latest_list(rows.tx, [father], NOW) == {1: father, 2: mother}
    assert unclear_replies.latest_list(rows.tx, [father, mother], NOW) == {1: mother}
    assert unclear_replies.latest_list(rows.tx, [mother], NOW + DAY) == {}
    assert unclear_replies.lists_sent(rows.tx, [mother], NOW) == 2
    assert unclear_replies.lists_sent(rows.tx, [mother], NOW + HOUR) == 1
    assert unclear_replies.next_due(rows.tx, NOW + DAY) is None
    assert unclear_replies.times_asked(rows.tx, [mother], NOW) == 0, "a list is no question about a reply"
    assert unclear_replies.question_key(first) == f"choice:{first}"


def test_a_text_that_names_somebody_who_is_erased_goes_with_them(rows: Rows) -> None:
    father, mother = two_phones(rows)
    listed = unclear_replies.keep_list(rows.tx, name="reply:1", choices={1: father, 2: mother}, now=NOW)
    key = unclear_replies.question_key(listed)
    rows.message(None, key=key, address="+819000000001")

    erasure.delete_unclear_replies(rows.tx, [father])

    assert rows.column(Message.key) == []
    assert rows.column(UnclearReply.id) == []
