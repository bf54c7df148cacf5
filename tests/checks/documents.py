"""Hold the documents to their form: lines of at most 120 characters, and links that lead to something that exists.

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


def faults(root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with the documents of a checkout, as "path:number: what is wrong"."""
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        for fault in (*long_lines(text), *dead_links(path, text)):
            yield f"{path.relative_to(root)}:{fault}"


def main() -> int:
    """Print what is wrong. Return 1 where there is something, else 0."""
    found = list(faults())
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
