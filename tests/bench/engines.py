"""Our engine, what a user would write instead, and the bare limits, on the same due reminders and the same sink:
`python -m tests.bench.engines [--total N]`. Quote the ratios: the seconds are this machine's."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

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

# Seconds after which the provider answers, and how often everybody is measured: where nothing is waited for, the
# machine's moods are all the more in the figures.
ROUNDS = {0.0: 5, 0.1: 3}


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
RIVALS = (("APScheduler", "SQLite"), ("APScheduler", "PostgreSQL"), ("Procrastinate", "PostgreSQL"))


def measure(total: int = 10_000) -> None:
    os.environ["BENCH_TOTAL"] = str(total)
    os.environ[databases.DURABLE] = "yes"
    contenders.TOTAL = total
    lock = databases.begin_run()
    try:
        server = databases.running_server()
        print(f"{total:,} due messages, one sink; median of {ROUNDS[0.0]} rounds, {ROUNDS[0.1]} at 100 ms:")
        print("| who | database | answer after | messages/s | of the bare SDK | first after | memory |")
        print("|---|---|---|---|---|---|---|")
        for latency, rounds in ROUNDS.items():
            side_by_side(latency, rounds, server)
        two_workers(server)
        killed(server)
    finally:
        databases.end_run(lock)


def side_by_side(latency: float, rounds: int, server: "databases.Server") -> None:
    """Each round measures everybody, one after the other: a share is of the bare client of the same round, for a
    machine that others use is not as fast a minute later. The rivals, which are many times slower, run once."""
    runs: dict[tuple[str, str], list[Measured]] = {}
    # Without anybody to send to there is no latency.
    ours = [who for who in OURS if who[0] == "ours" or not latency]
    for round_ in range(rounds):
        for name, kind in (BARE, *ours, *(RIVALS if not round_ else ())):
            with sink(latency) as provider, filled(name, kind, provider, server) as place:
                runs.setdefault((name, kind), []).append(run(name, place, provider))
    for (name, kind), measured in runs.items():
        shares = [one.per_second / bare.per_second for one, bare in zip(measured, runs[BARE], strict=False)]
        rate = statistics.median(one.per_second for one in measured)
        first = statistics.median(one.first for one in measured)
        print(
            f"| {name} | {kind} | {latency * 1000:.0f} ms | {rate:,.0f} | {statistics.median(shares):.0%} | "
            f"{first:.2f} s | {max(one.memory for one in measured)} MB |",
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
    if name == "APScheduler":
        contenders.fill_apscheduler(url, provider.url)
        return Place(url, "")
    if name == "Procrastinate":
        contenders.fill_procrastinate(url, provider.url)
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


def start(name: str, place: Place, provider: Sink) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.bench.contenders", name, place.url, provider.url, place.key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def run(name: str, place: Place, provider: Sink) -> Measured:
    process, began = start(name, place, provider), time.time()
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
        with sink(0.1) as provider, filled("ours", "PostgreSQL", provider, server) as place:
            processes, began = [start("ours", place, provider) for _ in range(workers)], time.time()
            for process in processes:
                process.wait()
            taken = provider.taken()
            assert (taken.count, taken.doubled) == (contenders.TOTAL, 0)
            # The first has been sending while the second loaded its program: only what both have sent counts.
            rates.append(sum(at > began for at in taken.times.values()) / (taken.last - began))
    print(
        f"\nA second worker on PostgreSQL, answers after 100 ms: {rates[0]:,.0f} → {rates[1]:,.0f}/s, +{rates[1] / rates[0] - 1:.0%}"
    )


def killed(server: "databases.Server") -> None:
    """SIGKILL in the middle, and a new start. What ours had in hand it asks about when the lease has run out, which
    takes longer than this measure; it counts as neither lost nor doubled here. tests/chaos follows it to the end."""
    print("\n| after a SIGKILL in mid-run and a restart | database | sent | doubled | not sent |")
    print("|---|---|---|---|---|")
    for name, kind in (
        ("ours", "SQLite"), ("ours", "PostgreSQL"), ("APScheduler", "SQLite"), ("APScheduler", "PostgreSQL"),
        ("Procrastinate", "PostgreSQL"),
    ):  # fmt: skip
        with sink(0.0) as provider, filled(name, kind, provider, server) as place:
            process = start(name, place, provider)
            while provider.count() < contenders.TOTAL // 3:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            start(name, place, provider).wait()
            taken = provider.taken()
        missing = contenders.TOTAL - (taken.count - taken.doubled)
        said = f"{missing} (asked about when their lease is over)" if name == "ours" else str(missing)
        print(f"| {name} | {kind} | {taken.count - taken.doubled:,} | {taken.doubled} | {said} |", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--total", type=int, default=10_000)
    print(f"{SystemClock().now():%Y-%m-%d}, Python {sys.version.split()[0]}")
    measure(arguments.parse_args().total)
