"""The outbox: a claim belongs to one worker, a move names the state it leaves, and a key is used once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from reminder.domain.model.messages import (
    LEASE,
    MESSAGE_STATES,
    MISS,
    OUTCOME_WITHIN,
    RECORD_OUTCOME,
    Accepted,
    CancelReason,
    MessageKind,
    MessageState,
    after_sending,
)
from reminder.domain.model.people import Audience, ChannelName
from reminder.storage.db.session import Tx
from reminder.storage.db.tables import Mention, Message
from reminder.storage.db.transitions import transition
from reminder.storage.outbox import leases, queue, recording, unknown_outcomes
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from tests.storage.conftest import HOUR, NOW, Rows
from tests.village import Village

END = date(2027, 3, 31)


def draft(village: Village, number: int, contact_id: int = 1) -> MessageDraft:
    return MessageDraft(
        key=f"answer:{number}",
        kind=MessageKind.ANSWER,
        group_id=1,
        contact_id=contact_id,
        audience=Audience.PERSON,
        channel=ChannelName.SMS,
        subject=None,
        text=f"お知らせ {number}",
        segments=1,
        scheduled_at=village.now,
        expires_at=village.now + timedelta(hours=8),
    )


@pytest.fixture
def waiting(village: Village) -> Village:
    """Forty texts to one phone, due now."""
    village.person("父", phone="090-0000-0002")
    with village.app.database.writing() as tx:
        queue.add(tx, village.app.keys, [draft(village, number) for number in range(40)], village.now)
    return village


def claim(village: Village, limit: int = 500) -> list[int]:
    with village.app.database.writing() as tx:
        return [leased.outgoing.message_id for leased in claimed(tx, village, limit)]


def claimed(tx: Tx, village: Village, limit: int) -> list[LeasedMessage]:
    rows = leases.pick_due_and_end_stale(tx, ChannelName.SMS, now=village.now, limit=limit).ready
    leases.lease(tx, [row.id for row in rows], until=village.now + LEASE)
    return leases.decrypt(village.app.keys, rows, village.now, village.now + LEASE)[0]


def test_several_workers_claiming_at_once_never_take_the_same_text(waiting: Village) -> None:
    with ThreadPoolExecutor(4) as workers:
        claims = list(workers.map(lambda _: claim(waiting, limit=7), range(12)))

    taken = [message_id for one in claims for message_id in one]
    assert len(taken) == len(set(taken)) == 40


def test_a_claim_that_is_open_does_not_keep_another_worker_waiting_on_postgresql(waiting: Village) -> None:
    if waiting.app.database.is_sqlite:
        return  # there the file has one writer, and the second simply waits
    with waiting.app.database.writing() as tx:
        first = claimed(tx, waiting, 10)
        second = claim(waiting, limit=10)

    assert len(first) == len(second) == 10
    assert not {leased.outgoing.message_id for leased in first} & set(second)


def test_a_second_message_with_the_same_key_is_impossible(waiting: Village) -> None:
    with pytest.raises(IntegrityError), waiting.app.database.writing() as tx:
        queue.add(tx, waiting.app.keys, [draft(waiting, 7)], waiting.now)


def test_a_worker_that_comes_back_when_others_ask_cannot_overwrite_the_next_ones_record(waiting: Village) -> None:
    with waiting.app.database.writing() as tx:
        (late,) = leases.begin_hand_over(tx, claimed(tx, waiting, 1), waiting.now)
    waiting.clock.move_to(waiting.now + OUTCOME_WITHIN)
    with waiting.app.database.writing() as tx:
        assert unknown_outcomes.mark_lost_unknown(tx, waiting.now) == [late.outgoing.message_id]
        accepted = after_sending(Accepted("SM-late"), 1, late.attempts, late.expires_at, waiting.now)
        recording.record(tx, [(late, accepted)], RECORD_OUTCOME, waiting.now)

    assert waiting.messages()[0].state == "unknown"
    assert waiting.messages()[0].provider_id is None


def test_a_text_and_its_address_are_not_readable_in_the_database(waiting: Village) -> None:
    with waiting.app.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT body_sealed, contacts.address_sealed, address_index FROM messages JOIN contacts ON contacts.id = contact_id"
        ).all()

    kept = b"".join(bytes(value) for row in rows for value in row)
    assert "お知らせ".encode() not in kept
    assert b"9000000002" not in kept


def test_a_text_about_a_card_that_was_renewed_behind_our_back_is_not_sent(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card = village.card("父", END)
    village.run_until("2027-03-17 08:00")
    with village.app.database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE cards SET expires_on = '2032-03-31', next_reminder_on = NULL WHERE id = {card}"
        )

    village.run_until("2027-03-18 00:00")

    assert village.messages()[-1].state == "cancelled"
    assert "03-17 09:00" not in village.texts_to("父")


def test_messages_are_added_in_their_order_with_their_turn_in_their_group_and_whom_they_speak_of(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    phone = rows.contact(person_id=person)
    drafts = [rows.draft(phone, group_id=group, speaks_of=(MentionDraft(person),)), rows.draft(phone, group_id=group)]

    added = queue.add(rows.tx, rows.keys, drafts, NOW)

    assert added == rows.column(Message.id)
    assert rows.column(Message.fairness_rank) == [0, 1]
    assert rows.column(Mention.person_id) == [person]
    assert queue.add(rows.tx, rows.keys, [], NOW) == []
    taken = queue.taken(rows.tx, [drafts[0].key, "answer:none"])
    assert taken == {drafts[0].key: MessageState.QUEUED}


def test_what_is_queued_about_a_card_a_person_or_a_contact_is_cancelled_and_frees_its_key(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card, other = rows.contact(person_id=person), rows.card(person), rows.card(person, "passport")
    of_card, of_person, to_contact = (
        rows.told(card, phone),
        rows.told(other, phone),
        rows.message(phone, key="answer:x"),
    )
    sent = rows.handed(rows.told(card, phone, "d60"))

    assert queue.cancel_for_card(rows.tx, card, CancelReason.RENEWED, NOW) == [of_card]
    assert queue.cancel_for_person(rows.tx, person, CancelReason.ERASED, NOW) == [of_person]
    assert queue.cancel_for_contact(rows.tx, phone, CancelReason.OPTED_OUT, NOW) == [to_contact]

    assert rows.column(Message.reason) == ["renewed", "erased", "opted_out", None]
    assert rows.one(Message.state, sent) == MessageState.ACCEPTED
    assert queue.taken(rows.tx, ["answer:x"]) == {}


def test_reminders_that_nobody_has_tried_to_send_are_cancelled_for_a_group_or_a_member(rows: Rows) -> None:
    group = rows.group()
    card, member = rows.card(rows.person(group)), rows.member(group)
    mail = rows.contact(member_id=member)
    plain, tried, reminder = (
        rows.message(mail, group_id=group),
        rows.told(card, mail, "d60", group_id=group),
        rows.told(card, mail, group_id=group),
    )
    rows.change(Message, tried, attempts=1)

    assert queue.cancel_reminders_of_member(rows.tx, member, CancelReason.CHANGED, NOW) == [reminder]
    assert queue.cancel_reminders_of_group(rows.tx, group, CancelReason.SUPERSEDED, NOW) == []
    again = rows.told(card, mail, group_id=group)
    assert queue.cancel_reminders_of_group(rows.tx, group, CancelReason.SUPERSEDED, NOW) == [again]
    assert rows.one(Message.state, plain) == MessageState.QUEUED


def test_reminders_of_a_card_that_were_never_attempted_are_cancelled_and_no_others(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    card, other = rows.card(person), rows.card(person, "passport")
    mail, phone = (rows.contact(person_id=person) for _ in range(2))
    about, beside = (rows.told(one, mail, group_id=group) for one in (card, other))
    tried = rows.told(card, phone, group_id=group)
    rows.change(Message, tried, attempts=1)

    assert queue.cancel_reminders_of_card(rows.tx, card, CancelReason.SUPERSEDED, NOW) == [about]

    assert [rows.one(Message.state, one) for one in (about, beside, tried)] == ["cancelled", "queued", "queued"]


def test_a_move_names_the_state_that_it_leaves(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    queued, sent = rows.message(phone), rows.handed(rows.message(phone))

    both = Message.id.in_([queued, sent])
    rows.tx.execute(transition(MESSAGE_STATES, MISS, both))

    assert rows.column(Message.state) == ["stale", "accepted"]


def test_the_next_moment_is_when_a_message_is_to_be_sent_or_asked_about(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    assert queue.next_moment(rows.tx) is None

    rows.message(phone, scheduled_at=NOW + 2 * HOUR)
    assert queue.next_moment(rows.tx) == NOW + 2 * HOUR
    rows.handed(rows.message(phone), MessageState.UNKNOWN, lease_until=NOW + HOUR)
    assert queue.next_moment(rows.tx) == NOW + HOUR


def test_a_receipt_ends_a_message_once_and_settles_one_whose_answer_was_lost(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    queued, lost, sent = rows.message(phone), rows.message(phone), rows.message(phone)
    rows.handed(lost, MessageState.UNKNOWN, lease_until=NOW)
    rows.handed(sent)

    def end(message_id: int) -> bool:
        return queue.end(rows.tx, message_id, MessageState.DELIVERED, provider_id="SM1", reason=None, now=NOW)

    queue.settle_by_receipt(rows.tx, lost, "SM2")
    queue.settle_by_receipt(rows.tx, queued, "SM3")
    assert rows.column(Message.state) == ["queued", "accepted", "accepted"]
    assert queue.end(rows.tx, sent, MessageState.DELIVERED, provider_id="SM1", reason=None, now=NOW)
    assert [end(queued), end(lost), end(sent)] == [False, True, False]
    assert rows.column(Message.state) == ["queued", "delivered", "delivered"]


def test_of_messages_with_one_key_one_is_queued_and_none_where_the_key_is_in_use(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    keys, now = village.app.keys, village.now
    first, second = draft(village, 1), draft(village, 2)

    with village.app.database.writing() as tx:
        assert len(queue.add_new(tx, keys, [first], now)) == 1
        assert len(queue.add_new(tx, keys, [first, second, second], now)) == 1
        assert queue.add_new(tx, keys, [], now) == []
        assert set(queue.taken(tx, [first.key, second.key])) == {first.key, second.key}


def test_only_an_id_that_was_matched_can_be_taken_back(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    given, matched = rows.message(phone), rows.message(phone)
    rows.handed(given, provider_id="SM1")
    rows.handed(matched, provider_id="SM2", is_matched=True)
    ended = rows.handed(rows.message(phone), MessageState.DELIVERED, provider_id="SM3", is_matched=True)

    for some in ([given], [ended], [matched, given], [ended, matched]):
        assert not queue.take_ids_back(rows.tx, some, NOW)
        assert rows.column(Message.provider_id) == ["SM1", "SM2", "SM3"], "all or none"
    assert queue.take_ids_back(rows.tx, [matched], NOW)

    assert rows.column(Message.state) == ["accepted", "unknown", "delivered"]
    assert rows.column(Message.provider_id) == ["SM1", None, "SM3"]
    assert rows.one(Message.lease_until, matched) == NOW


def test_what_was_taken_twice_is_marked_and_nothing_else(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    twice, marked, once = (rows.handed(rows.message(phone, key=str(at))) for at in range(3))
    rows.change(Message, marked, possibly_double=True)

    queue.mark_doubled(rows.tx, [twice, marked])
    queue.mark_doubled(rows.tx, [])

    assert [rows.one(Message.possibly_double, one) for one in (twice, marked, once)] == [True, True, False]
