"""Replies: what somebody answered, kept once and handled once."""

from reminder.domain.model.messages import MessageKind
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.reminders import replies
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def test_a_reply_waits_once_until_it_was_handled(rows: Rows) -> None:
    group = rows.group()
    phone = rows.contact(person_id=rows.person(group))
    for _ in range(2):
        replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM1", intent=Intent.DONE, text="済", now=NOW)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM2", intent=Intent.NUMBER, text=None, now=NOW)

    first, second = replies.waiting(rows.tx, rows.keys, 9)

    assert (first.contact_id, first.intent, first.text, first.received_at) == (phone, Intent.DONE, "済", NOW)
    assert second.text is None
    assert replies.of_group(rows.tx, rows.keys, group) == replies.of_group(rows.tx, rows.keys, None) == [first, second]
    assert list(replies.each_of_group(rows.tx, rows.keys, group)) == [first, second]
    assert replies.of_group(rows.tx, rows.keys, group + 1) == []
    assert replies.text(rows.tx, rows.keys, first.id) == "済"
    assert replies.text(rows.tx, rows.keys, second.id) is replies.text(rows.tx, rows.keys, 999) is None
    assert not replies.has_been_thanked(rows.tx, phone, NOW)
    replies.mark_handled(rows.tx, first.id, NOW)
    assert replies.waiting(rows.tx, rows.keys, 9) == [second]
    assert replies.has_been_thanked(rows.tx, phone, NOW)
    assert not replies.has_been_thanked(rows.tx, phone, NOW + DAY)


def test_words_sealed_with_a_key_that_is_gone_keep_no_other_waiting(rows: Rows) -> None:
    sealed = rows.keys.seal("済", replies.BODY)

    assert replies.text_of(rows.keys, sealed) == "済"
    assert replies.text_of(read_keys([new_key()]), sealed) is replies.text_of(rows.keys, None) is None


def test_answers_are_counted_for_a_telephone_whoever_shares_it(rows: Rows) -> None:
    group = rows.group()
    mine = rows.contact(person_id=rows.person(group), address="+819000000001")
    hers = rows.contact(person_id=rows.person(group, "母"), address="+819000000001")
    rows.message(mine)
    rows.message(hers, created_at=NOW + HOUR)
    rows.message(hers, key="step:1", kind=MessageKind.REMINDER)

    assert replies.answers_since(rows.tx, mine, NOW) == 2
    assert replies.answers_since(rows.tx, hers, NOW + HOUR) == 1


def test_another_group_s_answers_to_the_same_telephone_are_its_own(rows: Rows) -> None:
    mine, hers = (
        rows.contact(person_id=rows.person(rows.group(name)), address="+819000000001") for name in ("田中家", "鈴木家")
    )
    rows.message(mine)

    assert (replies.answers_since(rows.tx, mine, NOW), replies.answers_since(rows.tx, hers, NOW)) == (1, 0)


def test_the_next_reply_is_found_without_reading_it_and_then_read(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    assert replies.next_waiting(rows.tx) is None
    for name, is_handled in (("SM1", True), ("SM2", False)):
        replies.keep(
            rows.tx,
            rows.keys,
            contact_id=phone,
            provider_id=name,
            intent=Intent.DONE,
            text="済",
            now=NOW,
            is_handled=is_handled,
        )

    waiting = replies.next_waiting(rows.tx)

    assert waiting == replies.id_of(rows.tx, "SM2")
    assert replies.contact_of(rows.tx, waiting) == phone
    reply = replies.waiting_reply(rows.tx, rows.keys, waiting)
    assert (reply.intent, reply.text, reply.is_unreadable) == (Intent.DONE, "済", False)
    assert replies.waiting_reply(rows.tx, read_keys([new_key()]), waiting).is_unreadable
    assert (replies.is_known(rows.tx, "SM1"), replies.is_known(rows.tx, "SM3")) == (True, False)
