"""What a pass costs with more enrolled, the memory of a worker over many messages, and how soon a due text leaves:
`python -m tests.bench.growth [--sqlite …] [--postgresql …] [--messages N] [--minutes M]`."""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Urgency
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind
from reminder.enrolment import register
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Contact
from reminder.storage.outbox import queue
from reminder.wiring import App, build_app, read_settings
from reminder.worker.jobs import run_once
from reminder.worker.scheduler import WorkerScheduler
from tests import databases
from tests.bench import contenders, engines
from tests.bench.engines import Place, analyse, draft, fill_ours, started
from tests.bench.sink import sink
from tests.conftest import migrate
from tests.village import USER_CERTIFICATE, japan

# Those that are due end two weeks later; a text is due then. All others end long after.
MORNING = japan("2027-03-17 09:00")
FAR = "2029-03-31"
DUE = 500
EACH = 20  # persons of a group: of each group one is due, however many there are

PEOPLE = {
    "postgresql": """
        INSERT INTO people (group_id, label, office, mode, language, insurance, created_at)
        SELECT (n - 1) / {each} + 1, '母', '市役所', 'standard', 'ja', true, '2026-12-01' FROM generate_series({first}, {last}) n""",
    "sqlite": """
        WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last})
        INSERT INTO people (group_id, label, office, mode, language, insurance, created_at)
        SELECT (n - 1) / {each} + 1, '母', '市役所', 'standard', 'ja', 1, '2026-12-01 00:00:00.000000' FROM series""",
}
CARDS = """
    INSERT INTO cards (person_id, kind, label, expires_on, is_computed, next_reminder_on, asked, created_at)
    SELECT id, '{kind}', '', '{far}', {no}, '2028-12-31', 0, created_at FROM people WHERE id BETWEEN {first} AND {last}"""
GROUPS = """
    INSERT INTO groups (name, kind, created_at) SELECT '組', 'household', max(created_at)
    FROM people WHERE id BETWEEN {first} AND {last} GROUP BY group_id"""


def passes(kind: str, url: str, folder: Path, sizes: Sequence[int]) -> None:
    key = new_key()
    migrate(url)
    settings = read_settings(database_url=url, secret_keys=(key,), data_dir=folder)
    clock, channels = SteppedClock(MORNING), {name: MemoryChannel() for name in registered()}
    with build_app(settings, clock=clock, channels=channels) as app:
        enrolled = 0
        first: tuple[float, float] | None = None
        for size in sizes:
            enrol(app, kind, enrolled + 1, size)
            enrolled = size
            analyse(url)
            run_once(app, clock.now())
            idle = statistics.median(seconds(app, clock) for _ in range(300))
            busy = statistics.median(due_pass(app, clock, enrolled) for _ in range(5))
            first = first or (idle, busy)
            print(
                f"| {kind} | {size:,} | {idle * 1000:.2f} ms | {idle / first[0]:.2f} | "
                f"{busy * 1000:.0f} ms | {busy / first[1]:.2f} |",
                flush=True,
            )


def enrol(app: App, kind: str, first: int, last: int) -> None:
    """Persons and cards without a telephone; of these nothing is due for years."""
    is_postgresql = kind == "postgresql"
    for start_at in range(first, last + 1, 500_000):
        upto = min(last, start_at + 499_999)
        words = {"first": start_at, "last": upto, "each": EACH, "kind": USER_CERTIFICATE, "far": FAR}
        words["no"] = "false" if is_postgresql else "0"
        with app.database.writing() as tx:
            if is_postgresql:
                tx.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                tx.execute(text("PRAGMA defer_foreign_keys = ON"))
            for statement in (PEOPLE[kind], GROUPS, CARDS):
                tx.execute(text(statement.format(**words)))


def seconds(app: App, clock: SteppedClock, sent: int = 0) -> float:
    began = time.perf_counter()
    report = run_once(app, clock.now())
    took = time.perf_counter() - began
    assert report["sent"] == sent, report
    return took


def due_pass(app: App, clock: SteppedClock, enrolled: int) -> float:
    """A pass that plans and sends 500 texts, to persons spread over all that are enrolled."""
    step = enrolled // DUE
    today = clock.now().date()
    with app.database.writing() as tx:
        # The same morning once more.
        for table in ("messages", "reminders", "contacts", "day_totals"):
            tx.execute(text(f"DELETE FROM {table}"))
        tx.execute(text(f"UPDATE cards SET expires_on = '{FAR}', next_reminder_on = '2028-12-31' WHERE next_reminder_on < '2028-01-01'"))  # fmt: skip
        tx.execute(
            text(
                f"UPDATE cards SET expires_on = '{today + timedelta(days=14)}', next_reminder_on = '{today}' "
                f"WHERE person_id % {step} = 0 AND person_id <= {step * DUE}"
            )
        )
    for place in range(1, DUE + 1):
        telephone(app, place * step, place)
    return seconds(app, clock, sent=DUE)


def telephone(app: App, person: int, place: int) -> None:
    with app.writing() as uow:
        register.add_contact(
            uow,
            person_id=person,
            channel=ChannelName.SMS,
            address=f"090-0000-{place:04}",
            consent_how=ConsentHow.SPOKEN,
            consent_by="家族",
        )


def memory(url: str, messages: int) -> None:
    """Resident memory of a worker's process as it sends them."""
    key = new_key()
    migrate(url)
    fill_ours(url, key, messages)
    with sink(0.0) as provider, started("ours", Place(url, key), provider) as process:
        sizes = []
        while process.poll() is None:
            try:
                sizes.append((provider.count(), contenders.memory("VmRSS", process.pid)))
            except (OSError, IndexError):
                break
            time.sleep(0.5)
        process.wait()
        taken = provider.taken()
    assert (taken.count, taken.doubled) == (messages, 0)
    marks = [next((mb for count, mb in sizes if count >= messages * part), sizes[-1][1]) for part in (0.1, 0.5, 0.9)]
    print(f"memory of a worker over {messages:,} messages: {marks[0]}, {marks[1]}, {marks[2]} MB at 10, 50 and 90 %")


def due_to_handed_over(url: str, per_second: int, minutes: float) -> None:
    """Families' texts come due one by one; each minute a home's come due at once. All in all `per_second`. The real
    worker runs in this process: the sink and the database have their own."""
    key = new_key()
    migrate(url)
    total = int(per_second * 60 * minutes)
    with sink(0.1) as provider:
        settings = read_settings(
            database_url=url, secret_keys=(key,), data_dir=Path(os.environ["BENCH_FOLDER"]), pass_seconds=5,
            twilio_account_sid=contenders.ACCOUNT, twilio_auth_token=contenders.TOKEN, twilio_from=contenders.SENDER,
            twilio_base_url=provider.url, sms_per_second=200,
        )  # fmt: skip
        with build_app(settings) as app:
            due = spread(app, key, total, per_second)
            with build_app(settings) as working, WorkerScheduler(working):
                while provider.count() < total:
                    time.sleep(1)
            taken = provider.taken().times
    waits = sorted(taken[number] - due[number] for number in due)
    homes = sorted(taken[number] - due[number] for number in due if is_bulk(number))
    print(
        f"due to handed over, {per_second}/s for {minutes:g} minutes, a third of it in bulk: median "
        f"{waits[len(waits) // 2]:.2f} s, p95 {waits[int(len(waits) * 0.95)]:.2f} s, longest {waits[-1]:.2f} s; "
        f"of the bulk alone p95 {homes[int(len(homes) * 0.95)]:.2f} s"
    )


BULK = 70_000_000


def is_bulk(number: str) -> bool:
    return int(number.removeprefix("+8190")) >= BULK


def spread(app: App, key: str, total: int, per_second: int) -> dict[str, float]:
    """When each becomes due, by its number."""
    begins = app.clock.now() + timedelta(seconds=20)
    keys, due = read_keys((key,)), dict[str, float]()
    homes = total // 3
    with app.writing() as uow:
        group = register.add_group(uow, name="組", kind=GroupKind.HOUSEHOLD)
        home = register.add_group(uow, name="苑", kind=GroupKind.HOME)
        person = register.add_person(uow, group_id=group, label="母")
    a_minute = per_second * 60
    for start_at in range(0, total, 1000):
        places = range(start_at, min(total, start_at + 1000))
        with app.database.writing() as tx:
            rows, drafts = [], []
            for place in places:
                bulk = place < homes
                at = place // (a_minute // 3) * 60 if bulk else (place - homes) / (per_second * 2 / 3)
                number_of = place + BULK if bulk else place
                moment = begins + timedelta(seconds=at)
                due[contenders.number(number_of)] = moment.timestamp()
                rows.append((engines.contact(keys, person, number_of, begins), moment, home if bulk else group))
            made = tx.execute(
                insert(Contact).returning(Contact.id, sort_by_parameter_order=True), [row for row, _, _ in rows]
            ).scalars()
            for contact_id, (_, moment, whose) in zip(made, rows, strict=True):
                one = draft(whose, contact_id, contact_id, moment)
                drafts.append(replace(one, urgency=Urgency.USUAL))
            queue.add(tx, keys, drafts, begins)
    return due


def measure(
    sqlite: Sequence[int] = (10_000, 1_000_000),
    postgresql: Sequence[int] = (10_000, 1_000_000, 5_000_000),
    messages: int = 100_000,
    minutes: float = 10,
) -> None:
    """Cards on each database, messages of one worker, minutes of a steady load; none of what is empty or zero."""
    os.environ[databases.DURABLE] = "yes"
    lock = databases.begin_run()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["BENCH_FOLDER"] = folder
            server = databases.running_server()
            print("| database | cards | a pass with nothing due | of the first | one with 500 due | of the first |")
            print("|---|---|---|---|---|---|")
            if sqlite:
                passes("sqlite", f"sqlite:///{folder}/kigen.db", Path(folder), sqlite)
            if postgresql:
                with server.database() as url:
                    passes("postgresql", url, Path(folder), postgresql)
            if messages:
                with server.database() as url:
                    memory(url, messages)
            if minutes:
                with server.database() as url:
                    due_to_handed_over(url, 50, minutes)
    finally:
        databases.end_run(lock)


def numbers(written: str) -> list[int]:
    return [int(number) for number in written.split(",") if number]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--postgresql", type=numbers, default="10000,1000000,5000000")
    arguments.add_argument("--sqlite", type=numbers, default="10000,1000000")
    arguments.add_argument("--messages", type=int, default=100_000)
    arguments.add_argument("--minutes", type=float, default=10)
    chosen = arguments.parse_args()
    measure(chosen.sqlite, chosen.postgresql, chosen.messages, chosen.minutes)
