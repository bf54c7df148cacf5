"""What tests ask for by name: databases of their own."""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import databases
from tests.statements import share_compiled
from tests.tiers import SLOW, TIERS, Tier, tier_of
from tests.village import Village, open_village

HERE = Path(__file__).parent
MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3  # a folder in it of our own


def _write_to_memory() -> None:
    """Where the machine keeps a folder in memory, no test waits for a disk: nothing that tests write is to outlive a
    power cut. TMPDIR names another place."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return
    folder = tempfile.mkdtemp(prefix="kigen-tests-", dir=MEMORY)
    # A server of a user of its own must get through.
    Path(folder).chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Workers and the programs that tests start inherit it.
    os.environ["TMPDIR"] = tempfile.tempdir = folder


_write_to_memory()
share_compiled()
# Half of collecting, and a fifth of the rest, went by looking for garbage among thousands of tests that stay.
gc.set_threshold(50_000, 20, 20)
_run = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many as there are processors: each process more would collect all tests once more."""
    return os.cpu_count() or 1


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_run] = databases.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    databases.end_run(config.stash.get(_run, None))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier", choices=[*Tier, "all"], default="all", help="only the tests of this tier (tests/tiers.py)"
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"tier: {config.getoption('tier')}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even load what is wholly of the rest: some of it takes seconds to load, and each process loads it."""
    place = collection_path.relative_to(HERE).as_posix() if collection_path.is_relative_to(HERE) else ""
    return True if config.getoption("tier") == Tier.EVERYDAY and place in SLOW else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests of the other tier out, say which tools each needs, and put those first that share something costly.

    A test of the other tier is not collected, as if it stood elsewhere; it is not deselected, which CI refuses.
    """
    tiers = config.stash[TIERS] = {item.nodeid: _tier(item) for item in items}
    tier = config.getoption("tier")
    if tier != "all":
        items[:] = [item for item in items if tiers[item.nodeid] == tier]
    for item in items:
        # So that `-m "not postgres"` leaves out every test that would start one, and `-m "not browser"` the others.
        for tool in ("postgres", "browser"):
            if tool in getattr(item, "fixturenames", ()):
                item.add_marker(tool)
    # Processes that have nothing left to do take tests from the end of what another has.
    items.sort(key=lambda item: item.get_closest_marker("made_once") is None)


def _tier(item: pytest.Item) -> Tier:
    calls = getattr(item, "callspec", None)
    test = f"{item.path.relative_to(HERE).as_posix()}::{item.name}"
    return tier_of(test, getattr(item, "fixturenames", ()), calls.params if calls else {})


def pytest_collection_finish() -> None:
    """What is there now stays to the end: no search for garbage looks at it again."""
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> databases.Server:
    """The run's PostgreSQL server."""
    try:
        return databases.running_server()
    except databases.PostgresMissingError as missing:
        reason = missing
    return databases.do_without(reason, os.environ)


@pytest.fixture(scope="session")
def _migrated_postgres(postgres: databases.Server) -> str:
    return postgres.template("migrated", _migrate_and_let_web_in)


def _migrate_and_let_web_in(url: str) -> None:
    """What the operator does who follows docs/scaling.md: `migrate`, and the statements of `database roles --sql`."""
    from sqlalchemy import create_engine

    from reminder.storage.db import row_security

    migrate(url)
    by_superuser = databases.as_role(url, databases.SUPERUSER).replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(by_superuser)
    with engine.begin() as connection:
        for statement in row_security.statements_for_role(connection, databases.WEB_ROLE):
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "kigen.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, _migrated_sqlite: Path) -> str:
    """A SQLite file with every table and no rows."""
    return f"sqlite:///{shutil.copy(_migrated_sqlite, tmp_path / 'kigen.db')}"


@pytest.fixture
def postgres_url(postgres: databases.Server, _migrated_postgres: str) -> Iterator[str]:
    """A PostgreSQL database with every table and no rows."""
    with postgres.database(_migrated_postgres) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres: databases.Server) -> Iterator[str]:
    """A PostgreSQL database without tables, for what is about migrations."""
    with postgres.database() as url:
        yield url


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on SQLite and on PostgreSQL: every table, no rows."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same on databases without tables."""
    return (
        f"sqlite:///{tmp_path / 'empty.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("empty_postgres_url")
    )


def migrate(url: str) -> None:
    # Tests of the pure rules start without loading any of this.
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database

    database = Database(url)
    schema.migrate(database)
    database.close()


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """A village on each database, at eight in the morning of the first of December 2026."""
    with open_village(database_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def talking_village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """The same where texts can be answered."""
    with open_village(database_url, tmp_path, "2026-12-01 08:00", two_way_sms=True) as opened:
        yield opened


@pytest.fixture
def fresh_village_factory(
    _migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Village]]:
    """A new village at each call, where texts can be answered: for tests that try many histories."""

    def fresh(**settings_given: object) -> AbstractContextManager[Village]:
        folder = tmp_path_factory.mktemp("history")
        url = f"sqlite:///{shutil.copy(_migrated_sqlite, folder / 'kigen.db')}"
        return open_village(url, folder, "2026-12-01 08:00", durable=False, two_way_sms=True, **settings_given)

    return fresh
