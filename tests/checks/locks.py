"""Hold the three locks to each other, and to what the product imports.

`requirements.lock` is what production installs: the dependencies of `pyproject.toml`, the extra `letters`, and what
these need. `requirements-dev.lock` adds the tools of development, and `requirements-bench.lock` adds to those what
`make bench` measures ours against. `python -m tests.checks.locks` lists what is wrong and exits with 1 where there is
something.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PRODUCTION, DEVELOPMENT, BENCH = "requirements.lock", "requirements-dev.lock", "requirements-bench.lock"
# Each is installed by what installs the next one.
LOCKS = (PRODUCTION, DEVELOPMENT, BENCH)
# The extras that production installs, too, and the one that only `make bench` does.
EXTRAS = ("letters",)
BENCH_EXTRA = "bench"
# Folders whose code runs in production.
SHIPPED = ("reminder", "migrations")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_ADDRESS = re.compile(r"://|^\s*-|\s@\s|(^|[\s=])(/|[A-Za-z]:\\)")


@dataclass(frozen=True)
class Locked:
    """One package of a lock. `marker`: where it is installed; None is everywhere."""

    name: str
    version: str
    marker: Marker | None
    hashes: frozenset[str]

    @property
    def is_for_here(self) -> bool:
        """Whether this interpreter and platform install it."""
        return self.marker is None or self.marker.evaluate({"extra": ""})


def read(text: str) -> dict[str, Locked]:
    """Return the packages of a lock by their canonical name."""
    found = {}
    for entry in re.split(r"\n(?=\S)", text):
        first = entry.partition("\n")[0].rstrip(" \\")
        if not first or first.startswith("#"):
            continue
        wanted = Requirement(first)
        name = canonicalize_name(wanted.name)
        pin = next(iter(wanted.specifier), None)
        version = pin.version if pin is not None and pin.operator == "==" and len(wanted.specifier) == 1 else ""
        found[name] = Locked(name, version, wanted.marker, frozenset(_HASH.findall(entry)))
    return found


def addresses(text: str) -> Iterator[str]:
    """Yield each line of a lock, by number, that names a registry, an option or a path of a machine."""
    for number, line in enumerate(text.splitlines(), 1):
        bare = _HASH.sub("", line).strip(" \\")
        if not bare.startswith("#") and _ADDRESS.search(bare):
            yield f"{number}: names an address, an option or a path"
        elif bare.startswith("#") and re.search(r"://|(^|\s)/", bare):
            yield f"{number}: names an address or a path"


def unpinned(lock: str, packages: Mapping[str, Locked]) -> Iterator[str]:
    """Yield what in a lock is not pinned to one version with hashes."""
    for one in packages.values():
        if not one.version or not one.hashes:
            yield f"{lock}: {one.name} is not pinned to one version with hashes"


def disagreements(
    smaller: Mapping[str, Locked],
    larger: Mapping[str, Locked],
    names: tuple[str, str] = (PRODUCTION, DEVELOPMENT),
) -> Iterator[str]:
    """Yield how two locks disagree of which the second adds to the first."""
    for one in smaller.values():
        other = larger.get(one.name)
        if other is None:
            yield f"{names[1]}: {one.name} is missing, which {names[0]} installs"
        elif (one.version, one.hashes) != (other.version, other.hashes):
            yield f"{one.name}: version or hashes differ between {names[0]} and {names[1]}"


def of_the_bench(
    project: Mapping[str, object], development: Mapping[str, Locked], bench: Mapping[str, Locked]
) -> Iterator[str]:
    """Yield what of the extra for `make bench` its lock lacks, or the lock of development has."""
    table = project["project"]
    assert isinstance(table, dict)
    for wanted in table["optional-dependencies"][BENCH_EXTRA]:
        name = canonicalize_name(Requirement(wanted).name)
        if name not in bench:
            yield f"{BENCH}: {name} is missing, which pyproject.toml needs"
        if name in development:
            yield f"{DEVELOPMENT}: {name} is there, and only `make bench` needs it"


def needed(requirements: Iterable[str]) -> dict[str, str]:
    """Return what `requirements` need here, themselves included: canonical name -> who asked for it.

    What is needed by what is read from the metadata of the installed packages.
    """
    waiting = [(Requirement(text), "pyproject.toml") for text in requirements]
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted, by = waiting.pop()
        name = canonicalize_name(wanted.name)
        found.setdefault(name, by)
        for extra in ("", *wanted.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                below = distribution(name).requires or []
            except PackageNotFoundError:
                continue
            for text in below:
                one = Requirement(text)
                if one.marker is None or one.marker.evaluate({"extra": extra}):
                    waiting.append((one, name))
    return found


def of_production(project: Mapping[str, object]) -> list[str]:
    """Return the requirements of production as `pyproject.toml` (parsed) lists them, that are for this platform."""
    table = project["project"]
    assert isinstance(table, dict)
    listed = [*table["dependencies"], *(one for extra in EXTRAS for one in table["optional-dependencies"][extra])]
    return [one for one in listed if (mark := Requirement(one).marker) is None or mark.evaluate({"extra": ""})]


def strangers(production: Mapping[str, Locked], requirements: Iterable[str]) -> Iterator[str]:
    """Yield what production's lock holds without need, and what it lacks."""
    wanted = needed(requirements)
    for name, by in sorted(wanted.items()):
        if name not in production:
            yield f"{PRODUCTION}: {name} is missing, which {by} needs"
    for one in production.values():
        if one.is_for_here and one.name not in wanted:
            yield f"{PRODUCTION}: {one.name} is there, and nothing of production needs it"


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file below `folder` with the top-level name of each module that it imports absolutely."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield file, node.module.partition(".")[0]


def unlocked_imports(root: Path, production: Mapping[str, Locked]) -> Iterator[str]:
    """Yield each import of shipped code that no package of production's lock brings."""
    brought = packages_distributions()
    for folder in SHIPPED:
        for file, module in imported(root / folder):
            if module in sys.stdlib_module_names or module == "reminder":
                continue
            if not {canonicalize_name(name) for name in brought.get(module, ())} & production.keys():
                yield f"{file.relative_to(root)}: imports {module}, which no package of {PRODUCTION} brings"


def faults(root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with the locks of a checkout."""
    texts = {name: (root / name).read_text(encoding="utf-8") for name in LOCKS}
    for name, text in texts.items():
        yield from (f"{name}:{fault}" for fault in addresses(text))
        yield from unpinned(name, read(text))
    production, development, bench = (read(texts[name]) for name in LOCKS)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    yield from disagreements(production, development)
    yield from disagreements(development, bench, (DEVELOPMENT, BENCH))
    yield from of_the_bench(project, development, bench)
    yield from strangers(production, of_production(project))
    yield from unlocked_imports(root, production)


def main() -> int:
    """Print what is wrong. Return 1 where there is something, else 0."""
    found = sorted(set(faults()))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
