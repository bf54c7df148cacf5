"""Rows that are out of their queue, counted for the operator."""

from collections.abc import Sequence

import pytest

from reminder.domain.model.messages import MessageState
from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing.replies import Intent
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import failures, receipts
from reminder.storage.reminders import notices, replies, unclear_replies
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


def test_rows_that_were_set_aside_long_ago_are_taken_back_once(rows: Rows) -> None:
    set_aside.add(rows.tx, set_aside.PLANS, [3, 1], NOW)
    set_aside.add(rows.tx, set_aside.PLANS, [2], NOW + HOUR)
    set_aside.add(rows.tx, set_aside.NOTICES, [9], NOW)
    assert set_aside.ids(rows.tx, set_aside.PLANS) == {1, 2, 3}

    assert set_aside.take_back(rows.tx, set_aside.PLANS, NOW) == [1, 3]

    assert set_aside.take_back(rows.tx, set_aside.PLANS, NOW) == []
    assert set_aside.ids(rows.tx, set_aside.PLANS) == {2}
    assert set_aside.ids(rows.tx, set_aside.NOTICES) == {9}


def test_rows_are_worked_on_together_and_one_by_one_where_one_is_broken(database: Database) -> None:
    done: list[list[int]] = []

    def work(_: Tx, some: Sequence[int]) -> int:
        if 2 in some:
            raise ValueError("unreadable")
        done.append(list(some))
        return len(some)

    def drop(tx: Tx, row_id: int) -> None:
        set_aside.add(tx, set_aside.WORDS, [row_id], NOW)

    assert set_aside.work_each(set_aside.WORDS, [1, 3], database.writing, work, drop) == 2
    assert set_aside.work_each(set_aside.WORDS, [4, 2, 5], database.writing, work, drop) == 2
    assert set_aside.work_each(set_aside.WORDS, [], database.writing, work, drop) == 0

    assert done == [[1, 3], [4], [5]]
    with database.reading() as tx:
        assert set_aside.ids(tx, set_aside.WORDS) == {2}


def test_of_a_trial_nothing_is_left_and_those_that_fail_are_found(database: Database) -> None:
    def trial(tx: Tx, row_id: int) -> None:
        set_aside.add(tx, set_aside.PLANS, [row_id], NOW)
        if row_id == 2:
            raise ValueError("unreadable")

    assert set_aside.failing(set_aside.PLANS, [3, 2, 1], database.writing, trial) == [2]

    with database.reading() as tx:
        assert set_aside.ids(tx, set_aside.PLANS) == frozenset()


def test_a_database_that_is_away_sets_nothing_aside(database: Database) -> None:
    def work(*_: object) -> int:
        raise DatabaseNotReadyError

    with pytest.raises(DatabaseNotReadyError):
        set_aside.failing(set_aside.PLANS, [1], database.writing, work)
    with pytest.raises(DatabaseNotReadyError):
        set_aside.work_each(set_aside.PLANS, [1], database.writing, work, work)


def test_rows_are_put_back_into_the_queues_that_mark_them(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone = rows.contact(person_id=person)
    failed = rows.handed(rows.message(phone), MessageState.UNDELIVERED)
    failures.follow_up(rows.tx, [failed], NOW)
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=None, now=NOW)
    receipt = receipts.first_waiting(rows.tx)
    notices.add(rows.tx, NoticeKind.FAMILY, person_id=person, now=NOW)
    notice = notices.first_waiting(rows.tx)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM2", intent=Intent.DONE, text="済", now=NOW)
    reply = replies.next_waiting(rows.tx)
    assert None not in (receipt, notice, reply)
    receipts.mark_applied(rows.tx, [receipt], NOW)
    notices.mark_notified(rows.tx, [notice], NOW)
    replies.mark_handled(rows.tx, reply, NOW)
    found = (failures.first_unreported, receipts.first_waiting, notices.first_waiting, replies.next_waiting)
    assert [first(rows.tx) for first in found] == [None] * 4

    failures.mark_unreported(rows.tx, [failed])
    receipts.mark_waiting(rows.tx, [receipt])
    notices.mark_waiting(rows.tx, [notice])
    replies.mark_waiting(rows.tx, [reply])

    assert [first(rows.tx) for first in found] == [failed, receipt, notice, reply]


def test_an_unclear_reply_that_is_left_keeps_its_text_and_can_be_put_back(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    unclear_replies.keep(
        rows.tx,
        rows.keys,
        provider_id="SM1",
        intent=Intent.UNKNOWN,
        text="はい",
        choices={1: phone},
        now=NOW,
        expires_at=NOW,
    )
    due = unclear_replies.next_due(rows.tx, NOW)
    assert due is not None

    unclear_replies.leave(rows.tx, [due], NOW)
    assert unclear_replies.next_due(rows.tx, NOW) is None
    unclear_replies.mark_waiting(rows.tx, [due])

    assert unclear_replies.next_due(rows.tx, NOW) == due
    assert unclear_replies.find(rows.tx, rows.keys, due).text == "はい"
