"""What waits for too long, and what nobody is going to look at."""

from datetime import timedelta

import pytest

from reminder.domain.model.imports import ImportState
from reminder.domain.model.messages import UNREADABLE, MessageState
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import ChannelName, Role
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.model.provider_history import ListedFate
from reminder.domain.parsing.replies import Intent
from reminder.storage.db.tables import Card, Import, Message
from reminder.storage.maintenance import audit
from reminder.storage.maintenance.audit import AT_MOST, LateCards, LateMessages, LateWork
from reminder.storage.outbox import receipts
from reminder.storage.reminders import notices, promises, replies
from reminder.storage.reminders.promises import Closing
from tests.storage.conftest import DAY, END, HOUR, NOW, TODAY, Rows

LATER = NOW + timedelta(minutes=1)


def test_nothing_waits_where_nothing_is(rows: Rows) -> None:
    assert audit.waiting(rows.tx, late=LATER, long_ago=LATER) == {}


def test_messages_that_wait_for_a_key_are_counted_while_they_are_looked_at(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    waiting, _ = rows.message(phone), rows.message(phone)
    rows.change(Message, waiting, reason=UNREADABLE)

    assert audit.unreadable_messages(rows.tx, [ChannelName.SMS], LATER) == LateWork(1, NOW)
    assert audit.unreadable_messages(rows.tx, [ChannelName.SMS], NOW) == LateWork(0, None)
    assert audit.unreadable_messages(rows.tx, [ChannelName.EMAIL], LATER) == LateWork(0, None)


def test_each_thing_that_waits_for_too_long_is_counted_by_its_code(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    phone = rows.contact(person_id=person)
    rows.handed(rows.message(phone), MessageState.SENDING, lease_until=None)
    rows.handed(rows.message(phone), MessageState.UNKNOWN, lease_until=LATER + HOUR)
    rows.handed(rows.message(phone), MessageState.UNDELIVERED, ended_at=NOW)
    receipts.keep(rows.tx, provider_id="SM1", status="delivered", error_code=None, message_id=None, now=NOW)
    replies.keep(
        rows.tx, rows.keys, contact_id=phone, provider_id="SM2", intent=Intent.THANKS, text="ありがとう", now=NOW
    )
    notices.add(rows.tx, NoticeKind.STOPPED, person_id=person, now=NOW)
    rows.change(Import, rows.sheet_import(group), state=ImportState.CHECKING)

    assert audit.waiting(rows.tx, late=NOW, long_ago=NOW) == {"messages_stuck": LateWork(1, NOW)}
    assert audit.waiting(rows.tx, late=LATER, long_ago=LATER) == dict.fromkeys(
        (
            "messages_stuck", "messages_unknown", "failures_untold", "receipts_waiting", "replies_waiting",
            "notices_waiting", "sheets_waiting",
        ),
        LateWork(1, NOW),
    )  # fmt: skip


def test_messages_whose_moment_has_passed_are_late_unless_their_channel_is_known_to_wait(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    first, _second = rows.message(phone, scheduled_at=NOW - DAY), rows.message(phone)
    rows.message(phone, scheduled_at=LATER)

    assert audit.late_messages(rows.tx, LATER, ()) == [LateMessages("sms", "person", 2, NOW - DAY)]
    assert audit.late_messages(rows.tx, LATER, ["sms"]) == []
    assert rows.one(Message.scheduled_at, first) == NOW - DAY


def test_cards_and_silences_whose_day_has_passed_are_counted_with_the_first_of_these_days(rows: Rows) -> None:
    person = rows.person(rows.group())
    due = rows.card(person, next_reminder_on=TODAY - DAY)
    silent = rows.card(person, "passport", next_reminder_on=TODAY)
    rows.change(Card, silent, escalate_on=TODAY - 2 * DAY)
    retired = rows.card(person, "driving_licence", next_reminder_on=TODAY - DAY)
    rows.change(Card, retired, retired_at=NOW)

    assert audit.overdue_cards(rows.tx, TODAY) == LateCards(1, TODAY - DAY)
    assert audit.overdue_escalations(rows.tx, TODAY) == LateCards(1, TODAY - 2 * DAY)
    assert audit.cards_due(rows.tx, TODAY, AT_MOST) == [due, silent]
    assert audit.cards_due(rows.tx, TODAY, 1) == [due]
    assert audit.still_due(rows.tx, [silent, retired], TODAY) == LateCards(1, TODAY)
    assert audit.still_due(rows.tx, [], TODAY) == LateCards(0, None)


def test_a_card_that_nobody_is_going_to_look_at_is_found_by_kind_and_end(rows: Rows) -> None:
    group = rows.group()
    insured, other = rows.person(group), rows.person(group, "母", insurance=False)
    found = rows.card(insured)
    uninsured = rows.card(other)
    rows.card(insured, "passport")
    rows.card(insured, "driving_licence", expires_on=END - DAY)
    rows.card(other, "driving_licence", next_reminder_on=TODAY)

    kinds = ("mynumber_card", "driving_licence")
    assert audit.without_next_day(rows.tx, kinds, END, insured=False) == [found, uninsured]
    assert audit.without_next_day(rows.tx, kinds, END, insured=True) == [found]


def test_a_person_is_out_of_reach_whom_no_confirmed_contact_stands_by(rows: Rows) -> None:
    alone, watched = rows.group(), rows.group("鈴木家")
    rows.member(watched, email="hana@example.jp")
    rows.member(alone, email="viewer@example.jp", role=Role.VIEWER)
    own, unconfirmed, with_member = rows.person(alone), rows.person(alone, "母"), rows.person(watched)
    rows.contact(person_id=own)
    rows.contact(person_id=unconfirmed, confirmed=False)
    for person in (own, unconfirmed, with_member):
        rows.card(person, next_reminder_on=TODAY)

    every = (ChannelName.SMS, ChannelName.EMAIL)
    assert audit.people_out_of_reach(rows.tx, TODAY, every) == 1
    assert audit.people_out_of_reach(rows.tx, TODAY, [ChannelName.EMAIL]) == 2
    assert audit.people_out_of_reach(rows.tx, TODAY - DAY, every) == 0


def test_the_databases_clock_is_told_with_its_zone_and_runs(rows: Rows) -> None:
    assert audit.database_clock(rows.tx).utcoffset() == timedelta()
    assert audit.database_clock(rows.tx) > NOW - 3650 * DAY


def test_what_is_tried_again_and_again_is_late_since_it_was_due(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    tried, held, waiting = (rows.message(phone) for _ in range(3))
    for message_id, reason in ((tried, "connect"), (held, "daily_cap"), (waiting, None)):
        rows.change(Message, message_id, scheduled_at=NOW + DAY, reason=reason)

    assert audit.late_messages(rows.tx, NOW, ()) == []
    assert audit.late_messages(rows.tx, LATER, ()) == [LateMessages("sms", "person", 1, NOW)]
    assert audit.late_messages(rows.tx, LATER, ["sms"]) == []
    assert audit.late_messages(rows.tx, LATER, (), ["sms"]) == [], "its address is at fault, not the channel"


def test_promises_that_nobody_kept_and_those_left_to_the_operator_are_counted(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    late = {"late": NOW + DAY, "since": NOW}
    ids = [rows.promise(rows.reminder(card, step)) for step in ("d60", "d30", "d14", "d7")]
    assert audit.open_promises(rows.tx, late=NOW, since=NOW) == LateWork(0, None)
    assert audit.open_promises(rows.tx, **late) == LateWork(4, NOW + 8 * HOUR)

    ours, theirs = Closing(PromiseState.OPERATOR, is_ours=True), Closing(PromiseState.OPERATOR)
    kept, told = Closing(PromiseState.PROVEN), Closing(PromiseState.FAMILY, is_ours=True)
    promises.close(rows.tx, dict(zip(ids, (ours, theirs, kept, told), strict=True)), NOW)

    assert audit.open_promises(rows.tx, **late) == LateWork(1, NOW + 8 * HOUR)
    assert audit.people_not_told(rows.tx, NOW) == LateWork(1, NOW + 8 * HOUR)
    assert audit.open_promises(rows.tx, late=NOW + DAY, since=LATER) == LateWork(0, None), "they have seen it by now"
    promises.take(rows.tx, None, NOW)
    assert audit.open_promises(rows.tx, **late) == audit.people_not_told(rows.tx, NOW) == LateWork(0, None)


@pytest.mark.parametrize(
    ("today", "before", "called", "fetched", "found"),
    [
        (3, 0, False, False, 3),
        (3, 0, True, False, 0),
        (3, 0, False, True, 3),
        (2, 0, False, False, 0),
        (2, 1, False, False, 3),
        (1, 5, False, False, 3),
        (2, 5, True, False, 0),
        (0, 0, False, False, 0),
    ],
)
def test_texts_about_which_the_provider_has_not_called_are_found(
    rows: Rows, today: int, before: int, called: bool, fetched: bool, found: int
) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    at = [NOW - DAY + place * HOUR for place in range(before)] + [NOW + place * HOUR for place in range(today)]
    for place, handed_at in enumerate(at):
        rows.handed(rows.message(phone), provider_id=f"SM{place}", handed_at=handed_at)
    later = rows.handed(rows.message(phone), provider_id="SM later", handed_at=NOW + 20 * HOUR)
    rows.handed(rows.message(phone, channel=ChannelName.EMAIL), provider_id="a mail", handed_at=NOW)
    last = f"SM{len(at) - 1}"
    if called:
        receipts.keep(rows.tx, provider_id=last, status="sent", error_code=None, message_id=None, now=NOW)
    if fetched:
        receipts.keep_fetched(rows.tx, ChannelName.SMS, [ListedFate(last, "delivered", None)], NOW)

    silent = audit.without_receipts(rows.tx, [ChannelName.SMS], today=NOW, week=NOW - 7 * DAY, before=NOW + 10 * HOUR)

    assert silent.count == found
    assert rows.one(Message.provider_id, later) == "SM later"
