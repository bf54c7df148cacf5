"""What a worker takes, holds and gives back; a message is in one worker's hands."""

from reminder.domain.model.messages import (
    BEFORE_ASKING_AGAIN,
    LEASE,
    NOT_FOUND,
    RECORD_OUTCOME,
    UNREADABLE,
    Accepted,
    MessageKind,
    MessageState,
    Urgency,
    after_sending,
)
from reminder.domain.model.people import ChannelName, StoppedBy
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Contact, Message
from reminder.storage.outbox import leases
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.registry import contacts
from tests.storage.conftest import DAY, END, HOUR, NOW, Rows

SMS = ChannelName.SMS


def ready(rows: Rows, **more: object) -> list[int]:
    return [row.id for row in leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9, **more).ready]  # type: ignore[arg-type]


def leased(rows: Rows) -> list[LeasedMessage]:
    """Everything that is due, taken."""
    picked = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9).ready
    leases.lease(rows.tx, [row.id for row in picked], now=NOW, lease=LEASE)
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


def test_a_message_that_is_taken_is_held_until_its_lease_ends(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone)
    leases.lease(rows.tx, [message], now=NOW, lease=LEASE)
    leases.lease(rows.tx, [], now=NOW, lease=LEASE)

    assert ready(rows) == []
    assert leases.mark_expired_unknown(rows.tx, NOW) == []
    assert leases.renew(rows.tx, {message: 1}, until=NOW + 2 * LEASE) == {message}
    assert leases.renew(rows.tx, {message: 2}, until=NOW + 2 * LEASE) == set(), "another attempt holds it"
    assert leases.renew(rows.tx, {}, until=NOW) == set()
    assert leases.mark_expired_unknown(rows.tx, NOW + 2 * LEASE) == [message]
    assert rows.one(Message.state, message) == MessageState.UNKNOWN


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

    assert leases.lease_unknown(rows.tx, strange, now=NOW, lease=LEASE, limit=9) == ([], [])

    assert rows.one(Message.state, message) == MessageState.UNKNOWN
    assert rows.one(Message.lease_until, message) == NOW + BEFORE_ASKING_AGAIN
    later = NOW + BEFORE_ASKING_AGAIN
    assert leases.lease_unknown(rows.tx, rows.keys, now=later, lease=LEASE, limit=9).leased[0].channel == SMS


def test_what_is_sealed_with_a_key_that_is_gone_fails_and_keeps_no_other_waiting(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone)
    (row,) = leases.pick_due_and_end_stale(rows.tx, SMS, now=NOW, limit=9).ready
    assert leases.is_openable(rows.keys, row)
    assert not leases.is_openable(read_keys([new_key()]), row)
    leases.lease(rows.tx, [message], now=NOW, lease=LEASE)

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
    rows.message(mine, text="同じ")
    index = rows.keys.blind_index("+819000000001")

    lately = leases.sent_recently(rows.tx, [index], NOW)

    assert lately.all == {index: 3}
    assert lately.of_group == {(index, None): 3}
    assert sorted(lately.alike.values()) == [1, 2]
    assert leases.sent_recently(rows.tx, [index], NOW + HOUR).all == {}
    assert leases.sent_recently(rows.tx, [], NOW).all == {}


def test_what_an_address_was_sent_is_known_of_each_group(rows: Rows) -> None:
    groups = [rows.group(name) for name in ("田中家", "鈴木家")]
    phones = [rows.contact(person_id=rows.person(group), address="+819000000001") for group in groups]
    for times, group, phone in zip((2, 1), groups, phones, strict=True):
        for _ in range(times):
            rows.handed(rows.message(phone, text="同じ", group_id=group))
    index = rows.keys.blind_index("+819000000001")

    lately = leases.sent_recently(rows.tx, [index], NOW)

    assert lately.of_group == {(index, groups[0]): 2, (index, groups[1]): 1}
    assert {key[1]: count for key, count in lately.alike.items()} == {groups[0]: 2, groups[1]: 1}


def test_a_message_of_unknown_fate_is_asked_about_when_its_time_has_come(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    asked, forgotten, later = rows.message(phone), rows.message(phone), rows.message(phone)
    for message, at in ((asked, NOW), (forgotten, NOW), (later, NOW + HOUR)):
        rows.handed(message, MessageState.UNKNOWN, lease_until=at)
    rows.change(Message, forgotten, body_sealed=None)

    claimed, gone = leases.lease_unknown(rows.tx, rows.keys, now=NOW, lease=LEASE, limit=9)

    assert [one.outgoing.message_id for one in claimed] == [asked]
    assert [(one.attempts, one.outgoing.handed_at) for one in claimed] == [(1, NOW)]
    assert gone == [forgotten]
    assert rows.one(Message.lease_until, asked) == NOW + LEASE
    assert (rows.one(Message.state, forgotten), rows.one(Message.reason, forgotten)) == ("failed", NOT_FOUND)


def test_what_a_provider_calls_other_messages_to_one_telephone_is_known(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    other = rows.contact(person_id=rows.person(group, "姉"))
    rows.handed(rows.message(hers), provider_id="SM1")
    rows.handed(rows.message(other), provider_id="SM2")

    assert leases.provider_ids_at_same_addresses(rows.tx, [mine, None]) == ["SM1"]
    assert leases.provider_ids_at_same_addresses(rows.tx, []) == []


def test_what_became_of_an_attempt_is_recorded_for_that_attempt_only(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    taken, code, moved = (
        rows.message(phone, kind=kind) for kind in (MessageKind.ANSWER, MessageKind.LOGIN_CODE, MessageKind.ANSWER)
    )
    held = leased(rows)
    rows.change(Message, moved, attempts=2)

    outcome = [(one, after_sending(Accepted("SM1"), 1, one.attempts, one.expires_at, NOW)) for one in held]
    leases.record(rows.tx, outcome, RECORD_OUTCOME, NOW)

    assert dict(zip((taken, code, moved), rows.column(Message.state), strict=True)) == {
        taken: "accepted",
        code: "accepted",
        moved: "sending",
    }
    assert rows.one(Message.provider_id, taken) == "SM1"
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

    both = leases.last_handed(rows.tx, ChannelName.VOICE, [index, of_text], NOW)

    assert both == {index: NOW + HOUR}, "what waits for another attempt did not ring"
    assert leases.last_handed(rows.tx, ChannelName.VOICE, [index], NOW + DAY) == {}
    assert leases.last_handed(rows.tx, ChannelName.VOICE, [], NOW) == {}
