"""After a restore nobody knows what went out since the back-up was taken."""

from reminder.domain.messages import RESTORED, MessageKind
from reminder.storage import health, restored, sign_ins
from reminder.storage.tables import Message, SignIn
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def test_nothing_is_in_doubt_in_a_database_that_was_not_restored(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))

    assert restored.in_doubt(rows.tx, [message], NOW) == set()


def test_what_was_due_or_makes_up_for_what_was_due_is_in_doubt_and_an_answer_of_now_is_not(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    was_due = rows.message(phone, key="step:1", kind=MessageKind.REMINDER, created_at=NOW - DAY)
    later = rows.message(phone, key="step:2", kind=MessageKind.REMINDER, created_at=NOW - DAY, send_after=NOW + DAY)
    makes_up = rows.message(phone, key="step:3", kind=MessageKind.REMINDER, created_at=NOW + HOUR)
    answer = rows.message(phone, key="answer:x", created_at=NOW + HOUR)
    health.passed(rows.tx, "key", NOW)
    sign_ins.add(
        rows.tx, rows.keys, address="a@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
    )

    restored.begin(rows.tx, taken_at=NOW, now=NOW + HOUR)

    assert health.last_beat(rows.tx, health.TICK) is None
    assert rows.column(SignIn.id) == []
    every = [was_due, later, makes_up, answer]
    assert restored.in_doubt(rows.tx, every, NOW + HOUR) == {was_due, makes_up}
    assert restored.in_doubt(rows.tx, every, NOW + HOUR) == set()
    assert restored.in_doubt(rows.tx, [], NOW) == set()
    assert rows.column(Message.reason) == [RESTORED, None, RESTORED, None]
