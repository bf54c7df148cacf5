"""Signs of life: which channels have something due, that passes end well, and which channels wait."""

from datetime import timedelta

from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName
from reminder.storage.db.tables import Message
from reminder.storage.runtime import heartbeats
from reminder.storage.runtime.heartbeats import PauseView
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def test_a_message_is_due_on_its_channel_when_its_moment_has_come(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    assert heartbeats.messages_due(rows.tx, NOW) == []

    rows.message(phone, scheduled_at=NOW + HOUR)
    rows.message(phone, channel=ChannelName.VOICE)

    assert heartbeats.messages_due(rows.tx, NOW) == [ChannelName.VOICE]
    assert heartbeats.messages_due(rows.tx, NOW + HOUR) == [ChannelName.SMS, ChannelName.VOICE]


def test_the_last_pass_is_known_and_by_which_key_other_workers_seal(rows: Rows) -> None:
    assert heartbeats.last(rows.tx, heartbeats.PASS) is None

    heartbeats.record_pass(rows.tx, "old", NOW)
    heartbeats.record_pass(rows.tx, "new", NOW + HOUR)

    assert heartbeats.last(rows.tx, heartbeats.PASS) == NOW + HOUR
    assert heartbeats.last(rows.tx, heartbeats.FIRST) == NOW
    assert heartbeats.is_at_work_with_another_key(rows.tx, "new", NOW - HOUR)
    assert not heartbeats.is_at_work_with_another_key(rows.tx, "new", NOW)
    assert heartbeats.is_at_work_with_another_key(rows.tx, "old", NOW)

    heartbeats.clear_passes(rows.tx)

    assert heartbeats.last(rows.tx, heartbeats.PASS) is heartbeats.last(rows.tx, heartbeats.FIRST) is None
    assert not heartbeats.is_at_work_with_another_key(rows.tx, "new", NOW - HOUR)


def test_one_of_all_workers_takes_a_turn_once_in_a_while(rows: Rows) -> None:
    assert heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW, HOUR)
    assert not heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW, HOUR)
    assert not heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW + HOUR - timedelta(seconds=1), HOUR)
    assert heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW + HOUR, HOUR)


def test_codes_are_due_apart_from_all_other_messages(rows: Rows) -> None:
    mail = rows.contact(person_id=rows.person(rows.group()), channel=ChannelName.EMAIL, address="hana@example.jp")
    rows.message(mail, channel=ChannelName.EMAIL)
    assert heartbeats.messages_due(rows.tx, NOW, codes=True) == []

    rows.message(mail, channel=ChannelName.EMAIL, kind=MessageKind.LOGIN_CODE)
    rows.change(Message, 1, scheduled_at=NOW + HOUR)

    assert heartbeats.messages_due(rows.tx, NOW) == []
    assert heartbeats.messages_due(rows.tx, NOW, codes=True) == [ChannelName.EMAIL]
    assert heartbeats.messages_due(rows.tx, NOW, [ChannelName.SMS], codes=True) == []


def test_a_turn_that_lies_in_the_future_was_of_a_wrong_clock(rows: Rows) -> None:
    assert heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW + DAY, HOUR)

    assert heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW, HOUR)
    assert not heartbeats.take_turn(rows.tx, heartbeats.AUDIT, NOW, HOUR)


def test_a_channel_that_is_tried_in_vain_goes_on_waiting_since_when_it_first_did(rows: Rows) -> None:
    heartbeats.pause(rows.tx, "sms", "account", now=NOW, until=NOW + HOUR)
    assert heartbeats.pause_of(rows.tx, "sms", NOW) == "account"
    assert heartbeats.pause_of(rows.tx, "email", NOW) is None

    heartbeats.pause(rows.tx, "sms", "sender", now=NOW + HOUR, until=NOW + 2 * HOUR)
    assert heartbeats.pauses(rows.tx, NOW + HOUR) == [PauseView("sms", "sender", NOW, NOW + 2 * HOUR)]
    assert heartbeats.pauses(rows.tx, NOW + 2 * HOUR) == []

    heartbeats.pause(rows.tx, "sms", "sender", now=NOW + DAY, until=NOW + DAY + HOUR)
    assert [one.since for one in heartbeats.pauses(rows.tx, NOW + DAY)] == [NOW + DAY]
