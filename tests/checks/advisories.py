"""Ask a source of advisories (OSV) about every package of the locks, by pip-audit.

`python -m tests.checks.advisories` ends with 1 where an advisory is known. Without an answer from the source it says
"could not look" and ends with 0, so that a machine without network can build; `--must-look` then ends with 2.
`ADVISORY_SOURCE` names another address of the same form.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.checks.locks import BENCH, PRODUCTION, ROOT, read

SOURCE = "https://api.osv.dev/v1/query"
# Seconds for one request, and for all of them.
PATIENCE_EACH, PATIENCE = 15, 600
# Advisories that are known and accepted: id -> why they cannot harm here, and when to look again.
ACCEPTED: Mapping[str, str] = {}


@dataclass(frozen=True)
class Answer:
    """What the source said. `unseen`: why it was not asked about some packages, or about all of them."""

    advisories: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    looked_at: int = 0


def _said(report: Mapping[str, Any], production: set[str]) -> Answer:
    """Return what a report of pip-audit says. `production`: the canonical names that production installs."""
    found, unseen, looked_at = [], [], 0
    for one in report["dependencies"]:
        name = canonicalize_name(one["name"])
        if reason := one.get("skip_reason"):
            unseen.append(f"{name}: {reason}")
            continue
        looked_at += 1
        where = "production" if name in production else "development"
        for known in one["vulns"]:
            names = {known["id"], *known.get("aliases", ())}
            if not names & ACCEPTED.keys():
                mended = ", ".join(known.get("fix_versions", ())) or "no version yet"
                found.append(f"{name} {one['version']} ({where}): {known['id']}, mended in {mended}")
    return Answer(tuple(sorted(found)), tuple(sorted(unseen)), looked_at)


def ask(lock: Path, source: str, production: set[str]) -> Answer:
    """Ask the source about every package of a lock. Nothing is installed and nothing is built."""
    with tempfile.TemporaryDirectory() as cache:
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip",
            "--vulnerability-service", "osv", "--osv-url", source, "--format", "json", "--aliases", "on",
            "--progress-spinner", "off", "--timeout", str(PATIENCE_EACH), "--cache-dir", cache,
        ]  # fmt: skip
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return Answer(unseen=(f"no answer within {PATIENCE} seconds",))
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Answer(unseen=(last[:300],))
    return _said(report, production)


def lines(answer: Answer) -> Iterator[str]:
    """Yield what to print of an answer."""
    for one in answer.advisories:
        yield f"advisories: KNOWN: {one}"
    for one in answer.unseen:
        yield f"advisories: COULD NOT LOOK: {one}"
    yield f"advisories: {answer.looked_at} packages looked up, {len(answer.advisories)} advisories known"


def main(arguments: list[str]) -> int:
    """Ask and print. Return 1 where an advisory is known, 2 where the look-up failed and must not, else 0."""
    production = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))
    answer = ask(ROOT / BENCH, os.environ.get("ADVISORY_SOURCE", SOURCE), set(production))
    print(*lines(answer), sep="\n")
    if answer.advisories:
        return 1
    return 2 if answer.unseen and "--must-look" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
