"""Messages as they are read: by whoever asks what was sent, what failed, and what is about whom."""

from sqlalchemy import select

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db.tables import Card, Message
from reminder.storage.outbox import failures, monitoring, queries, sealed_body
from reminder.storage.outbox.failures import ContactFailures, Failure
from reminder.storage.outbox.monitoring import OpenMessages
from reminder.storage.outbox.queries import CallMessage, MessageDay, NamedMessage, ReferredMessage
from reminder.storage.outbox.queue import MentionDraft
from reminder.storage.outbox.sealed_body import Body
from reminder.storage.registry import contacts
from reminder.storage.reminders import replies
from tests.storage.conftest import DAY, END, HOUR, NOW, Rows

SMS, EMAIL, VOICE = ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE


def test_a_body_is_opened_as_it_was_sealed_and_unreadable_to_another_key(rows: Rows) -> None:
    plain = sealed_body.seal_body(rows.keys, None, "お知らせ")
    mail = sealed_body.seal_body(rows.keys, "件名", "本文", Language.ENGLISH)

    assert sealed_body.open_body(rows.keys, plain) == Body(None, "お知らせ")
    assert sealed_body.open_body(rows.keys, mail) == Body("件名", "本文", Language.ENGLISH)
    assert sealed_body.readable(rows.keys, mail) == ("件名", "本文")
    assert sealed_body.readable(rows.keys, None) == sealed_body.readable(read_keys([new_key()]), mail) == (None, None)


def test_a_groups_messages_are_listed_in_the_order_in_which_they_were_made(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    person = rows.person(group)
    phone, card = rows.contact(person_id=person), rows.card(person)
    first, told = rows.message(phone, group_id=group), rows.told(card, phone, group_id=group)
    rows.message(rows.contact(person_id=rows.person(other)), group_id=other)
    rows.handed(told)

    listed = queries.of_group(rows.tx, rows.keys, group_id=group)

    assert [(one.id, one.label, one.state) for one in listed] == [(first, None, "queued"), (told, "父", "accepted")]
    assert [one.id for one in queries.of_group(rows.tx, rows.keys, group_id=group, limit=1)] == [told]
    assert [one.id for one in queries.of_group(rows.tx, rows.keys, state="accepted")] == [told]
    assert list(queries.each_of_group(rows.tx, rows.keys, group_id=group)) == listed


def test_pages_of_messages_are_narrowed_by_state_person_and_day(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    phone, card, theirs = rows.contact(person_id=person), rows.card(person), rows.contact(person_id=other)
    told = rows.handed(rows.told(card, theirs, group_id=group))
    to_them = rows.message(phone, group_id=group, created_at=NOW + DAY)
    spoken = rows.message(theirs, group_id=group, speaks_of=(MentionDraft(person),))
    rows.message(theirs, group_id=group)

    def page(**more: object) -> list[int]:
        usual = {"state": None, "person_id": None, "since": None, "after": 0, "limit": 9, **more}
        return [one.id for one in queries.some_of_group(rows.tx, rows.keys, group, **usual)]  # type: ignore[arg-type]

    assert len(page()) == 4
    assert page(person_id=person) == [told, to_them, spoken]
    assert page(state="accepted") == [told]
    assert page(since=NOW + DAY) == [to_them]
    assert page(after=told, limit=1) == [to_them]
    (first, *_) = queries.some_of_group(
        rows.tx, rows.keys, group, state=None, person_id=None, since=None, after=0, limit=1
    )
    assert first.card_ids == (card,)
    about = select(queries.ids_about_person(person).subquery().c.id)
    assert sorted(rows.tx.scalars(about)) == [told, to_them, spoken]


def test_what_was_said_and_what_waits_about_a_card_is_of_its_present_end(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card = rows.contact(person_id=person), rows.card(person)
    rows.handed(rows.told(card, phone, "d60"))
    waiting = rows.told(card, phone, "d30", text="そろそろ")

    assert queries.days_sent(rows.tx, [card]) == {card: [(NOW, Audience.PERSON)]}
    (found,) = queries.queued_about(rows.tx, rows.keys, [card])
    assert (found.card_id, found.step, found.contact_id, found.text) == (card, "d30", phone, "そろそろ")
    assert waiting > 0
    rows.change(Card, card, expires_on=END + DAY)
    assert queries.days_sent(rows.tx, [card]) == {card: []}
    assert queries.queued_about(rows.tx, rows.keys, [card]) == []


def test_messages_are_counted_by_state_and_those_not_over_by_channel(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    rows.message(phone)
    rows.message(phone, scheduled_at=NOW + HOUR)
    rows.handed(rows.message(phone), MessageState.SENDING)
    rows.handed(rows.message(phone))

    assert monitoring.counts(rows.tx) == {"accepted": 1, "queued": 2, "sending": 1}
    assert monitoring.open_messages(rows.tx, NOW) == [
        OpenMessages("sms", "queued", 2, 1, NOW),
        OpenMessages("sms", "sending", 1, 0, None),
    ]


def test_until_when_messages_could_be_told_is_known(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    message = rows.message(phone, expires_at=NOW + DAY)

    assert queries.days_of(rows.tx, [message, 999]) == [MessageDay(message, NOW + DAY)]


def test_a_failure_is_one_that_nobody_knows_of_until_somebody_is_told(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    phone = rows.contact(person_id=person)
    failed, arrived = rows.message(phone), rows.message(phone)
    rows.handed(failed, MessageState.UNDELIVERED)
    rows.handed(arrived, MessageState.DELIVERED)

    assert failures.unreported_failures(rows.tx, 9) == [Failure(failed, group, person, SMS, True)]
    failures.follow_up(rows.tx, [failed], NOW)
    assert failures.unreported_failures(rows.tx, 9) == []


def test_a_person_is_told_instead_by_a_later_message_of_the_same_step(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, call, card = rows.contact(person_id=person), rows.contact(person_id=person, channel=VOICE), rows.card(person)
    failed = rows.handed(rows.told(card, phone), MessageState.UNDELIVERED)
    assert failures.failover_channels(rows.tx, [failed]) == {}

    rows.told(card, call, channel=VOICE)

    assert failures.failover_channels(rows.tx, [failed]) == {failed: VOICE}
    assert failures.failover_channels(rows.tx, []) == {}


def test_what_a_receipt_or_a_bounce_names_is_found(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    mail = rows.contact(member_id=rows.member(rows.group()), channel=EMAIL, address="hana@example.jp")
    by_name = rows.handed(rows.message(phone), provider_id="SM1")
    by_id, stranger = (
        rows.message(phone),
        rows.message(None, key="code:1", kind=MessageKind.LOGIN_CODE, address="x@example.jp", channel=EMAIL),
    )
    sent = rows.handed(rows.message(mail, channel=EMAIL), provider_id="<1@example.jp>")

    assert queries.named_by_receipts(rows.tx, ["SM1"], [by_id, stranger]) == [
        NamedMessage(by_name, "SM1", phone, SMS, created_at=NOW, handed_at=NOW, attempts=1),
        NamedMessage(by_id, None, phone, SMS, created_at=NOW),
        NamedMessage(stranger, None, None, EMAIL, created_at=NOW),
    ]
    mail = ReferredMessage(sent, EMAIL, MessageState.ACCEPTED, "<1@example.jp>", True, NOW, False)
    assert queries.by_id(rows.tx, sent) == queries.by_provider_id(rows.tx, "<1@example.jp>") == mail
    assert queries.by_id(rows.tx, 999) is queries.by_provider_id(rows.tx, "SM9") is None
    waiting = queries.by_id(rows.tx, by_id)
    assert waiting is not None
    assert (waiting.was_handed_over, waiting.provider_id, waiting.channel) == (False, None, SMS)


def test_a_reference_names_the_message_it_was_made_for_and_no_later_one_with_its_id(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))
    reference = rows.keys.references.make(MESSAGE, [message], NOW)

    found = queries.referred(rows.tx, rows.keys, reference)
    assert found is not None
    assert found.id == message
    for wrong in (reference[:-1], str(message), "", rows.keys.references.make("stop", [message], NOW)):
        assert queries.referred(rows.tx, rows.keys, wrong) is None
    rows.change(Message, message, created_at=NOW + DAY)
    assert queries.referred(rows.tx, rows.keys, reference) is None


def test_earlier_texts_about_a_card_come_with_the_answer_that_followed_each(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    phone, card = rows.contact(person_id=person), rows.card(person)
    first = rows.handed(rows.told(card, phone, "d60", reply_code=1))
    second = rows.handed(rows.told(card, phone, "d30"), handed_at=NOW + DAY)
    for name, at, intent in (("SM1", NOW + HOUR, Intent.LATER), ("SM2", NOW + 2 * DAY, Intent.DONE)):
        replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id=name, intent=intent, text=None, now=at)

    found = queries.earlier_messages(rows.tx, [card], 9)

    assert [(one.message_id, one.intent, one.was_answerable) for one in found[card]] == [
        (first, "later", True),
        (second, "done", False),
    ]
    assert [one.message_id for one in queries.earlier_messages(rows.tx, [card], 1)[card]] == [second]
    assert queries.earlier_of_group(rows.tx, group, 9) == found
    assert queries.earlier_messages(rows.tx, [], 9) == queries.earlier_of_group(rows.tx, group + 1, 9) == {}


def test_days_on_which_a_person_was_told_unasked_are_counted_once_each(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, family = rows.contact(person_id=person), rows.contact(person_id=person, is_family=True)
    for at in (NOW, NOW + HOUR, NOW + DAY):
        rows.message(phone, key=f"step:{at}", kind=MessageKind.REMINDER, created_at=at)
    failed = rows.message(phone, key="step:failed", kind=MessageKind.REMINDER, created_at=NOW + 2 * DAY)
    rows.handed(failed, MessageState.FAILED)
    rows.message(phone, key="answer:x")
    rows.message(family, key="step:family", kind=MessageKind.REMINDER, created_at=NOW + 3 * DAY)

    told = queries.sent_recently(rows.tx, [person], NOW, today=NOW + 2 * DAY)

    assert told == {person: [NOW, NOW + DAY]}
    assert queries.sent_recently(rows.tx, [person], NOW, today=NOW + 3 * DAY)[person][-1] == NOW + 2 * DAY
    assert queries.sent_recently(rows.tx, [], NOW) == {}


def test_who_was_greeted_is_known(rows: Rows) -> None:
    group = rows.group()
    greeted, other = rows.person(group), rows.person(group, "母")
    rows.message(rows.contact(person_id=greeted), kind=MessageKind.VERIFICATION)
    rows.message(rows.contact(person_id=other))

    assert queries.verified_today(rows.tx, [greeted, other], NOW) == {greeted}
    assert queries.verified_today(rows.tx, [greeted], NOW + HOUR) == queries.verified_today(rows.tx, [], NOW) == set()


def test_a_call_knows_what_it_says_and_whether_its_keys_were_tried_out(rows: Rows) -> None:
    person = rows.person(rows.group(), language=Language.ENGLISH)
    phone = rows.contact(person_id=person, channel=VOICE)
    message = rows.message(phone, channel=VOICE, kind=MessageKind.TEST_CALL, text="もしもし")
    contacts.record_test_call(rows.tx, phone, NOW)

    assert queries.call_message(rows.tx, rows.keys, message) == CallMessage(
        MessageKind.TEST_CALL, phone, VOICE, "もしもし", NOW, Language.ENGLISH
    )
    rows.change(Message, message, body_sealed=None)
    assert queries.call_message(rows.tx, rows.keys, message) is queries.call_message(rows.tx, rows.keys, 999) is None


def test_what_has_not_arrived_is_counted_since_something_last_did(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    broken, mended = rows.contact(person_id=person), rows.contact(person_id=person)
    for contact, state, at, reason in (
        (broken, MessageState.DELIVERED, NOW, None),
        (broken, MessageState.UNDELIVERED, NOW + HOUR, "30003"),
        (broken, MessageState.FAILED, NOW + DAY, "21211"),
        (mended, MessageState.FAILED, NOW, "30003"),
        (mended, MessageState.ACCEPTED, NOW, None),
    ):
        rows.handed(rows.message(contact, group_id=group), state, ended_at=at, reason=reason)

    assert failures.failures_by_contact(rows.tx, group) == {broken: ContactFailures(2, NOW + HOUR, "21211")}


def test_what_was_never_accepted_has_told_nobody(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card = rows.contact(person_id=person), rows.card(person)
    rows.handed(rows.told(card, phone, "d60"), MessageState.STALE)
    rows.handed(rows.told(card, phone, "d45"), doubted_at=NOW)
    rows.told(card, phone, "d30")
    assert queries.first_told(rows.tx, [card]) == {}

    rows.handed(rows.told(card, phone, "d14"), MessageState.DELIVERED, handed_at=NOW + DAY)
    rows.handed(rows.told(card, phone, "d7"), handed_at=NOW + HOUR)

    assert queries.first_told(rows.tx, [card]) == {card: {Audience.PERSON: NOW + HOUR}}


def test_who_has_answered_a_call_is_recorded_once(rows: Rows) -> None:
    call = rows.message(rows.contact(person_id=rows.person(rows.group())))

    queries.record_answer(rows.tx, call, answered_by="human", date_after=20)
    queries.record_answer(rows.tx, call, answered_by="machine_start", date_after=None)

    assert (rows.one(Message.answered_by, call), rows.one(Message.date_after, call)) == ("human", 20)


def test_a_channel_that_takes_nothing_is_stuck_and_one_refused_address_is_not_the_channel(rows: Rows) -> None:
    person = rows.person(rows.group())
    phones = [rows.contact(person_id=person) for _ in range(2)]

    def deferred(phone: int, reason: str) -> int:
        message = rows.message(phone)
        rows.change(Message, message, scheduled_at=NOW + HOUR, reason=reason, attempts=1)
        return message

    deferred(phones[0], "21635")
    deferred(phones[1], "daily_cap")
    assert monitoring.stuck_channels(rows.tx, NOW) == set()
    deferred(phones[1], "21635")
    assert monitoring.stuck_channels(rows.tx, NOW) == {"sms"}
    assert monitoring.accepting_channels(rows.tx, NOW) == set()
    rows.handed(rows.message(phones[0]))
    assert monitoring.accepting_channels(rows.tx, NOW) == {"sms"}
    assert monitoring.stuck_channels(rows.tx, NOW) == set()


def test_a_channel_whose_provider_is_out_of_reach_is_stuck_with_its_first_message(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))
    rows.change(Message, message, scheduled_at=NOW + HOUR, reason="connect", attempts=1)

    assert monitoring.stuck_channels(rows.tx, NOW) == {"sms"}


def test_a_channel_that_left_every_question_open_for_an_hour_is_stuck(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    rows.handed(rows.message(phone), MessageState.UNKNOWN)

    assert monitoring.stuck_channels(rows.tx, NOW - HOUR) == set()
    assert monitoring.stuck_channels(rows.tx, NOW) == {"sms"}
