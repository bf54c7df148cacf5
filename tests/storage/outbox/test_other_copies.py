"""What comes back from outside and cannot be ours: names of rows that are not there, and texts that we know twice."""

from datetime import timedelta

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName
from reminder.storage.crypto.references import MESSAGE, References
from reminder.storage.maintenance import installation
from reminder.storage.outbox import other_copies, queue, restore_guard
from reminder.storage.runtime import copy_notice, heartbeats, service_state
from tests.storage.conftest import DAY, HOUR, NOW, Rows

PHONE = "+819000000001"


def named(rows: Rows, message_id: int, at: object = NOW) -> str:
    references: References = installation.references_of(rows.tx, rows.keys, NOW)
    rows.keys.references = references
    return references.make(MESSAGE, [message_id], at)  # type: ignore[arg-type]


def test_a_name_that_is_ours_and_names_no_message_of_ours_is_explained_by_the_next_pass(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))
    heartbeats.record_pass(rows.tx, "key", NOW - DAY)

    found = other_copies.referred(rows.tx, rows.keys, named(rows, message))
    assert found is not None
    assert found.id == message
    assert other_copies.referred(rows.tx, rows.keys, "x" * 45) is None
    assert service_state.find(rows.tx, other_copies.STRAY) is None
    assert not other_copies.explain_stray(rows.tx, NOW)

    assert other_copies.referred(rows.tx, rows.keys, named(rows, message + 1, NOW - HOUR)) is None
    assert other_copies.explain_stray(rows.tx, NOW)

    assert copy_notice.noticed(rows.tx) is not None
    assert not other_copies.explain_stray(rows.tx, NOW), "it is forgotten"


def test_the_id_of_a_deleted_row_was_given(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    first, last = rows.message(phone), rows.message(phone)
    heartbeats.record_pass(rows.tx, "key", NOW - DAY)
    name = named(rows, last)
    rows.tx.connection().exec_driver_sql(f"DELETE FROM messages WHERE id = {last}")

    assert other_copies.referred(rows.tx, rows.keys, name) is None
    assert not other_copies.explain_stray(rows.tx, NOW)
    other_copies.referred(rows.tx, rows.keys, named(rows, first, NOW - HOUR))
    assert other_copies.explain_stray(rows.tx, NOW), "made at another second"


def test_before_the_first_pass_since_a_restore_everything_is_explained(rows: Rows) -> None:
    heartbeats.record_pass(rows.tx, "key", NOW - DAY)
    assert other_copies.explained(rows.tx) == NOW - DAY
    restore_guard.doubt(rows.tx, taken_at=NOW - HOUR, now=NOW)
    assert other_copies.explained(rows.tx) > NOW + 1000 * DAY
    heartbeats.record_pass(rows.tx, "key", NOW + HOUR)
    assert other_copies.explained(rows.tx) == NOW + HOUR


def test_messages_of_the_same_words_to_the_same_address_are_found_by_address_words_and_day(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    same = rows.handed(rows.message(phone, text="期限です。"), provider_id="SM1")
    rows.handed(rows.message(phone, text="別の文です。"), provider_id="SM2")
    rows.handed(rows.message(phone, text="期限です。"), provider_id="SM3", handed_at=NOW - 3 * DAY)
    rows.message(phone, text="期限です。")

    def alike(channel: ChannelName = ChannelName.SMS, address: str = PHONE) -> list[str | None]:
        found = other_copies.alike(rows.tx, rows.keys, channel, address=address, text="期限です。", at=NOW)
        return [one.provider_id for one in found]

    assert same
    assert alike() == ["SM1"]
    assert alike(ChannelName.VOICE) == []
    assert alike(address="+819000000002") == []
    assert other_copies.strange_ids(rows.tx, ChannelName.SMS, ["SM1", "SM9"]) == {"SM9"}


def test_the_fingerprint_of_words_is_that_of_the_message(rows: Rows) -> None:
    first, other = (
        queue.fingerprints(rows.keys, None, "期限です。"),
        queue.fingerprints(rows.keys, "件名", "期限です。"),
    )

    assert first != other
    assert {len(one) for one in (*first, *other)} == {queue.FINGERPRINT_BYTES}


def test_while_another_copy_is_at_work_each_message_is_asked_about_once_before_it_is_sent(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    reminder = rows.message(phone, kind=MessageKind.REMINDER, key="step:1")
    answer = rows.message(phone)
    tried = rows.message(phone, kind=MessageKind.REMINDER, key="step:2")
    rows.handed(tried, MessageState.QUEUED)
    every = [reminder, answer, tried]
    assert restore_guard.mark_doubtful_unknown(rows.tx, every, NOW) == set()

    copy_notice.notice(rows.tx, NOW)

    assert restore_guard.mark_doubtful_unknown(rows.tx, every, NOW + timedelta(minutes=1)) == {reminder}
    assert restore_guard.mark_doubtful_unknown(rows.tx, every, NOW + timedelta(minutes=1)) == set()
