"""Two PostgreSQL servers that both take writes: nothing is handed over twice without a mark. With real servers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import RESTORED, MessageState
from reminder.domain.model.people import ChannelName, Mode
from reminder.errors import DatabaseNotReadyError
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.runtime import service_state
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once
from tests import databases
from tests.chaos import servers
from tests.chaos.servers import Server
from tests.fakes.patroni import FakePatroni
from tests.patience import PATIENCE, until
from tests.village import Village, japan

pytestmark = pytest.mark.postgres
DUE = "2027-03-17 10:01"


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary with every table, and a standby that follows it and is waited for by every commit."""
    try:
        with servers.made() as (one, two):
            servers.start_primary(one)
            servers.start_standby(two, one)
            database = Database(servers.url(one))
            schema.migrate(database)
            database.close()
            yield one, two
    except databases.PostgresMissingError as reason:
        databases.do_without(reason, {})


def url(*them: Server) -> str:
    """As an operator writes several hosts; one twice is always found."""
    return servers.url(*(them if len(them) > 1 else them * 2))


def as_superuser(server: Server, *statements: str) -> None:
    for statement in statements:
        server._run(["psql", "-v", "ON_ERROR_STOP=1", "-q", "-h", str(server.data), "-p", str(server.port), "-c",
                     statement, "postgres"])  # fmt: skip


def does(server: Server, query: str) -> bool:
    place = servers.url(server).replace("postgresql://", "postgresql://")
    with psycopg.connect(place) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    return bool(row and row[0])


KEYS = (new_key(),)


@contextmanager
def serving(where: str, folder: Path, *managers: str, at: str) -> Iterator[Village]:
    settings = read_settings(database_url=where, data_dir=folder, secret_keys=KEYS, leader_url=managers)
    clock, channels = SteppedClock(japan(at)), {name: MemoryChannel() for name in registered()}
    with build_app(settings, clock=clock, channels=channels) as app:
        yield Village(SimulatedWorld(app, clock, channels))


def enrol(village: Village) -> None:
    village.person("母", mode=Mode.ELDERLY, phone="090-0000-0001")
    village.card("母", date(2027, 3, 31))
    run_once(village.app, village.now)


def texts(village: Village) -> int:
    return len(village.app.channels[ChannelName.SMS].sent)  # type: ignore[attr-defined]


def write(where: str) -> None:
    database = Database(where)
    try:
        with database.writing() as tx:
            service_state.replace(tx, "sender", "1")
    finally:
        database.close()


def test_with_several_hosts_a_commit_is_kept_by_two_or_the_manager_says_who_leads_or_nothing_starts(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    one, two = pair
    one.script("both.sh", "off")
    until(lambda: does(one, "SELECT current_setting('synchronous_standby_names') = ''"), "commits are local again")

    with pytest.raises(DatabaseNotReadyError) as refused, serving(url(one, two), tmp_path, at=DUE):
        pytest.fail("two could take writes at the same time")
    assert refused.value.code == "database_not_synchronous"

    with FakePatroni(1) as manager, serving(url(one, two), tmp_path, manager.url, at=DUE) as village:
        enrol(village)
        manager.is_frozen = True
    one.script("both.sh", "on")
    with serving(url(one, two), tmp_path, at=DUE) as village:
        village.person("父")


def test_an_old_primary_whose_commits_are_synchronous_commits_nothing_once_its_standby_was_promoted(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    one, two = pair
    with serving(url(one), tmp_path, at=DUE) as village:
        enrol(village)
    two.script("promote.sh")

    with ThreadPoolExecutor() as others:
        zombie = others.submit(write, url(one))
        until(
            lambda: does(one, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
            "its commit waits for the standby that it has lost",
        )
        with serving(url(two), tmp_path, at=DUE) as village:
            village.person("父")
            assert len(village.messages()) > 0, "the promoted one goes on, although it has no standby yet"
        assert not zombie.done()
        as_superuser(one, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        assert zombie.exception(PATIENCE) is not None or zombie.done()


def test_without_synchronous_commits_the_old_primary_is_refused_and_what_it_may_have_sent_is_asked_about(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    one, two = pair
    one.script("both.sh", "off")
    until(lambda: does(one, "SELECT current_setting('synchronous_standby_names') = ''"), "commits are local again")
    with FakePatroni(1) as of_one, FakePatroni(1, leads=False) as of_two:
        managers = (of_one.url, of_two.url)
        with serving(url(one), tmp_path, *managers, at="2027-03-17 03:00") as village:
            enrol(village)
            assert texts(village) == 0, "the text of the day waits for the morning"
            until(lambda: does(two, "SELECT count(*) > 0 FROM messages WHERE state = 'queued'"), "the standby has it")
            # The standby loses its line, the primary sends, and the manager of the primary stands still.
            as_superuser(two, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
            until(lambda: not does(one, "SELECT count(*) > 0 FROM pg_stat_replication"), "nothing follows the primary")
            village.sleep_until(DUE)
            run_once(village.app, village.now)
            assert texts(village) == 1
            two.script("promote.sh")
            of_one.is_frozen = True
            of_two.leads, of_two.timeline = True, 2

        with pytest.raises(DatabaseNotReadyError) as refused, serving(url(one), tmp_path, *managers, at=DUE):
            pytest.fail("the old primary still takes writes, and is not believed")
        assert refused.value.code == "database_not_leader"
        with serving(url(two), tmp_path, *managers, at="2027-03-17 10:02") as village:
            run_once(village.app, village.now)

            assert texts(village) == 0, "nobody knows whether it was sent: the provider is asked first"
            doubted = [one for one in village.messages() if one.channel == ChannelName.SMS]
            assert [(one.state, one.reason) for one in doubted] == [(MessageState.UNKNOWN, RESTORED)]
