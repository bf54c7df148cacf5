"""One run: people are enrolled, workers tell them, everything goes wrong, and every text is accounted for."""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from datetime import time as wall
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, select, text

from reminder.clock import JAPAN, SteppedClock
from reminder.domain.model.messages import LONGEST_HAND_OVER, OUTCOME_WITHIN, MessageState
from reminder.domain.rules import hours
from reminder.errors import DatabaseNotReadyError
from reminder.storage.crypto.keyring import new_key
from reminder.storage.crypto.sealed_file import new_key as new_backup_key
from reminder.storage.crypto.sealed_file import read_key
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.db.tables import AWAITS_OUTCOME, Message
from reminder.storage.maintenance import moving
from reminder.storage.outbox import queue
from reminder.storage.reminders import promises
from reminder.storage.runtime import work_conditions
from reminder.upkeep import backup
from reminder.wiring import App, build_app, read_settings
from tests.chaos import people, processes, servers
from tests.chaos.account import Account, account
from tests.chaos.actors import SHARE, Actors
from tests.chaos.clocks import FastClock
from tests.chaos.mailbox import HungSmtp
from tests.chaos.processes import Web, Workers
from tests.chaos.provider import HostileTwilio
from tests.fakes import twilio as fake
from tests.program import free_port

LOOK_SECONDS = 0.2
# The machine's seconds: how long the web server lives and is away, how often the clock is set, and how long the workers
# of a database that was restored elsewhere go on.
WEB_LIVES, WEB_IS_AWAY, STEP_EVERY, OLD_WORKERS_GO_ON = 3.0, 1.0, 2.0, 1.0
# By how many seconds the clock of the service is out, one after the other: less than the minute at which `clocks_apart`
# keeps a worker from its work.
STEPS = (45, -45, 30, -30, 0)
NEWS = (work_conditions.RECEIPT_WAITS, work_conditions.FAILURE_UNREPORTED, work_conditions.NOTICE_WAITS)


class Hazard(StrEnum):
    """What goes wrong beside the kills and the provider's faults."""

    SHARED_PHONES = "shared-phones"  # two and two have one telephone, and are told the same words
    LOST_CALLBACKS = "lost-callbacks"  # the web server is killed now and then, and no callback comes twice
    PEOPLE = "people"  # they renew, say "done", stop, take over and erase
    HUNG_MAIL = "hung-mail"  # the mail server answers nothing until half are told
    CLOCK_STEPS = "clock-steps"  # the machine's clock is set forward and back
    RESTORE = "restore"  # a back-up is restored elsewhere, and the workers of before go on for a while


ALL_HAZARDS = frozenset(Hazard)


@dataclass(frozen=True)
class Plan:
    """`factor`: how many seconds of the run one of the machine's is. `kill_every`: the machine's seconds between two
    kills, or None; `kill_for` how long. `restarts`: how often the database is restarted at once; `failover`: its primary is killed."""

    texts: int
    workers: int
    factor: float
    seed: int
    on_sqlite: bool = False
    kill_every: float | None = 1.0
    kill_for: float = 120.0
    restarts: int = 0
    failover: bool = False
    give_up_after: float = 120.0  # the machine's seconds
    log: Path | None = None  # what the processes said, kept there
    hazards: frozenset[Hazard] = frozenset()


@dataclass
class Outcome:
    account: Account
    took: float
    until: datetime  # in the run's own time
    kills: int = 0
    happened: list[str] = field(default_factory=list)
    ended_by_themselves: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    web_kills: int = 0
    mails_that_hung: int = 0
    settled: bool = True

    @property
    def is_right(self) -> bool:
        return self.settled and self.account.is_right


def run(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kigen-chaos-")))
        place = stack.enter_context(_database(plan, folder))
        port, log = free_port(), plan.log or folder / "run.log"
        smtp = stack.enter_context(HungSmtp()) if Hazard.HUNG_MAIL in plan.hazards else None
        given: dict[str, Any] = {
            "database_url": place.url,
            "data_dir": folder,
            "secret_keys": (new_key(),),
            "twilio_account_sid": fake.ACCOUNT_SID,
            "twilio_auth_token": (fake.AUTH_TOKEN,),
            "twilio_from": fake.SENDER,
            "public_url": f"http://127.0.0.1:{port}",
            "sms_per_second": 1000,
            "pass_seconds": 0.2,
        }
        if smtp is not None:
            given |= {"smtp_url": smtp.url, "mail_from": "kigen@example.jp"}
        with build_app(read_settings(**given), clock=SteppedClock(people.MORNING)) as app:
            people.enrol(app, plan.texts, sharing=Hazard.SHARED_PHONES in plan.hazards)
            keys = app.keys
        say(f"{plan.texts} people are enrolled")
        clock = FastClock(people.MORNING, time.time(), plan.factor, processes.CONTEXT.Value("d", 0.0))
        stepping = replace(clock, stepped=processes.CONTEXT.Value("d", 0.0))
        repeats = Hazard.LOST_CALLBACKS not in plan.hazards
        twilio = stack.enter_context(HostileTwilio(plan.seed, clock, repeats_callbacks=repeats))
        given["twilio_base_url"] = twilio.url
        web = stack.enter_context(processes.web(given, stepping, log, port))
        workers = stack.enter_context(processes.workers(plan.workers, given, stepping, log))
        scene = Scene(plan, clock, stepping, place, given, twilio, workers, web, smtp, say)
        stack.callback(scene.close)
        watch = _Watch(scene)
        settled = watch.until_settled()
        workers.stop()
        acts = scene.actors.acts if scene.actors is not None else ()
        outcome = Outcome(
            account(scene.app.database, keys, twilio.outcomes.values(), acts, scene.left_behind),
            watch.passed(),
            clock.now().astimezone(JAPAN),
        )
        outcome.kills, outcome.happened, outcome.settled = workers.kills, watch.happened, settled
        outcome.ended_by_themselves, outcome.faults = watch.ended_by_themselves, twilio.faults
        outcome.web_kills, outcome.mails_that_hung = web.kills, 0 if smtp is None else smtp.hung
        outcome.errors = errors_in(log)
        return outcome


Accident = tuple[str, Callable[[], None]]


@dataclass
class DatabasePlace:
    """`url` of the database, what is to happen to it in order, and the URL of an empty one to restore into."""

    url: str
    accidents: list[Accident]
    spare: str


@contextmanager
def _database(plan: Plan, folder: Path) -> Iterator[DatabasePlace]:
    if plan.on_sqlite:
        yield DatabasePlace(f"sqlite:///{folder / 'kigen.db'}", [], f"sqlite:///{folder / 'restored.db'}")
        return
    with servers.made() as (one, two):
        servers.start_primary(one)
        accidents: list[Accident] = [("PostgreSQL restarts", one.restart_at_once)] * plan.restarts
        url = servers.url(one)
        if plan.failover:
            servers.start_standby(two, one)
            url = servers.url(one, two)

            def fail_over() -> None:
                one.kill()
                two.script("promote.sh")

            accidents.append(("the primary is killed, the standby promoted", fail_over))
        spare = ""
        if Hazard.RESTORE in plan.hazards:
            servers.start_primary(two)
            spare = servers.url(two)
        database = Database(url)
        schema.migrate(database)
        database.close()
        yield DatabasePlace(url, accidents, spare)


class Scene:
    """What lives in a run, and the app of whoever acts and looks: of the present database."""

    def __init__(
        self,
        plan: Plan,
        clock: FastClock,
        stepping: FastClock,
        place: DatabasePlace,
        given: dict[str, Any],
        twilio: HostileTwilio,
        workers: Workers,
        web: Web,
        smtp: HungSmtp | None,
        say: Callable[[str], None],
    ) -> None:
        self.plan, self.clock, self.stepping, self.place, self.given = plan, clock, stepping, place, given
        self.twilio, self.workers, self.web, self.smtp, self.say = twilio, workers, web, smtp, say
        self.app = self._opened()
        each = max(1, round(plan.texts * SHARE / 100))
        is_acted = Hazard.PEOPLE in plan.hazards
        self.actors = Actors(self.app, clock.now, plan.seed, each) if is_acted else None
        self._backup_key = read_key(new_backup_key())
        self.is_moving = False
        self.left_behind: dict[int, bool] = {}

    def _opened(self) -> App:
        return build_app(read_settings(**self.given), clock=self.clock, write=lambda _: None)

    def close(self) -> None:
        self.app.close()

    def _messages(self) -> dict[int, bool]:
        """The ids of all messages, and whether each reminds the person by a text."""
        with self.app.database.reading() as tx:
            return {row.id: bool(row.reminds) for row in tx.execute(_MESSAGES)}

    @property
    def _backup(self) -> Path:
        return Path(self.given["data_dir"]) / "kigen.backup"

    def back_up(self) -> None:
        self.backed_up_at = self.clock.now()
        backup.make(self.app.database, self.app.keys, self._backup_key, self._backup, self.backed_up_at)

    def restore(self) -> None:
        """Into another database, while the service of before is at work, which ends when its database is closed."""
        self.is_moving = True
        try:
            target = Database(self.place.spare)
            contents = backup.restore(
                target, self._backup, self._backup_key, self.clock.now(), ring=self.app.keys, keep_keys=lambda _: None
            )
            if not backup.close_origin(contents, target, self.clock.now()):
                # The back-up keeps no password; the operator closes the database where it is known.
                moving.close(self.app.database, to=target.place, now=self.clock.now())
            target.close()
            for fate in self.twilio.outcomes.values():
                # Who has heard it since the back-up was the database of before.
                if fate.heard_at is not None and fate.heard_at >= self.backed_up_at:
                    fate.heard_at = None
            self.given["database_url"] = self.place.spare
            before = self._messages()
            self.app.close()
            self.app = self._opened()
            self.left_behind = {one: before[one] for one in before.keys() - self._messages().keys()}
            if self.actors is not None:
                self.actors.app = self.app
                self.actors.forget_since(self.backed_up_at)
            old_workers = self.workers.start_elsewhere()
            self.web.kill()
            self.web.start()
            time.sleep(OLD_WORKERS_GO_ON)
            for process in old_workers:
                process.kill()
                process.join()
        finally:
            self.is_moving = False


class _Watch:
    """Lets things happen, moves the clock on where nothing does, and sees when all is settled."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._plan = scene, scene.plan
        self._clock, self._twilio, self._workers = scene.clock, scene.twilio, scene.workers
        accidents = list(scene.place.accidents)
        if Hazard.RESTORE in scene.plan.hazards:
            accidents = [
                ("a back-up is made", scene.back_up), *accidents, ("it is restored elsewhere", scene.restore)
            ]  # fmt: skip
        self._accidents = {
            (place + 1) / (len(accidents) + 1): accident for place, accident in enumerate(accidents)
        }  # by how much of it all is told
        self._say = scene.say
        self._began = time.monotonic()
        self._next_kill = scene.plan.kill_every
        # The machine's seconds at which the web server dies or comes back, and the clock is set.
        self._next_web = WEB_LIVES if Hazard.LOST_CALLBACKS in scene.plan.hazards else None
        self._next_step = STEP_EVERY if Hazard.CLOCK_STEPS in scene.plan.hazards else None
        self._steps = cycle(STEPS)
        # Beside the kills: a worker may well die while the database does.
        self._accident = ThreadPoolExecutor(1)
        self._happening: Future[None] | None = None
        self.happened: list[str] = []
        self.ended_by_themselves = 0

    def passed(self) -> float:
        return time.monotonic() - self._began

    def until_settled(self) -> bool:
        """False when it took too long."""
        said = 0.0
        while self.passed() < self._plan.give_up_after:
            time.sleep(LOOK_SECONDS)
            told = len(self._twilio.outcomes) / self._plan.texts
            self._let_things_happen(told)
            if not self._scene.is_moving:
                self.ended_by_themselves += self._workers.start_again_those_that_ended()
            if self.passed() - said > 10:
                said = self.passed()
                self._say(
                    f"{said:.0f} s: {len(self._twilio.outcomes)} texts taken, {self._clock.now().astimezone(JAPAN):%d %H:%M}"
                )
            is_over = told > 0.5 and not self._accidents and self._happening is None and not self._scene.web.is_away
            if is_over and self._move_on():
                return True
        return False

    def _let_things_happen(self, told: float) -> None:
        if self._happening is not None and self._happening.done():
            self._happening.result()
            self._happening = None
        due = min(self._accidents, default=1.0)
        if due <= told and self._happening is None and self._accidents:
            what, happen = self._accidents.pop(due)
            self._happening = self._accident.submit(happen)
            self.happened.append(f"{what} after {len(self._twilio.outcomes)} texts")
            self._say(self.happened[-1])
        if self._scene.is_moving:
            return
        is_hostile = self.passed() < self._plan.kill_for and told < 0.9
        if self._next_kill is not None and self._next_kill < self.passed() and is_hostile:
            self._next_kill += self._plan.kill_every or 0
            self._workers.kill_one()
        self._let_hazards_happen(told, is_hostile=is_hostile)

    def _let_hazards_happen(self, told: float, *, is_hostile: bool) -> None:
        scene = self._scene
        if scene.actors is not None:
            # Some act before anything is sent, the others while it is.
            scene.actors.act_until(min(1.0, 0.3 + 1.4 * told))
        if scene.smtp is not None and told > 0.5:
            scene.smtp.answer_again()
        if scene.web.is_away and self._next_web is not None and self._next_web < self.passed():
            self._next_web += WEB_LIVES
            scene.web.start()
        elif self._next_web is not None and self._next_web < self.passed() and is_hostile:
            self._next_web += WEB_IS_AWAY
            scene.web.kill()
        if self._next_step is not None and self._next_step < self.passed() and is_hostile:
            self._next_step += STEP_EVERY
            assert scene.stepping.stepped is not None
            scene.stepping.stepped.value = float(next(self._steps))

    def _move_on(self) -> bool:
        """Whether nothing is left to be done before the last moment; if something is, and nothing before it, the clock
        is moved there."""
        now = self._clock.now()
        try:
            with self._scene.app.database.reading() as tx:
                has_news = bool(work_conditions.work_due(tx, NEWS, now))
                held = tx.execute(_HELD, {"begun": now + OUTCOME_WITHIN - LONGEST_HAND_OVER}).scalar_one()
                next_card = _morning(tx.execute(_NEXT_CARD).scalar_one())
                moments = [queue.next_moment(tx), promises.next_moment(tx), next_card]
        except DatabaseNotReadyError:
            return False
        following = min((moment for moment in moments if moment is not None), default=people.LAST_MOMENT)
        if held or following <= now or has_news:
            return False
        if following >= people.LAST_MOMENT:
            return self._twilio.is_calm
        self._clock.move_to(following - timedelta(seconds=1))
        return False


# By somebody who lives: a hand-over that began longer ago than any takes is waited for by nobody.
_HELD = select(func.count()).where(
    AWAITS_OUTCOME, Message.state == MessageState.SENDING, Message.lease_until > bindparam("begun")
)
_MESSAGES = text(
    "SELECT m.id, m.audience = 'person' AND m.channel = 'sms' AND EXISTS"
    " (SELECT 1 FROM message_reminders mr WHERE mr.message_id = m.id) AS reminds FROM messages m"
)
_NEXT_CARD = text("SELECT min(next_reminder_on) FROM cards")


def _morning(day: object) -> datetime | None:
    """SQLite answers such a question with a text."""
    return None if day is None else hours.instant(date.fromisoformat(str(day)), wall(9))


def errors_in(log: Path) -> Counter[str]:
    """What the processes complained of: the last line of each traceback, without what differs from time to time."""
    found: Counter[str] = Counter()
    written = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    for last in re.findall(
        r"^(?:\w+\.)*(\w+(?:Error|Group|Exception|Interrupt|Warning)\b[^\n]{0,80})", written, re.MULTILINE
    ):
        found[re.sub(r"\d+", "n", last)] += 1
    return found
