"""The world of one simulation: it builds our processes and everybody else, lets them live, and keeps the trace."""

import asyncio
import contextvars
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from reminder.channels import registry
from reminder.clock import JAPAN, japan_date
from reminder.delivery import record_bounces
from reminder.domain.model.people import Audience, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.parsing.bounces import read_report
from reminder.domain.rules.steps import step_due
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.errors import KigenError
from reminder.storage.db.session import Database
from reminder.storage.maintenance import moving
from reminder.upkeep import backup
from reminder.wiring import App
from tests.fakes.twilio import sign
from tests.simulation import people
from tests.simulation.loop import OWNER, SimLoop
from tests.simulation.machines import JOB, Machine, Operator, Web, Worker, settings_for
from tests.simulation.network import Network
from tests.simulation.providers import LINE_HOST, MAIL_HOST, TOKEN, TWILIO, LineServer, MailServer, Taken, Twilio
from tests.simulation.scenario import HOUR, READER, Happening, Scenario, Somebody
from tests.simulation.storage import Storage, tables_are_built
from tests.simulation.watcher import Row, Watcher, Wrong, instant
from tests.simulation.weather import WELL, Weather

# How long a job waits where nothing calls it, in seconds: what it finds then, time alone has made due.
CALM = 1500.0
BY_THE_CLOCK = ("fetch", "audit")
PUBLIC = "https://kigen.example.jp"
BACKUP_KEY = bytes(32)


@dataclass
class Resident:
    """What the world knows of a person: the ids of the rows about them."""

    somebody: Somebody
    group: int
    id: int
    contacts: dict[str, int] = field(default_factory=dict)
    carers: dict[str, int] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Resident":
        """Return one that does not change with this one."""
        return replace(self, contacts={**self.contacts}, carers={**self.carers}, cards={**self.cards})


@dataclass(frozen=True)
class BackUp:
    """What was true when a back-up was made; `untrue`: what must not be handed over, as the watcher knows it."""

    file: Path
    residents: dict[str, Resident]
    untrue: dict[tuple[int, int], str]


@dataclass(frozen=True)
class Result:
    """What came of a simulation."""

    wrongs: Sequence[Wrong]
    trace: Sequence[str]
    texts: Sequence[Taken]
    rows: Sequence[Row]

    @property
    def digest(self) -> str:
        """The SHA-256 of the trace."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class World:
    """One simulation."""

    def __init__(self, scenario: Scenario, folder: Path, url: str, empty: Callable[[], str]) -> None:
        """Begin; `empty` returns the URL of another migrated database without rows."""
        self.scenario, self._folder, self._empty = scenario, folder, empty
        self._chances: dict[str, Random] = {}
        self.began = datetime.fromisoformat(scenario.start)
        self.trace: list[str] = []
        self.network = Network(lambda: self.draw("the network", 0.0005, 0.02))
        self.loop = SimLoop(lambda: self.draw("threads begin", 0.0, 0.003), self.network)
        self.network.loop = self.loop
        self.weather = Weather(self.loop.time, self.chance_of)
        self.weather.spells = list(scenario.spells)
        self.storage = self._storage_at(url)
        self._storages = [self.storage]
        self.twilio, self.line, self.mail = Twilio(self), LineServer(self), MailServer(self)
        self.network.hosts = {TWILIO: self.twilio, LINE_HOST: self.line, MAIL_HOST: self.mail}
        self.watcher = Watcher(self)
        self.jobs_left_out = ("try mail", "import") if scenario.audits else ("try mail", "import", "audit")
        self.residents: dict[str, Resident] = {}
        self._every_process: list[Machine] = []
        self.processes: dict[str, Machine] = {}
        self.operator: Operator
        self._wakes: dict[tuple[Machine, str], asyncio.Event] = {}
        self._ran: dict[tuple[Machine, str], tuple[float, int]] = {}
        self.references: Any = None
        self.keys: Any = None
        self.backed_up: BackUp | None = None
        self.restored_at: float | None = None
        self._is_lost = False  # the database, and nobody can work
        self._counts = Counter[str]()
        # Persons who must have been told by the evening, unless somebody has done something about them.
        self.due: set[str] = set()
        self.touched: set[str] = set()

    # ── chance, time and the trace ──

    def chance_of(self, purpose: str) -> Random:
        """Return the source of chance of one purpose: what others draw does not change it."""
        if purpose not in self._chances:
            self._chances[purpose] = Random(f"{self.scenario.seed} {purpose}")
        return self._chances[purpose]

    def draw(self, purpose: str, low: float, high: float) -> float:
        """Return a number of this purpose."""
        return low + (high - low) * self.chance_of(purpose).random()

    def now(self) -> datetime:
        """Return the true instant."""
        return self.began + timedelta(seconds=self.loop.time())

    @property
    def worker(self) -> Worker:
        """The first worker."""
        worker = self.processes["worker"]
        assert isinstance(worker, Worker)
        return worker

    @property
    def web(self) -> Web:
        """The web server."""
        web = self.processes["web"]
        assert isinstance(web, Web)
        return web

    def _storage_at(self, url: str) -> Storage:
        return Storage(url, lambda process: self.weather.now("storage", process)[0])

    def settings_of(self, storage: Storage) -> Any:
        """Return the settings of a process that works on this database."""
        return settings_for(self._folder, storage.url)

    def worker_now(self) -> datetime:
        """Return what the worker's machine takes for the present."""
        return self.worker.clock.now()

    def note(self, what: str) -> None:
        """Write a line into the trace."""
        self.trace.append(f"{self.loop.time():11.3f} {what}")

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something later, whoever lives then."""
        self.loop.call_later(seconds, then, context=contextvars.Context())

    def was_away_for_long(self) -> bool:
        """Return whether the database was away for longer than outcomes wait for it."""
        spells = (one for one in self.scenario.spells if one.about == "storage" and one.begin <= self.loop.time())
        return any(one.end - one.begin > 100 for one in spells)

    def has_faults(self) -> bool:
        """Return whether statements of ours failed for no reason: outcomes may not have been recorded."""
        return any(one.about == "statements" and one.begin <= self.loop.time() for one in self.scenario.spells)

    def are_lists_bad(self) -> bool:
        """Return whether a provider's list may not be read in the next hours."""
        abouts, now = ("sms_list", "sms_network", "storage", "jobs"), self.loop.time()
        return any(one.about in abouts and one.end > now and one.begin < now + 2 * HOUR for one in self.scenario.spells)

    def was_off_for_long(self) -> bool:
        """Return whether we were off for so long that nobody can be told in time."""
        late = [one.how.partition(":")[2] for one in self.scenario.spells if one.about == "jobs" and ":" in one.how]
        times = [one.args.get("back_after", 0.0) for one in self.scenario.happenings]
        return sum([*times, *map(float, late)]) > 4 * HOUR

    def was_set_back(self) -> bool:
        """Return whether our clock was set back: its six o'clock came later than that of those who wait."""
        return any(one.args.get("by", 0.0) < 0 for one in self.scenario.happenings)

    # ── what providers say to us ──

    def handed(self, channel: str, key: str, to: str, by: object) -> None:
        """Tell the watcher that a message has arrived at its provider."""
        self.watcher.handed(channel, key, to, by)

    def took(self, taken: Taken) -> None:
        """Tell the watcher that a provider has taken a message."""
        self.watcher.took(taken)

    def bounced(self, report: bytes) -> None:
        """Pipe a mail that came back into `reminder mail bounce`."""
        web = self.web
        if not web.is_alive or not web.is_ready:
            # The mail server keeps it, and pipes it again.
            self.later(60.0, lambda: self.bounced(report))
            return

        def piped() -> None:
            bounce = read_report(report)
            assert bounce is not None
            try:
                with web.app.writing() as uow:
                    is_kept = record_bounces.keep(uow, bounce)
            except KigenError:
                self.later(60.0, lambda: self.bounced(report))
                raise
            self.note(f"a mail came back with {bounce.status}: {'kept' if is_kept else 'nothing of ours'}")

        web.in_thread(piped)

    def report(self, path: str, fields: Sequence[tuple[str, str]], *, about: str) -> None:
        """Post a signed webhook, as Twilio does: once."""
        body = urlencode(fields).encode()
        headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-twilio-signature", sign(TOKEN, PUBLIC + path, fields)),
        ]

        def heard(status: int) -> None:
            self.note(f"{about} {dict(fields).get('MessageStatus') or ''} answered with {status}")
            self.watcher.heard(about, dict(fields), is_kept=200 <= status < 300)

        self.ask("POST", path, body, headers, heard)

    def ask(
        self, method: str, target: str, body: bytes, headers: Sequence[tuple[str, str]], then: Callable[[int], None]
    ) -> None:
        """Ask our web server something, if it can be reached."""
        if self.weather.now("web_network")[0] != WELL or not self.web.is_alive or not self.web.is_ready:
            then(0)
            return
        context = contextvars.copy_context()
        context.run(OWNER.set, self.web)
        task = self.loop.create_task(self.web.ask(method, target, body, headers), context=context)
        task.add_done_callback(
            lambda done: then(0 if done.exception() else done.result()), context=contextvars.Context()
        )

    # ── when jobs run ──

    def wait_for_work(self, worker: Worker, job: str) -> None:
        """Let the thread of a job wait until there is something to do, or long enough.

        The real one looks every second or few; what it would find in between, it finds here at once.
        """
        self.loop.wait_for(self._work(worker, job))

    async def _work(self, worker: Worker, job: str) -> None:
        wake = self._wakes[worker, job] = asyncio.Event()
        limit = self._limit(worker, job)
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await wake.wait()
        await asyncio.sleep(self.draw("jobs look", 0.1, 1.0 if job.startswith("send") else 5.0))

    def _limit(self, worker: Worker, job: str) -> float:
        """Return after how many seconds time alone may have made something due."""
        now = worker.clock.now()
        state = hash(tuple(self._of_job(job)))
        ran_at, before = self._ran.get((worker, job), (-1.0, 0))
        self._ran[worker, job] = (self.loop.time(), state)
        moments = [at for row in self._of_job(job) if (at := _due(row, job)) is not None]
        midnight = (now.astimezone(JAPAN) + timedelta(days=1)).replace(hour=0, minute=0, second=5)
        next_at = min([*moments, midnight.astimezone(UTC)])
        # Where a run has changed nothing, what it waits for is not in the rows.
        least = 60.0 if state == before and ran_at >= 0 else 0.5
        return min(max((next_at - now).total_seconds(), least), 4 * CALM if job.startswith("send ") else CALM)

    def _of_job(self, job: str) -> list[Any]:
        rows = self.watcher.rows.values()
        if job == "send codes":
            return [row for row in rows if row.state == "queued" and row.kind == "login_code"]
        channel = job.removeprefix("send by ")
        if channel == job:
            return [row for row in rows if row.state in ("sending", "unknown")]
        return [row for row in rows if row.state == "queued" and row.channel == channel]

    def committed(self, process: Machine) -> None:
        """Something was committed: the watcher looks, and whoever might have to do with it."""
        if process.storage is not self.storage:
            return
        self.happened("committed")
        self.watcher.look(process)
        job = JOB.get()
        for (_, name), event in self._wakes.items():
            # The audit, and the lists of providers, are by the clock, whatever we have done. Two workers that look at
            # what each other's job has done would go on for ever.
            if name in BY_THE_CLOCK or name == job:
                continue
            if name.startswith("send ") and not self._is_soon(name):
                continue
            event.set()

    def _is_soon(self, job: str) -> bool:
        """Return whether a message is due before the job would look by itself."""
        soon = self.worker_now() + timedelta(seconds=CALM)
        return any((at := _due(row, job)) is not None and at <= soon for row in self._of_job(job))

    # ── life ──

    def run(self) -> Result:
        """Live through all of it."""
        with _machine_is_away(self.scenario.seed, self.loop):
            try:
                self.loop.run_until_complete(self._main())
            finally:
                for storage in self._storages:
                    storage.close()
                self._end()
        texts = [*self.twilio.texts, *self.mail.mails, *self.line.pushed]
        return Result(self.watcher.wrongs, self.trace, texts, list(self.watcher.rows.values()))

    def _end(self) -> None:
        for process in self._every_process:
            process.is_alive = False
            if hasattr(process, "app"):
                process.app.database.close()
        self.loop.close()

    async def _main(self) -> None:
        self.twilio.phones = {in_full(number): how for number, how in self.scenario.phones.items()}
        self.mail.mailboxes = dict(self.scenario.mailboxes)
        self.operator = Operator(self, "operator").start()
        self._begin(Web(self, "web"))
        for number in range(self.scenario.workers):
            self._begin(Worker(self, f"worker{number + 1 if number else ''}"))
        for happening in self.scenario.happenings:
            if not happening.on:
                self.loop.call_at(happening.at, self._happen, happening, context=contextvars.Context())
        for day in range(self.scenario.days):
            evening = (day * 24 + 16.5) * HOUR
            await asyncio.sleep(evening - self.loop.time())
            self.watcher.end_of_day()

    def _begin(self, before: Machine) -> None:
        """Start a process in place of one that does not live, or lives no more."""
        started = before.start()
        self.processes[started.name] = started
        self._every_process.append(started)

    def happened(self, what: str, channel: str = "") -> None:
        """Count what came, in all and by this channel, and let those act who act just then."""
        for name in (what, f"{what} {channel}")[: 2 if channel else 1]:
            self._counts[name] += 1
            turn = f"{name}:{self._counts[name]}"
            for happening in self.scenario.happenings:
                if happening.on == turn:
                    self.later(self.draw("acts follow", 0.0, 0.03), lambda one=happening: self._happen(one))

    def _happen(self, happening: Happening) -> None:
        if happening.args.get("who") == READER:
            happening = replace(happening, args={**happening.args, "who": self._reader()})
        self.note(f"-- {happening}")
        self._touch(happening)
        people.ACTS[happening.do](self, **happening.args)

    def _reader(self) -> str:
        """Return the person to whom, or about whom, the latest message is."""
        about = self.watcher.latest_person()
        return next((name for name, one in self.residents.items() if one.id == about), next(iter(self.residents)))

    def _touch(self, happening: Happening) -> None:
        """Note about whom somebody has done something: of them nobody knows any more what they must be told."""
        if (who := happening.args.get("who")) is None:
            return
        itself = self.residents[who]
        about_all = happening.do in ("stop_link", "take")
        for name, one in self.residents.items():
            shares = itself.somebody.sms is not None and itself.somebody.sms == one.somebody.sms
            if name == who or shares or (about_all and one.group == itself.group):
                self.touched.add(name)

    def is_dead(self, process: Machine) -> None:
        """Let somebody start a process again that has died."""
        self.note(f"{process.name} is dead")
        for known in (self._wakes, self._ran):
            for key in [key for key in known if key[0] is process]:
                del known[key]  # type: ignore[attr-defined]

    def start_again(self, name: str, after: float) -> None:
        """Start a process again, if it is dead by then."""

        def start() -> None:
            process = self.processes[name]
            if not process.is_alive and not self._is_lost:
                self.note(f"{name} starts again")
                self._begin(process)

        self.later(after, start)

    # ── back-ups ──

    def back_up(self, takes: float) -> None:
        """Make a back-up, as `reminder backup` does: it is dated a moment before it is read."""
        if self.keys is None or self.weather.now("storage", "operator")[0] != WELL:
            self.note("no back-up can be made")
            return
        now, file = self.operator.clock.now(), self._folder / "kigen.backup"
        self.loop.wait(takes)
        database = Database(self.storage.url, durable=False)
        backup.make(database, self.keys, BACKUP_KEY, file, now)
        database.close()
        residents = {name: one.copy() for name, one in self.residents.items()}
        self.backed_up = BackUp(file, residents, {**self.watcher.untrue})
        self.note("a back-up is made")

    def restore(self, *, is_live: bool, closes_after: float, back_after: float) -> None:
        """Restore the back-up, as `reminder restore` does, and start the service again."""
        backed_up, before = self.backed_up, self.storage
        if backed_up is None:
            self.note("there is no back-up")
            return
        if not is_live:
            self._is_lost = True
            for process in self.processes.values():
                process.kill()
        now, target = self.operator.clock.now(), self._storage_at(self._empty())
        database = Database(target.url, durable=False)
        with tables_are_built():
            backup.restore(
                database, backed_up.file, BACKUP_KEY, now, ring=self.keys, keep_keys=lambda _: None
            )  # fmt: skip
        self.note("the back-up is restored")
        self.loop.wait(closes_after)
        if is_live:
            old = Database(before.url, durable=False)
            moving.close(old, to=database.place, now=now)
            old.close()
        database.close()
        self._storages.append(target)
        self.storage, self.restored_at, self._is_lost = target, self.loop.time(), False
        self.residents = {name: one.copy() for name, one in backed_up.residents.items()}
        self.watcher.restored(backed_up.untrue)
        self.note("the service of before is closed")
        self.web.kill()
        self.loop.wait(back_after)
        for process in list(self.processes.values()):
            if not process.is_alive or process.storage is not self.storage:
                self._begin(process)

    # ── who lives here ──

    def settle(self, app: App) -> None:
        """Enrol everybody, before the first job of the first worker."""
        self.references, self.keys = app.keys.references, app.keys
        groups = {}
        for name in sorted({one.household for one in self.scenario.people}):
            with app.writing() as uow:
                groups[name] = register.add_group(uow, name=f"{name}の家", kind=GroupKind.HOUSEHOLD)
            with app.writing() as uow:
                for member in self.scenario.members if name == "A" else (f"kazoku-{name.lower()}@example.jp",):
                    register.add_member(
                        uow, group_id=groups[name], email=member, role=Role.OWNER, language=Language.JAPANESE
                    )
        for somebody in self.scenario.people:
            self.enter(app, somebody, groups[somebody.household])

    def enter(self, app: App, somebody: Somebody, group: int) -> None:
        """Enrol a person with their contacts and cards."""
        with app.writing() as uow:
            person = register.add_person(
                uow, group_id=group, label=somebody.label or LABELS.get(somebody.name, somebody.name),
                mode=Mode(somebody.mode),
            )  # fmt: skip
            resident = Resident(somebody, group, person)
            for channel in ("sms", "email", "line", "voice"):
                if address := getattr(somebody, channel):
                    resident.contacts[channel] = self.add_contact(uow, person, channel, address)
            for carer in somebody.carers:
                resident.carers[carer] = self.add_contact(uow, person, "email", carer, is_family=True)
            for kind, days in somebody.ends_in.items():
                typed = TypedDates((japan_date(uow.now) + timedelta(days=days)).isoformat())
                added = add_card(uow, person_id=person, kind=kind, typed=typed, confirmed=True)
                resident.cards[kind] = added.id
                _, plan = app.rules.plan(
                    kind, added.expires_on, Mode(somebody.mode), insurance=True, carrier_ends_on=None
                )
                if resident.contacts and step_due(plan, {Audience.PERSON}, added.expires_on, uow.today):
                    self.due.add(somebody.name)
        self.residents[somebody.name] = resident

    @staticmethod
    def add_contact(uow: Any, person: int, channel: str, address: str, *, is_family: bool = False) -> int:
        """Add a contact that has agreed."""
        return register.add_contact(
            uow,
            person_id=person,
            channel=registry.channel_named(channel),
            address=address,
            is_family=is_family,
            consent_how=ConsentHow.SPOKEN,
            consent_by="家族",
        )

    def sharing(self, number: str) -> int:
        """Return how many persons a number, a mail address or an account of LINE belongs to."""
        people = self.scenario.people
        return sum(
            number in (one.sms and in_full(one.sms), one.email, one.line, one.voice and in_full(one.voice))
            for one in people
        )


LABELS = {f"p{number}": label for number, label in enumerate(("母", "父", "祖母", "祖父", "叔母"))}


def in_full(number: str) -> str:
    """Return a number in E.164."""
    return "+81" + number.replace("-", "")[1:] if number.startswith("0") else number


def _due(row: Any, job: str) -> datetime | None:
    """Return when a job has to do with a row."""
    if not job.startswith("send "):
        return instant(row.lease_until) if row.lease_until else None
    at = instant(row.scheduled_at)
    return max(at, instant(row.lease_until)) if row.lease_until else at


@contextmanager
def _machine_is_away(seed: int, loop: SimLoop) -> Iterator[None]:
    """Take the machine's chance, time and threads away from the program and its libraries."""
    chance = Random(f"{seed} urandom")

    async def in_thread(func: Callable[..., Any], *args: Any, **_: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, func, *args)

    with (
        mock.patch.object(os, "urandom", chance.randbytes),
        mock.patch("anyio.to_thread.run_sync", in_thread),
        # How long a connection has been idle.
        mock.patch("aiohttp.connector.monotonic", loop.time),
    ):
        yield
