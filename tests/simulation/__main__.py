"""`python -m tests.simulation --seed 7`: a simulation, replayed exactly; `--seeds 1-500`: many.

Prints what is wrong, and the digest of the trace. `--trace` prints the trace too, `--shrink` drops what is not needed
for the failure and prints it as an entry of kept.toml.
"""

import argparse
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.databases import Server

KEPT = Path(__file__).with_name("kept.toml")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int)
    asked.add_argument("--seeds", help="from-to, both included")
    asked.add_argument("--kept", action="store_true", help="the failures of kept.toml")
    asked.add_argument("--days", type=int, default=1)
    asked.add_argument("--drawing", type=int, default=None, help="1: what a seed brought before restores")
    asked.add_argument("--on", choices=("sqlite", "postgresql"), default="sqlite")
    asked.add_argument("--trace", action="store_true")
    asked.add_argument("--shrink", action="store_true")
    asked.add_argument("--minutes", type=float, help="go on with seed after seed for so long")
    asked.add_argument("--digests", action="store_true", help="print the digest of every seed")
    given = asked.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of words are walked in the order of their hashes.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    if given.on == "sqlite":
        return _live_through(given, None)
    from tests.simulation.runs import postgresql

    with postgresql() as server:
        return _live_through(given, server)


def _live_through(given: argparse.Namespace, server: "Server | None") -> int:
    from tests.simulation.runs import run
    from tests.simulation.scenario import NEWEST, as_toml, drawn, from_toml
    from tests.simulation.shrink import shrunk

    if given.kept:
        kept = tomllib.loads(KEPT.read_text(encoding="utf-8")).get("kept", ())
        found = [(entry, wrong) for entry in kept for wrong in run(from_toml(entry)).wrongs]
        for entry, wrong in found:
            print(f"{entry['finds']} (seed {entry['seed']}): {wrong.kind}: {wrong.what}")
        return 1 if found else 0
    first, last = (given.seed or 1, given.seed or 1) if not given.seeds else map(int, given.seeds.split("-"))
    until = time.monotonic() + 60 * given.minutes if given.minutes else None
    failed, seed, began = 0, first, time.process_time()
    while time.monotonic() < until if until is not None else seed <= last:
        scenario = drawn(seed, given.days, given.drawing or NEWEST)
        result = run(scenario, server)
        if given.trace:
            print("\n".join(result.trace))
        if given.digests or given.seed:
            print(f"seed {seed}: {result.digest} ({len(result.trace)} lines, {len(result.texts)} texts)")
        for wrong in result.wrongs:
            print(f"seed {seed}: {wrong.kind}: {wrong.what}")
        if result.wrongs:
            failed += 1
            if given.shrink:
                small = shrunk(scenario, lambda one: {w.kind for w in run(one).wrongs}, result.wrongs[0].kind)
                print(as_toml(small, finds=result.wrongs[0].kind))
        seed += 1
    print(f"{seed - first} seeds, {failed} with something wrong, {time.process_time() - began:.1f} s of CPU")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
