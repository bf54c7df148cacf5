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
from reminder.domain.model.people import Audience, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.rules.steps import step_due
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.wiring import App
from tests.fakes.twilio import sign
from tests.simulation import people
from tests.simulation.loop import OWNER, SimLoop
from tests.simulation.machines import JOB, Machine, Web, Worker, settings_for
from tests.simulation.network import Network
from tests.simulation.providers import LINE_HOST, MAIL_HOST, TOKEN, TWILIO, LineServer, MailServer, Taken, Twilio
from tests.simulation.scenario import HOUR, READER, Happening, Scenario, Somebody
from tests.simulation.storage import Storage
from tests.simulation.watcher import Row, Watcher, Wrong, instant
from tests.simulation.weather import WELL, Weather

# How long a job waits where nothing calls it, in seconds: what it finds then, time alone has made due.
CALM = 1500.0
PUBLIC = "https://kigen.example.jp"


@dataclass
class Resident:
    """What the world knows of a person: the ids of the rows about them."""

    somebody: Somebody
    group: int
    id: int
    contacts: dict[str, int] = field(default_factory=dict)
    carers: dict[str, int] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)


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

    def __init__(self, scenario: Scenario, folder: Path, url: str) -> None:
        self.scenario = scenario
        self._chances: dict[str, Random] = {}
        self.began = datetime.fromisoformat(scenario.start)
        self.trace: list[str] = []
        self.network = Network(lambda: self.draw("the network", 0.0005, 0.02))
        self.loop = SimLoop(lambda: self.draw("threads begin", 0.0, 0.003), self.network)
        self.network.loop = self.loop
        self.weather = Weather(self.loop.time, self.chance_of)
        self.weather.spells = list(scenario.spells)
        self.storage = Storage(url, lambda process: self.weather.now("storage", process)[0])
        self.settings = settings_for(folder, url)
        self.twilio, self.line, self.mail = Twilio(self), LineServer(self), MailServer(self)
        self.network.hosts = {TWILIO: self.twilio, LINE_HOST: self.line, MAIL_HOST: self.mail}
        self.watcher = Watcher(self)
        self.jobs_left_out = ("import", "audit", "try mail")
        self.residents: dict[str, Resident] = {}
        self.worker: Worker
        self.web: Web
        self._wakes: dict[str, asyncio.Event] = {}
        self._ran: dict[str, tuple[float, int]] = {}
        self.references: Any = None
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

    def was_off_for_long(self) -> bool:
        """Return whether we were off for so long that nobody can be told in time."""
        return sum(one.args.get("back_after", 0.0) for one in self.scenario.happenings) > 4 * HOUR

    def was_set_back(self) -> bool:
        """Return whether our clock was set back: its six o'clock came later than that of those who wait."""
        return any(one.args.get("by", 0.0) < 0 for one in self.scenario.happenings)

    # ── what providers say to us ──

    def handed(self, channel: str, key: str, to: str, text: str) -> None:
        """Tell the watcher that a message has arrived at its provider."""
        del text
        self.watcher.handed(channel, key, to)

    def took(self, taken: Taken) -> None:
        """Tell the watcher that a provider has taken a message."""
        self.watcher.took(taken)

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
        wake = self._wakes[job] = asyncio.Event()
        limit = self._limit(worker, job)
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await wake.wait()
        await asyncio.sleep(self.draw("jobs look", 0.1, 1.0 if job.startswith("send") else 5.0))

    def _limit(self, worker: Worker, job: str) -> float:
        """Return after how many seconds time alone may have made something due."""
        now = worker.clock.now()
        state = hash(tuple(self._of_job(job)))
        ran_at, before = self._ran.get(job, (-1.0, 0))
        self._ran[job] = (self.loop.time(), state)
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

    def committed(self) -> None:
        """Something was committed: the watcher looks, and whoever might have to do with it."""
        self.happened("committed")
        self.watcher.look()
        job = JOB.get()
        for name, event in self._wakes.items():
            # Lists of providers are read by the clock, whatever we have done.
            if name in ("fetch", job):
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
                self.storage.close()
                self._end()
        texts = [*self.twilio.texts, *self.mail.mails, *self.line.pushed]
        return Result(self.watcher.wrongs, self.trace, texts, list(self.watcher.rows.values()))

    def _end(self) -> None:
        for process in (getattr(self, "worker", None), getattr(self, "web", None)):
            if process is not None and hasattr(process, "app"):
                process.is_alive = False
                process.app.database.close()
        self.loop.close()

    async def _main(self) -> None:
        self.twilio.phones = {in_full(number): how for number, how in self.scenario.phones.items()}
        self.mail.mailboxes = dict(self.scenario.mailboxes)
        self.web, self.worker = Web(self, "web").start(), Worker(self, "worker").start()
        for happening in self.scenario.happenings:
            if not happening.on:
                self.loop.call_at(happening.at, self._happen, happening, context=contextvars.Context())
        for day in range(self.scenario.days):
            evening = (day * 24 + 16.5) * HOUR
            await asyncio.sleep(evening - self.loop.time())
            self.watcher.end_of_day()

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
        if isinstance(process, Worker):
            self._wakes.clear()
            self._ran.clear()

    def start_again(self, name: str, after: float) -> None:
        """Start a process again, if it is dead by then."""

        def start() -> None:
            process = self.worker if name == "worker" else self.web
            if not process.is_alive:
                self.note(f"{name} starts again")
                started = process.start()
                if isinstance(started, Worker):
                    self.worker = started
                else:
                    self.web = started  # type: ignore[assignment]

        self.later(after, start)

    # ── who lives here ──

    def settle(self, app: App) -> None:
        """Enrol everybody, before the first job of the first worker."""
        self.references = app.keys.references
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
                uow, group_id=group, label=LABELS.get(somebody.name, somebody.name),
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
        """Return how many persons a number belongs to."""
        return sum(one.sms is not None and in_full(one.sms) == number for one in self.scenario.people)


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
