"""One run under attack: honest people are told of their cards while strangers do to the service whatever they can.

The worker and the web server are the real ones, each a process, at the speed of the machine. Honest people sign in and
open their page meanwhile, and /healthz is asked all the time.
"""

import json
import logging
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

from sqlalchemy import text

from reminder.clock import SteppedClock
from reminder.domain.model.people import GroupKind, Language, Role
from reminder.enrolment import register
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.crypto.keyring import KeyRing, new_key
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.maintenance import counters
from reminder.upkeep.health import assess
from reminder.upkeep.metrics import exposition
from reminder.upkeep.request_floods import MANY
from reminder.wiring import App, build_app, read_settings
from tests.chaos import people, processes, servers
from tests.chaos.attackers import Scene, attack
from tests.chaos.clocks import FastClock
from tests.chaos.mailbox import MailboxSmtp, code_to
from tests.chaos.provider import Fate, HostileTwilio
from tests.fakes import twilio as fake
from tests.program import answers, free_port, until
from tests.village import japan
from tests.web.calling import token_of

OPENS = japan("2027-03-17 09:00")
ATTACKING_HOUSEHOLDS = 6
# An honest text is in time when it is handed over within what the pace of the sender needs for all, and this.
SLACK = timedelta(seconds=60)
MOST_MEMORY = 400 * 1024 * 1024
HEALTHZ_P99 = 0.25
# So long somebody looks at their mailbox until they are told to ask again.
MAIL_SECONDS = 60
PROBED_EVERY, VISITED_EVERY = 0.05, 1.0


@dataclass(frozen=True)
class AttackPlan:
    """`texts` honest ones are due at once, of which `per_second` may be sent. `lasts`: how long is attacked, in seconds,
    and longer if the operator has not been told by then; `signing_in`: how many honest people sign in meanwhile.
    `give_up_after`: how much longer anything is waited for."""

    texts: int
    per_second: float
    lasts: float
    on_sqlite: bool = False
    signing_in: int = 6
    seed: int = 1
    give_up_after: float = 120.0
    log: Path | None = None


@dataclass
class AttackOutcome:
    """`late`: the seconds from nine o'clock until the last honest text was handed over."""

    told: int = 0
    untold: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    late: float = 0.0
    may_be_late: float = 0.0
    healthz: list[float] = field(default_factory=list)
    unanswered: int = 0
    memory: dict[str, int] = field(default_factory=dict)
    visits: list[float] = field(default_factory=list)
    signed_in: int = 0
    refused_visits: list[str] = field(default_factory=list)
    concerns: dict[str, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    counted: Mapping[str, int] = field(default_factory=dict)
    is_in_metrics: bool = False
    is_in_log: bool = False
    changed_contacts: dict[str, int] = field(default_factory=dict)
    others_texts: int = 0
    attacks: dict[str, int] = field(default_factory=dict)
    load: float = 0.0
    took: float = 0.0

    @property
    def p99(self) -> float:
        """The time within which 99 of 100 probes were answered, in seconds."""
        return sorted(self.healthz)[int(len(self.healthz) * 0.99)] if self.healthz else float("inf")

    def wrong(self, *, signing_in: int, asks_for_speed: bool) -> list[str]:
        """What may not be. `asks_for_speed`: the machine is quiet enough to judge times."""
        found = [f"untold: cards {self.untold[:10]}"] if self.untold else []
        found += [f"doubled: cards {self.doubled[:10]}"] if self.doubled else []
        found += [f"{self.unanswered} probes of /healthz were not answered"] if self.unanswered else []
        found += [f"{name} took {kept >> 20} MB" for name, kept in self.memory.items() if kept >= MOST_MEMORY]
        found += self.refused_visits
        found += [f"{signing_in - self.signed_in} honest people did not get in"] if self.signed_in < signing_in else []
        found += [f"honest contacts became {self.changed_contacts}"] if self.changed_contacts else []
        found += [f"the service looks broken: {self.troubles}"] if self.troubles else []
        told_of = self.concerns.get("request_flood", "")
        untold = [cause for cause, count in self.counted.items() if count >= MANY and cause not in told_of]
        if untold or not told_of or not self.is_in_metrics:
            found.append(f"the operator is told of the attack by {told_of!r}, not of {untold}")
        found += [name for name in self.attacks if "broke off" in name]
        if asks_for_speed:
            found += [] if self.is_in_log else ["the log says nothing of the attack"]
            found += [] if self.p99 < HEALTHZ_P99 else [f"/healthz: p99 is {self.p99 * 1000:.0f} ms"]
            found += [] if self.late <= self.may_be_late else [f"the last text came after {self.late:.0f} s"]
        return found


def run_attack(plan: AttackPlan, say: Callable[[str], None] = lambda _: None) -> AttackOutcome:
    """Run the service, attack it, and return what became of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kigen-attack-")))
        mail = folder / "mail"
        mail.mkdir()
        url = stack.enter_context(_database(plan, folder))
        port, log = free_port(), plan.log or folder / "run.log"
        clock = FastClock(people.MORNING, time.time(), 1, processes.CONTEXT.Value("d", 0.0))
        twilio = stack.enter_context(HostileTwilio(plan.seed, clock, is_calm_by_nature=True))
        smtp = stack.enter_context(MailboxSmtp(mail))
        given = {
            "database_url": url,
            "data_dir": folder,
            "secret_keys": (new_key(),),
            "twilio_account_sid": fake.ACCOUNT_SID,
            "twilio_auth_token": (fake.AUTH_TOKEN,),
            "twilio_from": "+815000000009",
            "twilio_base_url": twilio.url,
            "two_way_sms": True,
            "smtp_url": smtp.url,
            "mail_from": "kigen@example.jp",
            "bounce_address": "bounces@example.jp",
            "public_url": f"http://127.0.0.1:{port}",
            "sms_per_second": plan.per_second,
            "pass_seconds": 1,
            "sign_up": "open",
        }
        with build_app(read_settings(**given), clock=SteppedClock(people.MORNING)) as app:
            enrolled = people.enrol(app, plan.texts)
            with app.database.reading() as tx:
                honest_cards = tx.execute(text("SELECT max(id) FROM cards")).scalar_one()
                honest_contacts = tx.execute(text("SELECT max(id) FROM contacts")).scalar_one()
            tokens = _attacking_households(app)
            keys = app.keys
            bounces = SignedLinks(keys, given["public_url"]).bounces()
        assert bounces is not None
        say(f"{enrolled} honest people are enrolled")
        app = stack.enter_context(build_app(read_settings(**given), clock=clock))
        running = {
            "web": stack.enter_context(_process(processes.serve, given, clock, log, port)),
            "worker": stack.enter_context(_process(processes.work, given, clock, log)),
        }
        until(lambda: answers(port), "the server answers")
        found = AttackOutcome(may_be_late=enrolled / plan.per_second + SLACK.total_seconds(), load=os.getloadavg()[0])
        began = time.time()
        families = enrolled // people.IN_A_FAMILY
        scene = Scene(
            port=port,
            mail=mail,
            until=began + plan.lasts + plan.give_up_after,
            stop=processes.CONTEXT.Event(),
            tokens=tokens,
            bounces=bounces.removeprefix(str(given["public_url"])),
            honest_mails=[people.mail(number) for number in range(min(families, 40))],
            honest_phones=[people.phone(number) for number in range(min(enrolled, 200))],
        )
        attacked = folder / "attacked.json"
        clock.move_to(OPENS - timedelta(seconds=2))
        with _process(attack, scene, attacked) as attackers, ExitStack() as watching:
            over = threading.Event()
            watching.callback(over.set)
            for watch in (
                lambda: _probe(port, found, over),
                lambda: _measure(running, found, over),
                lambda: _visit(port, mail, plan.signing_in, found, over),
            ):
                thread = threading.Thread(target=watch, daemon=True)
                thread.start()
                watching.callback(thread.join)
            while time.time() < began + plan.lasts or not (scene.is_over or _is_told(app)):
                time.sleep(1)
                if int(time.time() - began) % 15 == 0:
                    memory = ", ".join(f"{name} {kept >> 20} MB" for name, kept in found.memory.items())
                    say(f"{time.time() - began:.0f} s: {len(twilio.outcomes)} texts taken; {memory}")
            scene.stop.set()
            attackers.join(60)
            over.set()
        _wait_until_told(plan, app.database, twilio, honest_cards)
        found.took = time.time() - began
        found.attacks = json.loads(attacked.read_text()) if attacked.exists() else {"attackers broke off": 1}
        _account(app.database, keys, twilio, honest_cards, honest_contacts, found)
        _ask_operator(app, log, found)
        return found


def _attacking_households(app: App) -> list[str]:
    """Households whose owners attack, with tokens of their own; the operator knows no harm of them yet."""
    tokens = []
    for number in range(ATTACKING_HOUSEHOLDS):
        with app.writing() as uow:
            group_id = register.add_group(uow, name="佐藤家", kind=GroupKind.HOUSEHOLD)
        with app.writing() as uow:
            member_id = register.add_member(
                uow, group_id=group_id, email=f"warui{number}@example.jp", role=Role.OWNER, language=Language.JAPANESE
            )
        tokens.append(token_of(SimpleNamespace(app=app), member_id))  # type: ignore[arg-type]  # all that it uses
    return tokens


@contextmanager
def _database(plan: AttackPlan, folder: Path) -> Iterator[str]:
    if plan.on_sqlite:
        yield f"sqlite:///{folder / 'kigen.db'}"
        return
    with servers.made() as (one, _):
        servers.start_primary(one)
        database = Database(servers.url(one))
        schema.migrate(database)
        database.close()
        yield servers.url(one)


@contextmanager
def _process(target: Callable[..., None], *given: object) -> Iterator[processes.ForkServerProcess]:
    process = processes.started(target, *given)
    try:
        yield process
    finally:
        processes.stop(process)


# ── what is seen meanwhile ──


def _probe(port: int, found: AttackOutcome, over: threading.Event) -> None:
    """Ask /healthz again and again, each time on a connection of its own, as a monitor does."""
    while not over.wait(PROBED_EVERY):
        began = time.perf_counter()
        try:
            is_answered = _ask(port, "127.1.0.1", "GET", "/healthz").status == 200
        except (OSError, HTTPException):
            is_answered = False
        if is_answered:
            found.healthz.append(time.perf_counter() - began)
        else:
            found.unanswered += 1


def _measure(running: Mapping[str, processes.ForkServerProcess], found: AttackOutcome, over: threading.Event) -> None:
    """Keep the most memory that each process of the service ever had, and those that it starts."""
    while not over.wait(0.2):
        for name, process in running.items():
            assert process.pid is not None
            for place, pid in enumerate([process.pid, *_children(process.pid)]):
                of = name if place == 0 else f"a child of {name}"
                found.memory[of] = max(found.memory.get(of, 0), _resident(pid))


def _children(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    rows = dict(row.split(":", 1) for row in status.splitlines() if ":" in row)
    return int(rows.get("VmRSS", "0 kB").split()[0]) * 1024


def _visit(port: int, mail: Path, people_count: int, found: AttackOutcome, over: threading.Event) -> None:
    """Honest people sign in, one after another, and open their page again and again."""
    sessions: list[tuple[str, str]] = []
    for number in range(people_count):
        try:
            session = _sign_in(port, mail, f"127.2.0.{number + 1}", people.mail(number))
        except (OSError, HTTPException, AssertionError) as refused:
            found.refused_visits.append(f"an honest person could not sign in: {refused!r}")
            continue
        found.signed_in += 1
        sessions.append((f"127.2.0.{number + 1}", session))
    while sessions:
        for own, session in sessions:
            try:
                began = time.perf_counter()
                answer = _ask(port, own, "GET", "/", {"cookie": session, "accept": "text/html"})
                found.visits.append(time.perf_counter() - began)
                if answer.status != 200 or "母" not in answer.text:
                    found.refused_visits.append(f"the page of {own} was answered with {answer.status} {answer.to}")
            except (OSError, HTTPException) as refused:
                found.refused_visits.append(f"an honest person's page was not answered: {refused!r}")
            if over.wait(VISITED_EVERY):
                return


def _sign_in(port: int, mail: Path, own: str, address: str) -> str:
    """The cookie of the session. The person takes whatever long code is in the latest mail, as the page says."""
    form = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
    asked = _ask(port, own, "POST", "/sign-in", form, urlencode({"email": address}))
    assert asked.status == 303, f"{asked.status} to the request for a code"
    end = time.time() + MAIL_SECONDS
    while code_to(mail, address) is None:
        assert time.time() < end, "no code in the mailbox"
        time.sleep(0.1)
    for _ in range(3):
        code = code_to(mail, address)
        entered = _ask(
            port, own, "POST", "/sign-in/code", {**form, "cookie": asked.cookie}, urlencode({"code": code or ""})
        )
        if entered.status == 303:
            return entered.cookie
    raise AssertionError(f"{entered.status} to the code")


@dataclass(frozen=True)
class _Answer:
    status: int
    text: str
    cookie: str
    to: str  # where it leads


def _ask(
    port: int, own: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: str = ""
) -> _Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=30, source_address=(own, 0))
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        response = connection.getresponse()
        said = response.read().decode()
        cookies = [SimpleCookie(value) for name, value in response.getheaders() if name.lower() == "set-cookie"]
        kept = "; ".join(f"{m.key}={m.value}" for cookie in cookies for m in cookie.values() if m.value)
        return _Answer(response.status, said, kept, response.getheader("location", ""))
    finally:
        connection.close()


# ── what became of it ──

_HONEST = text(
    "SELECT r.card_id, m.id, m.state FROM messages m JOIN message_reminders mr ON mr.message_id = m.id"
    " JOIN reminders r ON r.id = mr.reminder_id WHERE m.audience = 'person' AND m.channel = 'sms' AND r.card_id <= :last"
)


def _wait_until_told(plan: AttackPlan, database: Database, twilio: HostileTwilio, honest_cards: int) -> None:
    end = time.time() + plan.give_up_after
    while time.time() < end:
        with database.reading() as tx:
            rows = tx.execute(_HONEST, {"last": honest_cards}).all()
        if len({row.card_id for row in rows if row.state == "delivered"}) >= honest_cards and twilio.is_calm:
            return
        time.sleep(0.5)


def _account(
    database: Database,
    keys: KeyRing,
    twilio: HostileTwilio,
    honest_cards: int,
    honest_contacts: int,
    found: AttackOutcome,
) -> None:
    with database.reading() as tx:
        rows = tx.execute(_HONEST, {"last": honest_cards}).all()
        states = (
            tx.execute(text("SELECT state FROM contacts WHERE id <= :last"), {"last": honest_contacts}).scalars().all()
        )
    found.changed_contacts = dict(Counter(state for state in states if state != "confirmed"))
    of_message: dict[int, list[Fate]] = {}
    for fate in twilio.outcomes.values():
        named = keys.references.read(MESSAGE, fate.reference)
        of_message.setdefault(0 if named is None else named.ids[0], []).append(fate)
    told: dict[int, list[datetime]] = {card: [] for card in range(1, honest_cards + 1)}
    for row in rows:
        told[row.card_id] += [fate.text.created_at for fate in of_message.pop(row.id, ())]
    found.others_texts = sum(map(len, of_message.values()))
    found.told = sum(bool(times) for times in told.values())
    found.untold = [card for card, times in told.items() if not times]
    found.doubled = [card for card, times in told.items() if len(times) > 1]
    found.late = max((max(times) - OPENS).total_seconds() for times in told.values() if times) if found.told else 0.0


def _is_told(app: App) -> bool:
    return "request_flood" in {one.code for one in assess(app.units, app.clock.now()).concerns}


def _ask_operator(app: App, log: Path, found: AttackOutcome) -> None:
    """What the operator is told, where an operator looks."""
    now = app.clock.now()
    with app.reading() as uow:
        found.counted = counters.requests(uow.tx)
    health = assess(app.units, now)
    found.troubles = health.troubles
    found.concerns = {one.code: one.name or str(one.count) for one in health.concerns}
    found.is_in_metrics = b"kigen_requests_refused_total" in exposition(app.units, now)
    found.is_in_log = log.exists() and "many requests of strangers" in log.read_text(errors="replace")


def _times(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return " ".join(f"{1000 * one:.0f} ms" for one in (ordered[len(ordered) // 2], ordered[-1])) if ordered else "none"


def show(outcome: AttackOutcome, wrong: Sequence[str]) -> None:
    """Print what became of it."""
    times = sorted(outcome.healthz)
    rows = {
        "honest people told": str(outcome.told),
        "untold, doubled": f"{len(outcome.untold)}, {len(outcome.doubled)}",
        "the last text after nine o'clock": f"{outcome.late:.0f} s (may be {outcome.may_be_late:.0f})",
        "texts that strangers caused": str(outcome.others_texts),
        "/healthz: probes, unanswered": f"{len(times)}, {outcome.unanswered}",
        "/healthz: median, worst, p99": f"{_times(times)}, {outcome.p99 * 1000:.0f} ms",
        "memory": ", ".join(f"{name} {kept >> 20} MB" for name, kept in outcome.memory.items()),
        "honest people signed in": str(outcome.signed_in),
        "their pages: median, worst": _times(outcome.visits),
        "the operator is told": ", ".join(f"{code} ({name})" for code, name in outcome.concerns.items()),
        "load of the machine before, it took": f"{outcome.load:.1f}, {outcome.took:.0f} s",
    }
    for name, said in rows.items():
        print(f"  {name:36} {said}")
    print(f"  requests refused: {dict(outcome.counted)}")
    print(f"  answers to the attackers: {dict(sorted(outcome.attacks.items()))}")
    for one in wrong:
        print(f"  WRONG: {one}")
    print("  WRONG" if wrong else "  right", flush=True)


# The provider tears connections down at the end; that is no news.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
logging.getLogger("mail.log").setLevel(logging.WARNING)
