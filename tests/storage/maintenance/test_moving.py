"""Closing a database, opening it again, and one that has lost its last commits."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.rules.restore import LEAST_IDS, ids_left_out
from reminder.errors import ConflictError, DatabaseNotReadyError
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db import fence, primaries
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Message
from reminder.storage.maintenance import installation, moving
from reminder.storage.outbox import restore_guard
from reminder.storage.runtime import copy_notice, heartbeats, service_state
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_database_is_closed_once_and_taken_back_at_once(database: Database) -> None:
    assert moving.closed(database) is None

    moving.close(database, to="elsewhere", now=NOW)

    assert moving.closed(database) == (NOW, "elsewhere")
    with pytest.raises(DatabaseNotReadyError, match="database_moved"):
        moving.close(database, to="nowhere", now=NOW)
    moving.take_back(database)
    assert moving.closed(database) is None


def test_a_database_that_is_opened_again_leaves_out_ids_and_doubts_what_was_due(
    database: Database, keys: KeyRing
) -> None:
    with database.writing() as tx:
        rows = Rows(tx, keys)
        message = rows.message(rows.contact(person_id=rows.person(rows.group())))
    with pytest.raises(ConflictError, match="database_open"):
        moving.reopen(database, NOW)
    moving.close(database, to="elsewhere", now=NOW)

    assert moving.reopen(database, NOW + HOUR).to == "elsewhere"

    with database.writing() as tx:
        assert Rows(tx, keys).group() > ids_left_out(NOW, NOW + HOUR)
        assert restore_guard.mark_doubtful_unknown(tx, [message], NOW + HOUR) == {message}


def test_what_was_true_of_another_place_is_forgotten(database: Database) -> None:
    with database.writing() as tx:
        for name in (fence.NAME, primaries.NAME, "sender"):
            service_state.replace(tx, name, "2026-12-01T00:00:00+00:00 x")
        moving.forget_place(tx)

        assert service_state.find(tx, fence.NAME) is None
        assert service_state.find(tx, primaries.NAME) is None
        assert service_state.find(tx, "sender") is not None


def test_whether_something_was_sent_since_is_seen_from_the_hand_overs(database: Database, keys: KeyRing) -> None:
    with database.writing() as tx:
        rows = Rows(tx, keys)
        message = rows.message(rows.contact(person_id=rows.person(rows.group())))
        assert not moving.has_sent_since(tx, NOW)
        rows.handed(message, handed_at=NOW + HOUR)

        assert moving.has_sent_since(tx, NOW)
        assert not moving.has_sent_since(tx, NOW + HOUR)


def test_an_installation_is_known_by_the_keys_that_open_its_secret(database: Database, keys: KeyRing) -> None:
    assert not moving.is_same_installation(database, keys), "it has no secret yet"
    with database.writing() as tx:
        installation.references_of(tx, keys, NOW)

    assert moving.is_same_installation(database, keys)
    assert not moving.is_same_installation(database, read_keys((new_key(),)))


def test_a_database_that_lost_its_last_commits_asks_about_what_was_due_since_its_last_pass(
    database: Database, keys: KeyRing
) -> None:
    with database.writing() as tx:
        rows = Rows(tx, keys)
        heartbeats.record_pass(tx, "key", NOW)
        message = rows.message(rows.contact(person_id=rows.person(rows.group())))

    with database.writing() as tx:
        moving.note_failover(tx, NOW + timedelta(minutes=2))

    with database.writing() as tx:
        doubtful = restore_guard.mark_doubtful_unknown(tx, [message], NOW + timedelta(minutes=2))
        assert doubtful == {message}
        assert tx.scalars(select(Message.state)).all() == [MessageState.UNKNOWN]
        assert Rows(tx, keys).group() > LEAST_IDS


def test_another_copy_that_is_gone_is_forgotten_and_what_it_may_have_sent_is_in_doubt(
    database: Database, keys: KeyRing
) -> None:
    with database.writing() as tx:
        rows = Rows(tx, keys)
        message = rows.message(rows.contact(person_id=rows.person(rows.group())), kind=MessageKind.REMINDER)
        assert moving.settle_other_copy(tx, NOW) is None
        copy_notice.notice(tx, NOW - HOUR)

        was = moving.settle_other_copy(tx, NOW)

        assert was is not None
        assert was.since == NOW - HOUR
        assert copy_notice.noticed(tx) is None
        assert restore_guard.restored_at(tx) == NOW
        assert restore_guard.mark_doubtful_unknown(tx, [message], NOW + HOUR) == {message}
