"""PostgreSQL servers of a run's own, made by the scripts that docs/scaling.md gives: killed, restarted, promoted."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import databases
from tests.patience import PATIENCE
from tests.program import free_port

SCRIPTS = Path(__file__).parents[2] / "docs" / "scaling"
PASSWORDS = {"APP_PASSWORD": "app-invented", "STANDBY_PASSWORD": "standby-invented"}


@dataclass(frozen=True)
class Server:
    """A server of the pair; commands run as the user that PostgreSQL runs as."""

    data: Path
    port: int
    programs: Path
    identity: dict[str, int]

    def script(self, name: str, *arguments: str, **environment: str) -> None:
        self._run(["sh", str(SCRIPTS / name), *arguments], environment)

    def restart_at_once(self) -> None:
        """As after a crash: whoever is connected is thrown out, and what was committed comes back from the log."""
        self._run(
            ["pg_ctl", "-D", str(self.data), "-m", "immediate", "-l", str(self.data / "server.log"), "-w", "restart"]
        )

    def kill(self) -> None:
        """Nothing is flushed, said or handed over; its processes end when they see that the first of them is gone."""
        postmaster = self._postmaster()
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        # Where nobody takes note of its end its id stays, and would look alive.
        (self.data / "postmaster.pid").unlink()

    def _postmaster(self) -> int | None:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid

    def _run(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        own = {"DATA": str(self.data), "PORT": str(self.port), **PASSWORDS, **(environment or {})}
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.data.parent,
                env={"PATH": f"{self.programs}:{os.defpath}", "LC_ALL": "C", **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=PATIENCE,
                extra_groups=[] if self.identity else None,
                **self.identity,
            )
        if done.returncode != 0:
            raise AssertionError(f"{command} failed: {Path(log.name).read_text()[-2000:]}")


# Waits until whoever started it is gone, in whatever way: no server is ever left over.
KEEPER = """
read -r _
for data in "$0"/pg/*; do
  if [ -s "$data/postmaster.pid" ]; then kill -QUIT "$(head -n 1 "$data/postmaster.pid")"; fi
done
while ls "$0"/pg/*/postmaster.pid >/dev/null 2>&1 && [ "${tries:=0}" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
rm -rf "$0"
"""


@contextmanager
def made() -> Iterator[tuple[Server, Server]]:
    """Two servers that do not run yet: the first is made by `primary.sh`. Gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="kigen-chaos-"))
    folder.chmod(0o711)
    with subprocess.Popen(["sh", "-c", KEEPER, str(folder)], stdin=subprocess.PIPE, start_new_session=True):
        programs, identity = databases.programs(folder)
        place = folder / "pg"
        place.mkdir()
        if identity:
            os.chown(place, identity["user"], identity["group"])
        first, second = (Server(place / name, free_port(), programs, identity) for name in ("one", "two"))
        yield first, second


def url(*servers: Server) -> str:
    """As PostgreSQL's own programs write several hosts; whichever of them takes writes is used."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    more = "?target_session_attrs=read-write" if len(servers) > 1 else ""
    return f"postgresql://kigen:{PASSWORDS['APP_PASSWORD']}@{hosts}/kigen{more}"


def start_primary(server: Server) -> None:
    server.script("primary.sh")


def start_standby(server: Server, primary: Server) -> None:
    """After this a commit counts when both have it."""
    server.script("standby.sh", PRIMARY="127.0.0.1", PRIMARY_PORT=str(primary.port))
    primary.script("both.sh", "on")
