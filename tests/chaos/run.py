"""One run: people are enrolled, workers tell them, everything goes wrong, and every text is accounted for."""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as wall
from pathlib import Path

from sqlalchemy import bindparam, func, select, text

from reminder.clock import JAPAN, SteppedClock
from reminder.domain.model.messages import LONGEST_HAND_OVER, OUTCOME_WITHIN, MessageState
from reminder.domain.rules import hours
from reminder.errors import DatabaseNotReadyError
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.db.tables import AWAITS_OUTCOME, Message
from reminder.storage.outbox import queue
from reminder.storage.runtime import work_conditions
from reminder.wiring import build_app, read_settings
from tests.chaos import people, processes, servers
from tests.chaos.account import Account, account
from tests.chaos.clocks import FastClock
from tests.chaos.processes import Workers
from tests.chaos.provider import HostileTwilio
from tests.fakes import twilio as fake
from tests.program import free_port

LOOK_SECONDS = 0.2
NEWS = (work_conditions.RECEIPT_WAITS, work_conditions.FAILURE_UNREPORTED, work_conditions.NOTICE_WAITS)


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
    settled: bool = True

    @property
    def is_right(self) -> bool:
        return self.settled and self.account.is_right


def run(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kigen-chaos-")))
        url, accidents = stack.enter_context(_database(plan, folder))
        port, log = free_port(), plan.log or folder / "run.log"
        given = {
            "database_url": url,
            "data_dir": folder,
            "secret_keys": (new_key(),),
            "twilio_account_sid": fake.ACCOUNT_SID,
            "twilio_auth_token": (fake.AUTH_TOKEN,),
            "twilio_from": fake.SENDER,
            "public_url": f"http://127.0.0.1:{port}",
            "sms_per_second": 1000,
            "pass_seconds": 0.2,
        }
        with build_app(read_settings(**given), clock=SteppedClock(people.MORNING)) as app:
            people.enrol(app, plan.texts)
            keys = app.keys
        say(f"{plan.texts} people are enrolled")
        database = Database(url)
        stack.callback(database.close)
        clock = FastClock(people.MORNING, time.time(), plan.factor, processes.CONTEXT.Value("d", 0.0))
        twilio = stack.enter_context(HostileTwilio(plan.seed, clock))
        given["twilio_base_url"] = twilio.url
        stack.enter_context(processes.web(given, clock, log, port))
        workers = stack.enter_context(processes.workers(plan.workers, given, clock, log))
        watch = _Watch(plan, clock, database, twilio, workers, accidents, say)
        settled = watch.until_settled()
        workers.stop()
        outcome = Outcome(
            account(database, keys, twilio.outcomes.values()), watch.passed(), clock.now().astimezone(JAPAN)
        )
        outcome.kills, outcome.happened, outcome.settled = workers.kills, watch.happened, settled
        outcome.ended_by_themselves, outcome.faults = watch.ended_by_themselves, twilio.faults
        outcome.errors = errors_in(log)
        return outcome


Accident = tuple[str, Callable[[], None]]


@contextmanager
def _database(plan: Plan, folder: Path) -> Iterator[tuple[str, list[Accident]]]:
    """Its URL, and what is to happen to it, in order."""
    if plan.on_sqlite:
        yield f"sqlite:///{folder / 'kigen.db'}", []
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
        database = Database(url)
        schema.migrate(database)
        database.close()
        yield url, accidents


class _Watch:
    """Lets things happen, moves the clock on where nothing does, and sees when all is settled."""

    def __init__(
        self,
        plan: Plan,
        clock: FastClock,
        database: Database,
        twilio: HostileTwilio,
        workers: Workers,
        accidents: list[Accident],
        say: Callable[[str], None],
    ) -> None:
        self._plan, self._clock, self._database, self._twilio, self._workers = plan, clock, database, twilio, workers
        self._accidents = {
            (place + 1) / (len(accidents) + 1): accident for place, accident in enumerate(accidents)
        }  # by how much of it all is told
        self._say = say
        self._began = time.monotonic()
        self._next_kill = plan.kill_every
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
            self.ended_by_themselves += self._workers.start_again_those_that_ended()
            if self.passed() - said > 10:
                said = self.passed()
                self._say(
                    f"{said:.0f} s: {len(self._twilio.outcomes)} texts taken, {self._clock.now().astimezone(JAPAN):%d %H:%M}"
                )
            is_over = told > 0.5 and not self._accidents and self._happening is None
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
        if self._next_kill is not None and self._next_kill < self.passed() < self._plan.kill_for and told < 0.9:
            self._next_kill += self._plan.kill_every or 0
            self._workers.kill_one()

    def _move_on(self) -> bool:
        """Whether nothing is left to be done before the last moment; if something is, and nothing before it, the clock
        is moved there."""
        now = self._clock.now()
        try:
            with self._database.reading() as tx:
                has_news = bool(work_conditions.work_due(tx, NEWS, now))
                held = tx.execute(_HELD, {"begun": now + OUTCOME_WITHIN - LONGEST_HAND_OVER}).scalar_one()
                moments = [queue.next_moment(tx), _morning(tx.execute(_NEXT_CARD).scalar_one())]
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
