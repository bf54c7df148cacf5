"""Where the browser comes from, and what becomes of its tests where there is none."""

from pathlib import Path

import pytest

from tests import relied_on
from tests.browser import chromium


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only program of this machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TEST_CHROMIUM", raising=False)
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_the_chromium_of_the_machine_is_taken(program: Path) -> None:
    assert chromium.find() == program


def test_the_one_that_is_named_is_taken_before_it(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program.rename(program.with_name("mine"))
    monkeypatch.setenv("TEST_CHROMIUM", str(mine))

    assert chromium.find() == mine


@pytest.mark.parametrize("named", [None, "/nowhere/chromium"])
def test_without_one_it_is_said_what_to_install(
    program: Path, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.rename(program.with_name("other"))
    if named:
        monkeypatch.setenv("TEST_CHROMIUM", named)

    with pytest.raises(chromium.ChromiumMissingError, match=rf"tried: {named or 'chromium, '}.*package `chromium`"):
        chromium.find()


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [
        pytest.param({}, pytest.skip.Exception, id="at somebody's desk"),
        pytest.param({"REQUIRE_POSTGRES": "1"}, pytest.skip.Exception, id="where somebody insists on something else"),
        pytest.param({"CI": "true"}, pytest.fail.Exception, id="in CI"),
        pytest.param({"REQUIRE_BROWSER": "1"}, pytest.fail.Exception, id="where somebody insists"),
    ],
)
def test_its_tests_are_skipped_unless_the_result_is_relied_on(environment: dict[str, str], outcome: type) -> None:
    with pytest.raises(outcome, match="nothing here"):
        relied_on.do_without("Chromium", "nothing here", "REQUIRE_BROWSER", environment)


def test_its_tests_can_be_left_out_by_their_mark(request: pytest.FixtureRequest) -> None:
    asks_for_one = [item for item in request.session.items if "browser" in getattr(item, "fixturenames", ())]

    assert all(item.get_closest_marker("browser") for item in asks_for_one)
    assert not request.node.get_closest_marker("browser")
