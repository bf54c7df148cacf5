"""What was sent, answered and done about one person, the latest first."""

from reminder.domain.parsing.replies import Intent
from reminder.storage.reminders import replies, timeline
from reminder.storage.reminders.timeline import ActEntry, ReplyEntry, SentEntry
from reminder.storage.runtime import activity_log
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_persons_history_holds_what_was_sent_answered_and_done_and_of_nobody_else(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    phone, card, theirs = rows.contact(person_id=person), rows.card(person), rows.contact(person_id=other)
    member = rows.contact(member_id=rows.member(group))
    rows.handed(rows.message(phone, text="一"))
    rows.handed(rows.told(card, member, text="二"), handed_at=NOW + HOUR)
    rows.message(phone, text="not sent yet")
    rows.handed(rows.message(theirs))
    replies.keep(
        rows.tx, rows.keys, contact_id=phone, provider_id="SM1", intent=Intent.DONE, text="済", now=NOW + 2 * HOUR
    )
    activity_log.write(rows.tx, "card_done", NOW + 3 * HOUR, group_id=group, person_id=person, card_id=card)
    activity_log.write(rows.tx, "card_done", NOW, group_id=group, person_id=other)

    events = timeline.of_person(rows.tx, rows.keys, person, 9)

    assert events == [
        ActEntry(NOW + 3 * HOUR, "card_done", None, card),
        ReplyEntry(NOW + 2 * HOUR, phone, "done", "済"),
        SentEntry(NOW + HOUR, member, "sms", "accepted", 1, None, "二", False),
        SentEntry(NOW, phone, "sms", "accepted", 1, None, "一", False),
    ]
    assert timeline.of_person(rows.tx, rows.keys, person, 1) == events[:1]
