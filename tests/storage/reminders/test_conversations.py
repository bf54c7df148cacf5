"""What a telephone was sent and has answered, in every group that knows it."""

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName, StoppedBy
from reminder.domain.parsing.replies import Intent
from reminder.domain.rules.reply_routing import Conversation
from reminder.storage.registry import contacts
from reminder.storage.reminders import conversations, replies
from reminder.storage.reminders.open_questions import OPEN_FOR
from tests.storage.conftest import DAY, HOUR, NOW, Rows

PHONE = "+819012123434"


def at_number(rows: Rows, later: object = DAY) -> dict[int, Conversation]:
    found = conversations.at_number(rows.tx, rows.keys, PHONE, NOW + later)  # type: ignore[operator]
    return {one.contact_id: one for one in found}


def test_every_contact_with_the_number_is_found_and_only_what_may_have_arrived_counts_as_written(rows: Rows) -> None:
    first, second = rows.group(), rows.group("鈴木家")
    person = rows.person(first)
    phone, call = (
        rows.contact(person_id=person, channel=by, address=PHONE) for by in (ChannelName.SMS, ChannelName.VOICE)
    )
    hers = rows.contact(person_id=rows.person(second, "母"), address=PHONE)
    relative = rows.contact(person_id=person, address=PHONE[:-1] + "5", is_family=True)
    member = rows.contact(member_id=rows.member(second), address=PHONE)
    rows.handed(rows.told(rows.card(person), phone, reply_code=3))
    rows.handed(rows.message(hers, kind=MessageKind.REMINDER), MessageState.UNDELIVERED)
    contacts.stop(rows.tx, [member], StoppedBy.REPLY, NOW)

    found = at_number(rows)

    assert found.keys() == {phone, call, hers, member}, "a relative has another number"
    assert relative not in found
    assert found[phone] == Conversation(
        phone, first, person, is_own=True, codes=frozenset({3}), written_at=NOW, is_unanswered=True
    )
    assert (found[hers].written_at, found[hers].is_open) == (None, False)
    assert (found[member].is_own, found[member].is_stopped, found[member].group_id) == (False, True, second)
    assert conversations.groups_that_wrote(rows.tx, list(found)) == {first}
    assert conversations.at_number(rows.tx, rows.keys, "+819099999999", NOW) == []


def test_a_text_is_unanswered_until_a_reply_comes_and_for_some_weeks(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    rows.handed(rows.message(phone, kind=MessageKind.VERIFICATION))
    assert at_number(rows)[phone].is_unanswered
    assert not at_number(rows, OPEN_FOR + DAY)[phone].is_unanswered

    replies.keep(
        rows.tx, rows.keys, contact_id=phone, provider_id="SM1", intent=Intent.THANKS, text="はい", now=NOW + HOUR
    )
    assert not at_number(rows)[phone].is_unanswered

    rows.handed(rows.message(phone), handed_at=NOW + 2 * HOUR)
    assert not at_number(rows)[phone].is_unanswered, "our answer asks nothing"
    assert at_number(rows)[phone].written_at == NOW + 2 * HOUR


def test_a_request_for_consent_is_open_until_it_is_answered(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()), address=PHONE, confirmed=False)
    assert not at_number(rows)[phone].is_asked_for_consent

    rows.handed(rows.message(phone, kind=MessageKind.CONSENT_REQUEST))

    assert at_number(rows)[phone].is_asked_for_consent
