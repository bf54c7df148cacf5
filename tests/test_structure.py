"""The structure of the code: what must not grow again."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "reminder"

# What a unit of work carries. Functions that take most of it one by one should take the unit, or the factory of units.
CARRIED = {"database", "keys", "rules", "now"}
MOST = 5


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    taken = function.args
    return {one.arg for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)}


def test_hardly_a_function_takes_what_a_unit_of_work_carries_one_by_one() -> None:
    found = [place for place, function in functions() if len(parameters(function) & CARRIED) >= 3]

    assert len(found) <= MOST, found
