"""Takes a mend back in a copy of the tree, and lets the simulation look for the fault.

`python -m tests.simulation.taken_back` tries all of taken_back.toml; a name tries one, and `--seeds 1-200` where.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MENDS = HERE / "taken_back.toml"


@dataclass(frozen=True)
class Mend:
    """A mend: what is taken back (by file, the old text and the new one), where it is looked for, and what finds it."""

    name: str
    changes: Sequence[Mapping[str, str]]
    seeds: str
    finds: Sequence[str]
    days: int = 1


def mends() -> list[Mend]:
    """Return every mend of the table."""
    return [Mend(**entry) for entry in tomllib.loads(MENDS.read_text(encoding="utf-8"))["mend"]]


class MovedError(Exception):
    """The source that a mend takes back is not there any more: write the entry anew."""


@contextmanager
def without(mend: Mend) -> Iterator[Path]:
    """Yield a tree in which the mend is taken back; raises MovedError."""
    with tempfile.TemporaryDirectory(prefix="kigen-taken-back-") as folder:
        tree = Path(folder)
        # With its compiled files, which the times of the sources prove.
        shutil.copytree(ROOT / "reminder", tree / "reminder")
        for name in ("config", "migrations", "tests"):
            (tree / name).symlink_to(ROOT / name)
        for change in mend.changes:
            file = tree / change["file"]
            source = file.read_text(encoding="utf-8")
            if source.count(change["old"]) != 1:
                raise MovedError(f"{mend.name}: {change['file']} has this {source.count(change['old'])} times: {change['old']}")
            file.write_text(source.replace(change["old"], change["new"]), encoding="utf-8")
        yield tree


def found_without(mend: Mend, seeds: str | None = None) -> list[tuple[int, str, str]]:
    """Return what is wrong without the mend: seed, kind and sentence; only of the kinds that are to find it."""
    with without(mend) as tree:
        asked = ["--seeds", seeds or mend.seeds, "--days", str(mend.days)]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "tests.simulation", *asked],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    lines = (re.fullmatch(r"seed (\d+): ([^:]+): (.*)", line) for line in done.stdout.splitlines())
    return [(int(line[1]), line[2], line[3]) for line in lines if line]


def main() -> int:
    """Try the mends."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("name", nargs="?")
    asked.add_argument("--seeds")
    given = asked.parse_args()
    missed = 0
    for mend in mends():
        if given.name in (None, mend.name) or (given.name and given.name in mend.name):
            found = found_without(mend, given.seeds)
            ours = [one for one in found if one[1] in mend.finds]
            missed += not ours
            print(f"{'found' if ours else 'MISSED'}: {mend.name}: {(ours or found)[:4]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
