"""The bill of materials lists what production installs, and the same locks give the same bytes."""

import json
from typing import Any

import pytest

from tests.checks.locks import PRODUCTION, ROOT, read
from tests.checks.sbom import SBOM, asked_by, contents, faults, made

WRITTEN = (ROOT / SBOM).read_text(encoding="utf-8")


def test_the_bill_of_this_checkout_is_valid_and_of_today() -> None:
    assert list(faults(WRITTEN)) == []


def test_it_is_made_twice_in_the_same_bytes_and_holds_no_time() -> None:
    assert made() == made()
    assert "timestamp" not in WRITTEN


def test_its_components_are_the_lock_of_production_each_with_a_licence_and_its_needs() -> None:
    bill = json.loads(WRITTEN)
    packages = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))

    assert contents(bill) == {name: one.version for name, one in packages.items()}
    assert all(one["licenses"] for one in bill["components"])
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert (
        f"pkg:pypi/starlette@{packages['starlette'].version}"
        in needs[f"pkg:pypi/fastapi@{packages['fastapi'].version}"]
    )
    assert f"pkg:pypi/fastapi@{packages['fastapi'].version}" in needs["kigen-dayori"]


def _forget_one(bill: dict[str, Any]) -> None:
    bill["components"].pop()


def _another_version(bill: dict[str, Any]) -> None:
    bill["components"][0]["version"] = "0"


def _no_licence(bill: dict[str, Any]) -> None:
    bill["components"][0]["licenses"] = []


def _no_form(bill: dict[str, Any]) -> None:
    bill["components"][0]["type"] = "something"


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_forget_one, "is None, and"),
        (_another_version, "is 0, and"),
        (_no_licence, "has no licence"),
        (_no_form, "not valid against CycloneDX 1.6"),
    ],
)
def test_a_bill_that_is_wrong_is_refused(spoil: Any, what: str) -> None:
    bill = json.loads(WRITTEN)
    spoil(bill)

    assert any(what in fault for fault in faults(json.dumps(bill)))


def test_who_needs_a_package_is_read_from_the_lock() -> None:
    lock = "one==1 \\\n    --hash=sha256:0\n    # via\n    #   Kigen.Dayori (pyproject.toml)\n    #   two\ntwo==2\n    # via one\n"

    assert asked_by(lock) == {"one": {"kigen-dayori", "two"}, "two": {"one"}}
