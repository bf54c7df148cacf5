"""A lock by name: whoever counts before adding waits for whoever counted before."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import func, select

from reminder.storage.db.locks import lock
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
