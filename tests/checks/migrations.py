"""Refuse a migration beside which a running program of the version before could not live.

While a new version is deployed, programs of the old one still read and write. From `FIRST_ADDITIVE` on a migration may
only add: tables, indexes, and columns that may be empty or have a default. What is dropped, renamed, narrowed or filled
waits for the release after the one that stopped using it, and names it in `_ALLOWED` with that reason.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "migrations" / "versions"
# The migration that gave tables and columns their standard names is the last one that is not additive.
LAST_NOT_ADDITIVE = "0010"
ADDITIVE = {
    "create_table",
    "create_index",
    "add_column",
    "get_bind",
    "f",
    "batch_alter_table",
    "create_check_constraint",
    "exec_driver_sql",  # of the statements below
}
# Statements in SQL that only add, or restrict roles that no program of the version before has.
_ADDITIVE_SQL = re.compile(
    r"CREATE (FUNCTION|POLICY) |ALTER TABLE \S+ (ENABLE|FORCE) ROW LEVEL SECURITY$"
    r"|REVOKE EXECUTE ON FUNCTION |SELECT (?!.*;)"
)
# Statements that are allowed all the same: (revision, call) -> why no running program of the version before minds.
_ALLOWED: dict[tuple[str, str], str] = {
    ("0024", "drop_index"): "an index only makes a search quick, or refuses a row: the version before no longer writes",
    ("0026", "drop_index"): "the unique index that takes its place finds the same",
    ("0026", "create_index"): "the version before writes no id twice but where it has lost a message by it",
    ("0024", "create_index"): "its unique index refuses nothing that the one before it did not refuse as well",
}


def refusals(revision: str, source: str) -> Iterator[str]:
    """Yield what of a migration's upgrade is not additive. `source`: the text of its file."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    waiting, seen = ["upgrade"], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name):
                waiting.append(node.func.id)
            elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                yield from _refused(revision, node.func.value.id, node.func.attr, node)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Assign) and _is_of_ours(node.value):
                yield f"{revision}: call op and connection by their names, so that this check sees what they do"
    if "ENABLE ROW LEVEL SECURITY" in source and "CREATE POLICY everything ON" not in source:
        yield f"{revision}: the version before runs as the owner of the tables, which needs the policy `everything`"


def _refused(revision: str, of: str, call: str, node: ast.Call) -> Iterator[str]:
    if of not in ("op", "batch", "connection") or (revision, call) in _ALLOWED:
        return
    if call == "create_check_constraint":
        yield f"{revision}: a check constraint refuses rows that the version before may still write"
    elif call == "create_index" and any(word.arg == "unique" and _is_true(word.value) for word in node.keywords):
        yield f"{revision}: a unique index refuses rows that the version before may still write"
    elif call == "add_column" and _needs_a_value(node):
        yield f"{revision}: a column without a default must be nullable: the version before does not fill it"
    elif call == "exec_driver_sql" and not _ADDITIVE_SQL.match(_statement(node)):
        yield f"{revision}: a statement that may change or remove what the version before may still use"
    elif call not in ADDITIVE:
        yield f"{revision}: {of}.{call} changes or removes what the version before may still use"


def _is_of_ours(value: ast.expr) -> bool:
    """Whether this is a method of op, batch or connection that is not called here."""
    return (
        isinstance(value, ast.Attribute)
        and isinstance(value.value, ast.Name)
        and value.value.id in ("op", "batch", "connection")
        and value.attr != "dialect"
    )


def _statement(node: ast.Call) -> str:
    """The statement, with x for what is put into it."""
    text = node.args[0] if node.args else ast.Constant("")
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _needs_a_value(node: ast.Call) -> bool:
    column = next((one for one in ast.walk(node) if isinstance(one, ast.Call) and _name(one) == "Column"), None)
    if column is None:
        return True
    words = {word.arg: word.value for word in column.keywords}
    is_nullable = "nullable" not in words or _is_true(words["nullable"])
    return not is_nullable and "server_default" not in words


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def problems(folder: Path = FOLDER) -> list[str]:
    """Return what is not additive in the migrations after LAST_NOT_ADDITIVE, and gaps in their numbers."""
    found: list[str] = []
    numbers = []
    for path in sorted(folder.glob("*.py")):
        revision = path.name.partition("_")[0]
        numbers.append(int(revision))
        if revision > LAST_NOT_ADDITIVE:
            found += refusals(revision, path.read_text(encoding="utf-8"))
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the numbers of the migrations do not count up by one: {numbers}")
    return found


def main() -> int:
    """Run the check and return the exit status."""
    found = problems()
    for line in found:
        print(line)
    print(f"migrations: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
