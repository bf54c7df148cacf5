"""After a restore nobody knows what went out since the back-up was taken."""

import pytest

from reminder.clock import JAPAN
from reminder.domain.model.messages import RESTORED, MessageKind, MessageState
from reminder.storage.auth import login_codes
from reminder.storage.db.tables import LoginCode, Message
from reminder.storage.outbox import restore_guard
from reminder.storage.runtime import heartbeats
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def test_nothing_is_in_doubt_in_a_database_that_was_not_restored(rows: Rows) -> None:
    message = rows.message(rows.contact(person_id=rows.person(rows.group())))

    assert restore_guard.mark_doubtful_unknown(rows.tx, [message], NOW) == set()


def test_what_was_due_or_makes_up_for_what_was_due_is_in_doubt_and_an_answer_of_now_is_not(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    was_due = rows.message(phone, key="step:1", kind=MessageKind.REMINDER, created_at=NOW - DAY)
    later = rows.message(phone, key="step:2", kind=MessageKind.REMINDER, created_at=NOW - DAY, scheduled_at=NOW + DAY)
    makes_up = rows.message(phone, key="step:3", kind=MessageKind.REMINDER, created_at=NOW + HOUR)
    answer = rows.message(phone, key="answer:x", created_at=NOW + HOUR)
    heartbeats.record_pass(rows.tx, "key", NOW)
    login_codes.add(
        rows.tx, rows.keys, address="a@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
    )

    restore_guard.begin(rows.tx, taken_at=NOW, now=NOW + HOUR)

    assert heartbeats.last(rows.tx, heartbeats.PASS) is None
    assert rows.column(LoginCode.id) == []
    every = [was_due, later, makes_up, answer]
    assert restore_guard.mark_doubtful_unknown(rows.tx, every, NOW + HOUR) == {was_due, makes_up}
    assert restore_guard.mark_doubtful_unknown(rows.tx, every, NOW + HOUR) == set()
    assert restore_guard.mark_doubtful_unknown(rows.tx, [], NOW) == set()
    assert rows.column(Message.reason) == [RESTORED, None, RESTORED, None]


def test_what_was_due_before_the_first_pass_is_in_doubt_for_the_service_of_before_may_still_have_been_at_work(
    rows: Rows,
) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    meanwhile, later = (
        rows.message(
            phone, key=f"step:{at}", kind=MessageKind.REMINDER, created_at=NOW - DAY, scheduled_at=NOW + at * HOUR / 60
        )
        for at in (65, 80)
    )
    restore_guard.begin(rows.tx, taken_at=NOW, now=NOW + HOUR)
    # The database of before is closed by hand, and this one begins to work, some minutes after the restore.
    heartbeats.record_pass(rows.tx, "key", NOW + 70 * HOUR / 60)

    found = restore_guard.mark_doubtful_unknown(rows.tx, [meanwhile, later], NOW + 90 * HOUR / 60)

    assert found == {meanwhile}


def test_what_was_being_handed_over_while_the_back_up_was_made_is_in_doubt_until_it_has_been_looked_at(
    rows: Rows,
) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    # "Later", said its provider, when the back-up had begun: whether it was tried again then is not in the back-up.
    tried = rows.message(phone, kind=MessageKind.REMINDER, created_at=NOW - DAY)
    rows.handed(tried, MessageState.QUEUED, handed_at=NOW + HOUR / 3600)
    restore_guard.begin(rows.tx, taken_at=NOW, now=NOW + HOUR)

    assert restore_guard.mark_doubtful_unknown(rows.tx, [tried], NOW + HOUR) == {tried}

    rows.change(Message, tried, state=MessageState.QUEUED)
    assert restore_guard.mark_doubtful_unknown(rows.tx, [tried], NOW + 2 * HOUR) == set(), "it was asked about"
    rows.change(Message, tried, handed_at=NOW + 2 * HOUR)
    assert restore_guard.mark_doubtful_unknown(rows.tx, [tried], NOW + 3 * HOUR) == set(), "it left from here"


@pytest.mark.parametrize("kind", MessageKind)
def test_what_tells_of_a_step_may_make_up_all_day_for_what_was_told_before_and_what_else_is_new_soon(
    rows: Rows, kind: MessageKind
) -> None:
    """What became of a text of before is often heard hours later, and then told as it was told then."""
    is_of_a_step = kind in ("reminder", "copy", "failure_notice", "escalation")
    phone = rows.contact(person_id=rows.person(rows.group()))
    restore_guard.begin(rows.tx, taken_at=NOW - HOUR, now=NOW)
    heartbeats.record_pass(rows.tx, "key", NOW)
    evening = NOW.astimezone(JAPAN).replace(hour=23, minute=59)
    soon, hours_later, next_day = (
        rows.message(phone, key=f"{kind}:{at}", kind=kind, created_at=at, scheduled_at=at)
        for at in (NOW + HOUR, evening, evening + HOUR)
    )

    found = restore_guard.mark_doubtful_unknown(rows.tx, [soon, hours_later, next_day], evening + HOUR)

    assert found == (set() if kind.is_asked_for else {soon, hours_later} if is_of_a_step else {soon})


def test_a_restored_database_knows_when_it_was_restored(rows: Rows) -> None:
    assert restore_guard.restored_at(rows.tx) is None

    restore_guard.begin(rows.tx, taken_at=NOW, now=NOW + HOUR)

    assert restore_guard.restored_at(rows.tx) == NOW + HOUR


def test_a_doubt_ends_no_session(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    was_due = rows.message(phone, created_at=NOW - DAY)
    login_codes.add(
        rows.tx, rows.keys, address="a@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
    )

    restore_guard.doubt(rows.tx, taken_at=NOW, now=NOW + HOUR)

    assert len(rows.column(LoginCode.id)) == 1
    assert restore_guard.mark_doubtful_unknown(rows.tx, [was_due], NOW + HOUR) == {was_due}
