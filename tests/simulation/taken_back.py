"""Takes a mend back in a copy of the tree, and lets the simulation look for the fault: in seeds, or in a report.

`python -m tests.simulation.taken_back` tries all of taken_back.toml; a name tries one, and `--seeds 1-200` where.
"""

import argparse
import os
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
    """A mend: what is taken back (by file, the old text and the new one), where it is looked for, and what finds it.

    It is looked for in seeds, in a report of the museum, or (`is_kept`) in the failures of kept.toml.
    """

    name: str
    changes: Sequence[Mapping[str, str]]
    finds: Sequence[str]
    seeds: str = ""
    museum: str = ""
    is_kept: bool = False
    drawing: int = 2


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
                raise MovedError(
                    f"{mend.name}: {change['file']} has this {source.count(change['old'])} times: {change['old']}"
                )
            file.write_text(source.replace(change["old"], change["new"]), encoding="utf-8")
        yield tree


def found_without(mend: Mend, seeds: str = "") -> list[tuple[str, str]]:
    """Return what is wrong without the mend: in which seed or report, and the kind with its sentence."""
    seeds = seeds or mend.seeds
    if seeds:
        asked = ["tests.simulation", "--seeds", seeds, "--drawing", str(mend.drawing)]
    else:
        asked = ["tests.simulation", "--kept"] if mend.is_kept else ["tests.museum", mend.museum]
    with without(mend) as tree:
        done = subprocess.run(
            [sys.executable, "-m", *asked],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    return [(place, wrong) for place, _, said in lines for wrong in said.split("; ") if said not in ("", "ok")]


def is_found(mend: Mend, found: Sequence[tuple[str, str]]) -> bool:
    """Return whether something wrong is of a kind that must find this mend."""
    return any(wrong.partition(": ")[0] in mend.finds for _, wrong in found)


def main() -> int:
    """Try the mends."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("name", nargs="?")
    asked.add_argument("--seeds")
    given = asked.parse_args()
    missed = 0
    for mend in mends():
        if given.name is None or given.name in mend.name:
            found = found_without(mend, given.seeds)
            missed += not is_found(mend, found)
            print(f"{'found' if is_found(mend, found) else 'MISSED'}: {mend.name}: {found[:5]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
