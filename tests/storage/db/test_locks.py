"""A lock by name: whoever counts before adding waits for whoever counted before."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import func, select

from reminder.storage.db.locks import lock, lock_shared
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Heartbeat
from tests.storage.conftest import NOW


def test_who_counts_under_the_same_lock_never_exceeds_the_limit(database: Database) -> None:
    together, most = Barrier(8), 3

    def add(number: int) -> None:
        together.wait()
        with database.writing() as tx:
            lock(tx, "places")
            if tx.execute(select(func.count()).select_from(Heartbeat)).scalar_one() < most:
                tx.add(Heartbeat(name=str(number), at=NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))

    with database.reading() as tx:
        assert tx.execute(select(func.count()).select_from(Heartbeat)).scalar_one() == most


def test_who_holds_a_lock_alone_waits_for_all_who_share_it_and_they_for_them(database: Database) -> None:
    together, seen = Barrier(8), list[int]()

    def share(number: int) -> None:
        together.wait()
        with database.writing() as tx:
            lock_shared(tx, "open")
            if tx.get(Heartbeat, "closed") is None:
                tx.add(Heartbeat(name=str(number), at=NOW))

    def close() -> None:
        together.wait()
        with database.writing() as tx:
            lock(tx, "open")
            tx.add(Heartbeat(name="closed", at=NOW))
            tx.flush()
            seen.append(tx.execute(select(func.count()).select_from(Heartbeat)).scalar_one())

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(close), *(pool.submit(share, number) for number in range(7))]:
            done.result()

    with database.reading() as tx:
        assert [tx.execute(select(func.count()).select_from(Heartbeat)).scalar_one()] == seen
