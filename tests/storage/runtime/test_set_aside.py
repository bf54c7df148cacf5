"""Rows that are out of their queue, counted for the operator."""

from reminder.storage.runtime import set_aside
from tests.storage.conftest import HOUR, NOW, Rows


def test_rows_that_were_set_aside_lately_are_counted_once_by_their_queue(rows: Rows) -> None:
    set_aside.add(rows.tx, set_aside.REPLIES, [1, 2], NOW)
    set_aside.add(rows.tx, set_aside.REPLIES, [2], NOW + HOUR)
    set_aside.add(rows.tx, set_aside.NOTICES, [1], NOW)

    assert set_aside.lately(rows.tx, NOW) == {"notices": 1, "replies": 2}
    assert set_aside.lately(rows.tx, NOW + HOUR) == {"replies": 1}
