"""Our engine, what a user would write instead, and the bare limits, on the same due reminders and the same sink:
`python -m tests.bench.engines [--total N] [--rounds N]`. Quote the ratios: the seconds are this machine's."""

import argparse
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import bindparam, create_engine, insert, text

from reminder.clock import SystemClock
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import Audience, ChannelName, ContactState, GroupKind
from reminder.enrolment import register
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Contact
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import contacts
from reminder.wiring import build_app, read_settings
from tests import databases
from tests.bench import contenders
from tests.bench.sink import Sink, sink
from tests.conftest import migrate

# Seconds after which the provider answers, and how often everybody is measured.
ROUNDS = {0.0: 5, 0.1: 5}
# Seconds within which what a killed one was handing over must be on its way again: ours asks about it after six minutes,
# and again a minute later.
RESUMED_WITHIN = 600


@dataclass(frozen=True)
class Measured:
    """`first`: seconds from ready to the first message; `memory`: MB."""

    per_second: float
    first: float
    memory: int


@dataclass(frozen=True)
class Place:
    """A database with everything due in it, and the key that opens it."""

    url: str
    key: str


BARE = ("bare SDK", "–")
OURS = (("claim and record", "SQLite"), ("claim and record", "PostgreSQL"), ("ours", "SQLite"), ("ours", "PostgreSQL"))
RIVALS = (("PgQueuer", "PostgreSQL"), ("PgQueuer, pool", "PostgreSQL"))
SLOW_RIVALS = (
    ("APScheduler", "SQLite"), ("APScheduler", "PostgreSQL"), ("Procrastinate", "PostgreSQL"),
    ("DBOS", "SQLite"), ("DBOS", "PostgreSQL"),
)  # fmt: skip
Who = tuple[str, str]


def measure(total: int = 10_000, rounds: Mapping[float, int] = ROUNDS) -> None:
    os.environ["BENCH_TOTAL"] = str(total)
    os.environ[databases.DURABLE] = "yes"
    contenders.TOTAL = total
    lock = databases.begin_run()
    try:
        server = databases.running_server()
        print(
            f"databases in {tempfile.gettempdir()}, where a synced write of a page takes {synced_write() * 1000:.2f} ms"
        )
        print(f"{total:,} due messages, one sink; a share is the median of the rounds' own:")
        print("| who | database | answer after | messages/s | of the bare SDK | first after | memory | rounds |")
        print("|---|---|---|---|---|---|---|---|")
        for latency, times in rounds.items():
            side_by_side(latency, times, server)
        two_workers(server)
        killed(rounds, server)
    finally:
        databases.end_run(lock)


def synced_write() -> float:
    """The seconds that a page takes to be on the disk, where the databases are."""
    took = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(51):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def installed(who: Sequence[Who]) -> list[Who]:
    """Those of them that are installed; each of the others is named."""
    for name in dict.fromkeys(name for name, _ in who if not contenders.is_installed(name)):
        print(f"({name} is left out: it is not installed here; `make bench` installs it.)")
    return [one for one in who if contenders.is_installed(one[0])]


def side_by_side(
    latency: float,
    rounds: int,
    server: "databases.Server",
    *,
    ours: Sequence[Who] = OURS,
    rivals: Sequence[Who] = RIVALS,
    slow: Sequence[Who] = SLOW_RIVALS,
) -> None:
    """Each round measures everybody, one after the other: a share is of the bare client of the same round, for a
    machine that others use is not as fast a minute later. `slow`: they are many times slower, and run once."""
    runs: dict[Who, list[Measured]] = {}
    # Without anybody to send to there is no latency.
    ours = [who for who in ours if who[0] == "ours" or not latency]
    rivals, slow = installed(rivals), installed(slow)
    for round_ in range(rounds):
        for name, kind in (BARE, *ours, *rivals, *(slow if not round_ else ())):
            with sink(latency) as provider, filled(name, kind, provider, server) as place:
                runs.setdefault((name, kind), []).append(run(name, place, provider))
    for (name, kind), measured in runs.items():
        shares = [one.per_second / bare.per_second for one, bare in zip(measured, runs[BARE], strict=False)]
        rate = statistics.median(one.per_second for one in measured)
        first = statistics.median(one.first for one in measured)
        print(
            f"| {name} | {kind} | {latency * 1000:.0f} ms | {rate:,.0f} | {statistics.median(shares):.0%} | "
            f"{first:.2f} s | {max(one.memory for one in measured)} MB | {len(measured)} |",
            flush=True,
        )


@contextmanager
def filled(name: str, kind: str, provider: Sink, server: "databases.Server") -> Iterator[Place]:
    """Its own database, with everything due."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_FOLDER"] = folder
        if kind == "–":
            yield Place("", "")
            return
        if kind == "SQLite":
            url = f"sqlite:///{folder}/kigen.db"
            yield fill(name, url, provider)
            return
        with server.database() as url:
            yield fill(name, url, provider)


def fill(name: str, url: str, provider: Sink) -> Place:
    if name in contenders.FILLS:
        # Some say in their log what they do.
        logging.disable(logging.ERROR)
        contenders.FILLS[name](url, provider.url)
        logging.disable(logging.NOTSET)
        return Place(url, "")
    key = new_key()
    migrate(url)
    fill_ours(url, key, contenders.TOTAL)
    return Place(url, key)


def fill_ours(url: str, key: str, total: int) -> None:
    """As many people, each with a telephone and a text that is due."""
    folder = Path(os.environ["BENCH_FOLDER"])
    with build_app(read_settings(database_url=url, secret_keys=(key,), data_dir=folder)) as app:
        now, keys = app.clock.now(), read_keys((key,))
        with app.units.writing(now) as uow:
            group = register.add_group(uow, name="組", kind=GroupKind.HOUSEHOLD)
            person = register.add_person(uow, group_id=group, label="母")
        for start in range(0, total, 1000):
            places = range(start, min(total, start + 1000))
            with app.database.writing() as tx:
                made = tx.execute(
                    insert(Contact).returning(Contact.id, sort_by_parameter_order=True),
                    [contact(keys, person, place, now) for place in places],
                )
                drafts = [
                    draft(group, contact_id, place, now)
                    for contact_id, place in zip(made.scalars(), places, strict=True)
                ]
                queue.add(tx, keys, drafts, now)
    analyse(url)


def analyse(url: str) -> None:
    """As the database's own upkeep would have done by the morning."""
    database = Database(url)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    database.close()


def contact(keys: KeyRing, person: int, place: int, now: datetime) -> dict[str, object]:
    address = contenders.number(place)
    return {
        "person_id": person,
        "is_family": False,
        "channel": ChannelName.SMS,
        "address_sealed": keys.seal(address, contacts.ADDRESS),
        "address_index": keys.blind_index(address),
        "state": ContactState.CONFIRMED,
        "created_at": now,
    }


def draft(group: int, contact_id: int, place: int, now: datetime) -> MessageDraft:
    return MessageDraft(
        f"answer:{contact_id}", MessageKind.ANSWER, group, contact_id, Audience.PERSON, ChannelName.SMS, None,
        contenders.TEXT.format(number=place), 1, now, now + timedelta(days=2),
    )  # fmt: skip


@contextmanager
def started(name: str, place: Place, provider: Sink, *, to_the_end: bool = False) -> "Iterator[subprocess.Popen[str]]":
    """A contender at work; it is killed at the end, if it has not ended by then."""
    command = [sys.executable, "-m", "tests.bench.contenders", name, place.url, provider.url, place.key]
    if to_the_end and name in contenders.TO_THE_END:
        command.append("--to-the-end")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready", f"{name} has not started"
            yield process
        finally:
            process.kill()


def run(name: str, place: Place, provider: Sink) -> Measured:
    with started(name, place, provider) as process:
        began = time.time()
        assert process.stdout is not None
        memory = int(process.stdout.readline())
        ended = time.time()
        process.wait()
    if name == "claim and record":
        return Measured(contenders.TOTAL / (ended - began), 0.0, memory)
    taken = provider.taken()
    assert (taken.count, taken.doubled) == (contenders.TOTAL, 0), f"{name}: {taken.count} taken, {taken.doubled} twice"
    return Measured(taken.count / (taken.last - began), taken.first - began, memory)


def two_workers(server: "databases.Server") -> None:
    """On a machine of two cores the second worker is measured where the provider, not the processor, is waited for."""
    rates = []
    for workers in (1, 2):
        with sink(0.1) as provider, filled("ours", "PostgreSQL", provider, server) as place, ExitStack() as stack:
            processes = [stack.enter_context(started("ours", place, provider)) for _ in range(workers)]
            began = time.time()
            for process in processes:
                process.wait()
            taken = provider.taken()
            assert (taken.count, taken.doubled) == (contenders.TOTAL, 0)
            # The first has been sending while the second loaded its program: only what both have sent counts.
            rates.append(sum(at > began for at in taken.times.values()) / (taken.last - began))
    print(
        f"\nA second worker on PostgreSQL, answers after 100 ms: {rates[0]:,.0f} → {rates[1]:,.0f}/s, +{rates[1] / rates[0] - 1:.0%}"
    )


@dataclass(frozen=True)
class Held:
    """What a killed worker holds, as its database says: the SQL of its ids, and of the ids (`:ids`) that are still held
    as it left them."""

    what: str
    held: str
    left: str


HELD: Mapping[str, Sequence[Held]] = {
    "ours": (
        Held(
            "leased",
            "SELECT id FROM messages WHERE state = 'queued' AND lease_until IS NOT NULL",
            "SELECT id FROM messages WHERE id IN :ids AND state = 'queued'",
        ),
        Held(
            "being handed over",
            "SELECT id FROM messages WHERE state = 'sending'",
            "SELECT id FROM messages WHERE id IN :ids AND state IN ('sending', 'unknown')",
        ),
    ),
    "Procrastinate": (
        Held(
            "doing",
            "SELECT id FROM procrastinate_jobs WHERE status = 'doing'",
            "SELECT id FROM procrastinate_jobs WHERE id IN :ids AND status = 'doing'",
        ),
    ),
    "PgQueuer": (
        Held(
            "picked",
            "SELECT id FROM pgqueuer WHERE status = 'picked'",
            "SELECT id FROM pgqueuer WHERE id IN :ids",
        ),
    ),
    "DBOS": (
        Held(
            "pending",
            "SELECT workflow_uuid FROM {schema}workflow_status WHERE status = 'PENDING'",
            "SELECT workflow_uuid FROM {schema}workflow_status WHERE workflow_uuid IN :ids AND status <> 'SUCCESS'",
        ),
    ),
}
KILLED = (
    ("ours", "SQLite"), ("ours", "PostgreSQL"), ("PgQueuer", "PostgreSQL"), ("APScheduler", "SQLite"),
    ("APScheduler", "PostgreSQL"), ("Procrastinate", "PostgreSQL"), ("DBOS", "SQLite"), ("DBOS", "PostgreSQL"),
)  # fmt: skip


def killed(
    latencies: Iterable[float], server: "databases.Server", who: Sequence[Who] = KILLED, within: float = RESUMED_WITHIN
) -> None:
    """SIGKILL at a third, a look at what it held, and a new start that lasts until all is done.

    One after the other is killed and started again. Where only time is waited for, the next one's turn begins.
    """
    print(f"\n| after a SIGKILL at a third and a restart, {contenders.TOTAL:,} due | database | answer after | "
          "held at the kill, and after how long the first of them went on | sent | doubled | not sent |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    cases = [(latency, one) for latency in latencies for one in installed(who)]
    turn = threading.Lock()
    with ThreadPoolExecutor(len(cases)) as threads:
        for line in threads.map(lambda case: kill(*case[1], case[0], server, turn, within), cases):
            print(line, flush=True)


def kill(name: str, kind: str, latency: float, server: "databases.Server", turn: threading.Lock, within: float) -> str:
    """The row of the table. `turn` is held while it works; `within`: the most seconds for all of it after the kill."""
    with ExitStack() as stack:
        with turn:
            provider = stack.enter_context(sink(latency))
            place = stack.enter_context(filled(name, kind, provider, server))
            with started(name, place, provider) as process:
                while provider.count() < contenders.TOTAL // 3:
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
                process.wait()
            holding = Holding(name, place)
            stack.callback(holding.close)
            began = time.monotonic()
            again = stack.enter_context(started(name, place, provider, to_the_end=True))
            seen = -1
            while again.poll() is None and (count := provider.count()) != seen:
                seen = count
                holding.look(began, for_seconds=2)
        while again.poll() is None and time.monotonic() - began < within:
            holding.look(began, for_seconds=1)
        holding.look(began, for_seconds=0)
        taken = provider.taken()
    missing = contenders.TOTAL - (taken.count - taken.doubled)
    return (
        f"| {name} | {kind} | {latency * 1000:.0f} ms | {holding} | {taken.count - taken.doubled:,} | {taken.doubled} | "
        f"{missing} |"
    )


class Holding:
    """What a killed worker held, and after how many seconds the first of each kind was no longer held."""

    def __init__(self, name: str, place: Place) -> None:
        is_postgresql = place.url.startswith("postgresql")
        self._schema = "dbos." if is_postgresql else ""
        self._engine = create_engine(place.url.replace("postgresql://", "postgresql+psycopg://")) if place.url else None
        self._kinds = HELD.get(name, ())
        self._ids = {one.what: self._found(one.held) for one in self._kinds}
        self._after: dict[str, float] = {}

    def _found(self, statement: str, ids: Sequence[object] = ()) -> list[object]:
        assert self._engine is not None
        asked = text(statement.replace("{schema}", self._schema))
        if ids:
            asked = asked.bindparams(bindparam("ids", expanding=True))
        with self._engine.connect() as connection:
            return list(connection.execute(asked, {"ids": ids} if ids else {}).scalars())

    def look(self, began: float, *, for_seconds: float) -> None:
        """Look again and again for so many seconds."""
        ends = time.monotonic() + for_seconds
        while True:
            for one in self._kinds:
                ids = self._ids[one.what]
                if ids and one.what not in self._after and len(self._found(one.left, ids)) < len(ids):
                    self._after[one.what] = time.monotonic() - began
            if time.monotonic() >= ends:
                return
            time.sleep(0.1)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def __str__(self) -> str:
        """Such as "leased 500: 9.8 s, being handed over 64: 372 s"."""
        said = [f"{what} {len(ids)}: {self._went_on(what) if ids else '–'}" for what, ids in self._ids.items()]
        return ", ".join(said) or "it keeps no record"

    def _went_on(self, what: str) -> str:
        return f"{self._after[what]:.1f} s" if what in self._after else "not while it ran"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--total", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=5)
    print(f"{SystemClock().now():%Y-%m-%d}, Python {sys.version.split()[0]}")
    chosen = arguments.parse_args()
    measure(chosen.total, dict.fromkeys(ROUNDS, chosen.rounds))
