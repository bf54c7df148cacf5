"""Delivery promises: made once a day, looked at when their time has come, and closed once."""

from datetime import datetime, timedelta
from typing import Any

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules.promise_checks import PromisedMessage
from reminder.storage.db.tables import Message, Promise, Reminder
from reminder.storage.outbox.queue import MentionDraft
from reminder.storage.reminders import promises
from reminder.storage.reminders.promises import Closing, NewPromise, PromiseView, UnprovenMessage, Untold
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows


class Promised:
    """An elder with one card, one text and the promise of its step."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.group = rows.group()
        self.person = rows.person(self.group)
        self.phone = rows.contact(person_id=self.person)
        self.card = rows.card(self.person)
        self.message = rows.told(self.card, self.phone)
        self.reminder = rows.column(Reminder.id)[0]
        self.id = rows.promise(self.reminder)

    def view(self, **more: Any) -> PromiseView:
        usual = {
            "addressee": "person",
            "audience": Audience.PERSON,
            "mode": Mode.ELDERLY,
            "day": TODAY,
            "due_at": NOW,
            "ends_at": NOW + 8 * HOUR,
            "is_ours": False,
            "is_wanted": True,
        }
        return PromiseView(self.id, self.reminder, self.card, self.person, self.group, **{**usual, **more})

    def messages(self) -> list[PromisedMessage]:
        return promises.messages_of(self.rows.tx, [self.reminder], [ChannelName.SMS]).get((self.reminder, "person"), [])

    def unproven(self, **more: Any) -> list[UnprovenMessage]:
        asked: dict[str, Any] = {"now": NOW + HOUR, "ends_by": NOW + DAY, "limit": 9, **more}
        return promises.unproven(self.rows.tx, self.rows.keys, [ChannelName.SMS], **asked)

    def untold(self, now: datetime = NOW) -> list[int]:
        found = promises.untold_of_group(self.rows.tx, self.group, now=now, since=TODAY)
        assert all(isinstance(one, Untold) for one in found)
        return [one.id for one in found]


def test_a_human_is_promised_a_step_once_a_day(rows: Rows) -> None:
    known = Promised(rows)
    same = NewPromise(
        known.reminder, "person", Audience.PERSON, TODAY, NOW + HOUR, NOW + 9 * HOUR, check_at=NOW + 2 * HOUR
    )
    others = [
        NewPromise(known.reminder, "person", Audience.PERSON, TODAY + DAY, NOW + DAY, NOW + DAY, check_at=NOW + DAY),
        NewPromise(known.reminder, "member 1", Audience.CARER, TODAY, NOW, NOW, check_at=NOW),
    ]

    assert promises.add(rows.tx, [same], NOW) == 0
    assert promises.add(rows.tx, [], NOW) == 0
    assert promises.add(rows.tx, [same, *others], NOW) == 2
    assert rows.one(Promise.due_at, known.id) == NOW


def test_a_promise_is_looked_at_when_its_time_has_come_and_later_again(rows: Rows) -> None:
    known = Promised(rows)

    assert promises.to_check(rows.tx, NOW, 9) == []
    assert promises.first_to_check(rows.tx, NOW) is None
    assert promises.next_moment(rows.tx) == NOW + HOUR
    assert promises.to_check(rows.tx, NOW + HOUR, 9) == [known.view()]
    assert promises.first_to_check(rows.tx, NOW + HOUR) == known.id
    assert promises.to_check(rows.tx, NOW + HOUR, 9)[0].key == (known.reminder, "person")

    promises.check_later(rows.tx, {known.id: NOW + 3 * HOUR})
    assert promises.next_moment(rows.tx) == NOW + 3 * HOUR
    promises.mark_waiting(rows.tx, [known.id])
    assert promises.next_moment(rows.tx) == NOW
    promises.check_later(rows.tx, {known.id: NOW + HOUR}, held_up={known.id})
    promises.check_later(rows.tx, {known.id: NOW + HOUR})
    assert rows.one(Promise.is_ours, known.id), "once held up by us, it stays so"


def test_what_is_renewed_done_or_ended_is_not_wanted_any_more(rows: Rows) -> None:
    known = Promised(rows)
    rows.change(Reminder, known.reminder, state="acknowledged")

    assert promises.to_check(rows.tx, NOW + HOUR, 9) == [known.view(is_wanted=False)]


def test_the_messages_of_a_step_are_those_to_each_human(rows: Rows) -> None:
    known = Promised(rows)
    member = rows.member(known.group)
    copy = rows.told(known.card, rows.contact(member_id=member), audience=Audience.CARER)
    relative = rows.contact(person_id=known.person, is_family=True)
    to_relative = rows.told(known.card, relative, audience=Audience.CARER)
    rows.handed(rows.told(known.card, rows.contact(person_id=known.person)), MessageState.CANCELLED)

    found = promises.messages_of(rows.tx, [known.reminder], ())

    assert {key: [one.message_id for one in some] for key, some in found.items()} == {
        (known.reminder, "person"): [known.message],
        (known.reminder, f"member {member}"): [copy],
        (known.reminder, f"family {relative}"): [to_relative],
    }
    (own,) = known.messages()
    assert own == PromisedMessage(
        known.message,
        known.phone,
        ChannelName.SMS,
        MessageState.QUEUED,
        None,
        0,
        NOW,
        is_doubted=False,
        needs_arrival=True,
    )


def test_what_is_not_counted_on_keeps_its_state(rows: Rows) -> None:
    known = Promised(rows)
    rows.handed(known.message)

    promises.doubt(rows.tx, [known.message], NOW)
    promises.doubt(rows.tx, [known.message], NOW + HOUR)

    assert (rows.one(Message.state, known.message), rows.one(Message.doubted_at, known.message)) == ("accepted", NOW)
    assert known.messages()[0].is_doubted


def test_a_promise_is_closed_once(rows: Rows) -> None:
    known = Promised(rows)

    assert promises.close(rows.tx, {known.id: Closing(PromiseState.FAMILY, "20003", is_ours=True)}, NOW) == 1
    assert promises.close(rows.tx, {known.id: Closing(PromiseState.PROVEN)}, NOW + HOUR) == 0

    assert [rows.one(column, known.id) for column in (Promise.state, Promise.reason, Promise.closed_at)] == [
        "family",
        "20003",
        NOW,
    ]
    assert promises.to_check(rows.tx, NOW + DAY, 9) == []
    assert promises.next_moment(rows.tx) is None


def test_only_what_was_accepted_and_is_not_proven_is_asked_about_once(rows: Rows) -> None:
    known = Promised(rows)
    assert known.unproven() == [], "it has not left"
    rows.handed(known.message, provider_id="SM1")

    assert known.unproven() == [UnprovenMessage(known.id, known.message, ChannelName.SMS, "SM1", "+819000000001")]
    assert known.unproven(now=NOW) == [], "it is not looked at yet"
    assert known.unproven(ends_by=NOW + HOUR) == [], "its day is long"
    assert promises.unproven(rows.tx, rows.keys, [], now=NOW + HOUR, ends_by=NOW + DAY, limit=9) == []

    promises.mark_asked(rows.tx, [known.id], NOW)
    assert known.unproven() == []


def test_who_was_told_of_a_failure_is_known_once_they_have_the_notice(rows: Rows) -> None:
    known = Promised(rows)
    mail = rows.contact(member_id=rows.member(known.group), channel=ChannelName.EMAIL, address="musume@example.jp")
    notice = rows.message(
        mail,
        kind=MessageKind.FAILURE_NOTICE,
        audience=Audience.CARER,
        channel=ChannelName.EMAIL,
        speaks_of=(MentionDraft(known.person),),
    )

    assert promises.told_of_failures(rows.tx, [known.person], NOW) == {}
    rows.handed(notice)
    assert promises.told_of_failures(rows.tx, [known.person], NOW) == {known.person: {Audience.CARER}}
    assert promises.told_of_failures(rows.tx, [known.person], NOW + HOUR) == {}


def test_who_was_not_told_is_listed_until_they_have_been(rows: Rows) -> None:
    known = Promised(rows)
    assert promises.untold_of_group(rows.tx, known.group + 1, now=NOW + DAY, since=TODAY) == []
    assert known.untold() == []
    assert known.untold(NOW + 8 * HOUR) == [known.id], "its day is over"
    promises.close(rows.tx, {known.id: Closing(PromiseState.FAMILY)}, NOW)
    assert known.untold() == [known.id]
    some = {"now": NOW, "since": TODAY}
    assert promises.untold_of_group(rows.tx, known.group, **some, only=[known.person + 1]) == []
    assert len(promises.untold_of_group(rows.tx, known.group, **some, only=[known.person])) == 1

    later = rows.promise(rows.reminder(known.card, "d7"), day=TODAY + timedelta(days=1))
    promises.close(rows.tx, {later: Closing(PromiseState.PROVEN)}, NOW + DAY)
    assert known.untold() == []


def test_the_operator_sees_what_was_left_to_them_and_takes_it(rows: Rows) -> None:
    known = Promised(rows)
    other = rows.promise(rows.reminder(known.card, "d7"))
    closing = Closing(PromiseState.OPERATOR, "connect", is_ours=True)
    promises.close(rows.tx, {known.id: closing, other: closing}, NOW)

    assert [one.id for one in promises.left_to_operator(rows.tx, 9)] == [known.id, other]
    assert promises.take(rows.tx, [known.id, 99], NOW) == 1
    assert [one.id for one in promises.left_to_operator(rows.tx, 9)] == [other]
    assert promises.take(rows.tx, None, NOW) == 1
    assert promises.take(rows.tx, None, NOW) == 0
