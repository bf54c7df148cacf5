"""NOTICE names each package that production installs with the licence that the package has."""

import pytest

from tests.checks.licences import NOTICE, contradiction, faults, listed
from tests.checks.locks import PRODUCTION, ROOT, Locked, read

WRITTEN = (ROOT / NOTICE).read_text(encoding="utf-8")
PACKAGES = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))


def test_the_notice_of_this_checkout_is_complete_and_true() -> None:
    assert list(faults(WRITTEN, PACKAGES.values())) == []


@pytest.mark.parametrize("name", ["psycopg", "certifi", "pyphen", "uvloop"])
def test_a_package_that_the_notice_forgets_is_named(name: str) -> None:
    without = "\n".join(line for line in WRITTEN.splitlines() if not line.startswith(f"  {name} "))

    assert list(faults(without, PACKAGES.values())) == [f"NOTICE: {name} is missing, which {PRODUCTION} installs"]


def test_a_package_that_is_not_installed_any_more_is_named() -> None:
    found = faults(f"{WRITTEN}\n  no-such-package  MIT\n", PACKAGES.values())

    assert list(found) == [f"NOTICE: no-such-package is listed, and {PRODUCTION} does not install it"]


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_wrong_licence_is_named(name: str) -> None:
    assert name in listed(WRITTEN)
    here = Locked(name, "1", None, frozenset())
    if not PACKAGES[name].is_for_here:
        return

    (fault,) = faults(f"  {name}  AGPL-3.0-only\n", [here])

    assert fault.startswith(f"NOTICE: {name}: NOTICE says AGPL-3.0-only, it says ")


@pytest.mark.parametrize(
    ("expression", "said", "is_true"),
    [
        ("MIT", ("MIT", []), True),
        ("MIT OR Apache-2.0", ("Apache-2.0 OR MIT", []), True),
        ("MIT AND Apache-2.0", ("Apache-2.0 OR MIT", []), False),
        ("BSD-3-Clause", ("", ["BSD License"]), True),
        ("MIT", ("", ["BSD License"]), False),
        ("MIT", ("", ["MIT License", "Apache Software License"]), False),
        ("MIT OR GPL-2.0-only", ("", ["MIT License"]), False),
        ("MIT", ("", []), False),
        ("The MIT one", ("MIT", []), False),
    ],
)
def test_a_licence_is_compared_with_what_a_package_says(
    expression: str, said: tuple[str, list[str]], is_true: bool
) -> None:
    assert (contradiction(expression, said) is None) is is_true
