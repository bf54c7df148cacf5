"""Hold the code and the documents to docs/glossary.toml, and make docs/glossary.md from it.

`python -m tests.checks.glossary` lists what is wrong and ends with 1; `--write` makes the page.
"""

import ast
import re
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.toml"
PAGE = ROOT / "docs" / "glossary.md"
# Their lines are made, or are of the past.
NOT_READ = {"docs/glossary.md", "CHANGELOG.md"}
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z]|\d|_|$)|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Glossary:
    """What docs/glossary.toml says."""

    terms: Sequence[Mapping[str, object]]
    retired: Mapping[str, str]
    retired_names: Mapping[str, str]
    phrases: Mapping[re.Pattern[str], str]
    allowed_names: frozenset[str]
    allowed_files: frozenset[str]
    files: Mapping[str, str]


def read_glossary(path: Path = GLOSSARY) -> Glossary:
    """Return the glossary in a file."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Glossary(
        terms=table["terms"],
        retired=table["retired"],
        retired_names=table["retired_names"],
        phrases={re.compile(phrase, re.IGNORECASE): better for phrase, better in table["phrases"].items()},
        allowed_names=frozenset(table["allowed"]["names"]),
        allowed_files=frozenset(table["allowed"]["files"]),
        files=table["files"],
    )


def same_class_twice(sources: Mapping[str, str]) -> Iterator[str]:
    """Yield each public class name that two modules use. `sources`: text by path."""
    where: dict[str, list[str]] = defaultdict(list)
    for path, text in sources.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(path)
    for name, paths in sorted(where.items()):
        if len(paths) > 1:
            yield f"the class name {name} is used in {' and in '.join(paths)}: give each thing its own name"


def same_file_twice(paths: Sequence[str], glossary: Glossary) -> Iterator[str]:
    """Yield each file name that several packages use and of which the glossary does not say one meaning."""
    where: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        where[Path(path).name].append(path)
    for name, found in sorted(where.items()):
        if len(found) > 1 and name not in glossary.files:
            yield f"{name} is the name of {' and of '.join(found)}: rename one, or say in [files] what both are about"


def retired_identifiers(path: str, text: str, glossary: Glossary) -> Iterator[str]:
    """Yield each identifier of a Python file that holds a retired word."""
    if any(path.endswith(allowed) for allowed in glossary.allowed_files):
        return
    seen: set[str] = set()
    lines = iter(text.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        name = token.string
        if token.type != tokenize.NAME or name in seen or name in glossary.allowed_names:
            continue
        seen.add(name)
        words = [word.lower() for word in _WORD.findall(name)]
        better = glossary.retired_names.get(name.strip("_").lower()) or next(
            (glossary.retired[word] for word in words if word in glossary.retired), None
        )
        if better is not None:
            yield f"{path}:{token.start[0]}: {name} is a retired word: {better}"


def retired_phrases(path: str, text: str, glossary: Glossary) -> Iterator[str]:
    """Yield each phrase in a document, or in the docstrings and comments of a Python file, that is retired."""
    for number, line in enumerate(_prose(path, text), 1):
        for phrase, better in glossary.phrases.items():
            if found := phrase.search(line):
                yield f"{path}:{number}: “{found[0]}” is retired: {better}"


def _prose(path: str, text: str) -> Sequence[str]:
    """The lines of a text with everything but prose left out, so that line numbers stay."""
    if not path.endswith(".py"):
        return text.splitlines()
    kept = [""] * (text.count("\n") + 2)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            if doc is not None:
                start = node.body[0].lineno
                for offset, line in enumerate(doc.splitlines()):
                    kept[start - 1 + offset] = line
    lines = iter(text.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.COMMENT:
            kept[token.start[0] - 1] += token.string
    return kept


def missing_code(sources: Mapping[str, str], glossary: Glossary) -> Iterator[str]:
    """Yield each class that a term names and the code does not have."""
    classes = {
        node.name for text in sources.values() for node in ast.parse(text).body if isinstance(node, ast.ClassDef)
    }
    for term in glossary.terms:
        for name in term["code"]:  # type: ignore[attr-defined]
            if name not in classes:
                yield f"docs/glossary.toml: the term “{term['term']}” names the class {name}, which there is not"


def page(glossary: Glossary) -> str:
    """Return docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "One word, one thing. This page is made from [glossary.toml](glossary.toml) by"
        " `python -m tests.checks.glossary --write`;",
        "`make check` refuses a name or a phrase that the file retires.",
        "",
        "| term | on screen | means | in the code |",
        "|---|---|---|---|",
    ]
    for term in glossary.terms:
        code = ", ".join(f"`{name}`" for name in term["code"])  # type: ignore[attr-defined]
        lines.append(f"| {term['term']} | {term['screen']} | {term['means']} | {code} |")
    lines += ["", "## Retired words", "", "| retired | now |", "|---|---|"]
    lines += [f"| {old} | {new} |" for old, new in sorted({**glossary.retired, **glossary.retired_names}.items())]
    lines += ["", "## File names that several packages share", "", "| file | about |", "|---|---|"]
    lines += [f"| `{name}` | {about} |" for name, about in sorted(glossary.files.items())]
    return "\n".join(lines) + "\n"


def problems(root: Path = ROOT, glossary: Glossary | None = None) -> list[str]:
    """Return everything in a checkout that breaks the glossary."""
    given = glossary or read_glossary(root / "docs" / "glossary.toml")
    python = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in sorted((root / "reminder").rglob("*.py"))
    }
    tests = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted((root / "tests").rglob("*.py"))
    }
    documents = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])
    }
    documents = {path: text for path, text in documents.items() if path not in NOT_READ}
    found = [*same_class_twice(python), *same_file_twice(list(python), given), *missing_code(python, given)]
    for path, text in python.items():
        found += retired_identifiers(path, text, given)
    for path, text in {**python, **documents}.items():
        found += retired_phrases(path, text, given)
    for path, text in tests.items():
        if "/checks/" not in path:
            found += retired_identifiers(path, text, given)
    if not PAGE.exists() or (root / "docs" / "glossary.md").read_text(encoding="utf-8") != page(given):
        found.append("docs/glossary.md is not what docs/glossary.toml says: python -m tests.checks.glossary --write")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the check, or with --write make the page; return the exit status."""
    if "--write" in arguments:
        PAGE.write_text(page(read_glossary()), encoding="utf-8")
        return 0
    found = problems()
    for line in found:
        print(line)
    print(f"glossary: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
