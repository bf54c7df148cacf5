"""Wiring: it builds an App from Settings. Only entry points (cli, web, worker, simulate) use an App."""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from reminder import settings as settings_of_all
from reminder.channels import registry
from reminder.channels.definition import ClientContext
from reminder.channels.leader import LeaderClient
from reminder.clock import Clock, SystemClock, monotonic
from reminder.domain.model.card_kinds import read_kinds
from reminder.domain.model.claims import Claim, read_claims
from reminder.domain.model.messages import Channel
from reminder.domain.model.own_kinds import Kinds
from reminder.domain.model.people import ChannelName, Language
from reminder.domain.parsing import replies
from reminder.domain.parsing.column_headings import read_headings
from reminder.domain.rulebook import Rulebook, refuse_dangling_names, refuse_missing_texts, refuse_unnamed_presets
from reminder.domain.rules.canary_schedule import CanaryEvery
from reminder.domain.rules.quotas import read_quotas
from reminder.domain.rules.schedule_config import read_schedules
from reminder.domain.text import catalog, email_html
from reminder.domain.text.card_pictures import read_pictures
from reminder.errors import KeysMissingError, SettingsError
from reminder.guard import logs
from reminder.settings import PREFIX, Settings, config_dir, read_table

# Read-only commands need the rules and no database, which takes longer to load than they run.
if TYPE_CHECKING:
    from reminder.storage.crypto.keyring import KeyRing
    from reminder.storage.db.primaries import AskLeader
    from reminder.storage.db.session import Database
    from reminder.storage.db.unit_of_work import CurrentAccess, UnitOfWork, UnitsOfWork


T = TypeVar("T")
# How many seconds a provider has to say goodbye when the program ends.
CLOSES_WITHIN = 2.0
# By which login codes leave.
OF_CODES = (ChannelName.EMAIL,)
# Every dispatcher waits for the database in two threads at most, and none waits for another's.
THREADS = 32
log = logging.getLogger(__name__)


class EventLoop:
    """The one event loop in which providers are called, in a thread of its own; it starts with the first call.

    Callers wait for the result in their own thread.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._beginning = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine in the event loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._begun()).result()

    def _begun(self) -> asyncio.AbstractEventLoop:
        with self._beginning:
            if self._loop is None:
                self._loop = new_event_loop()
                self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="provider"))
                self._thread = threading.Thread(target=_live, args=(self._loop,), name="providers", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Stop the event loop and its thread."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop where it is installed, which needs less CPU, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped; its tasks end with it, in the same thread."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@dataclass(frozen=True)
class App:
    """Everything a step may need, built once. Close it when done.

    `code_channels`: the clients by which login codes leave, with connections of their own; None: those of `channels`.
    `goes_on`: False once long work is to end soon.
    """

    settings: Settings
    rules: Rulebook
    database: "Database"
    keys: "KeyRing"
    clock: Clock
    channels: Mapping[ChannelName, Channel]
    loop: EventLoop
    code_channels: Mapping[ChannelName, Channel] | None = None
    goes_on: Callable[[], bool] = lambda: True
    access: "CurrentAccess | None" = None  # of one request of the web; it matters only to the web's database role

    def __post_init__(self) -> None:
        self.database.open_with(self.keys)

    @property
    def keeps_time(self) -> bool:
        """Whether it runs at the present time, and not on the day of a rehearsal or a simulation."""
        return isinstance(self.clock, SystemClock)

    @property
    def units(self) -> "UnitsOfWork":
        """The factory of units of work, for steps that need several of them."""
        from reminder.storage.db.unit_of_work import CurrentAccess, UnitsOfWork

        return UnitsOfWork(self.database, self.keys, self.rules, access=self.access or CurrentAccess())

    def with_access(self, access: "CurrentAccess") -> "App":
        """Return this App for one request, whose units act for what `access` holds at their beginning."""
        return replace(self, access=access)

    def writing(self) -> "AbstractContextManager[UnitOfWork]":
        """Open a unit of work at this instant; it commits at the end of its block or leaves nothing behind."""
        return self.units.writing(self.clock.now())

    def logging(self) -> "AbstractContextManager[UnitOfWork]":
        """Open a unit of work at this instant that only logs what was read, also in a database that is closed."""
        return self.units.logging(self.clock.now())

    def reading(self) -> "AbstractContextManager[UnitOfWork]":
        """Open a unit of work at this instant that never changes anything."""
        return self.units.reading(self.clock.now())

    def close(self) -> None:
        """Close the channels, the event loop and the database."""
        self.loop.run(_all_closed({*self.channels.values(), *(self.code_channels or {}).values()}))
        self.loop.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _all_closed(channels: Collection[Channel]) -> None:
    """Close the connections to all providers at the same time."""
    await asyncio.gather(*map(_closed, channels))


async def _closed(channel: Channel) -> None:
    """Close the connections to a provider; one that does not answer is left."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSES_WITHIN):
            await channel.close()


def read_rulebook(settings: Settings) -> Rulebook:
    """Return the rules of config/, read once and checked; raises SettingsError naming the file and the entry."""
    rules = _rules_in(config_dir())
    return replace(
        rules,
        wording=rules.wording if settings.operator is None else _signed_by(config_dir(), settings.operator),
        card_grace=settings.card_grace,
        two_way=settings.two_way_sms,
        expects_receipts=settings.has_twilio and settings.public_url is not None,
        channels=registry.in_use(settings),
        between_texts=timedelta(seconds=1 / settings.sms_per_second) if settings.has_twilio else None,
        canary_channels=tuple(
            channel
            for channel, address in ((ChannelName.SMS, settings.canary_sms), (ChannelName.EMAIL, settings.canary_email))
            if address is not None
        ),
        canary_every=CanaryEvery(settings.canary_every),
    )


def read_claims_of_rules(rules: Rulebook) -> Mapping[str, Claim]:
    """Return the claims of config/claims.toml about these rules; raises SettingsError."""
    return read_claims(read_table(config_dir() / "claims.toml"), rules.kinds)


@cache
def _signed_by(folder: Path, operator: str) -> catalog.Catalogs:
    return _rules_in(folder).wording.signed_by(operator)


@cache
def _rules_in(folder: Path) -> Rulebook:
    """Return the rules of the files, independent of the settings."""
    if (folder / "ladders.toml").exists() and not (folder / "schedules.toml").exists():
        fix = "call this file schedules.toml, its [rungs] [steps], and each `ladder` in cards.toml `schedule`"
        raise SettingsError("config/ladders.toml", fix)
    schedules = read_schedules(read_table(folder / "schedules.toml"))
    kinds = Kinds(read_kinds(read_table(folder / "cards.toml")))
    refuse_dangling_names(kinds, schedules)
    files = sorted(path for path in (folder / "wording").glob("*.toml") if path.name != "lint.toml")
    tables = {Language(path.stem): read_table(path) for path in files}
    audience = catalog.read_audience_of(read_table(folder / "audience.toml"))
    wording = catalog.read_wording(tables, kinds, audience)
    refuse_missing_texts(schedules, wording)
    refuse_unnamed_presets(schedules, wording)
    return Rulebook(
        kinds=kinds,
        schedules=schedules,
        wording=wording,
        replies=replies.read_rules(read_table(folder / "replies.toml")),
        pictures=read_pictures(read_table(folder / "pictures.toml"), kinds),
        headings=read_headings(read_table(folder / "headings.toml")),
        card_grace=False,
        quotas=read_quotas(read_table(folder / "quotas.toml")),
    )


def read_settings(**given: object) -> Settings:
    """Return the settings, with those that single channels add. `given` overrides the environment.

    Raises SettingsError.
    """
    return settings_of_all.read_settings(parts=registry.parts(), **given)


def find_problems() -> tuple[Settings | None, list[SettingsError]]:
    """Return the settings of the environment, None where they cannot be read, and everything wrong with them."""
    return settings_of_all.find_problems(parts=registry.parts())


def build_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    channels: Mapping[ChannelName, Channel] | None = None,
    write: Callable[[str], None] = print,
    durable: bool = True,
    for_web: bool = False,
) -> App:
    """Return an App with an open database, which must be at the newest version.

    On SQLite an empty or older file is migrated. `channels` replaces those of the settings; `write` prints the messages
    of the console channel; a database that is not `durable` may be lost in a power cut, and is quicker. `for_web`: for
    the web server, which may use the database as a role that sees one group at a time; all else would see nothing.
    Raises DatabaseNotReadyError.
    """
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database
    from reminder.storage.maintenance.moving import note_failover
    from reminder.storage.maintenance.settlement import seal_rows, settling

    logs.install(logging.INFO, monotonic)
    rules = read_rulebook(settings)
    rules.wording.require_finished()
    clock = clock or SystemClock()
    _close_to_others(settings)
    if for_web:
        settings = settings.for_web()
    database = Database(settings.database, durable=durable, leader=leader_of(settings))
    try:
        if database.is_sqlite:
            schema.migrate(database, settling(present_keys(settings)))
        schema.require_newest(database)
        if for_web:
            database.find_role()
        else:
            database.refuse_confined()
        database.write_only_at(schema.newest())
        database.require_one_primary(lambda tx: note_failover(tx, clock.now()))
        keys = open_key_ring(settings, database, clock.now())
        if not database.is_confined:  # such a role does not see the rows
            seal_rows(database, keys)
        fill_consents(database, keys)
    except BaseException:
        database.close()
        raise
    made = channels or make_channels(settings, write, rules.wording)
    return App(
        settings=settings,
        rules=rules,
        database=database,
        keys=keys,
        clock=clock,
        channels=made,
        loop=EventLoop(),
        # A mail server that holds every connection of the other mails lets somebody sign in all the same.
        code_channels=None if channels else {**made, **make_channels(settings, write, rules.wording, only=OF_CODES)},
    )


def leader_of(settings: Settings) -> "AskLeader | None":
    """Return what asks the managers of the fail-over which server leads; None where none is set."""
    if not settings.leader_url:
        return None
    from reminder.storage.db.primaries import Lease

    client = LeaderClient(settings.leader_url)
    return lambda: Lease(*client.ask())


def private_paths(settings: Settings) -> list[Path]:
    """Return the folder and the files of data that only the service's own user may read."""
    from reminder.storage.crypto import private_files

    paths = [settings.data_dir, settings.data_dir / "keys"] if settings.data_dir.is_dir() else []
    if settings.on_sqlite:
        paths += private_files.of_sqlite(Path(settings.database.removeprefix("sqlite:///")))
    return paths


def _close_to_others(settings: Settings) -> None:
    """Make private what an earlier version, or somebody, has left open, and say so."""
    from reminder.storage.crypto import private_files

    changed, left = private_files.tighten(private_paths(settings))
    if changed:
        log.warning("others could read %s: only this user can now", ", ".join(path.name for path in changed))
    if left:
        log.error("others can read %s; see `reminder doctor`", ", ".join(path.name for path in left))


def present_keys(settings: Settings) -> "KeyRing | None":
    """Return the keys that are there, None where no file of keys exists; nothing is made."""
    from reminder.storage.crypto.keyring import kept_keys, read_keys

    return read_keys(settings.secret_keys) if settings.secret_keys else kept_keys(settings.data_dir)


def refuse_missing_keys(settings: Settings, database: "Database") -> "KeyRing | None":
    """Return the keys that are there, None where no file of keys exists; nothing is made.

    Raises KeysMissingError where the database, which is at the newest version, knows a key that is not there.
    """
    from reminder.storage.maintenance import installation

    ring = present_keys(settings)
    with database.reading() as tx:
        missing = installation.missing_keys(tx, ring)
    if missing:
        raise KeysMissingError(missing, _place_of_keys(settings))
    return ring


def _place_of_keys(settings: Settings) -> str:
    return f"{PREFIX}SECRET_KEYS" if settings.secret_keys else str(settings.data_dir / "keys")


def open_key_ring(settings: Settings, database: "Database", now: datetime) -> "KeyRing":
    """Return the keys with which this database may be read and written; the first run on SQLite makes one.

    Raises KeysMissingError where the database knows a key that is not there: then nothing is made and nothing changes.
    """
    from reminder.storage.crypto.keyring import stored_keys
    from reminder.storage.maintenance import installation

    ring = refuse_missing_keys(settings, database) or stored_keys(settings.data_dir)
    with database.reading() as tx:
        known = installation.found_references(tx, ring)
    if known is None:
        with database.writing() as tx:
            # Another process may have begun meanwhile, with another key.
            missing = installation.missing_keys(tx, ring)
            if missing:
                raise KeysMissingError(missing, _place_of_keys(settings))
            installation.note_keys(tx, ring, now)
            known = installation.references_of(tx, ring, now)
    with database.reading() as tx:
        return ring.referring_by(known, installation.abandoned_keys(tx))


def fill_consents(database: "Database", keys: "KeyRing") -> None:
    """Give the contacts of earlier versions their place in the ledger of consents, in short transactions.

    The migration has done it, unless it had not the key of a contact. Another start goes on where one was interrupted.
    """
    from reminder.storage.maintenance import consent_backfill

    with database.reading() as tx:
        if consent_backfill.is_complete(tx):
            return
    last: int | None = 0
    while last is not None:
        with database.writing() as tx:
            last = consent_backfill.fill_some(tx, keys, after=last)


def make_channels(
    settings: Settings,
    write: Callable[[str], None],
    wording: catalog.Catalogs,
    *,
    only: Collection[ChannelName] | None = None,
) -> Mapping[ChannelName, Channel]:
    """Return the clients of the channels in use, or `only` of some of them.

    Providers are imported only when they are needed: the first run needs no account and starts at once. `wording` names
    the languages of mails.
    """
    from reminder.channels.console import ConsoleChannel

    return_path = None
    if settings.bounce_address is not None:
        from reminder.storage.auth.signed_links import return_path_of

        return_path = return_path_of(settings.bounce_address)
    surroundings = ClientContext(
        render_html=email_html.renderer(wording),
        return_path=return_path,
        tags={language: said.facts.html for language, said in wording.languages.items()},
    )
    used = registry.in_use(settings)
    made = {
        ChannelName(one.name): one
        for one in registry.CHANNELS
        if one.name in used and (only is None or one.name in only)
    }
    return {name: one.make(settings, surroundings) or ConsoleChannel(name, write) for name, one in made.items()}
