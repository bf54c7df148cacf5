"""Prints every figure with how it was taken: `python -m tests.bench [--people N] [--years N]`."""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from datetime import time as wall

from sqlalchemy import text

from reminder.clock import SystemClock
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import Audience, ChannelName, ConsentHow, GroupKind, Mode
from reminder.domain.rules import hours, schedule
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.simulate import SimulatedWorld, simulated_world
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.wiring import read_rulebook, read_settings
from reminder.worker.jobs import run_once
from tests.bench import engines, growth, home, sheets
from tests.journeys.years import run_years
from tests.village import USER_CERTIFICATE

MORNING = hours.instant(date(2027, 3, 17), wall(9))  # two weeks before END, on which a text is due
END = date(2027, 3, 31)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--people", type=int, default=1000)
    arguments.add_argument("--years", type=int, default=5)
    chosen = arguments.parse_args()
    five_years(chosen.people, chosen.years)
    start_up()
    plans()
    idle_and_busy_ticks()
    home.measure()
    sheets.measure()
    engines.measure()
    growth.measure()


def five_years(people: int, years: int) -> None:
    account = run_years(people, years)
    print(
        f"{years} years, {account.people} people, {account.cards} cards, 1 attempt in 5 refused, SQLite file, real ticks:"
    )
    print(f"  {account.simulated_in:.1f} s simulated in {account.ticks} ticks, {account.enrolled_in:.1f} s to enrol")
    print(f"  {account.sent} messages, {account.attempts_refused} attempts refused, {account.held_back} held back")
    print(f"  wrong: {dict(account.wrong) or 'nothing missing, nothing twice, nothing at a wrong day or hour'}")
    if account.wrong:
        sys.exit(1)


def start_up() -> None:
    command = [sys.executable, "-m", "reminder", "--help"]
    bare = [sys.executable, "-c", "pass"]
    print(
        f"reminder --help: {median(lambda: run(command)) * 1000:.0f} ms; Python alone: {median(lambda: run(bare)) * 1000:.0f} ms"
    )


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def plans() -> None:
    rules = read_rulebook(read_settings())
    days = [date(2027, 1, 1) + timedelta(days=day) for day in range(3000)]
    taken: dict[str, float] = {}
    for kind in rules.kinds:
        schedule.plan.cache_clear()  # kinds alike would find each other's plans there
        began = time.perf_counter()
        for mode in Mode:
            for day in days:
                rules.plan(kind, day, mode, insurance=True)
        taken[kind] = time.perf_counter() - began
    each = len(days) * len(Mode)
    slowest = max(taken, key=lambda kind: taken[kind])
    print(
        f"plans of {len(rules.kinds)} kinds: {each * len(taken) / sum(taken.values()) * 60:,.0f} a minute, none twice; "
        f"the slowest kind, {slowest}: {each / taken[slowest] * 60:,.0f}"
    )


def idle_and_busy_ticks() -> None:
    """What a pass costs with more enrolled and with more ever sent; the first row is what the others are held against."""
    first = 0.0
    for people, sent_before in ((100, 0), (5000, 0), (5000, 50_000)):
        with simulated_world(MORNING - timedelta(days=1)) as town:
            enrol(town, people, due=100)
            run_once(town.app, town.clock.now())  # what is overdue goes first
            remember(town, sent_before)
            town.clock.move_to(MORNING)
            began = time.perf_counter()
            report = run_once(town.app, MORNING)
            busy = time.perf_counter() - began
            idle = median(lambda: run_once(town.app, MORNING), times=50)
            first = first or idle
            print(f"{people} cards, {sent_before} messages ever sent:")
            print(f"  a pass with nothing due {idle * 1000:.2f} ms ({idle / first:.1f} times the first)")
            print(f"  one that plans and sends {report['sent']} texts {busy * 1000:.0f} ms")


def enrol(town: SimulatedWorld, people: int, *, due: int) -> None:
    app, now = town.app, town.clock.now()
    for place in range(people):
        if place % 10 == 0:
            with app.units.writing(now) as uow:
                group = register.add_group(uow, name="組", kind=GroupKind.HOUSEHOLD)
        with app.units.writing(now) as uow:
            person = register.add_person(uow, group_id=group, label="母")
            register.add_contact(
                uow,
                person_id=person,
                channel=ChannelName.SMS,
                address=f"090-0000-{place:04d}",
                consent_how=ConsentHow.SPOKEN,
                consent_by="家族",
            )
        end = END if place < due else END + timedelta(days=700)
        typed = TypedDates(end.isoformat())
        with app.units.writing(now) as uow:
            add_card(uow, person_id=person, kind=USER_CERTIFICATE, typed=typed)


def remember(town: SimulatedWorld, messages: int) -> None:
    """As many messages of earlier years, all of them delivered."""
    then = town.clock.now() - timedelta(days=365)
    for start in range(0, messages, 1000):
        drafts = [
            MessageDraft(
                f"old:{start + place}",
                MessageKind.REMINDER,
                1,
                1,
                Audience.PERSON,
                ChannelName.SMS,
                None,
                "お知らせ",
                1,
                then,
                then,
            )
            for place in range(1000)
        ]
        with town.app.database.writing() as tx:
            queue.add(tx, town.app.keys, drafts, then)
            tx.execute(text("UPDATE messages SET state = 'delivered' WHERE state = 'queued'"))


def median(what: Callable[[], object], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    print(f"{SystemClock().now():%Y-%m-%d}, Python {sys.version.split()[0]}")
    main()
