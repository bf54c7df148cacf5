"""What a worker leases, hands over and gives back: a lease leaves no trace, and a hand-over begins only while true."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from reminder.domain.model.messages import (
    BEFORE_ASKING_AGAIN,
    LEASE,
    NOT_FOUND,
    OUTCOME_WITHIN,
    RECORD_OUTCOME,
    UNREADABLE,
    Accepted,
    CancelReason,
    MessageKind,
    MessageState,
    Urgency,
    after_sending,
)
from reminder.domain.model.people import ChannelName, ContactState, GroupKind, StoppedBy
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Base, Card, Contact, Group, Message, MessageReminder
from reminder.storage.outbox import leases, queue, recording, restore_guard, unknown_outcomes
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.registry import contacts
from reminder.storage.reminders import reminders
from tests.storage.conftest import DAY, END, HOUR, NOW, Rows

SMS, SECOND = ChannelName.SMS, timedelta(seconds=1)


def ready(rows: Rows, **more: object) -> list[int]:
    return [row.id for row in leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9, **more).ready]  # type: ignore[arg-type]


def leased(rows: Rows) -> list[LeasedMessage]:
    """Everything that is due, taken."""
    picked = [
        row
        for codes in (False, True)
        for row in leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9, codes=codes).ready
    ]
    leases.lease(rows.tx, [row.id for row in picked], until=NOW + LEASE)
    return leases.decrypt(rows.keys, picked, NOW, NOW + LEASE)[0]


def test_what_is_due_is_picked_the_most_urgent_first(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    usual, pressing = rows.message(phone), rows.message(phone, urgency=Urgency.PRESSING)
    rows.message(phone, scheduled_at=NOW + HOUR)

    picked = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9)

    assert [row.id for row in picked.ready] == [pressing, usual]
    assert ready(rows, least=Urgency.PRESSING) == [pressing]
    assert ready(rows, least=None) == []
    assert leases.pick_due_and_end_stale(rows.tx, ChannelName.EMAIL, now=NOW, limit=9).ready == []


def test_messages_are_read_with_the_address_and_the_group_of_their_contact(rows: Rows) -> None:
    group = rows.group()
    message = rows.message(rows.contact(person_id=rows.person(group)), group_id=group)
    chosen = select(*leases.LEASED_COLUMNS, Message.handed_at).where(Message.id == message).cte("chosen")

    (found,) = rows.tx.execute(leases.with_recipient(chosen))

    assert rows.keys.open(found.contact_address_sealed).startswith("+81")
    assert (found.group_kind, found.is_suspended, found.on_holidays) == (GroupKind.HOUSEHOLD, False, False)


def test_what_may_not_be_sent_any_more_ends_where_it_is_picked(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, stopped, card = rows.contact(person_id=person), rows.contact(person_id=person), rows.card(person)
    stale = rows.message(phone, expires_at=NOW)
    refused = rows.message(stopped, key="step:1", kind=MessageKind.REMINDER)
    contacts.stop(rows.tx, [stopped], StoppedBy.REPLY, NOW)
    forgotten = rows.message(phone)
    rows.change(Message, forgotten, body_sealed=None)
    untrue = rows.told(card, phone, key="step:2", kind=MessageKind.REMINDER)
    rows.tx.connection().exec_driver_sql(f"UPDATE cards SET expires_on = '{END + DAY}'")

    picked = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9)

    assert (picked.stale, picked.refused, picked.forgotten) == ([stale], [refused], [forgotten])
    assert list(picked.ready) == []
    ended = dict(zip((stale, refused, forgotten, untrue), rows.column(Message.state), strict=True))
    assert ended == {stale: "stale", refused: "cancelled", forgotten: "cancelled", untrue: "cancelled"}
    assert rows.column(Message.reason) == [None, "opted_out", "erased", "renewed"]


def test_codes_are_picked_apart_from_all_other_messages(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    code, other = rows.message(phone, kind=MessageKind.LOGIN_CODE), rows.message(phone)

    assert (ready(rows, codes=True), ready(rows)) == ([code], [other])


def test_what_was_not_asked_about_is_asked_soon_and_what_cannot_be_recorded_later(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message, sending = rows.message(phone), rows.message(phone)
    rows.handed(message, MessageState.UNKNOWN, lease_until=NOW)
    rows.handed(sending, MessageState.SENDING, lease_until=NOW + HOUR)
    unknown = unknown_outcomes.lease_unknown(rows.tx, rows.keys, now=NOW, lease=HOUR, limit=9).leased
    assert rows.one(Message.lease_until, message) == NOW + HOUR

    unknown_outcomes.ask_soon(rows.tx, unknown, NOW)
    unknown_outcomes.ask_soon(rows.tx, [], NOW)
    assert rows.one(Message.lease_until, message) == NOW

    for one in (message, sending):
        unknown_outcomes.set_aside(rows.tx, one, NOW + DAY)
    kept = (Message.state, Message.reason, Message.lease_until)
    for one in (message, sending):
        assert [rows.one(column, one) for column in kept] == [MessageState.UNKNOWN, "not_recorded", NOW + DAY]


def test_a_leased_message_is_queued_as_before_and_anybody_s_when_the_lease_is_over(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))
    leases.lease(rows.tx, [message], until=NOW + LEASE)
    leases.lease(rows.tx, [], until=NOW + LEASE)

    assert ready(rows) == []
    assert unknown_outcomes.mark_lost_unknown(rows.tx, NOW + 2 * OUTCOME_WITHIN) == []
    kept = (Message.state, Message.attempts, Message.handed_at, Message.scheduled_at)
    assert [rows.one(column, message) for column in kept] == [MessageState.QUEUED, 0, None, NOW]
    later = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW + LEASE, limit=9)
    assert [row.id for row in later.ready] == [message]


def test_what_is_given_back_is_anybody_s_at_once_and_only_by_who_holds_it(rows: Rows) -> None:
    rows.message(rows.contact(person_id=rows.person(rows.group())))
    (mine,) = leased(rows)
    leases.lease(rows.tx, [mine.outgoing.message_id], until=NOW + 2 * LEASE)

    leases.release(rows.tx, [mine], NOW)
    assert ready(rows) == [], "another worker has leased it since"

    leases.release(rows.tx, [mine._replace(lease_until=NOW + 2 * LEASE)], NOW)
    leases.release(rows.tx, [], NOW)
    assert ready(rows) == [mine.outgoing.message_id]


def test_a_hand_over_that_begins_counts_and_has_an_outcome_in_time_or_is_asked_about(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))

    (begun,) = leases.begin_hand_over(rows.tx, leased(rows), NOW + SECOND)

    assert (begun.attempts, begun.lease_until) == (1, NOW + SECOND + OUTCOME_WITHIN)
    kept = (Message.state, Message.attempts, Message.handed_at)
    assert [rows.one(column, message) for column in kept] == [MessageState.SENDING, 1, NOW + SECOND]
    assert ready(rows) == []
    assert leases.begin_hand_over(rows.tx, [begun], NOW) == [], "not twice"
    assert leases.begin_hand_over(rows.tx, [], NOW) == []
    assert unknown_outcomes.mark_lost_unknown(rows.tx, NOW + OUTCOME_WITHIN) == []
    assert unknown_outcomes.mark_lost_unknown(rows.tx, NOW + SECOND + OUTCOME_WITHIN) == [message]
    assert rows.one(Message.state, message) == MessageState.UNKNOWN


class World:
    """A leased text about a card, and what may happen before it is handed over."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.tx = rows, rows.tx
        self.group = rows.group()
        self.person = rows.person(self.group)
        self.phone = rows.contact(person_id=self.person)
        self.card, self.other = rows.card(self.person), rows.card(self.person, kind="passport")
        self.message = rows.told(self.card, self.phone, kind=MessageKind.REMINDER, group_id=self.group)
        self.reminder = rows.tx.execute(select(MessageReminder.reminder_id)).scalar_one()

    def change(self, table: type[Base], place: int, **values: object) -> None:
        self.rows.change(table, place, **values)


HAPPENINGS: dict[str, Callable[[World], object]] = {
    "its owner says stop": lambda w: contacts.stop(w.tx, [w.phone], StoppedBy.REPLY, NOW),
    "the number is out of reach": lambda w: contacts.mark_unreachable(w.tx, [w.phone]),
    "the contact is not confirmed": lambda w: w.change(Contact, w.phone, state=ContactState.UNCONFIRMED),
    "its stop has cancelled it": lambda w: queue.cancel_for_contact(w.tx, w.phone, CancelReason.OPTED_OUT, NOW),
    "the card is renewed": lambda w: w.change(Card, w.card, expires_on=END + DAY),
    "the card is gone": lambda w: w.change(Card, w.card, retired_at=NOW),
    "somebody says that it is done": lambda w: reminders.acknowledge(w.tx, [w.card]),
    "its reminder is settled": lambda w: reminders.settle(w.tx, w.card),
    "the change has cancelled it": lambda w: queue.cancel_for_card(w.tx, w.card, CancelReason.DONE, NOW),
    "the recipients changed": lambda w: queue.cancel_for_person(w.tx, w.person, CancelReason.CHANGED, NOW),
    "the words are erased": lambda w: w.change(Message, w.message, body_sealed=None),
    "its day is over": lambda w: w.change(Message, w.message, expires_at=NOW),
    "the group is suspended": lambda w: w.change(Group, w.group, suspended_at=NOW),
    "it was put off": lambda w: leases.defer(w.tx, [w.message], until=NOW + HOUR, reason="quiet"),
    "another worker has leased it": lambda w: leases.lease(w.tx, [w.message], until=NOW + 2 * LEASE),
    "a receipt says that it has arrived": lambda w: w.change(Message, w.message, state=MessageState.DELIVERED),
}


@pytest.mark.parametrize("happens", HAPPENINGS)
def test_what_is_no_longer_true_when_its_hand_over_would_begin_is_not_handed_over(rows: Rows, happens: str) -> None:
    world = World(rows)
    held = leased(rows)
    assert [one.outgoing.message_id for one in held] == [world.message]

    HAPPENINGS[happens](world)

    assert leases.begin_hand_over(rows.tx, held, NOW) == []
    kept = (rows.one(Message.attempts, world.message), rows.one(Message.handed_at, world.message))
    assert kept == (0, None), "it never left, and nothing says that it might have"
    assert rows.one(Message.state, world.message) != MessageState.SENDING


def test_what_is_still_true_is_handed_over_beside_what_is_not(rows: Rows) -> None:
    world = World(rows)
    answer = rows.message(world.phone, kind=MessageKind.ANSWER, group_id=world.group)
    code = rows.message(None, kind=MessageKind.LOGIN_CODE, address="+819000000009")
    held = leased(rows)
    contacts.stop(rows.tx, [world.phone], StoppedBy.REPLY, NOW)
    world.change(Group, world.group, suspended_at=NOW)

    begun = leases.begin_hand_over(rows.tx, held, NOW)

    assert {one.outgoing.message_id for one in begun} == {answer, code}, "who asks is answered"
    picked = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9)
    assert picked.refused == [world.message], "the next look says why"


def test_what_is_put_off_waits_and_what_has_missed_its_day_ends(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    later, missed = rows.message(phone), rows.message(phone)

    leases.defer(rows.tx, [later], until=NOW + HOUR, reason="quiet")
    leases.defer(rows.tx, [], until=NOW, reason="quiet")
    leases.end_stale(rows.tx, [missed], "quiet", NOW)

    assert ready(rows) == []
    assert rows.one(Message.scheduled_at, later) == NOW + HOUR
    assert (rows.one(Message.state, missed), rows.one(Message.ended_at, missed)) == (MessageState.STALE, NOW)


def test_a_message_of_unknown_outcome_whose_key_is_missing_is_asked_about_later(rows: Rows) -> None:
    message = rows.handed(
        rows.message(rows.contact(person_id=rows.person(rows.group()))), MessageState.UNKNOWN, lease_until=NOW
    )
    strange = read_keys([new_key()])

    assert unknown_outcomes.lease_unknown(rows.tx, strange, now=NOW, lease=OUTCOME_WITHIN, limit=9) == ([], [])

    assert rows.one(Message.state, message) == MessageState.UNKNOWN
    assert rows.one(Message.lease_until, message) == NOW + BEFORE_ASKING_AGAIN
    later = NOW + BEFORE_ASKING_AGAIN
    assert (
        unknown_outcomes.lease_unknown(rows.tx, rows.keys, now=later, lease=OUTCOME_WITHIN, limit=9).leased[0].channel
        == SMS
    )


def test_what_is_sealed_with_a_key_that_is_gone_fails_and_keeps_no_other_waiting(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone)
    (row,) = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9).ready
    assert leases.is_openable(rows.keys, row)
    assert not leases.is_openable(read_keys([new_key()]), row)
    leases.lease(rows.tx, [message], until=NOW + LEASE)

    opened, unreadable = leases.decrypt(read_keys([new_key()]), [row], NOW, NOW + LEASE)
    leases.fail_unreadable(rows.tx, unreadable, NOW)
    leases.fail_unreadable(rows.tx, [], NOW)

    assert (opened, unreadable) == ([], [message])
    assert (rows.one(Message.state, message), rows.one(Message.reason, message)) == ("failed", UNREADABLE)


def test_messages_are_opened_with_what_a_channel_needs_and_one_after_the_other(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()), address="+819000000001")
    rows.message(phone, text="一")
    rows.message(phone, text="二", kind=MessageKind.DIGEST)
    picked = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9).ready

    opened, _ = leases.decrypt(rows.keys, picked, NOW, NOW + LEASE, starts_in=1.0, between=0.5)

    assert [(one.outgoing.text, one.outgoing.address, one.attempts) for one in opened] == [
        ("一", "+819000000001", 1),
        ("二", "+819000000001", 1),
    ]
    assert [one.starts_in for one in opened] == [1.0, 1.5]
    assert [one.kind for one in opened] == [MessageKind.ANSWER, MessageKind.DIGEST]


def test_how_much_an_address_was_sent_counts_for_everybody_who_shares_it(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    for contact, text in ((mine, "同じ"), (hers, "同じ"), (hers, "別")):
        rows.handed(rows.message(contact, text=text))
    waiting = rows.message(mine, text="同じ")
    index = rows.keys.blind_index("+819000000001")

    lately = leases.sent_recently(rows.tx, [index], NOW, NOW)

    assert lately.all == {index: 3}
    assert lately.of_group == {(index, None): 3}
    assert sorted(lately.alike.values()) == [1, 2]
    leases.lease(rows.tx, [waiting], until=NOW + LEASE)
    assert leases.sent_recently(rows.tx, [index], NOW, NOW).all == {index: 4}, "it is about to leave"
    assert leases.sent_recently(rows.tx, [index], NOW, NOW + LEASE).all == {index: 3}
    assert leases.sent_recently(rows.tx, [index], NOW + HOUR, NOW + LEASE).all == {}
    assert leases.sent_recently(rows.tx, [], NOW, NOW).all == {}


def test_what_an_address_was_sent_is_known_of_each_group(rows: Rows) -> None:
    groups = [rows.group(name) for name in ("田中家", "鈴木家")]
    phones = [rows.contact(person_id=rows.person(group), address="+819000000001") for group in groups]
    for times, group, phone in zip((2, 1), groups, phones, strict=True):
        for _ in range(times):
            rows.handed(rows.message(phone, text="同じ", group_id=group))
    index = rows.keys.blind_index("+819000000001")

    lately = leases.sent_recently(rows.tx, [index], NOW, NOW)

    assert lately.of_group == {(index, groups[0]): 2, (index, groups[1]): 1}
    assert {key[1]: count for key, count in lately.alike.items()} == {groups[0]: 2, groups[1]: 1}


def test_a_message_of_unknown_fate_is_asked_about_when_its_time_has_come(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    asked, forgotten, later = rows.message(phone), rows.message(phone), rows.message(phone)
    for message, at in ((asked, NOW), (forgotten, NOW), (later, NOW + HOUR)):
        rows.handed(message, MessageState.UNKNOWN, lease_until=at)
    rows.change(Message, forgotten, body_sealed=None)

    claimed, gone = unknown_outcomes.lease_unknown(rows.tx, rows.keys, now=NOW, lease=OUTCOME_WITHIN, limit=9)

    assert [one.outgoing.message_id for one in claimed] == [asked]
    assert [(one.attempts, one.outgoing.handed_at) for one in claimed] == [(1, NOW)]
    assert gone == [forgotten]
    assert rows.one(Message.lease_until, asked) == NOW + OUTCOME_WITHIN
    assert (rows.one(Message.state, forgotten), rows.one(Message.reason, forgotten)) == ("failed", NOT_FOUND)


def test_what_a_provider_calls_other_messages_to_one_telephone_is_known(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    other = rows.contact(person_id=rows.person(group, "姉"))
    rows.handed(rows.message(hers), provider_id="SM1")
    rows.handed(rows.message(other), provider_id="SM2")

    assert unknown_outcomes.provider_ids_at_same_addresses(rows.tx, [mine, None]) == ["SM1"]
    assert unknown_outcomes.provider_ids_at_same_addresses(rows.tx, []) == []


def test_what_became_of_an_attempt_is_recorded_for_that_attempt_only(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    taken, code, moved = (
        rows.message(phone, kind=kind) for kind in (MessageKind.ANSWER, MessageKind.LOGIN_CODE, MessageKind.ANSWER)
    )
    held = leases.begin_hand_over(rows.tx, leased(rows), NOW)
    rows.change(Message, moved, attempts=2)

    outcome = [
        (one, after_sending(Accepted(f"SM{one.outgoing.message_id}"), 1, one.attempts, one.expires_at, NOW))
        for one in held
    ]
    recording.record(rows.tx, outcome, RECORD_OUTCOME, NOW)

    assert dict(zip((taken, code, moved), rows.column(Message.state), strict=True)) == {
        taken: "accepted",
        code: "accepted",
        moved: "sending",
    }
    assert rows.one(Message.provider_id, taken) == f"SM{taken}"
    assert [sealed is None for sealed in rows.column(Message.body_sealed)] == [False, True, False], (
        "a code is forgotten"
    )


def test_the_last_call_to_a_number_is_known_whoever_was_called(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    phone = "+81300000001"
    mother = rows.contact(person_id=rows.person(group), address=phone, channel=ChannelName.VOICE)
    father = rows.contact(person_id=rows.person(other), address=phone, channel=ChannelName.VOICE)
    by_text = rows.contact(person_id=rows.person(group))
    index, of_text = (rows.one(Contact.address_index, one) for one in (mother, by_text))
    for contact, at in ((mother, NOW), (father, NOW + HOUR)):
        rows.handed(rows.message(contact, channel=ChannelName.VOICE), handed_at=at)
    rows.handed(rows.message(by_text))
    waiting = rows.message(mother, channel=ChannelName.VOICE)
    rows.change(Message, waiting, handed_at=NOW + 2 * HOUR)

    both = leases.last_handed(rows.tx, ChannelName.VOICE, [index, of_text], NOW, NOW)

    assert both == {index: NOW + HOUR}, "what waits for another attempt did not ring"
    assert leases.last_handed(rows.tx, ChannelName.VOICE, [index], NOW + DAY, NOW + DAY) == {}
    assert leases.last_handed(rows.tx, ChannelName.VOICE, [], NOW, NOW) == {}
    leases.lease(rows.tx, [waiting], until=NOW + DAY + LEASE)
    assert leases.last_handed(rows.tx, ChannelName.VOICE, [index], NOW + DAY, NOW + DAY) == {index: NOW + DAY}


def test_messages_of_the_same_words_to_one_telephone_claim_the_same_entries(rows: Rows) -> None:
    group, words = rows.group(), {"text": "カードの期限の日です。"}
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    asked, sending, other_words, known = (
        rows.message(mine, **words),
        rows.message(hers, **words),
        rows.message(hers),
        rows.message(hers, **words),
    )
    rows.handed(asked, MessageState.UNKNOWN)
    rows.handed(sending, MessageState.SENDING)
    rows.handed(other_words, MessageState.UNKNOWN)
    rows.handed(known, provider_id="SM1")

    found = unknown_outcomes.claimants(rows.tx, [asked], slack=SECOND, now=NOW + HOUR)

    assert {one.message_id: (one.earliest, one.latest) for one in found[asked]} == {
        asked: (NOW - SECOND, NOW + OUTCOME_WITHIN + SECOND),
        sending: (NOW - SECOND, None),
    }
    assert unknown_outcomes.claimants(rows.tx, [], slack=SECOND, now=NOW) == {}


def test_what_was_handed_over_before_a_restore_may_have_been_tried_again_until_now(rows: Rows) -> None:
    group, words = rows.group(), {"text": "カードの期限の日です。"}
    before, since = (
        rows.message(rows.contact(person_id=rows.person(group, label), address="+819000000001"), **words)
        for label in ("父", "母")
    )
    rows.handed(before, MessageState.UNKNOWN)
    rows.handed(since, MessageState.UNKNOWN, handed_at=NOW + HOUR)
    restore_guard.begin(rows.tx, taken_at=NOW + SECOND, now=NOW + HOUR)

    found = unknown_outcomes.claimants(rows.tx, [before], slack=SECOND, now=NOW + 2 * HOUR)

    assert {one.message_id: (one.earliest, one.latest) for one in found[before]} == {
        before: (NOW - SECOND, None),
        since: (NOW + HOUR - SECOND, NOW + HOUR + OUTCOME_WITHIN + SECOND),
    }


def test_the_ids_that_belong_to_a_message_are_known_by_channel(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    rows.handed(rows.message(phone), provider_id="SM1")

    assert unknown_outcomes.known_provider_ids(rows.tx, SMS, {"SM1", "SM2"}) == {"SM1"}
    assert unknown_outcomes.known_provider_ids(rows.tx, ChannelName.VOICE, {"SM1"}) == set()


def test_who_decides_about_an_address_holds_its_lock(rows: Rows) -> None:
    rows.message(rows.contact(person_id=rows.person(rows.group())))

    unknown_outcomes.lock_addresses(rows.tx, leased(rows))
    unknown_outcomes.lock_addresses(rows.tx, [])


def test_one_id_of_a_provider_is_recorded_for_one_message_only(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    rows.handed(rows.message(phone), provider_id="SM1")
    rows.message(phone)
    begun = leases.begin_hand_over(rows.tx, leased(rows), NOW)
    outcome = after_sending(Accepted("SM1"), begun[0].outgoing.message_id, 1, NOW + HOUR, NOW)

    with pytest.raises(recording.ProviderIdTakenError), rows.tx.begin_nested():
        recording.record(rows.tx, [(begun[0], outcome)], RECORD_OUTCOME, NOW)


def test_an_e_mail_keeps_the_instant_of_its_first_hand_over_and_a_text_has_none(rows: Rows) -> None:
    person = rows.person(rows.group())
    address = rows.contact(person_id=person, channel=ChannelName.EMAIL, address="haha@example.jp")
    text = rows.message(rows.contact(person_id=person))
    mail = rows.message(address, channel=ChannelName.EMAIL)
    of_before = rows.handed(rows.message(address, channel=ChannelName.EMAIL), MessageState.QUEUED, attempts=1)
    rows.change(Message, of_before, created_at=NOW - HOUR)

    for attempt in range(2):
        at = NOW + attempt * 10 * SECOND
        picked = leases.pick_due_and_end_stale(rows.tx, ChannelName.EMAIL, now=at, limit=9).ready
        leases.lease(rows.tx, [row.id for row in picked], until=at + LEASE)
        held = leases.decrypt(rows.keys, picked, at, at + LEASE)[0]
        begun = leases.begin_hand_over(rows.tx, held, at + SECOND)
        found = {one.outgoing.message_id: one.outgoing.first_handed_at for one in begun}
        assert found == {mail: NOW + SECOND, of_before: NOW - HOUR}, "whoever has tried it already gave it that date"
        for one in (mail, of_before):
            rows.change(Message, one, state=MessageState.QUEUED, lease_until=None)
    leases.begin_hand_over(rows.tx, leased(rows), NOW)

    assert rows.one(Message.first_handed_at, text) is None
    assert rows.one(Message.first_handed_at, mail) == NOW + SECOND
