"""Notices: what those around a person are to be told."""

from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing.replies import Intent
from reminder.storage.reminders import notices, replies
from reminder.storage.reminders.notices import NoticeView
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_notice_waits_until_it_was_told(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card = rows.contact(person_id=person), rows.card(person)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM1", intent=Intent.DONE, text="済", now=NOW)
    (reply,) = replies.waiting(rows.tx, rows.keys, 9)

    notices.add(rows.tx, NoticeKind.DONE, person_id=person, now=NOW, contact_id=phone, card_id=card, reply_id=reply.id)
    notices.add(rows.tx, NoticeKind.SENDER, person_id=person, now=NOW)

    (first, second) = notices.waiting(rows.tx, 9)
    assert first == NoticeView(first.id, NoticeKind.DONE, person, phone, card, reply.id)
    assert notices.waiting(rows.tx, 1) == [first]
    assert notices.exists_since(rows.tx, NoticeKind.DONE, phone, NOW)
    assert not notices.exists_since(rows.tx, NoticeKind.DONE, phone, NOW + HOUR)
    notices.mark_notified(rows.tx, [first.id], NOW)
    assert notices.waiting(rows.tx, 9) == [second]


def test_a_stop_is_told_where_it_was_the_persons_own_way(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    own, family = rows.contact(person_id=person), rows.contact(person_id=person, is_family=True)
    member = rows.contact(member_id=rows.member(group))

    notices.add_stopped(rows.tx, [own, family, member], NOW)
    notices.add_stopped(rows.tx, [], NOW)

    assert [(one.kind, one.contact_id) for one in notices.waiting(rows.tx, 9)] == [(NoticeKind.STOPPED, own)]


def test_a_loss_is_told_where_it_was_a_relatives_or_a_members_way(rows: Rows) -> None:
    group, empty = rows.group(), rows.group("鈴木家")
    person = rows.person(group)
    own, family = rows.contact(person_id=person), rows.contact(person_id=person, is_family=True)
    member, alone = rows.contact(member_id=rows.member(group)), rows.contact(member_id=rows.member(empty))

    notices.add_unreachable(rows.tx, [own, family, member, alone], NOW)
    notices.add_unreachable(rows.tx, [], NOW)

    assert sorted((one.kind, one.contact_id, one.person_id) for one in notices.waiting(rows.tx, 9)) == [
        (NoticeKind.LOST, family, person),
        (NoticeKind.LOST_MEMBER, member, person),
    ]
