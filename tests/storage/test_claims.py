"""What a worker takes, holds and gives back; a message is in one worker's hands."""

from reminder.domain.messages import (
    LEASE,
    NOT_SEEN,
    RECORD_OUTCOME,
    UNREADABLE,
    Accepted,
    MessageKind,
    MessageState,
    Urgency,
    after_sending,
)
from reminder.domain.people import ChannelName, StoppedBy
from reminder.storage import claims, contacts
from reminder.storage.claims import InHand
from reminder.storage.keys import new_key, read_keys
from reminder.storage.tables import Message
from tests.storage.conftest import DAY, END, HOUR, NOW, Rows

SMS = ChannelName.SMS


def ready(rows: Rows, **more: object) -> list[int]:
    return [row.id for row in claims.pick(rows.tx, SMS, now=NOW, limit=9, **more).ready]  # type: ignore[arg-type]


def in_hand(rows: Rows) -> list[InHand]:
    """Everything that is due, taken."""
    picked = claims.pick(rows.tx, SMS, now=NOW, limit=9).ready
    claims.take(rows.tx, [row.id for row in picked], now=NOW, lease=LEASE)
    return claims.opened(rows.keys, picked, NOW, NOW + LEASE)[0]


def test_what_is_due_is_picked_the_most_urgent_first(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    usual, pressing = rows.message(phone), rows.message(phone, urgency=Urgency.PRESSING)
    rows.message(phone, send_after=NOW + HOUR)

    picked = claims.pick(rows.tx, SMS, now=NOW, limit=9)

    assert [row.id for row in picked.ready] == [pressing, usual]
    assert ready(rows, least=Urgency.PRESSING) == [pressing]
    assert ready(rows, least=None) == []
    assert claims.pick(rows.tx, ChannelName.EMAIL, now=NOW, limit=9).ready == []


def test_what_may_not_be_sent_any_more_ends_where_it_is_picked(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, stopped, card = rows.contact(person_id=person), rows.contact(person_id=person), rows.card(person)
    stale = rows.message(phone, stale_after=NOW)
    refused = rows.message(stopped, key="step:1", kind=MessageKind.REMINDER)
    contacts.stop(rows.tx, [stopped], StoppedBy.REPLY)
    forgotten = rows.message(phone)
    rows.change(Message, forgotten, body_sealed=None)
    untrue = rows.told(card, phone, key="step:2", kind=MessageKind.REMINDER)
    rows.tx.connection().exec_driver_sql(f"UPDATE cards SET expires_on = '{END + DAY}'")

    picked = claims.pick(rows.tx, SMS, now=NOW, limit=9)

    assert (picked.stale, picked.refused, picked.forgotten) == ([stale], [refused], [forgotten])
    assert list(picked.ready) == []
    ended = dict(zip((stale, refused, forgotten, untrue), rows.column(Message.state), strict=True))
    assert ended == {stale: "stale", refused: "cancelled", forgotten: "cancelled", untrue: "cancelled"}
    assert rows.column(Message.reason) == [None, "opted_out", "erased", "renewed"]


def test_a_message_that_is_taken_is_held_until_its_lease_ends(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone)
    claims.take(rows.tx, [message], now=NOW, lease=LEASE)
    claims.take(rows.tx, [], now=NOW, lease=LEASE)

    assert ready(rows) == []
    assert claims.take_expired_leases(rows.tx, NOW) == []
    assert claims.renew(rows.tx, {message: 1}, until=NOW + 2 * LEASE) == {message}
    assert claims.renew(rows.tx, {message: 2}, until=NOW + 2 * LEASE) == set(), "another attempt holds it"
    assert claims.renew(rows.tx, {}, until=NOW) == set()
    assert claims.take_expired_leases(rows.tx, NOW + 2 * LEASE) == [message]
    assert rows.one(Message.state, message) == MessageState.UNKNOWN


def test_what_is_put_off_waits_and_what_has_missed_its_day_ends(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    later, missed = rows.message(phone), rows.message(phone)

    claims.put_off(rows.tx, [later], until=NOW + HOUR, reason="quiet")
    claims.put_off(rows.tx, [], until=NOW, reason="quiet")
    claims.end_stale(rows.tx, [missed], "quiet", NOW)

    assert ready(rows) == []
    assert rows.one(Message.send_after, later) == NOW + HOUR
    assert (rows.one(Message.state, missed), rows.one(Message.ended_at, missed)) == (MessageState.STALE, NOW)


def test_what_is_sealed_with_a_key_that_is_gone_fails_and_keeps_no_other_waiting(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone)
    (row,) = claims.pick(rows.tx, SMS, now=NOW, limit=9).ready
    claims.take(rows.tx, [message], now=NOW, lease=LEASE)

    opened, unreadable = claims.opened(read_keys([new_key()]), [row], NOW, NOW + LEASE)
    claims.fail_unreadable(rows.tx, unreadable, NOW)
    claims.fail_unreadable(rows.tx, [], NOW)

    assert (opened, unreadable) == ([], [message])
    assert (rows.one(Message.state, message), rows.one(Message.reason, message)) == ("failed", UNREADABLE)


def test_messages_are_opened_with_what_a_channel_needs_and_one_after_the_other(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()), address="+819000000001")
    rows.message(phone, text="一")
    rows.message(phone, text="二", kind=MessageKind.DIGEST)
    picked = claims.pick(rows.tx, SMS, now=NOW, limit=9).ready

    opened, _ = claims.opened(rows.keys, picked, NOW, NOW + LEASE, starts_in=1.0, between=0.5)

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

    lately = claims.told_lately(rows.tx, [index], NOW)

    assert lately.all == {index: 3}
    assert sorted(lately.alike.values()) == [1, 2]
    assert claims.told_lately(rows.tx, [index], NOW + HOUR).all == {}
    assert claims.told_lately(rows.tx, [], NOW).all == {}


def test_a_message_of_unknown_fate_is_asked_about_when_its_time_has_come(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    asked, forgotten, later = rows.message(phone), rows.message(phone), rows.message(phone)
    for message, at in ((asked, NOW), (forgotten, NOW), (later, NOW + HOUR)):
        rows.handed(message, MessageState.UNKNOWN, lease_until=at)
    rows.change(Message, forgotten, body_sealed=None)

    claimed, gone = claims.claim_unknown(rows.tx, rows.keys, now=NOW, lease=LEASE, limit=9)

    assert [one.outgoing.message_id for one in claimed] == [asked]
    assert [(one.attempts, one.outgoing.handed_at) for one in claimed] == [(1, NOW)]
    assert gone == [forgotten]
    assert rows.one(Message.lease_until, asked) == NOW + LEASE
    assert (rows.one(Message.state, forgotten), rows.one(Message.reason, forgotten)) == ("failed", NOT_SEEN)


def test_what_a_provider_calls_other_messages_to_one_telephone_is_known(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    other = rows.contact(person_id=rows.person(group, "姉"))
    rows.handed(rows.message(hers), provider_id="SM1")
    rows.handed(rows.message(other), provider_id="SM2")

    assert claims.provider_ids_at_same_addresses(rows.tx, [mine, None]) == ["SM1"]
    assert claims.provider_ids_at_same_addresses(rows.tx, []) == []


def test_what_became_of_an_attempt_is_recorded_for_that_attempt_only(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    taken, code, moved = (
        rows.message(phone, kind=kind) for kind in (MessageKind.ANSWER, MessageKind.LOGIN_CODE, MessageKind.ANSWER)
    )
    held = in_hand(rows)
    rows.change(Message, moved, attempts=2)

    verdict = [(one, after_sending(Accepted("SM1"), 1, one.attempts, one.stale_after, NOW)) for one in held]
    claims.record(rows.tx, verdict, RECORD_OUTCOME, NOW)

    assert dict(zip((taken, code, moved), rows.column(Message.state), strict=True)) == {
        taken: "accepted",
        code: "accepted",
        moved: "sending",
    }
    assert rows.one(Message.provider_id, taken) == "SM1"
    assert [sealed is None for sealed in rows.column(Message.body_sealed)] == [False, True, False], (
        "a code is forgotten"
    )
