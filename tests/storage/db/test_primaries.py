"""With several servers a transaction commits only where no other can take the same hand-over once more."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from reminder.clock import monotonic
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.primaries import NAME, Lease, PrimaryGuard
from reminder.storage.db.session import Database
from reminder.storage.runtime import service_state

ALONE, SYNCHRONOUS, LOCAL = ("", "on"), ("FIRST 1 (*)", "on"), ("FIRST 1 (*)", "local")


def forever(timeline: int) -> Lease:
    return Lease(timeline, monotonic() + 3600)


# What the server says, what was noted, the timeline that the manager names, what is noted then, or the refusal.
CASES = [
    (SYNCHRONOUS, 1, None, None, "1 synchronous"),
    (SYNCHRONOUS, 1, "1 synchronous", None, "1 synchronous"),
    (SYNCHRONOUS, 2, "1 synchronous", None, "2 synchronous"),
    (SYNCHRONOUS, 2, "1 lease", None, "2 synchronous, and what may be lost is asked about"),
    (ALONE, 1, None, None, "database_not_synchronous"),
    (LOCAL, 1, None, None, "database_not_synchronous"),
    (ALONE, 1, "1 synchronous", None, "database_not_synchronous"),
    (ALONE, 2, "1 synchronous", None, "2 alone"),
    (ALONE, 2, "2 alone", None, "2 alone"),
    (ALONE, 3, "2 alone", None, "database_not_synchronous"),
    (ALONE, 1, None, 1, "1 lease"),
    (ALONE, 1, "1 lease", 2, "database_not_leader"),
    (ALONE, 2, "1 lease", 2, "2 lease, and what may be lost is asked about"),
    (ALONE, 1, "2 lease", 1, "database_not_leader"),
    (ALONE, 2, "1 synchronous", 2, "2 lease"),
    (ALONE, 2, "1 synchronous", 1, "database_not_leader"),
]


@pytest.mark.parametrize(("server", "timeline", "noted", "leads", "then"), CASES)
def test_what_may_commit(
    server: tuple[str, str], timeline: int, noted: str | None, leads: int | None, then: str, database: Database
) -> None:
    guard = PrimaryGuard(None if leads is None else lambda: forever(leads))
    lost = list[Session]()
    guard.after_failover = lost.append
    with database.writing() as tx:
        if noted is not None:
            service_state.replace(tx, NAME, noted)
        if database.is_sqlite:
            return  # it has one server
        try:
            guard.before()
            guard.check(tx, (*server, timeline, noted), is_confined=False)
            guard.after()
            found = f"{service_state.find(tx, NAME)}{', and what may be lost is asked about' if lost else ''}"
        except DatabaseNotReadyError as refused:
            found = refused.code

    assert found == then


def test_a_role_that_sees_one_group_notes_nothing(database: Database) -> None:
    guard = PrimaryGuard(lambda: forever(1))
    guard.before()
    with database.writing() as tx:
        guard.check(tx, (*ALONE, 1, None), is_confined=True)

        assert service_state.find(tx, NAME) is None


@pytest.fixture
def led(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url, leader=lambda: forever(1))
    yield database
    database.close()


@pytest.mark.postgres
def test_a_commit_that_took_longer_than_the_lease_is_not_relied_on(led: Database) -> None:
    led.require_one_primary(lambda _tx: None)
    guard = led._primary
    assert guard is not None

    def stand_still_meanwhile() -> None:
        with led.writing() as tx:
            service_state.replace(tx, "sender", "1")
            guard._lease, guard._leader = Lease(1, 0.0), lambda: forever(2)

    with pytest.raises(DatabaseNotReadyError, match="database_not_leader"):
        stand_still_meanwhile()

    guard._lease, guard._leader = None, lambda: forever(1)
    with led.writing() as tx:
        tx.execute(text("SELECT 1"))
    assert led.write_trouble is None


@pytest.mark.postgres
def test_several_hosts_with_neither_are_refused_and_one_host_needs_nothing(postgres_url: str) -> None:
    place = postgres_url.partition("@")[2].partition("/")[0]
    several = Database(postgres_url.replace(place, f"{place},{place}"))
    single = Database(postgres_url)

    with pytest.raises(DatabaseNotReadyError, match="database_not_synchronous"):
        several.require_one_primary(lambda _tx: None)
    single.require_one_primary(lambda _tx: None)
    with single.writing():
        pass
    several.close()
    single.close()
