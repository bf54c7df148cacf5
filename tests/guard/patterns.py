"""The regular expressions of the product: found by walking its modules and their source, with how each is used."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import reminder
from reminder.domain.parsing import column_headings, replies
from reminder.guard import outgoing
from reminder.settings import config_dir, read_table

FUNCTIONS = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
SCANS = ("sub", "subn", "split", "findall", "finditer")
# What runs on a developer's own files, by commands that write source code.
DEVELOPERS = ("reminder.cli.scaffold",)


@dataclass
class Found:
    """A pattern, where it stands, and the methods it is called by."""

    where: str
    pattern: re.Pattern[Any]
    methods: set[str] = field(default_factory=set)


def modules() -> Iterator[ModuleType]:
    """Yield every module of the product."""
    for info in pkgutil.walk_packages(reminder.__path__, "reminder."):
        if info.name.endswith("__main__"):
            continue
        yield importlib.import_module(info.name)


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in FUNCTIONS
        ):
            yield node


def in_source() -> tuple[list[Found], list[str]]:
    """Return the patterns that stand in the source, and the places whose pattern is only known when it runs."""
    found: dict[re.Pattern[Any], Found] = {}
    unknown: list[str] = []
    for module in modules():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        if "re." not in source:
            continue
        tree = ast.parse(source)
        uses = _uses(tree)
        names = {
            id(node.value): target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in _calls(tree):
            where = f"{module.__name__}:{call.lineno}"
            assert isinstance(call.func, ast.Attribute)
            method = call.func.attr
            try:
                pattern = _compiled(call, vars(module))
            except NameError:
                if not module.__name__.startswith(DEVELOPERS):
                    unknown.append(f"{module.__name__}.{_function_of(tree, call)}")
                continue
            if module.__name__.startswith(DEVELOPERS):
                continue
            one = found.setdefault(pattern, Found(where, pattern))
            if method == "compile":
                one.methods |= uses.get(names.get(id(call), ""), set()) or {"search", "sub"}
            else:
                one.methods.add(method)
    return list(found.values()), unknown


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    uses: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in FUNCTIONS:
            uses.setdefault(node.value.id, set()).add(node.attr)
    # A name that is also handed on may be used in any way there.
    handed = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    for name, methods in uses.items():
        called = sum(
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
            for node in ast.walk(tree)
        )
        if handed.count(name) > called:
            methods |= {"search", "sub"}
    return uses


def _compiled(call: ast.Call, names: dict[str, Any]) -> re.Pattern[Any]:
    written = _value(call.args[0], names)
    place = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(getattr(call.func, "attr", ""), 2)
    flags = _value(call.args[place], names) if len(call.args) > place else 0
    for keyword in call.keywords:
        if keyword.arg == "flags":
            flags = _value(keyword.value, names)
    return written if isinstance(written, re.Pattern) else re.compile(written, flags)


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), dict(names))  # our own source


def _function_of(tree: ast.Module, call: ast.Call) -> str:
    return next(
        (
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and any(inner is call for inner in ast.walk(node))
        ),
        "?",
    )


def in_configuration() -> list[Found]:
    """Return the patterns of config/ that read strangers' texts."""
    rules = replies.read_rules(read_table(config_dir() / "replies.toml"))
    headings = column_headings.read_headings(read_table(config_dir() / "headings.toml"))
    found = [
        Found(f"config/replies.toml {rule.intent}.{name}", pattern, {"search"})
        for rule in rules.spoken
        for name, pattern in (("holds", rule.holds), ("unless", rule.unless))
    ]
    found += [Found("config/headings.toml refused_patterns", one, {"search"}) for one in headings.refused_patterns]
    links, money = outgoing._link_words(), outgoing._money_words()
    made = [links.dots, links.glued, outgoing._phone_words(), outgoing._amounts(), *money.in_one, *money.apart]
    found += [Found(f"guard/outgoing.toml {place}", one, {"finditer"}) for place, one in enumerate(made)]
    return found
