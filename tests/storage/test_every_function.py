"""Every public function of reminder/storage is called here on both databases, so that what stands above it may be
tested on one."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
STORAGE, TESTS = TOP / "reminder" / "storage", TOP / "tests" / "storage"
DATABASES = {"database_url", "empty_database_url"}
# What is given a database in some way is to be called on each of the two.
GIVEN_A_DATABASE = {"Tx", "Session", "Database", "Connection"}

# Functions that truly cannot be called alone, each with its reason.
EXCEPT: Mapping[str, str] = {}


@dataclass(frozen=True)
class Function:
    """A public function, or a public method of a public class, of a module."""

    module: str
    name: str
    is_method: bool
    needs_database: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


def public(path: Path) -> Iterator[Function]:
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield Function(module_of(path), node.name, False, takes_database(node))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield Function(module_of(path), method.name, True, takes_database(method))


def takes_database(function: ast.FunctionDef) -> bool:
    given = (one.annotation for one in (*function.args.args, *function.args.kwonlyargs))
    return any(isinstance(one, ast.Name) and one.id in GIVEN_A_DATABASE for one in given)


@dataclass
class Calls:
    """What the tests of one file call: by function, and by the name of a method; and what of it on both databases."""

    path: Path
    tree: ast.Module = field(init=False)
    names: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    anywhere: set[tuple[str, str]] = field(default_factory=set)
    on_both: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tree = parsed(self.path)
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reminder"):
                for alias in node.names:
                    is_module = as_path(f"{node.module}.{alias.name}").exists()
                    whole = (f"{node.module}.{alias.name}", None) if is_module else (str(node.module), alias.name)
                    self.names[alias.asname or alias.name] = whole
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                found = set(self.called(node))
                self.anywhere |= found
                if closure(node, self.path) & DATABASES:
                    self.on_both |= found

    def called(self, function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
        """(module, name); for a method, the modules of which anything is imported."""
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in self.names:
                module, name = self.names[node.id]
                if name is not None:
                    yield module, name
            if isinstance(node, ast.Attribute):
                of = node.value.id if isinstance(node.value, ast.Name) else ""
                if of in self.names and self.names[of][1] is None:
                    yield self.names[of][0], node.attr
                yield from ((module, f".{node.attr}") for module, _ in set(self.names.values()))


def as_path(module: str) -> Path:
    return TOP / Path(*module.split(".")).with_suffix(".py")


def closure(function: ast.FunctionDef, path: Path) -> set[str]:
    """The fixtures a test gets, and those that these get."""
    there = fixtures(TOP / "tests" / "conftest.py") | fixtures(TESTS / "conftest.py") | fixtures(path)
    names, waiting = set[str](), [one.arg for one in function.args.args]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting.extend(there.get(name, ()))
    return names


def fixtures(path: Path) -> dict[str, list[str]]:
    return {
        node.name: [one.arg for one in node.args.args]
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(one) for one in node.decorator_list)
    }


@pytest.fixture(scope="module")
def calls() -> list[Calls]:
    return [Calls(path) for path in sorted(TESTS.rglob("test_*.py")) if path != Path(__file__)]


@pytest.mark.parametrize("path", sorted(STORAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(STORAGE)))
def test_every_public_function_is_called_on_both_databases(path: Path, calls: list[Calls]) -> None:
    anywhere = set[tuple[str, str]]().union(*(one.anywhere for one in calls))
    on_both = set[tuple[str, str]]().union(*(one.on_both for one in calls))

    missing = [
        str(one)
        for one in public(path)
        if (one.module, f".{one.name}" if one.is_method else one.name)
        not in (on_both if one.needs_database else anywhere)
    ]

    assert [name for name in missing if name not in EXCEPT] == []


def test_no_function_is_excused_that_is_gone() -> None:
    there = {str(one) for path in STORAGE.rglob("*.py") for one in public(path)}

    assert EXCEPT.keys() <= there
