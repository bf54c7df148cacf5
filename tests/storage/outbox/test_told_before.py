"""The same words are not said twice in a day to one address of the same thing, whatever was entered again."""

import pytest

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ChannelName
from reminder.storage.db.tables import Message, SentTrace
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import told_before
from reminder.storage.outbox.told_before import Said, ToldBefore
from tests.storage.conftest import DAY, HOUR, NOW, Rows

SMS, WORDS, NUMBER = ChannelName.SMS, {"text": "カードの期限は3月31日です。"}, "+819000000001"


def said(rows: Rows, message_id: int, contact_index: bytes) -> Said:
    group, words = rows.one(Message.group_id, message_id), rows.one(Message.body_fingerprint, message_id)
    return Said(message_id, group, contact_index, words)


@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        (MessageState.ACCEPTED, "accepted"),
        (MessageState.DELIVERED, "delivered"),
        (MessageState.UNKNOWN, "possibly_double"),
        (MessageState.SENDING, "possibly_double"),
        (MessageState.FAILED, "sent"),
        (MessageState.UNDELIVERED, "sent"),
        (MessageState.STALE, "sent"),
    ],
)
def test_the_text_of_a_contact_that_was_erased_is_that_of_the_one_entered_again(
    rows: Rows, state: MessageState, becomes: str
) -> None:
    group = rows.group()
    person = rows.person(group)
    before = rows.contact(person_id=person, address=NUMBER)
    told = rows.handed(rows.message(before, group_id=group, **WORDS), state, provider_id="SM1")
    assert not told_before.has_traces(rows.tx, NOW)
    told_before.keep_traces(rows.tx, rows.keys, [told], NOW)
    erasure.delete_messages(rows.tx, [told])
    erasure.contact(rows.tx, before)
    again = rows.contact(person_id=person, address=NUMBER)
    index = rows.keys.blind_index(NUMBER)
    first, second = (rows.message(again, group_id=group, **WORDS) for _ in range(2))

    found = told_before.by_traces(
        rows.tx, rows.keys, SMS, [said(rows, first, index), said(rows, second, index)], NOW, NOW + HOUR
    )

    is_taken = becomes in ("accepted", "delivered")
    assert found == ToldBefore(
        adopted=[first] if is_taken else [], doubtful=[first] if becomes == "possibly_double" else []
    )
    assert rows.one(Message.state, first) == (becomes if is_taken else "queued")
    assert rows.one(Message.provider_id, first) == ("SM1" if is_taken else None)
    assert rows.one(Message.possibly_double, first) is (becomes == "possibly_double")
    assert (rows.one(Message.state, second), rows.one(Message.possibly_double, second)) == ("queued", False)
    assert told_before.has_traces(rows.tx, NOW) is (becomes != "sent")


def test_a_trace_holds_no_address_and_no_words_and_goes_after_a_day(rows: Rows) -> None:
    group = rows.group()
    phone = rows.contact(person_id=rows.person(group), address=NUMBER)
    told = rows.handed(rows.message(phone, group_id=group, **WORDS), provider_id="SM1")

    told_before.keep_traces(rows.tx, rows.keys, [told], NOW)

    (trace,) = rows.column(SentTrace.trace_index)
    assert trace not in (rows.one(Message.body_fingerprint, told), rows.keys.blind_index(NUMBER)[:16])
    assert told_before.delete_traces(rows.tx, NOW) == 0
    assert told_before.delete_traces(rows.tx, NOW + DAY) == 1
    assert rows.column(SentTrace.trace_index) == []


@pytest.mark.parametrize(
    ("state", "is_cancelled", "waits"),
    [
        (MessageState.QUEUED, False, True),
        (MessageState.SENDING, False, True),
        (MessageState.UNKNOWN, False, True),
        (MessageState.ACCEPTED, True, False),
        (MessageState.DELIVERED, True, False),
        (MessageState.UNDELIVERED, False, False),
        (MessageState.FAILED, False, False),
    ],
)
def test_of_two_contacts_with_one_number_the_second_is_not_told_of_the_same_card(
    rows: Rows, state: MessageState, is_cancelled: bool, waits: bool
) -> None:
    group = rows.group()
    person = rows.person(group)
    card = rows.card(person)
    aunt = rows.contact(person_id=person, address=NUMBER, is_family=True)
    as_member = rows.contact(member_id=rows.member(group), address=NUMBER)
    first = rows.told(card, aunt, group_id=group, **WORDS)
    second = rows.told(card, as_member, group_id=group, **WORDS)
    if state is not MessageState.QUEUED:
        rows.handed(first, state)

    found = told_before.by_twins(rows.tx, [second], NOW, NOW)

    assert found == ToldBefore(cancelled=[second] if is_cancelled else [], waiting=[second] if waits else [])
    assert rows.one(Message.state, second) == ("cancelled" if is_cancelled else "queued")
    assert rows.one(Message.state, first) == state
    assert told_before.by_twins(rows.tx, [first], NOW, NOW) == ToldBefore(cancelled=[], waiting=[])


def test_two_persons_with_one_telephone_are_each_told_in_the_same_words(rows: Rows) -> None:
    group = rows.group()
    both = [rows.person(group, label) for label in ("父", "母")]
    first, second = (
        rows.told(rows.card(one), rows.contact(person_id=one, address=NUMBER), group_id=group, **WORDS) for one in both
    )
    rows.handed(first)

    assert told_before.by_twins(rows.tx, [second], NOW, NOW) == ToldBefore(cancelled=[], waiting=[])
