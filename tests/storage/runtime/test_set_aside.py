"""Rows that are out of their queue, counted for the operator."""

from reminder.domain.model.messages import MessageState
from reminder.domain.model.notices import NoticeKind
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import failures, receipts
from reminder.storage.reminders import notices
from reminder.storage.runtime import set_aside
from reminder.storage.runtime.set_aside import Queue
from tests.storage.conftest import HOUR, NOW, Rows


def test_rows_that_were_set_aside_lately_are_counted_once_by_their_queue(rows: Rows) -> None:
    set_aside.add(rows.tx, set_aside.REPLIES, [1, 2], NOW)
    set_aside.add(rows.tx, set_aside.REPLIES, [2], NOW + HOUR)
    set_aside.add(rows.tx, set_aside.NOTICES, [1], NOW)

    assert set_aside.lately(rows.tx, NOW) == {"notices": 1, "replies": 2}
    assert set_aside.lately(rows.tx, NOW + HOUR) == {"replies": 1}


def test_a_queue_is_worked_off_together_and_one_by_one_where_a_row_is_broken(database: Database) -> None:
    waiting, done = [1, 2, 3, 4], list[int]()

    def work(tx: Tx, most: int) -> int:
        assert tx is not None
        some = waiting[:most]
        if 2 in some:
            raise ValueError("unreadable")
        done.extend(some)
        del waiting[:most]
        return len(some)

    def drop(tx: Tx, row_id: int) -> None:
        set_aside.add(tx, set_aside.NOTICES, [row_id], NOW)
        waiting.remove(row_id)

    queue = Queue[Tx](set_aside.NOTICES, lambda _: waiting[0] if waiting else None, work, drop)

    assert set_aside.work_off(queue, database.writing, 9) == 3

    assert done == [1, 3, 4]
    with database.reading() as tx:
        assert set_aside.lately(tx, NOW) == {"notices": 1}


def test_the_first_rows_of_the_queues_are_found_without_reading_them(rows: Rows) -> None:
    assert (
        receipts.first_waiting(rows.tx) is notices.first_waiting(rows.tx) is failures.first_unreported(rows.tx) is None
    )
    person = rows.person(rows.group())
    failed = rows.handed(rows.message(rows.contact(person_id=person)), MessageState.UNDELIVERED)
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=None, now=NOW)
    notices.add(rows.tx, NoticeKind.FAMILY, person_id=person, now=NOW)

    assert receipts.first_waiting(rows.tx) == receipts.waiting(rows.tx, 9)[0].id
    assert notices.first_waiting(rows.tx) == notices.waiting(rows.tx, 9)[0].id
    assert failures.first_unreported(rows.tx) == failed
