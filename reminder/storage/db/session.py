"""The database engine, with writing and reading transactions."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session, configure_mappers, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from reminder.clock import monotonic
from reminder.errors import DatabaseNotReadyError, SettingsError
from reminder.storage.crypto import private_files
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import fence, primaries, row_security
from reminder.storage.db.primaries import AfterFailover, AskLeader, PrimaryGuard
from reminder.storage.db.row_security import NOBODY, Access

# The type of a transaction for other packages; only storage knows that it is a session.
Tx = Session

# In `Session.info`: the keys of a transaction.
KEYS = "keys"

# Longer than any of our writes locks the file, so that `web` and `worker` may be two processes.
SQLITE_BUSY_SECONDS = 30
MOMENT_SECONDS = 1
# A worker writes every few seconds.
TROUBLE_SECONDS = 90

# A server that lost its power closes no connection. Without these, one would wait for a quarter of an hour, and
# a new one two minutes before it tries the standby. Values in the URL take precedence.
POSTGRESQL_WAITS: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
_SEVERAL_HOSTS = re.compile(r"(postgresql(?:\+psycopg)?://(?:[^@/?]*@)?)([^/?@]*,[^/?@]*)(/[^?]*)?(?:\?(.*))?")
# On PostgreSQL writers share this lock, and a migration takes it exclusively: an old program that writes
# during a migration waits, and then finds the new version. (On SQLite the file has one writer.)
SCHEMA_LOCK = 20261123
_SHARE_LOCK = f"SELECT pg_advisory_xact_lock_shared({SCHEMA_LOCK})"
_SHARE_LOCK_OF_PRIMARY = f"{_SHARE_LOCK}, {primaries.COLUMNS}"
_VERSION = f"SELECT version_num, {fence.VALUE} FROM alembic_version"  # noqa: S608  # nothing from outside


class Database:
    """The engine of one database.

    `writing()` commits at the end of its block or leaves nothing behind; `reading()` never changes anything. Neither
    may be open while a provider is being called. Raises DatabaseNotReadyError when the server cannot be reached.
    `leader`: asks the manager of the fail-over which server leads, where there is one.
    """

    def __init__(self, url: str, *, durable: bool = True, leader: AskLeader | None = None) -> None:
        self.url = url
        self.engine = _engine(url, durable)
        self._writing = sessionmaker(self.engine.execution_options(kigen_writes=True), expire_on_commit=False)
        self._reading = sessionmaker(self.engine, expire_on_commit=False)
        self._version: str | None = None
        self._keys: KeyRing | None = None
        self._is_confined = False
        self._is_serving, self._looks_again_at = False, 0.0
        self._write_trouble: tuple[str, float] | None = None
        has_two = not self.is_sqlite and (leader is not None or _has_several_hosts(self.engine.url))
        self._primary = PrimaryGuard(leader) if has_two else None
        # This takes a tenth of a second, during which the first transaction would otherwise hold its locks.
        configure_mappers()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @property
    def place(self) -> str:
        """Where it is: its URL without a password; of SQLite with the whole path."""
        url = self.engine.url
        if self.is_sqlite:
            return f"sqlite:///{Path(url.database or '').resolve()}"
        return url.set(password=None).render_as_string()

    def open_with(self, keys: KeyRing) -> None:
        """Give these keys to each transaction from now on, for the words that are read and written in it."""
        if self._keys is not keys:
            self._keys = keys
            for sessions in (self._writing, self._reading):
                sessions.configure(info={KEYS: keys})

    @property
    def is_confined(self) -> bool:
        """Whether its role reaches only the rows of those for whom a transaction acts (see `row_security`)."""
        return self._is_confined

    def find_role(self) -> None:
        """Ask the database what its role may reach; from now on transactions say for whom they act, if they must."""
        if self.is_sqlite:
            return
        with reachable(), self.engine.connect() as connection:
            self._is_confined = row_security.is_confined(connection)

    def refuse_confined(self) -> None:
        """Raise DatabaseNotReadyError, code database_role_confined, for a role that does not see every row."""
        self.find_role()
        if self._is_confined:
            raise DatabaseNotReadyError("database_role_confined")

    def serve(self) -> None:
        """Refuse reading, too, from now on, where the data went elsewhere: this process shows them to others."""
        self._is_serving = True

    def refuse_moved(self) -> None:
        """Raise DatabaseNotReadyError, code database_moved, for a database whose data went elsewhere."""
        with reachable(), self.engine.connect() as connection:
            fence.refuse_moved(connection)

    def require_one_primary(self, after_failover: AfterFailover) -> None:
        """Raise DatabaseNotReadyError where, of several hosts, two could take writes at the same time.

        Codes database_not_leader and database_not_synchronous. `after_failover`: what is done from now on in the first
        transaction after a fail-over that may have lost the last commits.
        """
        if self._primary is not None:
            self._primary.after_failover = after_failover
            with self.writing():
                pass

    @contextmanager
    def writing(self, access: Access = NOBODY, *, even_closed: bool = False) -> Iterator[Session]:
        """Yield a session that commits at the end of the block, or rolls back where the block raises.

        `access`: for whom it acts. `even_closed`: also where the data went elsewhere, to log that somebody has read.
        """
        try:
            if self._primary is not None:
                self._primary.before()
            with reachable(), self._writing.begin() as tx:
                self._refuse_other_tables(tx, even_closed=even_closed)
                if self._is_confined:
                    row_security.enter(tx, access)
                yield tx
            if self._primary is not None:
                self._primary.after()
        except DatabaseNotReadyError as not_ready:
            self._write_trouble = not_ready.code, monotonic() + TROUBLE_SECONDS
            if not_ready.code == "database_not_leader":
                # The next connections look for the server that leads now.
                self.engine.dispose()
            raise
        self._write_trouble = None

    @property
    def write_trouble(self) -> str | None:
        """The code of the refusal of the last writing transaction; None where it succeeded, or was long ago."""
        code, until = self._write_trouble or (None, 0.0)
        return code if monotonic() < until else None

    def write_only_at(self, version: str) -> None:
        """Check the version of the tables at the beginning of each writing transaction from now on.

        Such a transaction raises DatabaseNotReadyError, code database_ahead, after a migration.
        """
        self._version = version

    def _refuse_other_tables(self, tx: Session, *, even_closed: bool) -> None:
        if self._version is None and self._primary is None:
            return
        # Executed by the driver: every write begins with these, and SQLAlchemy's statements take longer to build.
        connection = tx.connection()
        if self._primary is not None:
            _, *row = connection.exec_driver_sql(_SHARE_LOCK_OF_PRIMARY).one()
            self._primary.check(tx, row, is_confined=self._is_confined)
        elif not self.is_sqlite:
            connection.exec_driver_sql(_SHARE_LOCK).close()
        if self._version is None:
            return
        found = connection.exec_driver_sql(_VERSION).first()
        if found is None or found[0] != self._version:
            raise DatabaseNotReadyError("database_ahead")
        if found[1] and not even_closed:
            fence.refuse(found[1])

    @contextmanager
    def reading(self, access: Access = NOBODY) -> Iterator[Session]:
        """Yield a session that sees one state of the database and changes nothing. `access`: for whom it acts."""
        with reachable(), self._reading() as tx:
            if self._is_serving and monotonic() >= self._looks_again_at:
                fence.refuse_moved(tx.connection())
                self._looks_again_at = monotonic() + MOMENT_SECONDS
            if self._is_confined:
                row_security.enter(tx, access)
            yield tx

    def empty_log(self) -> None:
        """Truncate the write-ahead log on SQLite, which still holds erased content.

        It does not succeed while somebody reads for longer than a moment.
        """
        if self.is_sqlite:
            with self._alone(MOMENT_SECONDS) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def rewrite(self) -> bool:
        """Rewrite the file on SQLite; return False where a reader of the old one prevented it for too long.

        About one in a thousand rows that move between pages leaves a copy of itself; a rewritten file has none. Other
        writers wait meanwhile.
        """
        if not self.is_sqlite:
            return True
        with self._alone(SQLITE_BUSY_SECONDS) as connection:
            connection.execute("VACUUM").close()
            # (was the checkpoint blocked?, pages in the log, pages moved into the file)
            kept_from_it, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not kept_from_it

    @contextmanager
    def _alone(self, seconds: float) -> Iterator[sqlite3.Connection]:
        """Yield a connection outside any transaction, in which neither of the two statements may run."""
        with closing(sqlite3.connect(self.engine.url.database or "", timeout=seconds, isolation_level=None)) as own:
            try:
                yield own
            except sqlite3.OperationalError as failed:
                code = _ON_SQLITE.get(failed.sqlite_errorcode & 0xFF, "database_unreachable")
                raise DatabaseNotReadyError(code, reason=type(failed).__name__) from None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


# What each error of a driver means, and so what is to be done about it. The same statement may succeed later.
# Classes and codes of SQLSTATE (PostgreSQL, appendix A); the longest that fits counts. 08 connection, 28 authorization,
# 3D no such database, 40 rollback, 53 resources, 55 state of an object, 57 operator, 58 system, XX damaged data.
_ON_POSTGRESQL: Mapping[str, str] = {
    **dict.fromkeys(("08", "28", "3D", "40", "53", "55", "57", "58"), "database_unreachable"),
    "25006": "database_read_only",
    **dict.fromkeys(("40001", "40P01", "55P03"), "database_locked"),
    "53100": "database_full",
    "53300": "database_busy",
    **dict.fromkeys(("XX001", "XX002"), "database_damaged"),
}
_ON_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "database_locked",
    sqlite3.SQLITE_CANTOPEN: "database_unreachable",
    sqlite3.SQLITE_CORRUPT: "database_damaged",
    sqlite3.SQLITE_FULL: "database_full",
    sqlite3.SQLITE_IOERR: "database_unreachable",
    sqlite3.SQLITE_LOCKED: "database_locked",
    sqlite3.SQLITE_NOTADB: "database_damaged",
    sqlite3.SQLITE_PROTOCOL: "database_locked",
    sqlite3.SQLITE_READONLY: "database_read_only",
    # A write that is cut short, and the shared memory beside the file: how a full disk or a quota shows itself.
    sqlite3.SQLITE_IOERR_WRITE: "database_full",
    sqlite3.SQLITE_IOERR_SHMSIZE: "database_full",
    sqlite3.SQLITE_IOERR_SHORT_READ: "database_damaged",
}
# A server that refuses a connection says why in words only.
_REFUSED: Mapping[str, str] = {
    "session is read-only": "database_read_only",
    "too many clients": "database_busy",
    "too many connections": "database_busy",
    "remaining connection slots": "database_busy",
}


@contextmanager
def reachable() -> Iterator[None]:
    """Raise DatabaseNotReadyError for a database that cannot be used now, or has not our tables.

    An error in one of our statements is not converted.
    """
    try:
        yield
    except NoConnectionError as busy:
        raise DatabaseNotReadyError("database_busy", reason=type(busy).__name__) from None
    except DatabaseError as failed:
        # Each driver has its own error class for a missing table and for a file that is no database.
        name, said = type(failed.orig).__name__, str(failed.orig)
        if name == "UndefinedTable" or "no such table" in said:
            raise DatabaseNotReadyError("database_behind") from None
        code = _why_not_ready(failed)
        if code is not None:
            raise DatabaseNotReadyError(code, reason=name) from None
        raise


def _why_not_ready(failed: DatabaseError) -> str | None:
    """Return what is wrong with the database; None for an error in one of our statements."""
    code = None
    if isinstance(failed.orig, sqlite3.Error):
        # The lower byte is the kind of error, the upper ones are details.
        number = getattr(failed.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        code = _ON_SQLITE.get(number) or _ON_SQLITE.get(number & 0xFF)
    else:
        state = getattr(failed.orig, "sqlstate", None) or ""
        code = _ON_POSTGRESQL.get(state) or _ON_POSTGRESQL.get(state[:2])
    if code is not None and not (failed.connection_invalidated and code == "database_unreachable"):
        return code
    # An error without a statement comes from connecting.
    if failed.connection_invalidated or failed.statement is None:
        said = str(failed.orig)
        return next((code for words, code in _REFUSED.items() if words in said), "database_unreachable")
    return None


def is_there(place: str) -> bool:
    """Return whether a database may be at this place; no file is made. A server may be there until it is asked."""
    url = make_url(place)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _has_several_hosts(url: URL) -> bool:
    hosts = url.query.get("host", ())
    return len(hosts.split(",") if isinstance(hosts, str) else hosts) > 1


def _engine(url: str, durable: bool) -> Engine:
    try:
        parsed = make_url(_each_host_apart(url))
    except (ArgumentError, ValueError):
        raise SettingsError(
            "REMINDER_DATABASE_URL",
            "write sqlite:///path or postgresql://user:password@host/name; in the password write @ : / as %40 %3A %2F",
        ) from None
    if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise SettingsError("REMINDER_DATABASE_URL", "only sqlite:/// and postgresql:// are known")
    if parsed.drivername == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise SettingsError("REMINDER_DATABASE_URL", "name a file: a database in memory would forget every date")
        file = Path(parsed.database)
        private_files.make_folder(file.parent)
        engine = create_engine(
            parsed,
            hide_parameters=True,
            connect_args={"timeout": SQLITE_BUSY_SECONDS},
            pool_use_lifo=True,
            json_deserializer=_from_json,
        )
        # SQLite would create it as the umask says; what it makes beside it gets the mode of the file.
        event.listen(engine, "do_connect", lambda *_: _create_private(file))
        event.listen(engine, "connect", _prepare_sqlite)
        if not durable:
            event.listen(engine, "connect", _trust_the_power)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    waits: dict[str, int | str] = {**POSTGRESQL_WAITS}
    if _has_several_hosts(parsed):
        # By chance, so that a server that was given up is not always the first to be found.
        waits["load_balance_hosts"] = "random"
    waits = {name: value for name, value in waits.items() if name not in parsed.query}
    # Checked before each use: after a restart or a failover no step fails because of a dead connection.
    return create_engine(
        parsed, hide_parameters=True, pool_pre_ping=True, pool_size=10, connect_args=waits, json_deserializer=_from_json
    )


def _create_private(file: Path) -> None:
    with suppress(OSError):  # SQLite says what is wrong with the place
        private_files.create(file, anew=False)


def _from_json(text: str) -> object:
    """Return the parsed value; the empty list, which most rows of a sheet have, without parsing."""
    return [] if text == "[]" else json.loads(text)


def _each_host_apart(url: str) -> str:
    """Return a URL in SQLAlchemy's form.

    PostgreSQL's own programs write several hosts as `…@one:5432,two:5432/name`.
    """
    found = _SEVERAL_HOSTS.fullmatch(url)
    if found is None:
        return url
    before, hosts, name, query = found.groups()
    said = [*(f"host={quote(host, safe=':[]')}" for host in hosts.split(",")), *([query] if query else [])]
    return f"{before}{name or '/'}?{'&'.join(said)}"


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin too late and cannot be IMMEDIATE; ours begin below.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a committed lease survives a power cut, so nothing is sent twice.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # Erased content is overwritten: some builds of SQLite only unlink it, and it could be read from the file. No
    # cost could be measured: a pass that sends 300 texts took 101 to 120 ms with it and without.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _trust_the_power(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA synchronous = OFF").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writing transaction locks at once: two that read first and write later would deadlock.
    writes = connection.get_execution_options().get("kigen_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
