"""The process that reads one sheet: it has no secrets, no database and no network, little memory and little time.

Standard input: a line of JSON, then the file. Standard output: lines of JSON (`wire`). `bounded_reader` starts it.
"""

import json
import os
import signal
import sys
import tomllib
from contextlib import suppress
from itertools import islice
from pathlib import Path

from reminder.domain.parsing.column_headings import read_headings
from reminder.enrolment.imports import wire
from reminder.enrolment.imports.reader import read_sheet
from reminder.errors import RefusedInputError

# 100,000 rows of twenty columns take 15 seconds and 250 megabytes.
CPU_SECONDS, MEMORY = 40, 768 * 1024 * 1024
# Also a process that waits for its reader ends.
SECONDS = 300
ROWS_AT_ONCE = 500


def limit_resources() -> None:
    """Let the system end this process when it has used what it may; what it holds is never written to a disk."""
    signal.alarm(SECONDS)
    os.nice(10)
    import resource

    limits = {
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    for limit, most in limits.items():
        # Not every system has each of them (macOS: no limit of memory).
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))


def main() -> None:
    """Read the sheet on standard input."""
    asked = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    headings = read_headings(tomllib.loads(Path(asked["headings"]).read_text(encoding="utf-8")))
    with suppress(ImportError, AttributeError):  # no such limits on Windows
        limit_resources()
    try:
        found = read_sheet(content, headings, sheet=asked["sheet"])
        _write(wire.sheet_line(found))
        while some := list(islice(found.rows, ROWS_AT_ONCE)):
            _write(wire.rows_line(some))
        _write(wire.END)
    except RefusedInputError as refused:
        _write(wire.refusal_line(refused))
    except MemoryError:
        _write(wire.refusal_line(RefusedInputError("sheet_bomb", field="file")))


def _write(line: str) -> None:
    sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
