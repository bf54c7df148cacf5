"""Hold the documents to their form: lines of at most 120 characters, and links that lead to something that exists.

In SECURITY.md and docs/security every file and test that is named must exist, too.

`python -m tests.checks.documents` lists what is wrong and exits with 1 where there is something.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
LONGEST = 120
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`]*`")
# A file of the checkout that a document names as evidence, with a test in it where one is named: `tests/a.py::test_b`.
_EVIDENCE = re.compile(r"`((?:tests|reminder|docs|config|migrations)/[\w./-]+)(?:::(\w+))?`")
# Documents whose every file must exist: somebody relies on them.
RELIED_ON = ("SECURITY.md", "docs/security")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def documents(root: Path = ROOT) -> Iterator[Path]:
    """Yield every document of a checkout: at its top, below docs/ and below .github/."""
    yield from sorted(root.glob("*.md"))
    for folder in ("docs", ".github"):
        yield from sorted((root / folder).rglob("*.md"))


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line outside code blocks, with its number from 1."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            yield number, line


def long_lines(text: str) -> Iterator[str]:
    """Yield each line that is too long, as "number: what is wrong". Tables, code and a word alone cannot be wrapped."""
    for number, line in prose(text):
        words = line.lstrip(" -*>").split()
        if len(line) > LONGEST and not line.lstrip().startswith("|") and len(words) > 1:
            yield f"{number}: {len(line)} characters; wrap it at {LONGEST}"


def anchors(text: str) -> set[str]:
    """Return the names under which the headings of a document can be linked to."""
    found: set[str] = set()
    for _, line in prose(text):
        if heading := re.match(r"#+ (.+)", line):
            name = re.sub(r"[^\w\- ]", "", heading[1].strip().lower()).replace(" ", "-")
            repeated = sum(1 for one in found if one == name or re.fullmatch(re.escape(name) + r"-\d+", one))
            found.add(f"{name}-{repeated}" if repeated else name)
    return found


def dead_links(path: Path, text: str) -> Iterator[str]:
    """Yield each relative link, as "number: what is wrong", whose file or heading does not exist."""
    for number, line in prose(text):
        for target in _LINK.findall(_CODE.sub("", line)):
            if _ELSEWHERE.match(target):
                continue
            name, _, anchor = target.partition("#")
            file = (path.parent / unquote(name)).resolve() if name else path
            if not file.exists():
                yield f"{number}: {target} leads to no file"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                yield f"{number}: {target} leads to no heading"


def missing_evidence(root: Path, text: str) -> Iterator[str]:
    """Yield each file or test, as "number: what is wrong", that a document names and the checkout has not."""
    for number, line in prose(text):
        for name, test in _EVIDENCE.findall(line):
            file = root / name
            if not file.exists():
                yield f"{number}: {name} does not exist"
            elif test and not re.search(
                rf"^\s*(?:async )?def {test}\(", file.read_text(encoding="utf-8"), re.MULTILINE
            ):
                yield f"{number}: {name} has no {test}"


def is_relied_on(name: str) -> bool:
    """Return whether every file that a document names must exist. `name`: its path in the checkout."""
    return any(name == one or name.startswith(f"{one}/") for one in RELIED_ON)


def faults(root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with the documents of a checkout, as "path:number: what is wrong"."""
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root).as_posix()
        evidence = missing_evidence(root, text) if is_relied_on(name) else ()
        for fault in (*long_lines(text), *dead_links(path, text), *evidence):
            yield f"{name}:{fault}"


def main() -> int:
    """Print what is wrong. Return 1 where there is something, else 0."""
    found = list(faults())
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
