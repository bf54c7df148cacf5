"""`python -m tests.museum [PART OF A SOURCE]`: lives the reports, and prints what is not as it must be."""

import os
import sys

from tests.museum.reports import differences, reports


def main() -> int:
    """Print one line a report."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.museum", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    failed = 0
    for report in reports():
        if len(sys.argv) > 1 and sys.argv[1] not in report.source:
            continue
        found = differences(report)
        failed += bool(found)
        print(f"{report.source}: {'; '.join(found) or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
