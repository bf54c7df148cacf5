"""What the pages cost on the database of fill.py, with a real server: `python -m tests.bench.pages [--only sqlite]`.

Each page of a household, of a home and of the largest home alone; the household's home page for sixteen browsers at
once; the export of a home; lists; a group of 70,000 cards. `--small` is a minute's look at the same.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from reminder.clock import SystemClock
from reminder.enrolment.identity import sign_in
from reminder.storage.auth import accounts
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.wiring import read_rulebook, read_settings
from tests import databases
from tests.bench.fill import SMALL, Sizes, fill, owner_of
from tests.conftest import migrate
from tests.program import PROGRAM, free_port, until

PAGES = ("/", "/months", "/visits", "/letters", "/undelivered", "/calendar", "/settings/me")
MANY = 70_000  # cards of one group
CLIENTS = 16
PASS_EVERY = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """A filled database, and the environment in which the program works on it."""

    name: str
    url: str
    key: str
    folder: Path
    sizes: Sizes

    @property
    def environment(self) -> Mapping[str, str]:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("REMINDER_")}
        ours = {"DATABASE_URL": self.url, "SECRET_KEYS": self.key, "DATA_DIR": str(self.folder / "data")}
        return bare | {f"REMINDER_{name}": value for name, value in ours.items()}

    def cookie(self, group_id: int) -> str:
        """Of a browser in which the owner of the group is signed in."""
        database, keys, now = Database(self.url), read_keys((self.key,)), SystemClock().now()
        try:
            with database.writing() as tx:
                account = accounts.at_address(tx, keys, owner_of(group_id))
                assert account is not None
                uow = UnitOfWork(tx, keys, read_rulebook(read_settings(database_url=self.url)), now)
                return f"kigen={sign_in.enter(uow, account, 'bench').token}"
        finally:
            database.close()


@dataclass(frozen=True)
class Measured:
    """Of one page: its p50 in milliseconds, alone; the server's processor time for each; its size."""

    status: int
    p50: float
    cpu: float
    size: int


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--only", choices=("sqlite", "postgresql"))
    arguments.add_argument("--parts", default="household,many,home,largest,export,list,cards")
    arguments.add_argument("--small", action="store_true")
    arguments.add_argument("--times", type=int, default=40)
    chosen = arguments.parse_args()
    sizes = SMALL if chosen.small else Sizes()
    os.environ[databases.DURABLE] = "yes"
    lock = databases.begin_run()
    try:
        for name in [chosen.only] if chosen.only else ["sqlite", "postgresql"]:
            measure(name, sizes, chosen.parts.split(","), chosen.times, few=chosen.small)
    finally:
        databases.end_run(lock)


def measure(name: str, sizes: Sizes, parts: Sequence[str], times: int, *, few: bool = False) -> None:
    """Print the figures of one database, as rows of a table."""
    if set(parts) != {"cards"}:
        of_many_groups(name, sizes, parts, times, few=few)
    if "cards" in parts:
        each = -(-(MANY if not few else 200) // sizes.residents_of_the_largest)
        many = replace(
            sizes, households=10, homes=1, cards_each_in_the_largest=each, messages=min(sizes.messages, MANY)
        )
        with filled(name, many) as place, serving(place) as server:
            many_cards = each * sizes.residents_of_the_largest
            each_page(place, server, f"group of {many_cards:,} cards", many.largest, 3)


def of_many_groups(name: str, sizes: Sizes, parts: Sequence[str], times: int, *, few: bool) -> None:
    with filled(name, sizes) as place:
        groups = {"household": sizes.first_household, "home": sizes.first_home, "largest": sizes.largest}
        with serving(place) as server:
            for who, group_id in groups.items():
                if who in parts:
                    each_page(place, server, who, group_id, times if who != "largest" else max(3, times // 8))
            if "many" in parts:
                many_at_once(place, server, 5 if few else 20)
        if "export" in parts:
            for who, group_id in groups.items():
                command(place, f"export, {who}", "export", "--group", str(group_id), "--out", str(place.folder / "all"))
        if "list" in parts:
            for what in ("messages", "reminders", "cards", "people"):
                command(place, f"list {what}", "list", what)


@contextmanager
def filled(name: str, sizes: Sizes) -> Iterator[Place]:
    key = new_key()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if name == "sqlite":
            yield _filled(Place(name, f"sqlite:///{folder / 'kigen.db'}", key, folder, sizes))
            return
        with databases.running_server().database() as url:
            yield _filled(Place(name, url, key, folder, sizes))


def _filled(place: Place) -> Place:
    began = time.perf_counter()
    migrate(place.url)
    fill(place.url, read_keys((place.key,)), SystemClock().now(), place.sizes)
    print(f"| {place.name} | filled in {time.perf_counter() - began:.0f} s |", flush=True)
    return place


@dataclass(frozen=True)
class Server:
    process: "subprocess.Popen[bytes]"
    port: int

    def processor_seconds(self) -> float:
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / PASS_EVERY

    def memory(self) -> int:
        """The most it has held, in MB."""
        said = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(said.split("VmHWM:")[1].split()[0]) // 1024


@contextmanager
def serving(place: Place) -> Iterator[Server]:
    port = free_port()
    what = "serve" if place.name == "sqlite" else "web"
    with (place.folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*PROGRAM, what, "--port", str(port)], env=place.environment, stdout=log, stderr=log)
    server = Server(process, port)
    try:
        until(lambda: process.poll() is not None or _answers(server), "the server answers")
        assert process.poll() is None, (place.folder / "server.log").read_text()
        yield server
        print(f"| {place.name} | memory of the server | {server.memory()} MB |", flush=True)
    finally:
        process.terminate()
        process.wait(60)


def _answers(server: Server) -> bool:
    try:
        return asyncio.run(_ask(server, "/healthz", "", 1)).status == 200
    except OSError:
        return False


def each_page(place: Place, server: Server, who: str, group_id: int, times: int) -> None:
    cookie, person_id = place.cookie(group_id), _first_person(place, group_id)
    for path in (*PAGES, f"/people/{person_id}"):
        found = asyncio.run(_ask(server, path, cookie, times))
        print(
            f"| {place.name} | {who} {path} | {found.status} | {found.p50:.1f} ms | {found.cpu:.1f} ms of CPU | "
            f"{found.size / 1000:.0f} kB |",
            flush=True,
        )


def _first_person(place: Place, group_id: int) -> int:
    return 1 + sum(place.sizes.residents(before) for before in range(1, group_id))


def many_at_once(place: Place, server: Server, seconds: float) -> None:
    cookie = place.cookie(place.sizes.first_household)

    async def all_of_them() -> list[float]:
        end = time.perf_counter() + seconds
        some = await asyncio.gather(*(_until(server, "/", cookie, end) for _ in range(CLIENTS)))
        return sorted(took for each in some for took in each)

    before, own = server.processor_seconds(), time.process_time()
    began = time.perf_counter()
    took = asyncio.run(all_of_them())
    lasted = time.perf_counter() - began
    cpu, ours = server.processor_seconds() - before, time.process_time() - own
    print(
        f"| {place.name} | household / for {CLIENTS} browsers | {len(took) / lasted:.0f} a second | "
        f"p95 {took[int(len(took) * 0.95)] * 1000:.0f} ms | {cpu / len(took) * 1000:.1f} ms of CPU each | "
        f"client {ours / len(took) * 1000:.1f} |",
        flush=True,
    )


async def _until(server: Server, path: str, cookie: str, end: float) -> list[float]:
    took = []
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    while time.perf_counter() < end:
        began = time.perf_counter()
        status, _ = await _get(reader, writer, path, cookie)
        assert status == 200, status
        took.append(time.perf_counter() - began)
    writer.close()
    return took


async def _ask(server: Server, path: str, cookie: str, times: int) -> Measured:
    """One after another, after one that is not counted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
    status, size = await _get(reader, writer, path, cookie)
    took, before = [], server.processor_seconds()
    for _ in range(times if status == 200 else 0):
        began = time.perf_counter()
        status, size = await _get(reader, writer, path, cookie)
        took.append(time.perf_counter() - began)
    cpu = server.processor_seconds() - before
    writer.close()
    each = len(took) or 1
    return Measured(status, sorted(took or [0.0])[each // 2] * 1000, cpu / each * 1000, size)


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, cookie: str) -> tuple[int, int]:
    """(status, bytes of the body)"""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1]), length


def command(place: Place, what: str, *arguments: str) -> None:
    """A command in a process of its own: how long, and the most memory it held."""
    began = time.perf_counter()
    with (place.folder / "answer").open("wb") as answer:
        process = subprocess.Popen([*PROGRAM, *arguments], env=place.environment, stdout=answer)
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
    took = time.perf_counter() - began
    print(
        f"| {place.name} | {what} | exit {process.returncode} | {took:.1f} s | {_cpu(used):.1f} s of CPU | "
        f"{used.ru_maxrss / 1000:.0f} MB |",
        flush=True,
    )


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    main()
